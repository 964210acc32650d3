"""The query endpoint: POST runs a query, GET polls an asynchronous one, DELETE cancels it.

HogQL is translated and runs in the engine. Kinds are answered by the functions of `RUNNERS`; wrapper nodes are
unwrapped.
"""

import hashlib
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import anyio
from anyio import to_thread
from starlette.responses import Response

from .engine import EngineError
from .errors import ApiError, invalid, not_found, required, server_error
from .events import EventSource
from .hogql import Context, HogqlError, PropertyType, Scope, describe_schema, translate
from .identity import DATA_PROJECT
from .responses import answer
from .routing import Call, Route
from .values import Row, as_object, timestamp

WRAPPERS = frozenset({"InsightVizNode", "DataVisualizationNode", "DataTableNode"})
KEPT_SECONDS = 600.0
"""How long the answer of an asynchronous query can be fetched."""
LONGEST_SECONDS = 60.0
_ASYNC = frozenset({"async", "force_async", "lazy_async", "async_except_on_cache_miss"})
_REFRESH = _ASYNC | {"blocking", "force_blocking", "force_cache"}
_CACHED_MINUTES = 60

type PropertyTypes = Mapping[tuple[Scope, str], PropertyType]
type Runner = Callable[[Call, Row], Awaitable[Row]]


@dataclass(slots=True)
class _Job:
    """An asynchronous query: its PostHog QueryStatus, and what cancels it."""

    status: Row
    expires: float
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    failed_with: int = 200


class QueryEndpoint:
    """The endpoint with its asynchronous queries and the property types that it read once."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}
        self._types = _PropertyTypes()

    def routes(self) -> tuple[Route, ...]:
        """`query/`, `query/{Kind}/` and `query/{id}/`."""
        collection = "projects/{project_id}/query"
        return (
            Route("POST", collection, self.run),
            Route("POST", f"{collection}/{{id}}", self.run),
            Route("GET", f"{collection}/{{id}}", self.poll),
            Route("DELETE", f"{collection}/{{id}}", self.cancel),
        )

    async def run(self, call: Call) -> Response:
        """200 with the answer, or 202 with a QueryStatus for `refresh: "async"` and the like."""
        query = as_object(call.body.get("query"))
        if query is None:
            raise required("query")
        kind = str(query.get("kind"))
        named = call.arguments.get("id")
        if named is not None and named != kind:
            detail = f'Query kind mismatch: path kind "{named}" does not match body kind "{kind}".'
            raise invalid(detail)
        refresh = call.body.get("refresh", "async" if call.body.get("async") is True else "blocking")
        if not isinstance(refresh, bool) and refresh not in _REFRESH:
            raise invalid(f"refresh: Input should be one of {', '.join(sorted(_REFRESH))}")
        if refresh in _ASYNC:
            return answer({"query_status": self._start(call, query)}, 202)
        return answer(await self.compute(call, query))

    async def poll(self, call: Call) -> Response:
        """202 while it runs, 200 with the answer in `query_status.results`, 400 or 500 with `error_message`."""
        job = self._job(call)
        status = 202 if not job.status["complete"] else job.failed_with
        return answer({"query_status": job.status}, status)

    async def cancel(self, call: Call) -> Response:
        """200 with a message; the query no longer counts."""
        job = self._job(call)
        job.scope.cancel()
        del self._jobs[call.arguments["id"]]
        return answer({"message": "Query task revoked"})

    def _job(self, call: Call) -> _Job:
        job = self._jobs.get(call.arguments["id"])
        if job is None or job.status["team_id"] != call.project_id or job.expires < time.monotonic():
            raise not_found(f"Query {call.arguments['id']} not found for team {call.project_id}")
        return job

    def _start(self, call: Call, query: Row) -> Row:
        now = time.monotonic()
        self._jobs = {key: job for key, job in self._jobs.items() if job.expires > now}
        wanted = call.body.get("client_query_id")
        identity = wanted if isinstance(wanted, str) and 0 < len(wanted) <= 200 else uuid.uuid4().hex
        job = _Job(_status(call, identity), now + KEPT_SECONDS)
        self._jobs[identity] = job
        call.services.spawn(lambda: self._work(job, call, query))
        return dict(job.status)

    async def _work(self, job: _Job, call: Call, query: Row) -> None:
        with job.scope:
            results, failed_with, message = None, 200, None
            try:
                results = await self.compute(call, query)
            except ApiError as error:
                failed_with, message = error.status, _detail(error)
            job.failed_with = failed_with if failed_with in (200, 400) else 500
            job.status |= {
                "complete": True,
                "error": message is not None,
                "error_message": message,
                "results": results,
                "end_time": timestamp(call.services.clock()),
            }

    async def compute(self, call: Call, query: Row) -> Row:
        """The answer of a query, without its envelope. Raises ApiError."""
        while query.get("kind") in WRAPPERS:
            source = as_object(query.get("source"))
            if source is None:
                raise invalid("query.source: Field required")
            query = source
        runner = {**RUNNERS, "HogQLQuery": self._hogql, "HogQLMetadata": self._metadata}.get(str(query.get("kind")))
        if runner is None:
            raise invalid(f"The sandbox does not answer queries of kind {str(query.get('kind'))[:60]} yet.")
        return await runner(call, query)

    async def _hogql(self, call: Call, query: Row) -> Row:
        started = time.perf_counter()
        text, context = _text(query), await self._context(call, query)
        try:
            translated = await to_thread.run_sync(translate, text, context)
        except HogqlError as error:
            raise _hogql_refusal(text, error) from error
        parsed = time.perf_counter()
        try:
            table = await call.services.events.query(call.project_id, translated.sql, max_seconds=LONGEST_SECONDS)
        except EngineError as error:
            raise _engine_refusal(error) from error
        rows, more = table.rows, None
        if translated.default_limit_applied and translated.limit is not None:
            more = len(rows) > translated.limit
            rows = rows[: translated.limit]
        timings = [
            {"k": "./translate", "t": round(parsed - started, 6)},
            {"k": "./execute", "t": round(time.perf_counter() - parsed, 6)},
        ]
        return {
            **_cache_fields(call, query, context),
            "clickhouse": translated.sql,
            "hogql": translated.hogql,
            "query": text,
            "columns": list(translated.columns),
            "types": [[name, kind] for name, kind in zip(translated.columns, table.types, strict=True)],
            "results": rows,
            "error": None,
            "explain": None,
            "metadata": None,
            "modifiers": {},
            "timings": timings,
            "hasMore": more,
            "limit": translated.limit,
            "offset": translated.offset,
            "query_status": None,
            "resolved_date_range": None,
        }

    async def _metadata(self, call: Call, query: Row) -> Row:
        text, context = _text(query), await self._context(call, query)
        errors: list[Row] = []
        tables: list[str] = []
        try:
            tables = list((await to_thread.run_sync(translate, text, context)).tables)
        except HogqlError as error:
            errors = [{"message": error.message, "start": error.start, "end": error.end, "fix": None}]
        return {
            "isValid": not errors,
            "query": text,
            "errors": errors,
            "warnings": [],
            "notices": [],
            "isUsingIndices": "undecisive",
            "table_names": tables,
        }

    async def _context(self, call: Call, query: Row) -> Context:
        def settings() -> tuple[str, int]:
            with call.services.store.transaction() as rows:
                project = rows.get("projects", call.project_id) or {}
            return str(project.get("timezone") or "UTC"), int(project.get("week_start_day") or 0)

        timezone, week_start = await to_thread.run_sync(settings)
        context = Context(
            timezone=timezone,
            week_start=week_start,
            values=as_object(query.get("values")) or {},
            group_types=("organization",),
        )
        return replace(context, property_types=await self._types.read(call.services.events))


class _PropertyTypes:
    """The property definitions' types, read once the data is there."""

    def __init__(self) -> None:
        self._known: PropertyTypes | None = None
        self._reading = anyio.Lock()

    async def read(self, events: EventSource) -> PropertyTypes:
        async with self._reading:
            if self._known is None:
                sql = (
                    "SELECT type, name, property_type FROM posthog.property_definitions WHERE property_type IS NOT NULL"
                )
                self._known = {(row[0], row[1]): row[2] for row in await events.rows(DATA_PROJECT, sql)}
            return self._known


def _text(query: Row) -> str:
    text = query.get("query")
    if not isinstance(text, str):
        raise invalid("query.query: Field required")
    return text


def _hogql_refusal(text: str, error: HogqlError) -> ApiError:
    """400 with HogQL's code. A syntax error tells its place, which is all there is to find it by."""
    message = error.message
    if error.code == "hogql_syntax_error" and error.start is not None:
        before = text[: error.start]
        line, column = before.count("\n") + 1, error.start - before.rfind("\n")
        message = f"{message} (line {line}, column {column})"
    return invalid(message, error.code)


def _engine_refusal(error: EngineError) -> ApiError:
    """ClickHouse's refusals as PostHog passes them on: 400 with the error's name, 504 for time, 500 for ours."""
    if error.code_name == "TIMEOUT_EXCEEDED":
        return server_error(504, "Query has hit the max execution time before completing. Use a shorter time range.")
    if error.code_name == "MEMORY_LIMIT_EXCEEDED":
        return server_error(504, "Query exceeds memory limits. Try reducing its scope by changing the time range.")
    if error.code_name == "QUERY_WAS_CANCELLED":
        return server_error(503, "The query was cancelled.")
    return invalid(error.message, error.code_name.lower())


def _cache_fields(call: Call, query: Row, context: Context) -> Row:
    """Nothing is cached here; the key is that of the query all the same."""
    now = call.services.clock()
    key = hashlib.sha256(json.dumps(query, sort_keys=True).encode()).hexdigest()[:32]
    return {
        "cache_key": f"cache_{call.project_id}_{key}",
        "cache_target_age": timestamp(now + timedelta(minutes=_CACHED_MINUTES)),
        "last_refresh": timestamp(now),
        "next_allowed_client_refresh": timestamp(now),
        "calculation_trigger": None,
        "is_cached": False,
        "timezone": context.timezone,
    }


def _status(call: Call, identity: str) -> Row:
    now = call.services.clock()
    empty = ("error_message", "results", "pickup_time", "end_time", "task_id", "insight_id", "dashboard_id", "labels")
    return {
        "id": identity,
        "team_id": call.project_id,
        "query_async": True,
        "complete": False,
        "error": False,
        **dict.fromkeys(empty),
        "start_time": timestamp(now),
        "expiration_time": timestamp(now + timedelta(seconds=KEPT_SECONDS)),
        "query_progress": None,
    }


def _detail(error: ApiError) -> str:
    body = as_object(error.body)
    return str(body.get("detail")) if body else f"HTTP {error.status}"


async def _schema(_call: Call, _query: Row) -> Row:
    return describe_schema(("organization",))


RUNNERS: Mapping[str, Runner] = {"DatabaseSchemaQuery": _schema}
"""Who answers a kind. The typed kinds (TrendsQuery and the others) belong here."""
