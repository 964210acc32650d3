"""Funnels in plain Python: which events belong to which step, what an actor is counted for, and the answer."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, cast

from ..hand_made import Event
from .counting import Node, Query, earliest_event, is_of, passes_query, series_label
from .dataset import Setting, World
from .dates import Range, buckets, compared, day_text, floored, highest, lowest
from .filters import passes, text
from .funnel_walks import Attempt, Happened, Rules, best_attempt, entry_length

LIMIT = 25
LIMITED = ("event", "person", "group")
"""The types of breakdowns whose values have a limit."""
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 7 * 86_400, "month": 31 * 86_400}
type Value = tuple[str, ...]
"""A breakdown value; empty without a breakdown."""


@dataclass(frozen=True, slots=True)
class _Funnel:
    """A query with what is asked of it, its world and its range."""

    query: Query
    world: World
    setting: Setting
    span: Range
    wanted: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def nodes(self) -> Sequence[Node]:
        return self.query["series"]

    @property
    def rules(self) -> Rules:
        unit = self.wanted.get("funnelWindowIntervalUnit") or "day"
        attributed = None
        if self.breakdown and self.attribution == "step" and self.breakdown.get("breakdown_type") != "cohort":
            attributed = (self.wanted.get("breakdownAttributionValue") or 0) + 1
        return Rules(
            steps=len(self.nodes),
            window=timedelta(seconds=(self.wanted.get("funnelWindowInterval") or 14) * _SECONDS[unit]),
            order=self.wanted.get("funnelOrderType") or "ordered",
            optional=frozenset(place for place, node in enumerate(self.nodes, 1) if node.get("optionalInFunnel")),
            attributed=attributed,
        )

    @property
    def breakdown(self) -> Mapping[str, Any]:
        return self.query.get("breakdownFilter") or {}

    @property
    def attribution(self) -> str:
        return self.wanted.get("breakdownAttributionType") or "first_touch"


def funnels(query: Query, world: World, setting: Setting) -> Any:
    """The results of a FunnelsQuery, those of a breakdown in order of the value. None where PostHog's are unknown."""
    interval = str(query.get("interval") or "day")
    funnel = _read(query, interval, world, setting)
    compare: Mapping[str, Any] = query.get("compareFilter") or {}
    if not compare.get("compare"):
        return _results(funnel, interval)
    dates = query.get("dateRange")
    span = compared(dates, interval, setting, compare.get("compare_to"), earliest=earliest_event(world))
    previous = replace(funnel, span=Range(span.first, span.until, span.first))
    return _together(_results(funnel, interval), _results(previous, interval))


def _together(current: Any, previous: Any) -> Any:
    """The rows of two periods; the steps of one that nobody came to are there when the other has some."""
    if current is None or previous is None:
        return None
    nobody = {"count": 0, "average_conversion_time": None, "median_conversion_time": None}
    halves: dict[str, list[dict[str, Any]]] = {
        "current": current or [{**row, **nobody} for row in previous],
        "previous": previous or [{**row, **nobody} for row in current],
    }
    return [{**row, "compare_label": label} for label, rows in halves.items() for row in rows]


def _results(funnel: _Funnel, interval: str) -> Any:
    match funnel.wanted.get("funnelVizType"):
        case "time_to_convert":
            return _time_to_convert(funnel)
        case "trends":
            return _trends(funnel, interval)
        case _:
            return _steps(funnel)


def _read(query: Query, interval: str, world: World, setting: Setting) -> _Funnel:
    dates: Mapping[str, Any] = query.get("dateRange") or {}
    since = lowest(dates, setting, interval, exact=False, earliest=earliest_event(world)).astimezone(UTC)
    until = highest(dates, setting, interval).astimezone(UTC)
    return _Funnel(query, world, setting, Range(since, until, since), query.get("funnelsFilter") or {})


def actors_with_attempts(query: Query, world: World, setting: Setting) -> dict[str, Attempt]:
    """The attempts that a funnel without a breakdown counts, by actor."""
    funnel = _read(query, "day", world, setting)
    found: dict[str, Attempt] = {}
    for history in _actors(funnel):
        attempt = best_attempt(_seen([happened for _, happened in history]), funnel.rules)
        if attempt is not None:
            found[actor_of(query, history[0][0])] = attempt
    return found


def _actors(funnel: _Funnel) -> list[list[tuple[Event, Happened]]]:
    """The events of each actor, by time. A strict funnel reads all, the others those that match something."""
    firsts = [_firsts(funnel, node) for node in funnel.nodes]
    found: dict[str, list[tuple[Event, Happened]]] = {}
    for event in sorted(funnel.world.events, key=lambda event: event.timestamp):
        actor = actor_of(funnel.query, event)
        if not actor or not funnel.span.since <= event.timestamp <= funnel.span.until:
            continue
        if not passes_query(event, funnel.query, funnel.world, funnel.setting):
            continue
        steps = tuple(
            place
            for place, node in enumerate(funnel.nodes, 1)
            if _matches(funnel, event, node) and (firsts[place - 1] is None or id(event) in (firsts[place - 1] or ()))
        )
        steps += _excluded(funnel, event)
        if steps or funnel.rules.order == "strict":
            value = _value(funnel, event)
            found.setdefault(actor, []).append((event, Happened(event.timestamp, steps, value)))
    return list(found.values())


def actor_of(query: Query, event: Event) -> str:
    """The actor of an event in a funnel; empty for nobody."""
    group = query.get("aggregation_group_type_index")
    if group is not None:
        return event.group if group == 0 else ""
    wanted: Mapping[str, Any] = query.get("funnelsFilter") or {}
    match wanted.get("funnelAggregateByHogQL"):
        case "properties.$session_id":
            return event.session
        case "distinct_id":
            return event.sent_as
        case _:
            return event.person.id


def _matches(funnel: _Funnel, event: Event, node: Node) -> bool:
    if node["kind"] == "GroupNode":
        return any(_matches(funnel, event, inner) for inner in node["nodes"])
    return is_of(event, node, funnel.world, funnel.setting) and passes(
        event, node.get("properties"), funnel.world, funnel.setting
    )


def _firsts(funnel: _Funnel, node: Node) -> set[int] | None:
    """The first events ever of a step of `first_time_for_user`, one for each person; None for other steps."""
    math_of = node.get("math") or "total"
    if not math_of.startswith("first_time_for_user"):
        return None
    found: dict[str, Event] = {}
    for event in sorted(funnel.world.events, key=lambda event: event.timestamp):
        matches = (
            _matches(funnel, event, node)
            if math_of.endswith("filters")
            else is_of(event, node, funnel.world, funnel.setting)
        )
        if matches:
            found.setdefault(event.person.id, event)
    return {id(event) for event in found.values()}


def _excluded(funnel: _Funnel, event: Event) -> tuple[int, ...]:
    """Minus every step that may not be reached past this event."""
    found: set[int] = set()
    for exclusion in funnel.wanted.get("exclusions") or ():
        if _matches(funnel, event, exclusion):
            found |= {-step for step in range(exclusion["funnelFromStep"] + 2, exclusion["funnelToStep"] + 2)}
    return tuple(sorted(found, reverse=True))


def _value(funnel: _Funnel, event: Event) -> Value:
    """The texts of the properties that the funnel is broken down by."""
    breakdown = funnel.breakdown.get("breakdown")
    if breakdown is None:
        return ()
    names = cast("list[str]", breakdown if isinstance(breakdown, list) else [breakdown])
    return tuple(_text(funnel, event, name) for name in names)


def _text(funnel: _Funnel, event: Event, name: str) -> str:
    match funnel.breakdown.get("breakdown_type") or "event":
        case "person":
            return text(event.person.properties.get(name)) or ""
        case "group":
            group = funnel.world.groups.get(event.group)
            return "" if group is None else text(group.properties.get(name)) or ""
        case "event_metadata":
            return event.event if name == "event" else event.sent_as
        case "hogql":
            return event.event.upper()
        case _:
            return text(event.session or None if name == "$session_id" else event.properties.get(name)) or ""


def _values(funnel: _Funnel, events: Sequence[Happened]) -> set[Value]:
    """The values that an actor is counted for."""
    if not funnel.breakdown.get("breakdown"):
        return {()}
    values = [cast("Value", event.value) for event in events]
    # A missing property of a group counts as a value, the empty text: PostHog asks only whether it is null.
    of_group = funnel.breakdown.get("breakdown_type") == "group"
    known = [value for value in values if of_group or any(value)] or [("",) * len(values[0])]
    match funnel.attribution:
        case "last_touch":
            return {known[-1]}
        case "all_events":
            return set(values)
        case "step":
            place = funnel.rules.attributed
            unordered = funnel.rules.order == "unordered"
            # A group's value at events of other steps is the empty text, which counts as well.
            others = of_group and not unordered and any(place not in event.steps for event in events)
            known = [("",)] if others else []
            return {*known, *(cast("Value", event.value) for event in events if unordered or place in event.steps)}
        case _:
            return {known[0]}


def _seen(events: Sequence[Happened]) -> list[Happened]:
    """The events without those amid others of the same one step and value, which PostHog leaves out beforehand.

    In unordered funnels that decides from which event a time is taken.
    """
    kept = list(events[:1])
    for before, event, after in zip(events, events[1:], events[2:], strict=False):
        alike = (before.steps, before.value) == (event.steps, event.value) == (after.steps, after.value)
        if len(event.steps) > 1 or not alike or not before.time < event.time < after.time:
            kept.append(event)
    return [*kept, *events[1:][-1:]]


def _is_open(events: Sequence[Happened]) -> bool:
    """Whether PostHog leaves open which of several events of one instant counts: different ones that match the same
    step, or ones with different values."""
    for _, tied in groupby(events, key=lambda event: event.time):
        kinds = {(event.steps, event.value) for event in tied}
        steps = [step for kind, _ in kinds for step in kind]
        if len({value for _, value in kinds}) > 1 or (len(kinds) > 1 and len(steps) > len(set(steps))):
            return True
    return False


def _attempts(funnel: _Funnel) -> dict[Value, list[Attempt]] | None:
    """What actors are counted for, by breakdown value; None where PostHog leaves it open."""
    found: dict[Value, list[Attempt]] = {}
    if funnel.breakdown.get("breakdown_type") == "cohort":
        return _by_cohort(funnel)
    for history in _actors(funnel):
        events = _seen([happened for _, happened in history])
        if _is_open(events):
            return None
        for value in _values(funnel, events):
            seen = [event for event in events if funnel.attribution != "all_events" or event.value == value]
            attempt = best_attempt(seen, funnel.rules, value)
            if attempt is not None:
                found.setdefault(value, []).append(attempt)
    return found


def _by_cohort(funnel: _Funnel) -> dict[Value, list[Attempt]] | None:
    """The attempts of those in each cohort, whatever the attribution."""
    found: dict[Value, list[Attempt]] = {}
    for cohort in funnel.breakdown["breakdown"]:
        world = funnel.world
        if cohort != "all":
            persons = world.cohort(cohort).persons
            world = replace(world, events=tuple(event for event in world.events if event.person.id in persons))
        everybody = replace(funnel, query={**funnel.query, "breakdownFilter": None}, world=world)
        attempts = _attempts(everybody)
        if attempts is None:
            return None
        if attempts:
            found[("0" if cohort == "all" else str(cohort),)] = attempts[()]
    return found


def _steps(funnel: _Funnel) -> Any:
    attempts = _attempts(funnel)
    if attempts is None:
        return None
    if not funnel.breakdown.get("breakdown"):
        return _rows(funnel, attempts[()], ()) if attempts else []
    attempts = _limited(funnel, attempts)
    if attempts is None:
        return None
    return [_rows(funnel, found, value) for value, found in sorted(attempts.items())]


def _limited(funnel: _Funnel, attempts: dict[Value, list[Attempt]]) -> dict[Value, list[Attempt]] | None:
    """The same with the values past the limit as one; None where PostHog leaves open which those are."""
    limit = funnel.breakdown.get("breakdown_limit") or LIMIT
    if len(attempts) <= limit or (funnel.breakdown.get("breakdown_type") or "event") not in LIMITED:
        return attempts

    def rank(value: Value) -> list[int]:
        reached = [max(attempt.taken) for attempt in attempts[value]]
        return [-reached.count(step) for step in range(len(funnel.nodes), 0, -1)]

    ranked = sorted(attempts, key=rank)
    if rank(ranked[limit - 1]) == rank(ranked[limit]):
        return None
    others = [attempt for value in ranked[limit:] for attempt in attempts[value]]
    return {**{value: attempts[value] for value in ranked[:limit]}, ("Other",): others}


def _rows(funnel: _Funnel, attempts: Sequence[Attempt], value: Value) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    required = [step for step in range(1, len(funnel.nodes) + 1) if step not in funnel.rules.optional]
    for place, node in enumerate(funnel.nodes, 1):
        times: list[float] = []
        if place in required[1:]:
            index = required.index(place)
            spans = [attempt.timings() for attempt in attempts if len(attempt.times) > index]
            times = [span[index - 1].total_seconds() for span in spans if span[index - 1]]
        row: dict[str, Any] = {
            **_named(funnel, node, place),
            "order": place - 1,
            "people": [],
            "count": sum(place in attempt.taken for attempt in attempts),
            "average_conversion_time": sum(times) / len(times) if times else None,
            "median_conversion_time": _median(times),
        }
        if value:
            row |= _shown(funnel, value)
        rows.append(row)
    return rows


def _shown(funnel: _Funnel, value: Value) -> dict[str, Any]:
    match funnel.breakdown.get("breakdown_type"):
        case "cohort" if value == ("0",):
            return {"breakdown": "all users", "breakdown_value": 0}
        case "cohort":
            return {"breakdown": funnel.world.cohort(int(value[0])).name, "breakdown_value": int(value[0])}
        case "group":
            return {"breakdown": value[0], "breakdown_value": value[0]}
        case _:
            return {"breakdown": list(value), "breakdown_value": list(value)}


def _named(funnel: _Funnel, node: Node, place: int) -> dict[str, Any]:
    if funnel.rules.order == "unordered":
        return {"action_id": None, "name": f"Completed {place} step{'' if place == 1 else 's'}"}
    if node["kind"] == "GroupNode":
        return {"name": ", ".join(series_label(inner, funnel.world) for inner in node["nodes"])}
    action = node["kind"] == "ActionsNode"
    return {
        "action_id": node["id"] if action else node.get("event"),
        "name": series_label(node, funnel.world) if action else node.get("event"),
        "custom_name": node.get("custom_name"),
        "type": "actions" if action else "events",
    }


def _median(times: list[float]) -> float | None:
    if not times:
        return None
    ordered, half = sorted(times), len(times) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _time_to_convert(funnel: _Funnel) -> Any:
    since, to = funnel.wanted.get("funnelFromStep") or 0, funnel.wanted.get("funnelToStep") or len(funnel.nodes) - 1
    times = [
        (attempt.times[to] - attempt.times[since]).total_seconds()
        for found in (_attempts(funnel) or {}).values()
        for attempt in found
        if len(attempt.times) > to
    ]
    if not times:
        return None
    least, most = math.floor(min(times)), math.ceil(max(times))
    automatic = next(number for number in range(1, 61) if number**3 >= len(times) or number == 60)
    number = min(90, max(1, funnel.wanted.get("binCount") or automatic))
    width = math.ceil((most - least) / number) or 60
    edges = [least + place * width for place in range(number + 1)]
    return {
        "bins": [[edge, sum(edge <= time < edge + width for time in times)] for edge in edges],
        "average_conversion_time": sum(times) / len(times),
    }


def _trends(funnel: _Funnel, interval: str) -> Any:
    last = funnel.wanted.get("funnelToStep") or len(funnel.nodes) - 1
    entered: dict[Value, dict[datetime, list[bool]]] = {}
    for history in _actors(funnel):
        events = [happened for _, happened in history]
        for value in _values(funnel, events):
            for start, converted in _entries(funnel, events, value, interval, last).items():
                entered.setdefault(value, {}).setdefault(start, []).append(converted)
    if len(entered) > LIMIT:
        return None
    starts = buckets(funnel.span, interval, funnel.setting)
    if not funnel.breakdown.get("breakdown"):
        return [_line(funnel, entered.get((), {}), starts, interval)]
    return [
        {
            **_line(funnel, found, starts, interval),
            "breakdown_value": [text or "None" for text in value],
        }
        for value, found in sorted(entered.items())
    ]


def _entries(
    funnel: _Funnel, events: Sequence[Happened], value: Value, interval: str, last: int
) -> dict[datetime, bool]:
    """Whether an actor converted, for each interval that it entered in."""
    seen = [event for event in events if funnel.attribution != "all_events" or event.value == value]
    furthest: dict[datetime, int] = {}
    for place, event in enumerate(seen):
        length = entry_length(seen, place, funnel.rules, value)
        if length:
            start = floored(event.time, interval, funnel.setting)
            furthest[start] = max(furthest.get(start, 0), length)
    first = (funnel.wanted.get("funnelFromStep") or 0) + 1
    return {start: length > last for start, length in furthest.items() if length >= first}


def _line(
    funnel: _Funnel, entered: Mapping[datetime, list[bool]], starts: Sequence[datetime], interval: str
) -> dict[str, Any]:
    data: list[float] = []
    for start in starts:
        found = entered.get(start, [])
        data.append(round(100 * sum(found) / len(found), 2) if found else 0.0)
    local = [start.astimezone(funnel.setting.timezone) for start in starts]
    return {
        "count": len(starts),
        "data": data,
        "days": [day_text(start, interval, funnel.setting) for start in starts],
        "labels": [f"{start.day}-{start:%b-%Y}" for start in local],
    }
