"""One visit of a person: its events, and the session and replay rows derived from them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote

from .chance import Chance
from .people import Json, Person, to_json
from .product import APP, EXPERIMENT_FLAG, EXPERIMENT_PROPERTY
from .rows import EventRow, ReplayRow, SessionRow
from .story import SECOND, Story
from .vocabulary import Device, TrafficSource

type Platform = Literal["web", "mobile", "server"]

_LIBRARY: Mapping[Platform, tuple[str, str]] = {
    "web": ("web", "1.297.2"),
    "mobile": ("posthog-ios", "3.34.0"),
    "server": ("posthog-python", "6.9.1"),
}
_MOBILE_VERSION = "2.11.0"


def iso(moment: int) -> str:
    """Format a moment as ISO 8601 in UTC with milliseconds."""
    return (
        datetime.fromtimestamp(moment // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment % SECOND // 1000:03d}Z"
    )


class Visit:
    """A visit with its own clock, which collects events. Events after the end of the story are dropped."""

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
        self.events: list[EventRow] = []
        self.clock = start
        self.device = device or person.device
        self.platform: Platform = platform
        self.source = source
        self.version = story.version_at(start) if platform != "mobile" else _MOBILE_VERSION
        self._chance = chance
        self._end = story.end
        self._urls: list[str] = []
        self._path = ""
        self._url = ""
        self._place = ""
        self._entered = start
        self._session_id = "" if platform == "server" else chance.uuid7(start)
        self._window_id = "" if platform == "server" else chance.uuid7(start)
        self._common = ""

    def pause(self, seconds: float) -> None:
        """Advance the clock by about `seconds`, at least 0.4."""
        self.clock += int((0.4 + self._chance.skewed(seconds)) * SECOND)

    def page(self, path: str, host: str = APP) -> None:
        """Open a page: `$pageview`, after the `$pageleave` of the previous page."""
        self.leave()
        self._path, self._url = path, f"{host}{path}"
        if not self.events and self.source and self.source.utm_source:
            self._url += (
                f"?utm_source={self.source.utm_source}&utm_medium={self.source.utm_medium}"
                f"&utm_campaign={quote(self.source.utm_campaign)}"
            )
        self._place = to_json({"$current_url": self._url, "$host": host.split("//")[1], "$pathname": path})[1:-1]
        self._entered = self.clock
        self.send("$pageview", {"title": f"{path.strip('/').split('/')[0].title() or 'Home'} - Quillboard"})

    def leave(self) -> None:
        """Close the open page: `$pageleave`."""
        if not self._url:
            return
        self.pause(20)
        seconds = round((self.clock - self._entered) / SECOND, 3)
        depth = round(self._chance.unit(), 3)
        self.send(
            "$pageleave",
            {
                "$prev_pageview_pathname": self._path,
                "$prev_pageview_duration": seconds,
                "$prev_pageview_max_scroll_percentage": depth,
            },
        )
        self._url = self._path = ""

    def screen(self, name: str) -> None:
        """Open a screen of the mobile app."""
        self.send("$screen", {"$screen_name": name})

    def click(self, text: str, target: str = "") -> None:
        """Click a button, or a link if it has a `target`: `$autocapture`."""
        self.pause(9)
        tag = "a" if target else "button"
        href = f'attr__href="{target}"href="{target}"' if target else ""
        chain = (
            f'{tag}.btn.btn-primary:attr__class="btn btn-primary"{href}nth-child="2"nth-of-type="1"text="{text}";'
            'div.actions:attr__class="actions"nth-child="3"nth-of-type="2";main:nth-child="2"nth-of-type="1";'
            'body:nth-child="2"nth-of-type="1"'
        )
        self.send("$autocapture", {"$event_type": "click", "$el_text": text}, chain)

    def send(self, event: str, properties: Mapping[str, Json], elements_chain: str = "") -> None:
        """Append an event at the clock's current time."""
        clock, chance, person = self.clock, self._chance, self.person
        if clock >= self._end:
            return
        common = self._common or self._describe()
        own = to_json(properties)[1:-1] if properties else ""
        if self._url:
            own = f"{own},{self._place}" if own else self._place
        company = person.company if person.identified else None
        self._urls.append(self._url)
        self.events.append(
            EventRow(
                uuid=chance.uuid7(clock),
                event=event,
                properties=f"{{{own},{common}}}" if own else f"{{{common}}}",
                timestamp=clock,
                distinct_id=person.distinct_id,
                elements_chain=elements_chain,
                created_at=clock + 300_000 + int(chance.unit() * 2_700_000),
                session_id=self._session_id,
                window_id=self._window_id,
                person_mode="propertyless" if person.propertyless else "full",
                group_0=company.key if company else "",
                person_id=person.id,
                person_created_at=0 if person.propertyless else person.created_at,
                person_properties=person.properties_json,
                group_0_properties=company.properties if company else "",
            )
        )

    def changed(self) -> None:
        """Recompute the common properties after a change of identity, company or variant."""
        self._common = ""

    def session_row(self) -> SessionRow | None:
        """Return the session of the visit's events; None for events from a server."""
        if not self._session_id or not self.events:
            return None
        first, last = self.events[0], self.events[-1]
        names = [row.event for row in self.events]
        urls = [url for url in self._urls[: len(names)] if url]
        pageviews, clicks, screens = names.count("$pageview"), names.count("$autocapture"), names.count("$screen")
        seconds = (last.timestamp - first.timestamp) // SECOND
        source = self.source
        distinct_urls = tuple(dict.fromkeys(urls))
        return SessionRow(
            session_id=self._session_id,
            distinct_id=first.distinct_id,
            person_id=first.person_id,
            start=first.timestamp,
            end=last.timestamp,
            entry_current_url=urls[0] if urls else "",
            entry_pathname=_path_of(urls[0]) if urls else "",
            end_current_url=urls[-1] if urls else "",
            end_pathname=_path_of(urls[-1]) if urls else "",
            entry_referring_domain=source.domain if source else "$direct",
            entry_utm_source=source.utm_source if source else "",
            entry_utm_campaign=source.utm_campaign if source else "",
            entry_utm_medium=source.utm_medium if source else "",
            entry_utm_term=source.utm_term if source else "",
            entry_utm_content=source.utm_content if source else "",
            pageview_count=pageviews,
            autocapture_count=clicks,
            screen_count=screens,
            channel_type=source.channel if source else "Direct",
            session_duration=seconds,
            is_bounce=pageviews == 1 and clicks == 0 and seconds < 10,
            urls=distinct_urls,
            num_uniq_urls=len(distinct_urls),
        )

    def replay_row(self) -> ReplayRow:
        """Return a recording of the visit, as active as its events."""
        chance, first, last = self._chance, self.events[0], self.events[-1]
        names = [row.event for row in self.events]
        length = max(1, (last.timestamp - first.timestamp) // SECOND)
        active = max(1, int(length * (0.3 + 0.6 * chance.unit())))
        errors = names.count("$exception")
        return ReplayRow(
            session_id=self._session_id,
            distinct_id=first.distinct_id,
            person_id=first.person_id,
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

    def _describe(self) -> str:
        """Return the properties shared by all events of the visit, as JSON without braces."""
        person, device = self.person, self.device
        library, library_version = _LIBRARY[self.platform]
        if self.platform == "mobile" and device.os == "Android":
            library = "posthog-android"
        common: dict[str, Json] = {"$lib": library, "$lib_version": library_version, "app_version": self.version}
        if self.platform != "server":
            common |= self._client()
        if person.propertyless:
            common["$process_person_profile"] = False
        if person.identified:
            common["plan"] = person.plan
            if person.company:
                common["$groups"] = {"organization": person.company.key}
                common["$group_0"] = person.company.key
        if person.variant:
            common[EXPERIMENT_PROPERTY] = person.variant
            common["$active_feature_flags"] = [EXPERIMENT_FLAG]
        self._common = to_json(common)[1:-1]
        return self._common

    def _client(self) -> dict[str, Json]:
        person, device, country = self.person, self.device, self.person.country
        client: dict[str, Json] = {
            "$session_id": self._session_id,
            "$window_id": self._window_id,
            "$device_type": device.type,
            "$os": device.os,
            "$os_version": device.os_version,
            "$screen_width": device.width,
            "$screen_height": device.height,
            "$is_identified": person.identified,
            "$ip": person.address,
            "$geoip_country_code": country.code,
            "$geoip_country_name": country.name,
            "$geoip_continent_code": country.continent,
            "$geoip_city_name": country.city,
            "$geoip_time_zone": country.time_zone,
        }
        if self.platform == "web":
            client |= {
                "$browser": device.browser,
                "$browser_version": device.browser_version,
                "$browser_language": country.language,
                "$device_id": person.distinct_ids[0],
            }
        source = self.source
        if source:
            client |= {"$referrer": source.referrer, "$referring_domain": source.domain}
            if source.utm_source:
                client |= {
                    "utm_source": source.utm_source,
                    "utm_medium": source.utm_medium,
                    "utm_campaign": source.utm_campaign,
                }
            if source.utm_term:
                client |= {"utm_term": source.utm_term, "utm_content": source.utm_content}
        return client


def _path_of(url: str) -> str:
    return "/" + url.split("?", 1)[0].split("/", 3)[3]
