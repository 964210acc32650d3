"""FunnelsQuery: completed steps, time to convert, and conversion over time."""

from dataclasses import replace

from anyio import to_thread

from ...http.routing import Call
from ...queries.project import Project
from ...queries.running import Ran, response_fields
from ...values import Row
from ..actor_events import actor_rows, date_range_of
from ..dates import read_interval
from ..filters import sampling_factor
from ..trends.request import read_compare
from .breakdown import FunnelBreakdown, read_breakdown
from .compare import compared_groups, compared_rows
from .events import Fetched, FunnelEvents
from .request import FunnelRequest, read_funnel
from .results import Entered, Tally, step_rows, times_to_convert, trend_rows
from .steps import StepValue
from .walks import Walks


async def funnels_query(call: Call, query: Row, project: Project) -> Row:
    """Return the results for the `funnelVizType` of the query. Raises ApiError 400."""
    events = await read_events(call, query, project)
    periods = [events]
    compare, compare_to = read_compare(query)
    if compare and events.request.display != "flow":
        periods.append(replace(events, within=events.within.previous(compare_to)))
    ran = [await actor_rows(call, project, period.hogql(query, project, with_actors=False)) for period in periods]
    results = await to_thread.run_sync(_computed, periods, ran, sampling_factor(query))
    return {
        **response_fields(call, query, project),
        "results": results,
        "isUdf": True,
        "hogql": ran[0].translated.hogql,
        "timings": [timing for one in ran for timing in one.timings],
        "modifiers": {},
        "error": None,
        "resolved_date_range": events.within.resolved(),
    }


async def read_events(call: Call, query: Row, project: Project) -> FunnelEvents:
    """Return the events of a FunnelsQuery. Raises ApiError 400."""
    interval = read_interval(query)
    request, breakdown = await to_thread.run_sync(_read, call, query, project)
    return FunnelEvents(request, breakdown, await date_range_of(call, query, project, interval))


def _read(call: Call, query: Row, project: Project) -> tuple[FunnelRequest, FunnelBreakdown | None]:
    request, breakdown = read_funnel(call, query, project), read_breakdown(call, query, several=False)
    if breakdown is not None and breakdown.form == "cohorts":  # a person counts for a cohort with all events
        request = replace(request, rules=replace(request.rules, attributed_step=None))
    return request, breakdown


def _computed(periods: list[FunnelEvents], ran: list[Ran], sampling: float) -> object:
    """Return the results; for two periods, the current one and the one before it."""
    request, breakdown = periods[0].request, periods[0].breakdown
    fetched = [events.read(one.table.rows) for events, one in zip(periods, ran, strict=True)]
    if request.display == "trends":
        rows = [
            trend_rows(_entered(events, found), events.within, breakdown)
            for events, found in zip(periods, fetched, strict=True)
        ]
        return compared_rows(*rows) if len(rows) == 2 else rows[0]
    tallies = [_tallies(events, found) for events, found in zip(periods, fetched, strict=True)]
    if request.display == "time_to_convert":
        found = times_to_convert([one.values() for one in tallies], request)
        return compared_rows(*([one] for one in found)) if len(found) == 2 else found[0]
    steps = [step_rows(one, request, breakdown, sampling) for one in tallies]
    groups = compared_groups(*steps) if len(steps) == 2 else steps[0]
    return groups if breakdown else [row for group in groups for row in group]


def _tallies(events: FunnelEvents, fetched: list[Fetched]) -> dict[StepValue, Tally]:
    walks = Walks(events)
    return {found.value: tally for found in fetched if (tally := _tally(walks, found)).taken}


def _tally(walks: Walks, fetched: Fetched) -> Tally:
    tally = Tally()
    if fetched.entered:
        tally.taken[1] = fetched.entered
    for attempt in filter(None, walks.attempts(fetched)):
        tally.add(attempt)
    return tally


def _entered(events: FunnelEvents, fetched: list[Fetched]) -> dict[StepValue, Entered]:
    walks = Walks(events)
    intervals = len(events.within.buckets())
    by_value: dict[StepValue, Entered] = {}
    for found in fetched:
        counts: Entered = [[0, 0] for _ in range(intervals)]
        for entered in walks.entries(found):
            for interval, converted in entered.items():
                counts[interval][0] += 1
                counts[interval][1] += converted
        if any(entered for entered, _ in counts):
            by_value[found.value] = counts
    return by_value
