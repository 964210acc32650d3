"""One visit of a person: its events, and the session and replay rows derived from them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Literal
from urllib.parse import quote

from .chance import Chance
from .people import Company, Json, Person, members, quoted
from .product import APP, EXPERIMENT_FLAG, EXPERIMENT_PROPERTY
from .rows import ReplayRow, SentEvent, SessionRow, Setting, new_sent
from .story import SECOND, Story
from .vocabulary import Country, Device, TrafficSource

type Platform = Literal["web", "mobile", "server"]

_LIBRARY: Mapping[Platform, tuple[str, str]] = {
    "web": ("web", "1.297.2"),
    "mobile": ("posthog-ios", "3.34.0"),
    "server": ("posthog-python", "6.9.1"),
}
_MOBILE_VERSION = "2.11.0"

FIXED_SHAPE = ("$pageview", "$pageleave", "$autocapture", "$screen")
"""Events whose own properties have always the same names and types, and those of the page on a page."""


def iso(moment: int) -> str:
    """Format a moment as ISO 8601 in UTC with milliseconds."""
    return (
        datetime.fromtimestamp(moment // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment % SECOND // 1000:03d}Z"
    )


class Visit:
    """A visit with its own clock, which collects events. Events after the end of the story are dropped."""

    __slots__ = (
        "_bits",
        "_chance",
        "_common",
        "_end",
        "_entered",
        "_path",
        "_place",
        "_session_id",
        "_setting",
        "_unit",
        "_url",
        "_urls",
        "_window_id",
        "clock",
        "device",
        "events",
        "person",
        "platform",
        "source",
        "version",
    )

    def __init__(
        self,
        person: Person,
        story: Story,
        chance: Chance,
        start: int,
        *,
        platform: Platform = "web",
        device: Device | None = None,
        source: TrafficSource | None = None,
    ) -> None:
        self.person = person
        self.events: list[SentEvent] = []
        self.clock = start
        self.device = device or person.device
        self.platform: Platform = platform
        self.source = source
        self.version = story.version_at(start) if platform != "mobile" else _MOBILE_VERSION
        self._chance = chance
        self._bits = chance.bits
        self._unit = chance.unit
        self._end = story.end
        self._urls: list[str] = []
        self._path = ""
        self._url = ""
        self._place = ""
        self._entered = start
        self._session_id = "" if platform == "server" else chance.uuid7(start)
        self._window_id = "" if platform == "server" else chance.uuid7(start)
        self._setting: Setting | None = None
        self._common = ""

    def pause(self, seconds: float) -> None:
        """Advance the clock by about `seconds`, at least 0.4."""
        position = self._unit()
        self.clock += int((0.4 + 3 * seconds * position * position) * SECOND)

    def page(self, path: str, host: str = APP) -> None:
        """Open a page: `$pageview`, after the `$pageleave` of the previous page."""
        self.leave()
        self._path, self._url = path, f"{host}{path}"
        if not self.events and self.source and self.source.utm_source:
            self._url += (
                f"?utm_source={self.source.utm_source}&utm_medium={self.source.utm_medium}"
                f"&utm_campaign={quote(self.source.utm_campaign)}"
            )
        self._place = f'"$current_url":"{self._url}","$host":"{host[8:]}","$pathname":"{path}"'
        self._entered = self.clock
        self.emit("$pageview", _title(path))

    def leave(self) -> None:
        """Close the open page: `$pageleave`."""
        if not self._url:
            return
        self.pause(20)
        seconds = round((self.clock - self._entered) / SECOND, 3)
        depth = round(self._unit(), 3)
        self.emit(
            "$pageleave",
            f'"$prev_pageview_pathname":"{self._path}","$prev_pageview_duration":{seconds},'
            f'"$prev_pageview_max_scroll_percentage":{depth}',
        )
        self._url = self._path = ""

    def screen(self, name: str) -> None:
        """Open a screen of the mobile app."""
        self.emit("$screen", f'"$screen_name":"{name}"')

    def click(self, text: str, target: str = "") -> None:
        """Click a button, or a link if it has a `target`: `$autocapture`."""
        self.pause(9)
        self.emit("$autocapture", *_click(text, target))

    def send(self, event: str, properties: Mapping[str, Json]) -> None:
        """Append an event at the clock's current time."""
        self.emit(event, members(properties))

    def emit(self, event: str, properties: str, elements_chain: str = "") -> None:
        """Append an event like `send`, with properties that are JSON members already."""
        clock = self.clock
        if clock >= self._end:
            return
        setting = self._setting
        if setting is None or setting.person_properties is not self.person.properties_json:
            setting = self._setting = self._describe()
        url = self._url
        if url:
            properties = f"{properties},{self._place}" if properties else self._place
        self._urls.append(url)
        bits = self._bits(72)
        created_at = clock + 300_000 + int(self._unit() * 2_700_000)
        self.events.append(new_sent((setting, bits, event, properties, clock, elements_chain, created_at)))

    def changed(self) -> None:
        """Describe the setting again after a change of identity, company or variant."""
        self._setting, self._common = None, ""

    def distinct_ids(self) -> set[str]:
        """Return the distinct ids of the visit's events."""
        return {sent.setting.distinct_id for sent in self.events}

    def session_row(self) -> SessionRow | None:
        """Return the session of the visit's events; None for events from a server."""
        if not self._session_id or not self.events:
            return None
        first, last = self.events[0], self.events[-1]
        names = [sent.event for sent in self.events]
        urls = tuple([url for url in self._urls[: len(names)] if url])
        pageviews, clicks = names.count("$pageview"), names.count("$autocapture")
        entry, end = (urls[0], urls[-1]) if urls else ("", "")
        seconds = (last.timestamp - first.timestamp) // SECOND
        distinct_urls = tuple(dict.fromkeys(urls))
        return SessionRow(
            self._session_id,
            first.setting.distinct_id,
            first.setting.person_id,
            first.timestamp,
            last.timestamp,
            entry,
            _path_of(entry) if urls else "",
            end,
            _path_of(end) if urls else "",
            *_entry_source(self.source),
            pageview_count=pageviews,
            autocapture_count=clicks,
            screen_count=names.count("$screen"),
            channel_type=self.source.channel if self.source else "Direct",
            session_duration=seconds,
            is_bounce=pageviews == 1 and clicks == 0 and seconds < 10,
            urls=distinct_urls,
            num_uniq_urls=len(distinct_urls),
        )

    def replay_row(self) -> ReplayRow:
        """Return a recording of the visit, as active as its events."""
        chance, first, last = self._chance, self.events[0], self.events[-1]
        names = [sent.event for sent in self.events]
        length = max(1, (last.timestamp - first.timestamp) // SECOND)
        active = max(1, int(length * (0.3 + 0.6 * chance.unit())))
        errors = names.count("$exception")
        return ReplayRow(
            session_id=self._session_id,
            distinct_id=first.setting.distinct_id,
            person_id=first.setting.person_id,
            start_time=first.timestamp,
            end_time=first.timestamp + length * SECOND,
            recording_duration=length,
            active_seconds=active,
            inactive_seconds=length - active,
            click_count=names.count("$autocapture") + chance.below(len(names) + 1),
            keypress_count=chance.below(6 * len(names)),
            mouse_activity_count=chance.below(25 * len(names)) + len(names),
            console_log_count=chance.below(4 * len(names)),
            console_warn_count=chance.below(3),
            console_error_count=errors * 2 + (1 if chance.hit(0.05) else 0),
            start_url=next((url for url in self._urls if url), ""),
        )

    def _describe(self) -> Setting:
        """Return the columns shared by the events from now on."""
        person = self.person
        company = person.company if person.identified else None
        self._common = common = self._common or self._properties(company)
        source = self.source
        shape = (
            f"{self.platform} {person.propertyless} {person.identified} {company is None} {person.variant == ''} "
            + ("" if source is None else f"{source.utm_source == ''} {source.utm_term == ''}")
        )
        return Setting(
            shape,
            common,
            person.distinct_id,
            self._session_id,
            self._window_id,
            "propertyless" if person.propertyless else "full",
            company.key if company else "",
            person.id,
            0 if person.propertyless else person.created_at,
            person.properties_json,
            company.properties if company else "",
        )

    def _properties(self, company: Company | None) -> str:
        """Return the shared properties as JSON members."""
        person = self.person
        text = self._library() if self.platform == "server" else f"{self._library()},{self._client()}"
        if person.propertyless:
            text += ',"$process_person_profile":false'
        if person.identified:
            text += f',"plan":"{person.plan}"'
        if company:
            text += f',"$groups":{{"organization":"{company.key}"}},"$group_0":"{company.key}"'
        if person.variant:
            text += f',"{EXPERIMENT_PROPERTY}":"{person.variant}","$active_feature_flags":["{EXPERIMENT_FLAG}"]'
        return text

    def _library(self) -> str:
        library, library_version = _LIBRARY[self.platform]
        if self.platform == "mobile" and self.device.os == "Android":
            library = "posthog-android"
        return f'"$lib":"{library}","$lib_version":"{library_version}","app_version":"{self.version}"'

    def _client(self) -> str:
        """Return the members that describe the browser or the phone."""
        person, device, country = self.person, self.device, self.person.country
        text = (
            f'"$session_id":"{self._session_id}","$window_id":"{self._window_id}",{_device(device)},'
            f'"$is_identified":{"true" if person.identified else "false"},"$ip":"{person.address}",{_country(country)}'
        )
        if self.platform == "web":
            text += (
                f',"$browser":"{device.browser}","$browser_version":{device.browser_version}'
                f',"$browser_language":"{country.language}","$device_id":{quoted(person.distinct_ids[0])}'
            )
        return f"{text},{_source(self.source)}" if self.source else text


@cache
def _device(device: Device) -> str:
    """Return the members that describe a device."""
    return members(
        {
            "$device_type": device.type,
            "$os": device.os,
            "$os_version": device.os_version,
            "$screen_width": device.width,
            "$screen_height": device.height,
        }
    )


@cache
def _country(country: Country) -> str:
    """Return the members that describe a location."""
    return members(
        {
            "$geoip_country_code": country.code,
            "$geoip_country_name": country.name,
            "$geoip_continent_code": country.continent,
            "$geoip_city_name": country.city,
            "$geoip_time_zone": country.time_zone,
        }
    )


@lru_cache(maxsize=256)  # forged sources are without number
def _source(source: TrafficSource) -> str:
    """Return the members that describe the source of a visit."""
    known: dict[str, Json] = {"$referrer": source.referrer, "$referring_domain": source.domain}
    if source.utm_source:
        known |= {
            "utm_source": source.utm_source,
            "utm_medium": source.utm_medium,
            "utm_campaign": source.utm_campaign,
        }
    if source.utm_term:
        known |= {"utm_term": source.utm_term, "utm_content": source.utm_content}
    return members(known)


def _entry_source(source: TrafficSource | None) -> tuple[str, str, str, str, str, str]:
    """Return referring domain, UTM source, campaign, medium, term and content."""
    if source is None:
        return ("$direct", "", "", "", "", "")
    return (
        source.domain,
        source.utm_source,
        source.utm_campaign,
        source.utm_medium,
        source.utm_term,
        source.utm_content,
    )


@cache
def _title(path: str) -> str:
    """Return the member `title` of a page."""
    return f'"title":"{path.strip("/").split("/")[0].title() or "Home"} - Quillboard"'


@cache
def _click(text: str, target: str) -> tuple[str, str]:
    """Return the members and the chain of elements of a click."""
    tag = "a" if target else "button"
    href = f'attr__href="{target}"href="{target}"' if target else ""
    chain = (
        f'{tag}.btn.btn-primary:attr__class="btn btn-primary"{href}nth-child="2"nth-of-type="1"text="{text}";'
        'div.actions:attr__class="actions"nth-child="3"nth-of-type="2";main:nth-child="2"nth-of-type="1";'
        'body:nth-child="2"nth-of-type="1"'
    )
    return f'"$event_type":"click","$el_text":"{text}"', chain


def _path_of(url: str) -> str:
    return "/" + url.split("?", 1)[0].split("/", 3)[3]
