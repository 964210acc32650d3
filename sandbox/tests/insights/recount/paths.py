"""Paths in plain Python: the sequence of a person's events, counted edge by edge."""

import json
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from ..hand_made import Event
from .changing import with_events
from .counting import Query, earliest_event, passes_query
from .dataset import Setting, World
from .dates import highest, lowest, midnight
from .drawing import drawn_common
from .filters import PATH_CLEANING
from .funnels.paths import Walks, drawn_funnel_paths, walks_of

GAP = timedelta(minutes=30)
CUT = "..."


@dataclass(frozen=True, slots=True)
class Visit:
    """An item of a path and its time."""

    item: str
    time: datetime


type Path = Sequence[Visit]


def paths(query: Query, world: World, setting: Setting) -> list[dict[str, Any]]:
    """Return the results of a PathsQuery."""
    wanted: Mapping[str, Any] = query["pathsFilter"]
    times: dict[tuple[str, str], list[timedelta]] = {}
    walks = walks_of(query, world, setting)
    for visits in _visits(query, walks, world, setting):
        for path in split(visits, GAP if walks is None else walks.gap):
            cut = cut_out(collapsed(path), wanted)
            for place, (left, right) in enumerate(pairwise(cut), 1):
                edge = (f"{place}_{left.item}", f"{place + 1}_{right.item}")
                times.setdefault(edge, []).append(right.time - left.time)
    return [
        {
            "source": source,
            "target": target,
            "value": len(times[source, target]),
            "average_conversion_time": sum(times[source, target], timedelta())
            / timedelta(milliseconds=1)
            / len(times[source, target]),
        }
        for source, target in edges({edge: len(spans) for edge, spans in times.items()}, wanted)
    ]


def split(visits: Iterable[Visit], gap: timedelta) -> list[list[Visit]]:
    """Split visits into paths at pauses of half an hour, or of a funnel's window."""
    found: list[list[Visit]] = []
    for visit in visits:
        if not found or visit.time - found[-1][-1].time >= gap:
            found.append([])
        found[-1].append(visit)
    return found


def collapsed(path: Path) -> list[Visit]:
    """Merge equal neighbors into the last one, and drop an empty item at the end."""
    kept = [left for left, right in pairwise(path) if left.item != right.item]
    return [*kept, *(visit for visit in path[-1:] if visit.item)]


def cut_out(path: Path, wanted: Mapping[str, Any]) -> Path:
    """Cut a path by start, end and number of steps."""
    start, end, steps = wanted.get("startPoint"), wanted.get("endPoint"), wanted.get("stepLimit") or 5
    if start and end:
        return _between(path, start, end, steps)
    if start:
        return _since(path, _point(start))[:steps]
    if end:
        return _until(path, _point(end))[-steps:]
    return path[:steps]


def _between(path: Path, start: str, end: str, steps: int) -> Path:
    found = _until(_since(path, start), end)
    if len(found) <= steps:
        return found
    half = steps // 2
    return [*found[:half], Visit(CUT, found[half].time), *(found[-half:] if half else ())]


def _point(text: str) -> str:
    return text[:-1] if len(text) > 1 and text.endswith("/") else text


def _since(path: Path, item: str) -> Path:
    places = [place for place, visit in enumerate(path) if visit.item == item]
    return path[places[0] :] if places else []


def _until(path: Path, item: str) -> Path:
    places = [place for place, visit in enumerate(path) if visit.item == item]
    return path[: places[0] + 1] if places else []


def edges(weights: Mapping[tuple[str, str], int], wanted: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the shown edges, heaviest first, without those unreachable from a first item."""
    least, most = wanted.get("minEdgeWeight") or 0, wanted.get("maxEdgeWeight") or max(weights.values(), default=0)
    ranked = sorted(weights, key=lambda edge: (-weights[edge], *edge))
    kept = [edge for edge in ranked if least <= weights[edge] <= most][: wanted.get("edgeLimit") or 50]
    reached: set[str] = set()
    while True:
        more = {source for source, _ in kept if source.startswith("1_")}
        more |= {target for source, target in kept if source in reached}
        if more <= reached:
            return [edge for edge in kept if edge[0] in reached]
        reached |= more


def _visits(query: Query, walks: Walks | None, world: World, setting: Setting) -> Iterable[list[Visit]]:
    """Return the visits of each person, by time."""
    wanted: Mapping[str, Any] = query["pathsFilter"]
    dates: Mapping[str, Any] = query.get("dateRange") or {}
    since = midnight(lowest(dates, setting, "day", exact=False, earliest=earliest_event(world))).astimezone(UTC)
    until = highest(dates, setting, "day").astimezone(UTC).replace(microsecond=0)
    kinds: list[str] = wanted.get("includeEventTypes") or []
    found: dict[str, list[Visit]] = {}
    for event in sorted(world.events, key=lambda event: event.timestamp):
        if not since <= event.timestamp <= until or not _is_of_kinds(event, kinds):
            continue
        item = item_of(event, wanted)
        if kinds and item in (wanted.get("excludeEvents") or []):
            continue
        if passes_query(event, query, world, setting) and (walks is None or walks.has(event)):
            found.setdefault(event.person.id, []).append(Visit(item, event.timestamp))
    return found.values()


def _is_of_kinds(event: Event, kinds: Sequence[str]) -> bool:
    of = {"$pageview": event.event == "$pageview", "$screen": event.event == "$screen"}
    of["custom_event"] = not event.event.startswith("$")
    included = [of[kind] for kind in kinds if kind in of]
    return any(included) or not included


def item_of(event: Event, wanted: Mapping[str, Any]) -> str:
    """Return the text of an event in a path."""
    kinds: list[str] = wanted.get("includeEventTypes") or []
    excluded: list[str] = wanted.get("excludeEvents") or []

    def reads(kind: str) -> bool:
        return kind in kinds if kinds else kind not in excluded

    item = event.event
    if reads("hogql") and wanted.get("pathsHogQLExpression"):
        item = EXPRESSIONS[wanted["pathsHogQLExpression"]](event)
    if reads("$pageview") and event.event == "$pageview":
        item = re.sub(r"(.)/$", r"\1", _property(event, "$current_url"))
    if reads("$screen") and event.event == "$screen":
        item = _property(event, "$screen_name")
    for rule in [
        *(PATH_CLEANING if wanted.get("pathReplacements") else ()),
        *(wanted.get("localPathCleaningFilters") or ()),
    ]:
        item = re.sub(rule["regex"], rule["alias"], item)
    for pattern in wanted.get("pathGroupings") or ():
        if re.search(".*".join(map(re.escape, pattern.split("*"))), item):
            return pattern
    return item


def _property(event: Event, name: str) -> str:
    """Return a property as raw JSON without surrounding quotes; empty when missing."""
    value = event.properties.get(name)
    written = "" if value is None else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return written[1:-1] if isinstance(value, str) else written


def _upper(event: Event) -> str:
    return event.event.upper()


def _plan(event: Event) -> str:
    return _property(event, "plan")


def _sender(event: Event) -> str:
    return event.sent_as


EXPRESSIONS: Mapping[str, Callable[[Event], str]] = {
    "upper(event)": _upper,
    "properties.plan": _plan,
    "distinct_id": _sender,
}
"""The expressions in random queries."""

_URLS = (
    "https://example.com/",
    "https://example.com/pricing",
    "https://example.com/pricing/",
    "https://example.com/item/12",
    "https://example.com/item/7?from=mail",
    "https://example.com/a//",
    "/",
    "",
    None,
    '/odd "path" \\ (1)',
)
_NAMES = ("$pageview",) * 6 + ("$screen", "$autocapture", "buy", "sign up", "buy")


def walked(world: World) -> World:
    """Return a world whose persons visit pages, often with gaps of about half an hour, never simultaneously."""
    chance = random.Random(f"walks of {world.name}")
    events: list[Event] = []
    for event in world.events[::5]:
        time = event.timestamp
        for _ in range(chance.choice((1, 2, 3, 5, 8, 12))):
            events.append(_step(chance, event, time))
            time += chance.choice(
                (GAP, GAP - timedelta(microseconds=1), GAP + timedelta(seconds=1), *[timedelta(seconds=7)] * 3)
            ) + timedelta(seconds=chance.choice((0, 0, 0, 61)))
    taken: dict[tuple[str, datetime], Event] = {(event.person.id, event.timestamp): event for event in events}
    return with_events(world, taken.values())


def _step(chance: random.Random, event: Event, time: datetime) -> Event:
    kept = {name: value for name, value in event.properties.items() if name not in ("$current_url", "$screen_name")}
    url = chance.choice(_URLS)
    seen = {"$current_url": url} if url is not None else {}
    screen = {"$screen_name": chance.choice(("Home", "Settings", 7, ""))} if chance.random() < 0.7 else {}
    return replace(event, event=chance.choice(_NAMES), timestamp=time, properties={**kept, **seen, **screen})


_POINTS = (
    "https://example.com",
    "https://example.com/pricing",
    "https://example.com/pricing/",
    "/",
    "buy",
    "Home",
    "/x",
)


def drawn_paths(chance: random.Random, world: World, setting: Setting) -> dict[str, Any]:
    """Return a random PathsQuery whose wildcards match an item at most once."""
    query = {
        "kind": "PathsQuery",
        "pathsFilter": {**_drawn_items(chance), **_drawn_limits(chance)},
        **drawn_common(chance, world, setting, "day"),
    }
    if chance.random() < 0.5:  # so that most have results
        query |= {"dateRange": {"date_from": chance.choice(("all", "-80d", "-40d"))}, "properties": None}
    if chance.random() < 0.2:
        query["funnelPathsFilter"] = drawn_funnel_paths(chance, world, setting)
    return query


def _drawn_items(chance: random.Random) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    if chance.random() < 0.5:
        kinds = ("$pageview", "$screen", "custom_event", "hogql")
        wanted["includeEventTypes"] = chance.sample(kinds, chance.randrange(5))
    if chance.random() < 0.3:
        wanted["pathsHogQLExpression"] = chance.choice([*EXPRESSIONS, None])
    if chance.random() < 0.3:
        choices = ("$pageview", "hogql", "buy", "", "https://example.com", "Home", "<any>")
        wanted["excludeEvents"] = chance.sample(choices, chance.randrange(3))
    if chance.random() < 0.3:
        wanted["pathReplacements"] = chance.choice((True, True, False, None))
    if chance.random() < 0.3:
        wanted["localPathCleaningFilters"] = chance.choice(
            (
                [],
                [{"alias": "<any>", "regex": r"item/\d+"}],
                [{"alias": "", "regex": r"\?.*$"}, {"alias": r"/\1", "regex": "^https?://[^/]+/([a-z]*)"}],
            )
        )
    if chance.random() < 0.3:
        wanted["pathGroupings"] = chance.choice(
            ([], ["*item/*"], ["/item*", "*pricing"], ["s*up", "https://example.com/a*"], ["(*)", "Ho.e"])
        )
    return wanted


def _drawn_limits(chance: random.Random) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    if chance.random() < 0.2:
        wanted["startPoint"] = chance.choice(_POINTS)
    if chance.random() < 0.2:
        wanted["endPoint"] = chance.choice(_POINTS)
    if chance.random() < 0.5:
        wanted["stepLimit"] = chance.choice((1, 2, 3, 4, 6, 7, 10, None))
    if chance.random() < 0.4:
        wanted["edgeLimit"] = chance.choice((1, 3, 10, 1000, None))
    if chance.random() < 0.2:
        wanted["minEdgeWeight"] = chance.choice((0, 1, 2, 3))
    if chance.random() < 0.2:
        wanted["maxEdgeWeight"] = chance.choice((0, 1, 2, 5))
    return wanted
