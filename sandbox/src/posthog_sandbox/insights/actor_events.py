"""Events grouped by actor: the expression of the actor and queries with one row per actor."""

from dataclasses import replace
from datetime import datetime

from ..errors import ApiError, invalid
from ..hogql import HogqlError, escape, parse_expression
from ..http.routing import Call
from ..queries.project import Project
from ..queries.running import Ran, run_hogql
from ..storage.engine import MAX_RESULT_ROWS
from ..values import Row
from .dates import DateRange, Interval, read_date_range, wants_all
from .requests import malformed_query

GROUP_TYPES = 5


def actor_of(query: Row) -> tuple[str, str]:
    """Return the HogQL of an event's actor, as text, and the condition that it has one. Raises ApiError 400."""
    index = query.get("aggregation_group_type_index")
    if index is None:
        return "toString(person_id)", "true"
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < GROUP_TYPES:
        raise malformed_query("aggregation_group_type_index", f"Input should be an integer from 0 to {GROUP_TYPES - 1}")
    return f"$group_{index}", f"$group_{index} != ''"


def expression(text: str) -> str:
    """Return a HogQL expression of a query in parentheses. Raises ApiError 400 unless it is a single expression."""
    try:
        parse_expression(text)
    except HogqlError as error:
        raise invalid(error.message, error.code) from error
    return f"({text}\n)"  # the line break ends a trailing comment


def property_name(name: str) -> str:
    """Return the name of a property as HogQL writes it after a dot. Raises ApiError 400."""
    try:
        return escape.hogql_identifier(name)
    except HogqlError as error:
        raise invalid(error.message, error.code) from error


async def actor_rows(call: Call, project: Project, text: str) -> Ran:
    """Run a HogQL query with one row per actor, up to the engine's limit. Raises ApiError."""
    context = replace(project.context, max_limit=MAX_RESULT_ROWS)
    return await run_hogql(call, f"{text} LIMIT {MAX_RESULT_ROWS}", context)


async def date_range_of(call: Call, query: Row, project: Project, interval: Interval) -> DateRange:
    """Return the range of a query without widening its start; `all` begins at the project's earliest event."""
    earliest = await _earliest_event(call, project) if wants_all(query) else None
    return read_date_range(query, project, interval, widen=False, earliest=earliest)


async def _earliest_event(call: Call, project: Project) -> datetime | None:
    text = "SELECT min(timestamp) FROM events WHERE timestamp >= toDateTime('2015-01-01') HAVING count() > 0 LIMIT 1"
    rows = (await run_hogql(call, text, project.context)).table.rows
    return datetime.fromisoformat(str(rows[0][0])) if rows else None


def unsupported(what: str) -> ApiError:
    """Return a 400 error for a part of PostHog's queries that the sandbox does not support."""
    return invalid(f"The sandbox does not support {what}.")
