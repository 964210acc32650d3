"""Retention in plain Python: who came back, by period."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ..hand_made import Event
from .breakdowns import OTHER
from .counting import Node, Query, earliest_event, is_counted, is_of, part, passes_query
from .dataset import EVENT_NAMES, Setting, World
from .dates import floored, following, highest, lowest
from .drawing import drawn_common, names_edge
from .filters import drawn_properties, text

_LIMIT = 25
_WINDOWS = {"hour": 1, "day": 24, "week": 7, "month": 30}
"""How long a window is: in hours, weeks and months in days."""

type Times = Mapping[str, Sequence[datetime]]
"""When each actor did something, in the order of time."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A query with what its numbers depend on."""

    query: Query
    world: World
    setting: Setting

    @property
    def filter(self) -> Mapping[str, Any]:
        return part(self.query, "retentionFilter")

    @property
    def period(self) -> str:
        return str(self.filter.get("period") or "Day")

    @property
    def interval(self) -> str:
        return self.period.lower()

    @property
    def total(self) -> int:
        """How many cells a row has when no brackets are given."""
        return int(self.filter.get("totalIntervals") or 8)

    @property
    def brackets(self) -> Sequence[int]:
        return self.filter.get("retentionCustomBrackets") or ()

    def entity(self, name: str) -> Node:
        """An entity of the query as a series."""
        given: Mapping[str, Any] = self.filter.get(name) or {"id": "$pageview", "type": "events"}
        kind = {"kind": "ActionsNode", "id": given["id"]}
        if given["type"] == "events":
            kind = {"kind": "EventsNode", "event": given["id"]}
        return {**kind, "properties": given.get("properties")}

    def actor(self, event: Event) -> str:
        """Who an event counts for, empty for nobody."""
        return event.person.id if self.query.get("aggregation_group_type_index") is None else event.group

    def starts(self) -> tuple[list[datetime], datetime]:
        """The starts of the periods, and the end of the last."""
        dates = part(self.query, "dateRange")
        last = floored(highest(dates, self.setting, self.interval).astimezone(UTC), self.interval, self.setting)
        end = following(last, self.interval, self.setting)
        if dates.get("date_from"):
            since = lowest(dates, self.setting, self.interval, exact=False, earliest=earliest_event(self.world))
            start = floored(since.astimezone(UTC), self.interval, self.setting)
        else:
            start = following(end, self.interval, self.setting, -self.total)
        found: list[datetime] = []
        while start < end:
            found.append(start)
            start = following(start, self.interval, self.setting)
        return found, end


def retention(query: Query, world: World, setting: Setting) -> list[dict[str, Any]]:
    """The results of a RetentionQuery."""
    asked = Asked(query, world, setting)
    given = part(query, "breakdownFilter")
    if not given:
        return _rows(asked, world.events, None)
    events: dict[str, list[Event]] = {}
    for event in world.events:
        events.setdefault(_value(event, given["breakdowns"][0]), []).append(event)
    tables = {value: _rows(asked, members, value) for value, members in events.items()}
    sizes = {value: sum(row["values"][0]["count"] for row in rows) for value, rows in tables.items()}
    ranked = sorted((value for value in tables if sizes[value]), key=lambda value: (-sizes[value], value))
    shown = [row for value in ranked[:_LIMIT] for row in tables[value]]
    return [*shown, *_summed([tables[value] for value in ranked[_LIMIT:]])]


def _value(event: Event, breakdown: Mapping[str, Any]) -> str:
    properties = event.person.properties if breakdown["type"] == "person" else event.properties
    return text(properties.get(breakdown["property"])) or ""


def _summed(tables: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The rows of the values past the limit as those of one value."""
    rows: list[dict[str, Any]] = []
    for members in zip(*tables, strict=True):
        cells = zip(*(row["values"] for row in members), strict=True)
        values = [{**cell[0], "count": sum(each["count"] for each in cell)} for cell in cells]
        rows.append({**members[0], "values": values, "breakdown_value": OTHER})
    return rows


def _rows(asked: Asked, events: Sequence[Event], value: str | None) -> list[dict[str, Any]]:
    starts, end = asked.starts()
    targets, returns = _targets(asked, events), _returns(asked, events)
    cells = _window_cells if asked.filter.get("timeWindowMode") == "24_hour_windows" else _calendar_cells
    return [
        {
            "values": [
                {"count": len(actors), "label": text}
                for actors, text in zip(cells(asked, targets, returns, starts, end, row), _labels(asked), strict=True)
            ],
            "label": f"{asked.period} {row}",
            "date": _iso(start.astimezone(asked.setting.timezone)),
            "breakdown_value": value,
        }
        for row, start in enumerate(starts)
    ]


def _labels(asked: Asked) -> list[str]:
    if not asked.brackets:
        return [f"{asked.period} {place}" for place in range(asked.total)]
    ends = [(places[0], places[-1]) for places in _bracket_places(asked.brackets)]
    spans = [str(first) if first == last else f"{first}-{last}" for first, last in ends]
    return [f"{asked.period} {span}" for span in ("0", *spans)]


def _bracket_places(brackets: Sequence[int]) -> list[range]:
    found: list[range] = []
    for size in brackets:
        first = found[-1].stop if found else 1
        found.append(range(first, first + size))
    return found


def _calendar_cells(
    asked: Asked, targets: Times, returns: Times, starts: Sequence[datetime], end: datetime, row: int
) -> list[set[str]]:
    """The actors of each cell of a row, by the periods of the calendar."""
    until = following(starts[row], asked.interval, asked.setting)
    actors = {actor for actor, times in targets.items() if _within(times, starts[row], until)}
    if asked.brackets:
        return [
            actors,
            *(
                _returned(asked, actors, returns, starts[row], end, places)
                for places in _bracket_places(asked.brackets)
            ),
        ]
    found = [_returned(asked, actors, returns, starts[row], end, [place]) for place in range(1, asked.total)]
    if asked.filter.get("cumulative"):
        found = [set[str]().union(*found[place:]) for place in range(len(found))]
    return [actors, *found]


def _returned(
    asked: Asked, actors: set[str], returns: Times, start: datetime, end: datetime, places: Sequence[int]
) -> set[str]:
    """The actors of a row who came back in one of these periods after it, often enough."""
    least = asked.filter.get("minimumOccurrences") or 1
    found: set[str] = set()
    for place in places:
        since = following(start, asked.interval, asked.setting, place)
        until = min(following(start, asked.interval, asked.setting, place + 1), end)
        found |= {actor for actor in actors if len(_within(returns.get(actor, ()), since, until)) >= least}
    return found


def _window_cells(
    asked: Asked, targets: Times, returns: Times, starts: Sequence[datetime], end: datetime, row: int
) -> list[set[str]]:
    """The same by windows that begin with the first target event of an actor, which belongs to one row."""
    actors: dict[str, datetime] = {}
    for actor, times in targets.items():
        if times[0] >= starts[0] and _windows(asked, starts[0], times[0]) == row and times[0] < end:
            actors[actor] = times[0]
    passed = {
        actor: {_windows(asked, first, moment) for moment in returns.get(actor, ())} for actor, first in actors.items()
    }
    later = [{actor for actor in actors if place in passed[actor]} for place in range(1, asked.total)]
    return [set(actors), *later]


def _windows(asked: Asked, since: datetime, moment: datetime) -> int:
    """How many windows lie between two moments: by the hours, or days of weeks and months, that begin in between."""
    one, other = since.astimezone(asked.setting.timezone), moment.astimezone(asked.setting.timezone)
    if asked.interval in ("week", "month"):
        passed = (other.date() - one.date()).days
    else:
        hours = [floored(each.astimezone(UTC), "hour", asked.setting) for each in (one, other)]
        passed = (hours[1] - hours[0]) // timedelta(hours=1)
    return passed // _WINDOWS[asked.interval]


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _within(times: Sequence[datetime], since: datetime, until: datetime) -> list[datetime]:
    return [moment for moment in times if since <= moment < until]


def _targets(asked: Asked, events: Sequence[Event]) -> dict[str, list[datetime]]:
    """When each actor did what retention begins with, in the order of time."""
    node, kind = asked.entity("targetEntity"), asked.filter.get("retentionType")
    found: dict[str, list[datetime]] = {}
    firsts: set[str] = set()
    for event in events:
        actor = asked.actor(event)
        if not actor:
            continue
        passes = is_counted(event, asked.query, node, asked.world, asked.setting)
        if kind == "retention_first_ever_occurrence":
            candidate = is_of(event, node, asked.world, asked.setting)
            candidate = candidate and passes_query(event, asked.query, asked.world, asked.setting)
            if not candidate or actor in firsts:
                continue
            firsts.add(actor)
        if not passes or (kind == "retention_first_time" and actor in found):
            continue
        found.setdefault(actor, []).append(event.timestamp)
    return found


def _returns(asked: Asked, events: Sequence[Event]) -> dict[str, list[datetime]]:
    node = asked.entity("returningEntity")
    found: dict[str, list[datetime]] = {}
    for event in events:
        if is_counted(event, asked.query, node, asked.world, asked.setting):
            found.setdefault(asked.actor(event), []).append(event.timestamp)
    return found


def drawn_retention(chance: random.Random, world: World, setting: Setting) -> dict[str, Any]:
    """A RetentionQuery."""
    period = chance.choice(("Hour", "Day", "Day", "Day", "Week", "Week", "Month"))
    common = drawn_common(chance, world, setting, period.lower())
    while "explicitDate" in part(common, "dateRange") or names_edge(common.get("dateRange")):
        common = drawn_common(chance, world, setting, period.lower())
    dates = part(common, "dateRange")
    if dates and chance.random() < 0.5:
        common["dateRange"] = {name: value for name, value in dates.items() if name != "date_from"}
    drawn: dict[str, Any] = {"totalIntervals": chance.choice((1, 2, 3, 5, 8, 11))}
    if period != "Day" or chance.random() < 0.5:
        drawn["period"] = period
    for name in ("targetEntity", "returningEntity"):
        if chance.random() < 0.8:
            drawn[name] = _drawn_entity(chance, world)
    kind = chance.choice((None, "retention_recurring", "retention_first_time", "retention_first_ever_occurrence"))
    if kind:
        drawn["retentionType"] = kind
    match chance.randrange(8):
        case 0:
            drawn["cumulative"] = True
        case 1:
            drawn["minimumOccurrences"] = chance.choice((1, 2, 3))
        case 2 if kind in ("retention_first_time", "retention_first_ever_occurrence"):
            drawn["retentionCustomBrackets"] = chance.choice(([1, 3], [1, 3, 7], [2], [1, 1, 1]))
        case 3:
            if kind in ("retention_first_time", "retention_first_ever_occurrence"):
                drawn["timeWindowMode"] = "24_hour_windows"
        case 4:
            drawn["timeWindowMode"] = "strict_calendar_dates"
        case _:
            pass
    query = {"kind": "RetentionQuery", "retentionFilter": drawn, **common}
    if chance.random() < 0.12:
        query["aggregation_group_type_index"] = 0
    elif chance.random() < 0.15:
        query["breakdownFilter"] = {"breakdowns": [_drawn_breakdown(chance, drawn)]}
    return query


def _drawn_breakdown(chance: random.Random, drawn: Mapping[str, Any]) -> dict[str, Any]:
    if drawn.get("retentionType") == "retention_first_ever_occurrence" or "timeWindowMode" in drawn:
        return {"property": "team", "type": "person"}  # which event gives the value is not defined
    return {"property": chance.choice(("$browser", "$many", "plan")), "type": "event"}


def _drawn_entity(chance: random.Random, world: World) -> dict[str, Any]:
    entity: dict[str, Any] = {"id": chance.choice((*EVENT_NAMES, "$pageview", "buy", None)), "type": "events"}
    if chance.random() < 0.2:
        action = chance.choice(world.actions)
        entity = {"id": action.id, "type": "actions", "name": action.name}
    properties = drawn_properties(chance, world) if chance.random() < 0.3 else None
    if isinstance(properties, list):
        entity["properties"] = properties
    return entity
