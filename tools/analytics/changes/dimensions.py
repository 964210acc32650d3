"""The dimensions that a change is looked for in: those that usually matter, the event's own, and the requested."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ....gateway.budget import Budget
from ....gateway.call import Call
from ....gateway.errors import GatewayError, Refused
from ....schemas.analytics.events import scoped
from ....schemas.json import as_objects, is_object
from ....schemas.privacy.names import identifies
from ....schemas.text import code
from ...query.describe import samples_of
from ...query.seen_names import property_names

_GROUP_TYPES = "/api/projects/{project_id}/groups_types/"
_USUAL = (
    "$browser", "$os", "$device_type", "$geoip_country_code", "$lib", "utm_source", "$referring_domain", "$pathname",
)  # fmt: skip
_VERSIONS = ("$app_version", "app_version", "release", "$lib_version")
_OF_PERSONS = re.compile(r"(?:^|_)(?:plan|tier|role|segment|type|industry|country|size|subscription|cohort|channel)$")
_MOST_OWN, _MOST_OF_PERSONS = 6, 3
_MOST_VALUES = 25
"""Distinct values in a sample of 100 events, above which a property is an identifier or free text."""
_LONGEST = 200
_AGE_S = 600.0
_BOTS = "bot|crawl|spider|slurp|headless|phantom|selenium|puppeteer|playwright|lighthouse|monitor|curl|wget|python-"
NEW, AUTOMATED = "person is new", "looks automated"


@dataclass(frozen=True, slots=True)
class Dimension:
    """A dimension: its name for readers, and its HogQL expression, a text that is never null."""

    name: str
    sql: str
    is_version: bool = False


async def dimensions_for(api: Call, event: str | None, wanted: Sequence[str]) -> tuple[Dimension, ...]:
    """Return the requested dimensions and those that usually matter. Raises Refused (`invalid_argument`)."""
    found = [await _requested(api, name) for name in wanted]
    found += [_of_event(name) for name in _USUAL]
    found += [_of_event(name, is_version=True) for name in _VERSIONS]
    agents = [f"ifNull(toString(properties.{name}), '')" for name in ("$raw_user_agent", "$browser")]
    agent = f"lower(concat({agents[0]}, ' ', {agents[1]}))"
    found.append(Dimension(NEW, "if(toDate(person.created_at) = toDate(timestamp), 'yes', 'no')"))
    found.append(Dimension(AUTOMATED, f"if(match({agent}, '{_BOTS}'), 'yes', 'no')"))
    found += [_of_event(name) for name in await _own(api, event)]
    found += [Dimension(f"person.{name}", _text(f"person.properties.{quoted(name)}")) for name in await _persons(api)]
    return tuple({one.name: one for one in reversed(found)}.values())[::-1]


def quoted(name: str) -> str:
    """Return a name as a HogQL identifier."""
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def _of_event(name: str, *, is_version: bool = False) -> Dimension:
    return Dimension(name, _text(f"properties.{quoted(name)}"), is_version)


def _text(sql: str) -> str:
    return f"leftUTF8(ifNull(toString({sql}), ''), {_LONGEST})"


async def _requested(api: Call, text: str) -> Dimension:
    """Return a dimension by its name: `plan`, `person.plan`, `session.$channel_type`, `group_0.industry`."""
    if "%" in text:
        wrong = f"dimensions: {code(text, 60)} contains %, which HogQL rejects."
        raise Refused("invalid_argument", wrong, "Leave it out.")
    if api.privacy.aggregate_only and (identifies(text) or identifies(text.rpartition(".")[2])):
        raise Refused(
            "invalid_argument",
            f"dimensions: {code(text, 60)} tells persons apart, and this server only shows groups (--aggregate-only).",
            "Leave it out.",
        )
    name, scope = scoped(text)
    if scope == "person":
        return Dimension(text, _text(f"person.properties.{quoted(name)}"))
    if scope == "session":
        return Dimension(text, _text(f"session.{quoted(name)}"))
    group, dot, of_group = text.partition(".")
    if dot and of_group and (index := await _group_index(api, group)) is not None:
        return Dimension(text, _text(f"group_{index}.properties.{quoted(of_group)}"))
    return _of_event(text, is_version=text in _VERSIONS)


async def _group_index(api: Call, name: str) -> int | None:
    """Return the index of a group type by its name, or by `group_0`."""
    if found := re.fullmatch(r"group_([0-4])", name):
        return int(found[1])
    async with api.remembered("group types", _AGE_S) as slot:
        types = (slot.found or slot.fill(as_objects(await api.counted_as(Budget.CRUD).get(_GROUP_TYPES)))).value
    for one in types:
        if is_object(one) and one.get("group_type") == name and one.get("group_type_index") in range(5):
            return int(one["group_type_index"])
    return None


async def _own(api: Call, event: str | None) -> list[str]:
    """Return the event's own properties with few values; none when PostHog does not list them."""
    if event is None:
        return []
    try:
        samples = await samples_of(api, event)
    except GatewayError:
        return []
    return list(_suitable((name, count) for name, count in samples))[:_MOST_OWN]


def _suitable(samples: Iterable[tuple[str, int | None]]) -> Iterable[str]:
    for name, count in samples:
        fits = 1 < (count or 0) <= _MOST_VALUES and not name.startswith("$") and "%" not in name
        if fits and not identifies(name) and name not in (*_USUAL, *_VERSIONS):
            yield name


async def _persons(api: Call) -> list[str]:
    try:
        names = (await property_names(api, "person")).known
    except GatewayError:
        return []
    own = [name for name in names if _OF_PERSONS.search(name) and not name.startswith("$") and not identifies(name)]
    return own[:_MOST_OF_PERSONS]
