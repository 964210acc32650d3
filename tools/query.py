"""HogQL: PostHog's SQL over events, persons, sessions and groups."""

from typing import Any

import anyio
from pydantic import ValidationError

from ..gateway.budget import Budget
from ..gateway.call import Call
from ..gateway.errors import Failed, GatewayError, Rejected, Upstream
from ..schemas.query import QueryAnswer, QueryStatus, RunHogql
from ..schemas.text import excerpt
from .hogql import MOST_ROWS, Plan, plan
from .hogql_check import check
from .operation import Effect, Operation, Result, Toolset, unexpected_shape

_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0)
"""Between looks at a query that PostHog runs in the background; the deadline of the call ends it earlier."""
_FIX = "Fix what PostHog names; list_event_definitions and list_property_definitions give the real names."


async def _run_hogql(api: Call, args: RunHogql) -> Result:
    values = args.values or {}
    planned = plan(args.query, args.limit, values)
    check(args.query, values)
    query = {"kind": "HogQLQuery", "query": planned.sql} | ({"values": values} if values else {})
    body: dict[str, Any] = {"query": query}
    if args.refresh:
        body["refresh"] = "force_blocking"
    if args.name:
        body["name"] = args.name
    try:
        answer = await _finished(api, _read(await api.query(body)))
    except GatewayError as error:
        raise _about_the_query(error) from error
    return _show(answer, planned)


def _read(answer: object) -> QueryAnswer:
    try:
        return QueryAnswer.model_validate(answer)
    except ValidationError as error:
        raise unexpected_shape(QueryAnswer, error) from error


async def _finished(api: Call, answer: QueryAnswer) -> QueryAnswer:
    """The answer with its rows; a query that PostHog made asynchronous is waited for, within the call's deadline."""
    status = answer.query_status
    for pause in _PAUSES_S:
        if status is None or answer.results is not None:
            return answer
        if status.error:
            raise _failed_query(status.error_message or "The query failed.")
        if status.complete:
            return _read(status.results)
        await anyio.sleep(pause)
        polled = await api.get("/api/projects/{project_id}/query/{query_id}/", query_id=status.id or "")
        answer = _read(polled)
        status = answer.query_status
    raise _still_running(status)


def _still_running(status: QueryStatus | None) -> Failed:
    name = f" (id {status.id})" if status and status.id else ""
    return Failed(
        "timeout",
        f"PostHog still runs the query{name}.",
        "Narrow it: a shorter time range, fewer events, less to group by.",
        source="posthog",
    )


def _about_the_query(error: GatewayError) -> GatewayError:
    """PostHog refuses bad HogQL under ClickHouse's many codes: on this endpoint a refusal is about the query."""
    if error.code != "validation_failed" or error.source != "posthog":
        return error
    return Rejected(
        "hogql_query_error",
        "PostHog refuses the HogQL.",
        _FIX,
        status=error.status,
        request_id=error.request_id,
        upstream=error.upstream,
    )


def _failed_query(detail: str) -> Rejected:
    return Rejected("hogql_query_error", "PostHog could not run the HogQL.", _FIX, upstream=Upstream(excerpt(detail)))


def _show(answer: QueryAnswer, planned: Plan) -> Result:
    """Columns and rows, and whether these are all."""
    if answer.error:
        raise _failed_query(answer.error)
    if answer.results is None:
        raise Failed(
            "bad_upstream_response",
            "PostHog answered without rows.",
            "Call again with refresh: true.",
            source="posthog",
        )
    rows = answer.results if planned.shown is None else answer.results[: planned.shown]
    shown: dict[str, Any] = {"columns": answer.columns or [], "rows": rows, "rows_returned": len(rows)}
    if planned.shown is not None:
        shown["limit"] = planned.shown
    if len(rows) < len(answer.results) or answer.hasMore:
        shown |= {"truncated": True, "how_to_continue": _how_to_continue(len(rows), planned)}
    elif planned.own_limit is not None and rows and len(rows) == min(planned.own_limit, MOST_ROWS):
        shown["limit_reached"] = True
    if answer.is_cached and answer.last_refresh:
        shown["computed_at"] = answer.last_refresh
    return shown


def _how_to_continue(count: int, planned: Plan) -> str:
    """Keyset paging; PostHog refuses OFFSET for keys, and with it pages overlap while events arrive."""
    arbitrary = "" if planned.ordered else " Without ORDER BY it is chance which rows these are."
    return (
        f"There are more than these {count} rows.{arbitrary} Aggregate, raise limit (up to 10000), or page by a key: "
        "ORDER BY a unique column and add WHERE that column > its last value here."
    )


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name="run_hogql",
        about="Run a HogQL query (ClickHouse-like SQL) over events, persons, sessions and groups, and get its rows: "
        "counts, funnels, any analytics question.",
        toolset=Toolset.QUERY,
        effect=Effect.READ,
        budget=Budget.QUERY,
        input=RunHogql,
        run=_run_hogql,
    ),
)
