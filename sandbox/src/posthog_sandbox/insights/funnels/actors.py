"""The actors of a funnel: of a step, of its drop-off, or of a point of its conversion over time."""

from collections.abc import Callable

from ...errors import invalid
from ...http.routing import Call
from ...queries.moments import parse_moment
from ...queries.project import Project
from ...values import Row, as_list, objects
from ..actor_source import ActorSource, listed_actors
from ..requests import choice, malformed_query, options
from ..trends.request import read_compare
from .reached import FunnelActor, FunnelEntry, funnel_actors, funnel_entries


async def actors_of_funnel(call: Call, query: Row, project: Project) -> ActorSource:
    """Return the actors who completed the step `funnelStep`, or for -n those who dropped off before step n.

    For conversion over time: the actors who entered in the interval that begins at `funnelTrendsEntrancePeriodStart`
    and converted, or with `funnelTrendsDropOff` did not. Actors with several breakdown values are listed once for each,
    unless `funnelStepBreakdown` names one. Raises ApiError 400.
    """
    source: Row = query["source"]
    if options(source, "funnelsFilter").get("funnelVizType") == "trends":
        ids = await _of_interval(call, query, source, project)
    else:
        ids = await _of_step(call, query, source, project)
    return listed_actors(project, ids, group=source.get("aggregation_group_type_index"))


async def _of_step(call: Call, query: Row, source: Row, project: Project) -> list[str]:
    is_of_step = step_condition(query.get("funnelStep"), source)
    found = await funnel_actors(call, source, project, previous=_wants_previous(query, source))
    return [actor.actor for actor in found if is_of_step(actor) and _is_of_value(query, actor)]


def step_condition(step: object, source: Row) -> Callable[[FunnelActor], bool]:
    """Return a predicate for actors who completed a step, or for -n dropped off before step n.

    Raises ApiError 400 for a step that the funnel does not have.
    """
    steps = objects(source.get("series"))
    if step is None:
        raise invalid("Missing funnelStep in actors query")
    if not isinstance(step, int) or isinstance(step, bool) or step in (0, -1) or step < -len(steps):
        problem = f"Input should be a step from 1, or from -2 to -{len(steps)} for those who dropped off before it"
        raise malformed_query("funnelStep", problem)
    before = _required_before(steps, -step)
    return lambda actor: _is_of_step(actor, step, before)


def _required_before(steps: list[Row], step: int) -> int:
    """Return the last required step before this one, both from 1."""
    return max((place for place in range(1, step) if steps[place - 1].get("optionalInFunnel") is not True), default=1)


def _is_of_step(actor: FunnelActor, step: int, before: int) -> bool:
    def took(number: int) -> bool:
        return bool(actor.taken >> (number - 1) & 1)

    return took(step) if step > 0 else took(before) and not took(-step)


async def _of_interval(call: Call, query: Row, source: Row, project: Project) -> list[str]:
    dropped, start = query.get("funnelTrendsDropOff"), query.get("funnelTrendsEntrancePeriodStart")
    if dropped is None:
        raise invalid("Actors parameter `funnelTrendsDropOff` must be provided for funnel trends persons!")
    if not isinstance(start, str) or not start:
        raise invalid("Actors parameter `funnelTrendsEntrancePeriodStart` must be provided funnel trends persons!")
    moment = parse_moment(start, project.scope.now, project.context.timezone)
    found = await funnel_entries(call, source, project, previous=_wants_previous(query, source))
    return [
        entry.actor
        for entry in found
        if entry.interval.timestamp() == moment.timestamp()
        and entry.converted is not (dropped is True)
        and _is_of_value(query, entry)
    ]


def _wants_previous(query: Row, source: Row) -> bool:
    wanted = choice(query, "compare", "", ("current", "previous"), "current")
    return wanted == "previous" and read_compare(source)[0]


def _is_of_value(query: Row, actor: FunnelActor | FunnelEntry) -> bool:
    """Return whether the actor has the requested breakdown value; numbers compare as text except for cohorts."""
    wanted = query.get("funnelStepBreakdown")
    return wanted is None or _texts(wanted) == _texts(actor.breakdown_value)


def _texts(value: object) -> list[str]:
    listed = as_list(value)
    return [str(item) for item in ([value] if listed is None else listed)]
