"""FunnelsQuery: the steps that actors took, the time that it took them, and the conversion over time."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from anyio import to_thread

from ..queries.project import Project
from ..queries.running import Ran, answer_fields
from ..routing import Call
from ..values import Row
from .actor_breakdown import Breakdown, read_breakdown, value_expression
from .actors import actor_of, actor_rows, date_range_of, expression, not_answered
from .dates import DateRange, read_interval
from .filters import all_of, any_of, query_condition, sampling_factor
from .funnel_answers import Reached, TrendPoint, step_rows, time_to_convert, trend_rows
from .funnel_request import FunnelRequest, read_funnel
from .funnel_steps import FunnelEvent, Value, furthest
from .funnel_trends import entries
from .requests import options
from .series import Series


@dataclass(frozen=True, slots=True)
class _Funnel:
    """What a query asks for, read."""

    request: FunnelRequest
    breakdown: Breakdown | None


async def funnels_query(call: Call, query: Row, project: Project) -> Row:
    """The answer for the `funnelVizType` of the query. Raises ApiError 400."""
    interval = read_interval(query)
    funnel = await to_thread.run_sync(_read, call, query, project)
    if funnel.request.display == "flow":
        raise not_answered("funnels with funnelVizType flow")
    if options(query, "compareFilter").get("compare") is True:
        raise not_answered("funnels with compareFilter")
    within = await date_range_of(call, query, project, interval)
    ran = await actor_rows(call, project, _events_by_actor(query, project, funnel, within))
    results = await to_thread.run_sync(_results, funnel, within, ran, sampling_factor(query))
    return {
        **answer_fields(call, query, project),
        "results": results,
        "isUdf": True,
        "hogql": ran.translated.hogql,
        "timings": ran.timings,
        "modifiers": {},
        "error": None,
        "resolved_date_range": within.resolved(),
    }


def _read(call: Call, query: Row, project: Project) -> _Funnel:
    request, breakdown = read_funnel(call, query, project), read_breakdown(call, query, several=False)
    if breakdown is not None and breakdown.form == "cohorts":  # whoever is in a cohort counts for it with every event
        request = replace(request, rules=replace(request.rules, attributed_step=None))
    return _Funnel(request, breakdown)


def _events_by_actor(query: Row, project: Project, funnel: _Funnel, within: DateRange) -> str:
    """HogQL for one row for each actor who may have entered: times, matched steps as bits, breakdown values.

    The lowest bit is the first step; after the steps come the exclusions.
    """
    request = funnel.request
    actor, has_actor = actor_of(query)
    if request.actor is not None:
        actor = f"ifNull(toString({expression(request.actor)}), '')"
        has_actor = f"{actor} != ''"
    matches = [_step_condition(step) for step in request.series]
    matches += [exclusion.series.condition for exclusion in request.exclusions]
    terms = [*within.conditions(whole_seconds=False), query_condition(query, project), has_actor]
    if request.rules.order != "strict":
        terms.append(any_of(matches))
    bits = " + ".join(f"if({condition}, {1 << place}, 0)" for place, condition in enumerate(matches))
    entered = (1 << len(request.series)) - 1 if request.rules.order == "unordered" else 1
    values = ", groupArray(funnel_value)" if funnel.breakdown else ""
    return (
        f"SELECT groupArray(funnel_time), groupArray(funnel_bits){values} FROM ("
        f"SELECT {actor} AS funnel_actor, toUnixTimestamp64Micro(timestamp) AS funnel_time, {bits} AS funnel_bits, "
        f"{value_expression(funnel.breakdown)} AS funnel_value FROM events WHERE {all_of(terms)}"
        f") GROUP BY funnel_actor HAVING bitAnd(groupBitOr(toUInt64(funnel_bits)), {entered}) != 0"
    )


def _step_condition(step: Series) -> str:
    """The events of a step. The maths narrow it to each person's first such event ever."""
    if step.math == "first_time_for_user":
        return all_of([step.condition, _is_first(step.entity)])
    if step.math == "first_time_for_user_with_filters":
        return all_of([step.condition, _is_first(step.condition)])
    return step.condition


def _is_first(condition: str) -> str:
    first = f"SELECT person_id, min(timestamp) FROM events WHERE {condition} GROUP BY person_id"
    return f"(person_id, timestamp) IN ({first})"


def _results(funnel: _Funnel, within: DateRange, ran: Ran, sampling: float) -> object:
    request, breakdown = funnel.request, funnel.breakdown
    actors = _actors(request, ran, with_values=breakdown is not None)
    if request.display == "trends":
        return trend_rows(_trend_points(request, breakdown, within, actors), within, breakdown)
    reached = _furthest(request, breakdown, actors)
    if request.display == "time_to_convert":
        return time_to_convert(reached, request)
    return step_rows(reached, request, breakdown, sampling)


def _actors(request: FunnelRequest, ran: Ran, *, with_values: bool) -> Iterator[list[FunnelEvent]]:
    """Each actor's events in order of time. The rows are used up, so that memory does not hold them twice."""
    steps: dict[int, tuple[int, ...]] = {}
    rows = ran.table.rows
    while rows:
        row = rows.pop()
        for bits in row[1]:
            if bits not in steps:
                steps[bits] = _steps(request, bits)
        values: Iterable[Value] = map(tuple, row[2]) if with_values else ((),) * len(row[0])
        found = [
            FunnelEvent(time, steps[bits], value) for time, bits, value in zip(row[0], row[1], values, strict=True)
        ]
        found.sort(key=lambda event: event[:2])
        yield found


def _steps(request: FunnelRequest, bits: int) -> tuple[int, ...]:
    """From the bits of an event to the steps of a FunnelEvent: an event of the funnel is never an exclusion."""
    count = len(request.series)
    steps = [step for step in range(1, count + 1) if bits >> (step - 1) & 1]
    if steps:
        return tuple(steps)
    excluded = {
        -step
        for place, exclusion in enumerate(request.exclusions, count)
        if bits >> place & 1
        for step in range(exclusion.from_step + 2, exclusion.to_step + 2)
    }
    return tuple(sorted(excluded, reverse=True))


def _furthest(
    request: FunnelRequest, breakdown: Breakdown | None, actors: Iterator[list[FunnelEvent]]
) -> list[Reached]:
    found: list[Reached] = []
    for events in actors:
        for value, counted in _evaluations(request, breakdown, events):
            attempt = furthest(counted, request.rules, value)
            if attempt is not None:
                found.append(Reached(attempt, value))
    return found


def _trend_points(
    request: FunnelRequest, breakdown: Breakdown | None, within: DateRange, actors: Iterator[list[FunnelEvent]]
) -> list[TrendPoint]:
    starts = [int(bucket.timestamp()) * 1_000_000 for bucket in within.buckets()]
    rules, from_step = request.trend_rules, request.from_step + 1
    found: list[TrendPoint] = []
    for events in actors:
        kept = [_cut(event, rules.steps) for event in events]
        kept = [event for event in kept if event.steps or rules.order == "strict"]
        for value, counted in _evaluations(request, breakdown, kept):
            entered = entries(counted, rules, lambda time: bisect_right(starts, time) - 1, from_step, value)
            found += [TrendPoint(interval, converted, value) for interval, converted in entered.items()]
    return found


def _cut(event: FunnelEvent, steps: int) -> FunnelEvent:
    """The event without the steps after the last."""
    return event._replace(steps=tuple(step for step in event.steps if abs(step) <= steps))


def _evaluations(
    request: FunnelRequest, breakdown: Breakdown | None, events: list[FunnelEvent]
) -> Iterator[tuple[Value, list[FunnelEvent]]]:
    """The breakdown values for which an actor is counted, each with the events that count for it."""
    if breakdown is None:
        yield (), events
        return
    if breakdown.form == "cohorts":
        for identity in sorted({identity for event in events for identity in event.value}):
            yield (identity,), events
        return
    if request.attribution == "all_events":
        for value in sorted({event.value for event in events}):
            yield value, [event for event in events if event.value == value]
        return
    for value in _attributed(request, breakdown, events):
        yield value, events


def _attributed(request: FunnelRequest, breakdown: Breakdown, events: list[FunnelEvent]) -> list[Value]:
    if request.attribution == "step":
        step = (request.attributed_step or 0) + 1
        anywhere = request.rules.order == "unordered"
        return sorted({event.value for event in events if anywhere or step in event.steps})
    ordered = events if request.attribution == "first_touch" else reversed(events)
    return [next((event.value for event in ordered if any(event.value)), ("",) * len(breakdown.values))]
