"""Funnels in plain Python: the steps of events, the attribution of actors, and the results."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Any, cast

from ..counting import Node, Query, earliest_event, series_label
from ..dataset import Setting, World
from ..dates import Range, buckets, compared, day_text, floored
from .histories import Funnel, Value, actor_of, actors_of, read_funnel
from .walks import Attempt, Happened, best_attempt, entry_length

LIMIT = 25
LIMITED = ("event", "person", "group")
"""Breakdown types whose values are limited."""


def funnels(query: Query, world: World, setting: Setting) -> Any:
    """Return the results of a FunnelsQuery, sorted by breakdown value; None where PostHog's are undefined."""
    interval = str(query.get("interval") or "day")
    funnel = read_funnel(query, interval, world, setting)
    compare: Mapping[str, Any] = query.get("compareFilter") or {}
    if not compare.get("compare"):
        return _results(funnel, interval)
    dates = query.get("dateRange")
    span = compared(dates, interval, setting, compare.get("compare_to"), earliest=earliest_event(world))
    previous = replace(funnel, span=Range(span.first, span.until, span.first))
    return _together(_results(funnel, interval), _results(previous, interval))


def _together(current: Any, previous: Any) -> Any:
    """Combine the rows of two periods; steps without actors in one period appear if the other has some."""
    if current is None or previous is None:
        return None
    nobody = {"count": 0, "average_conversion_time": None, "median_conversion_time": None}
    halves: dict[str, list[dict[str, Any]]] = {
        "current": current or [{**row, **nobody} for row in previous],
        "previous": previous or [{**row, **nobody} for row in current],
    }
    return [{**row, "compare_label": label} for label, rows in halves.items() for row in rows]


def _results(funnel: Funnel, interval: str) -> Any:
    match funnel.wanted.get("funnelVizType"):
        case "time_to_convert":
            return _time_to_convert(funnel)
        case "trends":
            return _trends(funnel, interval)
        case _:
            return _steps(funnel)


def actors_with_attempts(query: Query, world: World, setting: Setting) -> dict[str, Attempt]:
    """Return the attempts that a funnel without a breakdown counts, by actor."""
    funnel = read_funnel(query, "day", world, setting)
    found: dict[str, Attempt] = {}
    for history in actors_of(funnel):
        attempt = best_attempt(_seen([happened for _, happened in history]), funnel.rules)
        if attempt is not None:
            found[actor_of(query, history[0][0])] = attempt
    return found


def _values(funnel: Funnel, events: Sequence[Happened]) -> set[Value]:
    """Return the values that an actor counts for."""
    if not funnel.breakdown.get("breakdown"):
        return {()}
    values = [cast("Value", event.value) for event in events]
    # A missing group property counts as the empty text, because PostHog only excludes null.
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
            # A group's value at events of other steps is the empty text, which counts too.
            others = of_group and not unordered and any(place not in event.steps for event in events)
            known = [("",)] if others else []
            return {*known, *(cast("Value", event.value) for event in events if unordered or place in event.steps)}
        case _:
            return {known[0]}


def _seen(events: Sequence[Happened]) -> list[Happened]:
    """Drop events between others with the same single step and value, as PostHog does beforehand.

    In unordered funnels that decides which event's time is used.
    """
    kept = list(events[:1])
    for before, event, after in zip(events, events[1:], events[2:], strict=False):
        alike = (before.steps, before.value) == (event.steps, event.value) == (after.steps, after.value)
        if len(event.steps) > 1 or not alike or not before.time < event.time < after.time:
            kept.append(event)
    return [*kept, *events[1:][-1:]]


def _is_open(events: Sequence[Happened]) -> bool:
    """Return whether PostHog leaves open which of several simultaneous events counts.

    These are different events that match the same step, or events with different values.
    """
    for _, tied in groupby(events, key=lambda event: event.time):
        kinds = {(event.steps, event.value) for event in tied}
        steps = [step for kind, _ in kinds for step in kind]
        if len({value for _, value in kinds}) > 1 or (len(kinds) > 1 and len(steps) > len(set(steps))):
            return True
    return False


def _attempts(funnel: Funnel) -> dict[Value, list[Attempt]] | None:
    """Return the attempts of actors by breakdown value; None where PostHog leaves them open."""
    found: dict[Value, list[Attempt]] = {}
    if funnel.breakdown.get("breakdown_type") == "cohort":
        return _by_cohort(funnel)
    for history in actors_of(funnel):
        events = _seen([happened for _, happened in history])
        if _is_open(events):
            return None
        for value in _values(funnel, events):
            seen = [event for event in events if funnel.attribution != "all_events" or event.value == value]
            attempt = best_attempt(seen, funnel.rules, value)
            if attempt is not None:
                found.setdefault(value, []).append(attempt)
    return found


def _by_cohort(funnel: Funnel) -> dict[Value, list[Attempt]] | None:
    """Return the attempts of the persons in each cohort, regardless of attribution."""
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


def _steps(funnel: Funnel) -> Any:
    attempts = _attempts(funnel)
    if attempts is None:
        return None
    if not funnel.breakdown.get("breakdown"):
        return _rows(funnel, attempts[()], ()) if attempts else []
    attempts = _limited(funnel, attempts)
    if attempts is None:
        return None
    return [_rows(funnel, found, value) for value, found in sorted(attempts.items())]


def _limited(funnel: Funnel, attempts: dict[Value, list[Attempt]]) -> dict[Value, list[Attempt]] | None:
    """Combine the values beyond the limit; None where PostHog leaves open which those are."""
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


def _rows(funnel: Funnel, attempts: Sequence[Attempt], value: Value) -> list[dict[str, Any]]:
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


def _shown(funnel: Funnel, value: Value) -> dict[str, Any]:
    match funnel.breakdown.get("breakdown_type"):
        case "cohort" if value == ("0",):
            return {"breakdown": "all users", "breakdown_value": 0}
        case "cohort":
            return {"breakdown": funnel.world.cohort(int(value[0])).name, "breakdown_value": int(value[0])}
        case "group":
            return {"breakdown": value[0], "breakdown_value": value[0]}
        case _:
            return {"breakdown": list(value), "breakdown_value": list(value)}


def _named(funnel: Funnel, node: Node, place: int) -> dict[str, Any]:
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
    ordered = sorted(times)
    half = len(times) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _time_to_convert(funnel: Funnel) -> Any:
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


def _trends(funnel: Funnel, interval: str) -> Any:
    last = funnel.wanted.get("funnelToStep") or len(funnel.nodes) - 1
    entered: dict[Value, dict[datetime, list[bool]]] = {}
    for history in actors_of(funnel):
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
    funnel: Funnel, events: Sequence[Happened], value: Value, interval: str, last: int
) -> dict[datetime, bool]:
    """Return for each interval an actor entered in whether the actor converted."""
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
    funnel: Funnel, entered: Mapping[datetime, list[bool]], starts: Sequence[datetime], interval: str
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
