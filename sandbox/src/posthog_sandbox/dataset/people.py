"""Companies and persons: their identity, and their properties over time."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from . import hostile
from .chance import Chance
from .product import OWN_DOMAIN
from .rows import GroupRow
from .story import DAY, Story
from .vocabulary import (
    COMPANY_FIRST,
    COMPANY_SECOND,
    COUNTRIES,
    DESKTOPS,
    FIRST_NAMES,
    INDUSTRIES,
    LAST_NAMES,
    PHONES,
    ROLES,
    SIGN_UP_METHODS,
    SOURCES,
    Country,
    Device,
    TrafficSource,
)

type Json = str | int | float | bool | list["Json"] | dict[str, "Json"] | None

_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def to_json(value: Mapping[str, Json]) -> str:
    """Encode compact JSON without ASCII escapes, as PostHog stores it."""
    return _encoder.encode(value)


def members(value: Mapping[str, Json]) -> str:
    """Encode the members of a JSON object, without its braces."""
    return to_json(value)[1:-1]


def quoted(text: str) -> str:
    """Encode a string as JSON, like `to_json`."""
    return _encoder.encode(text)


@dataclass(frozen=True, slots=True)
class Company:
    """A customer's organization: a group of type 0."""

    key: str
    domain: str
    created_at: int
    properties: str

    def row(self, updated_at: int) -> GroupRow:
        """Return its row in `groups`."""
        return GroupRow(0, self.key, self.created_at, updated_at, self.properties)


@dataclass(slots=True)
class Person:
    """A person during the simulation; the properties change on sign-up and purchases.

    `distinct_id` is the current id, `distinct_ids` has all of them. A `propertyless` person has no profile
    (`$process_person_profile` is false on its events).
    """

    id: str
    number: int
    country: Country
    device: Device
    source: TrafficSource
    address: str
    distinct_id: str
    created_at: int
    propertyless: bool = False
    identified: bool = False
    company: Company | None = None
    plan: str = "free"
    variant: str = ""
    surveyed: bool = False
    renews_at: int = 0
    """Time of the next renewal; 0 without a subscription."""
    free_at: int = 0
    """End of the latest visit; visits of a person do not overlap."""
    distinct_ids: list[str] = field(default_factory=list[str])
    properties: dict[str, Json] = field(default_factory=dict[str, Json])
    properties_json: str = "{}"

    def learn(self, known: Mapping[str, Json]) -> None:
        """Set person properties, as `$set` does."""
        if self.propertyless:
            return
        self.properties.update(known)
        self.properties_json = to_json(self.properties)

    def use_id(self, distinct_id: str) -> None:
        """Send the following events under `distinct_id`."""
        self.distinct_id = distinct_id
        if distinct_id not in self.distinct_ids:
            self.distinct_ids.append(distinct_id)


def found_companies(chance: Chance, count: int, story: Story, plant: bool) -> tuple[Company, ...]:
    """Return `count` companies; the first is the product's own."""
    companies = [_company(chance, number, story, plant) for number in range(count)]
    own = Company(
        "quillboard",
        OWN_DOMAIN,
        story.start - 700 * DAY,
        to_json({"name": "Quillboard", "plan": "internal", "employees": 24}),
    )
    return (own, *companies)


def meet(chance: Chance, number: int, arrival: int, plant: bool) -> Person:
    """Return a new anonymous person who arrives at `arrival`."""
    mobile = chance.hit(0.26)
    device = chance.pick(PHONES if mobile else DESKTOPS)
    distinct_id = chance.uuid7(arrival)
    odd = hostile.text(chance, "", 0.002, plant)[:200]
    person = Person(
        id=chance.uuid4(),
        number=number,
        country=chance.pick(COUNTRIES),
        device=device,
        source=_source(chance, plant),
        address=f"{chance.one_of(('203.0.113', '198.51.100', '192.0.2'))}.{chance.between(1, 254)}",
        distinct_id=f"{odd}{number}" if odd else distinct_id,
        created_at=arrival,
    )
    person.distinct_ids.append(person.distinct_id)
    return person


def first_known(person: Person, url: str) -> dict[str, Json]:
    """Return the person properties set by the first visit."""
    source, device, country = person.source, person.device, person.country
    known: dict[str, Json] = {
        "$browser": device.browser,
        "$os": device.os,
        "$device_type": device.type,
        "$geoip_country_code": country.code,
        "$geoip_country_name": country.name,
        "$initial_current_url": url,
        "$initial_referrer": source.referrer,
        "$initial_referring_domain": source.domain,
        "$initial_browser": device.browser,
        "$initial_os": device.os,
        "$initial_device_type": device.type,
    }
    if source.utm_source:
        known["$initial_utm_source"] = source.utm_source
        known["$initial_utm_medium"] = source.utm_medium
        known["$initial_utm_campaign"] = source.utm_campaign
    return known


def account(chance: Chance, person: Person, company: Company | None, signed_up_at: str, plant: bool) -> dict[str, Json]:
    """Return the person properties set on sign-up. Some sign up through a provider that hides the email address."""
    first, last = chance.one_of(FIRST_NAMES), chance.one_of(LAST_NAMES)
    name = hostile.text(chance, f"{first} {last}", 0.006, plant)
    method = chance.pick(SIGN_UP_METHODS)
    domain = company.domain if company else "mail.example"
    mail = f"{first}.{last}{person.number}@{domain}".lower()
    known: dict[str, Json] = {"name": name}
    if method != "github" or chance.hit(0.8):
        known["email"] = mail
    known |= {
        "plan": person.plan,
        "role": chance.pick(ROLES),
        "sign_up_method": method,
        "signed_up_at": signed_up_at,
        "is_trial": chance.hit(0.5),
        "seats": chance.between(1, 12) if company else 1,
    }
    return known


def _company(chance: Chance, number: int, story: Story, plant: bool) -> Company:
    name = f"{chance.one_of(COMPANY_FIRST)} {chance.one_of(COMPANY_SECOND)}"
    key = f"{name.lower().replace(' ', '-')}-{number + 1}"
    properties: dict[str, Json] = {
        "name": hostile.text(chance, name, 0.02, plant),
        "industry": chance.one_of(INDUSTRIES),
        "employees": 3 + int(chance.skewed(120)),
        "plan": "team" if chance.hit(0.35) else "free",
        "country": chance.pick(COUNTRIES).code,
    }
    return Company(key, f"{key}.example", story.start - int(chance.unit() * 400 * DAY), to_json(properties))


def _source(chance: Chance, plant: bool) -> TrafficSource:
    source = chance.pick(SOURCES)
    planted = hostile.text(chance, "", 0.004, plant)[:2000]
    return source._replace(utm_source="forged", utm_campaign=planted) if planted else source
