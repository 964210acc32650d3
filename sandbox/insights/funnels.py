"""FunnelsQuery: the steps that actors took, the time that it took them, and the conversion over time."""

from dataclasses import replace

from anyio import to_thread

from ..queries.project import Project
from ..queries.running import Ran, answer_fields
from ..routing import Call
from ..values import Row
from .actor_breakdown import Breakdown, read_breakdown
from .actors import actor_rows, date_range_of, not_answered
from .dates import read_interval
from .filters import sampling_factor
from .funnel_answers import Entered, Tally, step_rows, time_to_convert, trend_rows
from .funnel_events import Fetched, FunnelEvents
from .funnel_request import FunnelRequest, read_funnel
from .funnel_steps import Value
from .funnel_walks import Walks
from .requests import options


async def funnels_query(call: Call, query: Row, project: Project) -> Row:
    """The answer for the `funnelVizType` of the query. Raises ApiError 400."""
    if options(query, "compareFilter").get("compare") is True:
        raise not_answered("funnels with compareFilter")
    events = await read_events(call, query, project)
    if events.request.display == "flow":
        raise not_answered("funnels with funnelVizType flow")
    ran = await actor_rows(call, project, events.hogql(query, project, with_actors=False))
    results = await to_thread.run_sync(_results, events, ran, sampling_factor(query))
    return {
        **answer_fields(call, query, project),
        "results": results,
        "isUdf": True,
        "hogql": ran.translated.hogql,
        "timings": ran.timings,
        "modifiers": {},
        "error": None,
        "resolved_date_range": events.within.resolved(),
    }


async def read_events(call: Call, query: Row, project: Project) -> FunnelEvents:
    """How the events of a FunnelsQuery are fetched and read. Raises ApiError 400."""
    interval = read_interval(query)
    request, breakdown = await to_thread.run_sync(_read, call, query, project)
    return FunnelEvents(request, breakdown, await date_range_of(call, query, project, interval))


def _read(call: Call, query: Row, project: Project) -> tuple[FunnelRequest, Breakdown | None]:
    request, breakdown = read_funnel(call, query, project), read_breakdown(call, query, several=False)
    if breakdown is not None and breakdown.form == "cohorts":  # whoever is in a cohort counts for it with every event
        request = replace(request, rules=replace(request.rules, attributed_step=None))
    return request, breakdown


def _results(events: FunnelEvents, ran: Ran, sampling: float) -> object:
    request, breakdown = events.request, events.breakdown
    fetched = events.read(ran.table.rows)
    if request.display == "trends":
        return trend_rows(_entered(events, fetched), events.within, breakdown)
    walks = Walks(events)
    tallies = {found.value: tally for found in fetched if (tally := _tally(walks, found)).taken}
    if request.display == "time_to_convert":
        return time_to_convert(tallies.values(), request)
    return step_rows(tallies, request, breakdown, sampling)


def _tally(walks: Walks, fetched: Fetched) -> Tally:
    tally = Tally()
    if fetched.entered:
        tally.taken[1] = fetched.entered
    for attempt in filter(None, walks.attempts(fetched)):
        tally.add(attempt)
    return tally


def _entered(events: FunnelEvents, fetched: list[Fetched]) -> dict[Value, Entered]:
    walks, intervals = Walks(events), len(events.within.buckets())
    by_value: dict[Value, Entered] = {}
    for found in fetched:
        counts: Entered = [[0, 0] for _ in range(intervals)]
        for entered in walks.entries(found):
            for interval, converted in entered.items():
                counts[interval][0] += 1
                counts[interval][1] += converted
        if any(entered for entered, _ in counts):
            by_value[found.value] = counts
    return by_value
