"""The actors behind a FunnelsQuery: the steps each reached, and the intervals each entered in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from anyio import to_thread

from ...http.routing import Call
from ...queries.project import Project
from ...values import Row
from ..actor_events import actor_rows
from ..trends.request import read_compare
from .breakdown import shown
from .events import Fetched, FunnelEvents
from .query import read_events
from .results import Tally, shown_values, trend_value
from .steps import Attempt, StepValue
from .walks import Walks


@dataclass(frozen=True, slots=True)
class FunnelActor:
    """The progress of an actor, for one breakdown value.

    `actor` is a person's id, a group's key or the value of the funnel's aggregation expression. `breakdown_value` is
    that of the FunnelsQuery, `Other` beyond the limit; None without a breakdown. `taken` has one bit per step, the
    first the lowest: an actor counts for the steps whose bits are set. `times` are those of the completed required
    steps.
    """

    actor: str
    breakdown_value: object
    taken: int
    times: tuple[datetime, ...]

    @property
    def furthest(self) -> int:
        """The last completed step, from 1."""
        return self.taken.bit_length()


@dataclass(frozen=True, slots=True)
class FunnelEntry:
    """An actor's entry in an interval, given by its start, and whether it converted; otherwise like FunnelActor."""

    actor: str
    breakdown_value: object
    interval: datetime
    converted: bool


async def funnel_actors(call: Call, query: Row, project: Project, *, previous: bool = False) -> tuple[FunnelActor, ...]:
    """Return all actors that a FunnelsQuery of steps counts, ordered by id. Raises ApiError 400.

    With `previous` those of the compared period.
    """
    events, fetched = await _fetched(call, query, project, previous=previous)
    return await to_thread.run_sync(lambda: tuple(sorted(_reached(events, fetched), key=lambda item: item.actor)))


async def funnel_entries(
    call: Call, query: Row, project: Project, *, previous: bool = False
) -> tuple[FunnelEntry, ...]:
    """Return all entries that a FunnelsQuery of trends counts, ordered by id. Raises ApiError 400.

    With `previous` those of the compared period.
    """
    events, fetched = await _fetched(call, query, project, previous=previous)
    return await to_thread.run_sync(lambda: tuple(sorted(_entered(events, fetched), key=lambda item: item.actor)))


async def _fetched(call: Call, query: Row, project: Project, *, previous: bool) -> tuple[FunnelEvents, list[Fetched]]:
    events = await read_events(call, query, project)
    if previous:
        events = replace(events, within=events.within.previous(read_compare(query)[1]))
    ran = await actor_rows(call, project, events.hogql(query, project, with_actors=True))
    return events, events.read(ran.table.rows)


def _reached(events: FunnelEvents, fetched: list[Fetched]) -> Iterator[FunnelActor]:
    walks = Walks(events)
    attempts: dict[StepValue, list[tuple[str, Attempt]]] = {}
    tallies: dict[StepValue, Tally] = {}
    for found in fetched:
        for actor, attempt in zip(found.actors, walks.attempts(found), strict=True):
            if attempt is not None:
                attempts.setdefault(found.value, []).append((actor, attempt))
                tallies.setdefault(found.value, Tally()).add(attempt)
    names = _step_names(events, tallies)
    for value in names:
        for actor, attempt in attempts[value]:
            moments = (events.origin + timedelta(microseconds=time) for time in attempt.times)
            times = tuple(moment.astimezone(events.within.start.tzinfo) for moment in moments)
            yield FunnelActor(actor, names[value], attempt.taken, times)


def _step_names(events: FunnelEvents, tallies: Mapping[StepValue, Tally]) -> Mapping[StepValue, object]:
    breakdown = events.breakdown
    if breakdown is None:
        return dict.fromkeys(tallies)
    values = shown_values(tallies, events.request, breakdown)
    return {value: shown(shown_as, breakdown)["breakdown_value"] for value, shown_as in values.items()}


def _entered(events: FunnelEvents, fetched: list[Fetched]) -> Iterator[FunnelEntry]:
    walks = Walks(events)
    buckets = events.within.buckets()
    breakdown = events.breakdown
    for found in fetched:
        name = None if breakdown is None else trend_value(found.value, breakdown)
        for actor, entered in zip(found.actors, walks.entries(found), strict=True):
            for interval, converted in entered.items():
                yield FunnelEntry(actor, name, buckets[interval], converted)
