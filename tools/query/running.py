"""Runs HogQL in the background of the calls that wait for it: equal queries share one request and, for a minute, its
result; a query that outlives its tool call keeps running, and is found again by its id.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import anyio

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.errors import Failed, GatewayError, Rejected, Upstream
from ...gateway.queries.background import RUNNING, Query
from ...gateway.queries.lanes import waiting_text
from ...schemas.json.rows import Rows
from ...schemas.query import QueryAnswer, QueryProgress, QueryStatus
from ...schemas.text import excerpt
from ..operation import read
from ..people.columns import private_rows
from .plan import Plan
from .rejections import hint_for, known_hint

SHARED_S = 60.0
"""The time in which equal queries share a result."""
LONGEST_S = 600.0
"""PostHog itself gives up on a query after ten minutes."""
_PAUSES_S = (0.3, 0.5, 1.0, 2.0)
"""Pauses between polls of a query that PostHog runs asynchronously; the last one is repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedQuery:
    """A statement as it is sent."""

    plan: Plan
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    name: str | None = None
    refresh: bool = False
    """PostHog computes it again."""
    background: bool = False
    """PostHog runs it asynchronously, and reports its progress."""

    @property
    def key(self) -> str:
        """Return the cache key of a query, which does not depend on the query's name."""
        return json.dumps([self.plan.sql, self.plan.shown, self.values], sort_keys=True)


@dataclass(frozen=True, slots=True)
class QueryRows:
    """The rows that PostHog sent for a question."""

    plan: Plan
    columns: list[str]
    rows: Rows
    more: bool
    """PostHog reports that it has more."""
    computed_at: str | None
    """When PostHog computed them, if not just now."""

    def packed(self) -> "QueryRows":
        """Return them as they are kept."""
        return replace(self, rows=self.rows.packed())

    @property
    def weight(self) -> int:
        """The memory they take, in bytes."""
        return self.rows.weight + sum(map(sys.getsizeof, self.columns)) + sys.getsizeof(self.plan.sql)


def ask(api: Call, question: PlannedQuery) -> Query:
    """Return the query for this question: one that is running, one that ended a moment ago, or a new one.

    With `refresh` it is one that was refreshed, too.
    """
    key = (*api.place, question.key)
    refreshed = (*key, "refresh")
    shared = api.queries.shared(refreshed, 0.0) if question.refresh else api.queries.shared(key, SHARED_S)
    if shared:
        return shared
    far = api.detached(LONGEST_S)
    keys = (key, refreshed) if question.refresh else (key,)
    query = api.queries.add(api.place, keys)
    api.queries.own(query, asyncio.create_task(_run(far, question, query)))
    return query


async def _run(api: Call, question: PlannedQuery, query: Query) -> None:
    async with query.settled(stop=partial(_stop, api, query)):
        query.finish(await _compute(api, question, query))
        # The calls that wait for it are the next to run, and need the rows that are parsed already.
        asyncio.get_running_loop().call_soon(_pack, query)


def _pack(query: Query) -> None:
    if isinstance(query.answer, QueryRows):
        query.answer = query.answer.packed()


async def _compute(api: Call, question: PlannedQuery, query: Query) -> QueryRows:
    sent = {"kind": "HogQLQuery", "query": question.plan.sql}
    body: dict[str, Any] = {
        "query": sent | ({"values": question.values} if question.values else {}),
        "client_query_id": query.id,
    }
    if question.background or question.refresh:
        body["refresh"] = ("force_" if question.refresh else "") + ("async" if question.background else "blocking")
    if question.name:
        body["name"] = question.name
    try:
        report = partial(_wait_for_others, query)
        answer = await api.query(body, rows=True, report=report, finish=partial(_finished, api, query))
    except GatewayError as error:
        raise _about_the_query(error) from error
    if answer.error:
        raise _failed_query(answer.error)
    if answer.results is None:
        raise Failed(
            "bad_upstream_response",
            "PostHog's response has no rows.",
            "Call again with refresh: true.",
            source="posthog",
        )
    computed_at = answer.last_refresh if answer.is_cached else None
    columns, rows = _named(question.plan, answer.columns or []), answer.results
    if pseudonyms := api.privacy.pseudonyms:
        replaced = partial(private_rows, pseudonyms, question.plan.sql, columns, rows)
        rows = replaced() if rows.is_small else await api.in_thread(replaced)
    return QueryRows(question.plan, columns, rows, bool(answer.hasMore), computed_at)


def _named(plan: Plan, columns: list[str]) -> list[str]:
    """Return the columns with the names that the caller's statement gives them."""
    if len(plan.names) != len(columns):
        return columns
    return [own or sent for own, sent in zip(plan.names, columns, strict=True)]


async def _wait_for_others(query: Query, ahead: int) -> None:
    query.news = waiting_text(ahead)


async def _stop(api: Call, query: Query) -> None:
    """Cancel a query that no call waits for. PostHog may have finished it already, or not know the id."""
    with suppress(GatewayError):
        await api.detached(3.0).cancel_query(query.id)


async def _finished(api: Call, query: Query, response: Any) -> QueryAnswer:
    """Return the response with its rows, after polling a query that PostHog made asynchronous."""
    query.news = RUNNING
    answer = read(QueryAnswer, response)
    looks = 0
    while (status := answer.query_status) is not None and answer.results is None:
        if status.error:
            raise _failed_query(status.error_message or "The query failed.")
        if status.complete:
            return read(QueryAnswer, status.results)
        query.news = _news(status.query_progress)
        await anyio.sleep(_PAUSES_S[min(looks, len(_PAUSES_S) - 1)])
        looks += 1
        answer = await _look(api, status)
    return answer


async def _look(api: Call, status: QueryStatus) -> QueryAnswer:
    return read(QueryAnswer, await api.counted_as(Budget.CRUD).query_state(status.id or ""))


def _news(progress: QueryProgress | None) -> str:
    if progress is None or not progress.rows_read:
        return RUNNING
    whole = f" of about {progress.estimated_rows_total:,}" if progress.estimated_rows_total else ""
    return f"PostHog has read {progress.rows_read:,}{whole} rows"


def _about_the_query(error: GatewayError) -> GatewayError:
    """Return the error as one about the query: PostHog rejects bad HogQL under ClickHouse's many codes."""
    if error.code == "timeout" or error.status == 504:
        error = error.with_(hint="Narrow it (a shorter time range, fewer events), or run it with background: true.")
    detail = error.upstream.detail if error.upstream else ""
    if (hint := known_hint(detail)) is not None:
        error = error.with_(hint=hint, advice=None)
    if error.code != "validation_failed" or error.source != "posthog":
        return error
    return Rejected(
        "hogql_query_error",
        "PostHog rejected the HogQL.",
        hint_for(detail),
        status=error.status,
        request_id=error.request_id,
        upstream=error.upstream,
    )


def _failed_query(detail: str) -> Rejected:
    told = Upstream(excerpt(detail))
    return Rejected("hogql_query_error", "PostHog could not run the HogQL.", hint_for(detail), upstream=told)
