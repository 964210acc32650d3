"""The actors behind a row of a retention, and the cells in which each appears."""

from ...errors import invalid
from ...hogql import HogqlError, escape
from ...http.routing import Call
from ...queries.project import Project
from ...queries.property_filters import TRUE
from ...values import Row, as_list
from ..actor_source import ActorSource
from ..filters import all_of
from ..requests import malformed_query
from ..running import Session
from .cells import retention_cells
from .query import Retention, read_retention


async def actors_of_retention(call: Call, query: Row, project: Project) -> ActorSource:
    """Return the actors of the row `interval`, or of all rows; only those of one `breakdown` value if given.

    `query` is an InsightActorsQuery whose `source` is a RetentionQuery. Columns: `actor_id`, `appearances` (the sorted
    cells, from 0, that count the actor) and `day_0`, `day_1` … (named by the period), whether the cell counts the
    actor. As in PostHog, cumulative counting changes nothing here. Raises ApiError 400.
    """
    source: Row = query["source"]
    retention = await read_retention(Session(call, project), source)
    request = retention.request
    if not retention.periods.starts:
        text = "SELECT id AS actor_id, [0] AS appearances FROM persons WHERE false"
        return ActorSource(hogql=text, context=project.context, group=request.group)
    value = _breakdown_value(query.get("breakdown"))
    cells = retention_cells(request, retention.periods, _condition(retention, value))
    terms = [_row(query.get("interval"))]
    if value is not None and request.breakdown is not None and not request.breakdown.cohorts:
        terms.append(f"retention_value = {_text(value)}")
    numbers = "retention_cells" if request.value is None else "arrayMap(pair -> tupleElement(pair, 1), retention_cells)"
    actors = (
        f"SELECT retention_actor AS actor_id, arraySort(arrayFlatten(groupArray({numbers}))) AS appearances "
        f"FROM ({cells}) WHERE {all_of(terms)} GROUP BY actor_id"
    )
    period = request.period.lower()
    flags = [f"has(appearances, {cell}) AS {period}_{cell}" for cell in range(len(request.labels))]
    text = f"SELECT actor_id, appearances, {', '.join(flags)} FROM ({actors})"
    return ActorSource(hogql=text, context=project.context, group=request.group)


def _row(interval: object) -> str:
    if interval is None:
        return TRUE
    if not isinstance(interval, int) or isinstance(interval, bool):
        raise malformed_query("interval", "Input should be a valid integer")
    return f"retention_row = {interval}"


def _breakdown_value(given: object) -> str | None:
    """Return one value; as in PostHog, several values are joined."""
    if given is None:
        return None
    listed = as_list(given)
    return "::".join(str(item) for item in listed) if listed else None if listed is not None else str(given)


def _condition(retention: Retention, value: str | None) -> str:
    """Return the condition of the requested cohort; each cohort is a separate retention."""
    breakdown = retention.request.breakdown
    if breakdown is None or not breakdown.cohorts:
        return TRUE
    for cohort in breakdown.cohorts:
        if cohort.id == value:
            return cohort.condition
    raise invalid("A cohort breakdown value is required for actors query with cohort breakdowns.")


def _text(value: str) -> str:
    try:
        return escape.string(value)
    except HogqlError as error:
        raise invalid(error.message, error.code) from error
