"""The query endpoint: POST runs a query, GET polls an asynchronous one, DELETE cancels it.

`runners.py` maps kinds to functions; wrapper nodes are unwrapped. Results are cached, and `refresh` decides whether a
cached result is used.
"""

import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import anyio
from anyio import to_thread
from starlette.responses import Response

from ..errors import ApiError, invalid, not_found, required, server_error
from ..http.responses import json_response
from ..http.routing import Call, Route
from ..queries.overrides import with_filters_override
from ..queries.project import Projects
from ..queries.stored_tables import CohortPersons
from ..storage.engine import Progress
from ..storage.events import marked, new_mark
from ..storage.results import MODES, Mode, ResultCache, cache_key, kept_result, mode_named
from ..values import Row, as_object, timestamp
from .runners import RUNNERS

WRAPPERS = frozenset({"InsightVizNode", "DataVisualizationNode", "DataTableNode"})
KEPT_SECONDS = 600.0
"""Seconds for which the result of an asynchronous query can be fetched."""
_OVERRIDES = ("filters_override", "variables_override")


@dataclass(slots=True)
class _Job:
    """An asynchronous query: its PostHog QueryStatus and the means to cancel it."""

    status: Row
    expires: float
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    mark: str = field(default_factory=new_mark)
    failed_with: int = 200


class QueryEndpoint:
    """The endpoint with its asynchronous queries. `cohort_persons` returns the members of a cohort."""

    def __init__(self, cohort_persons: CohortPersons) -> None:
        self._jobs: dict[str, _Job] = {}
        self._scopes: dict[tuple[int, str | None], anyio.CancelScope] = {}
        self._projects = Projects(cohort_persons)
        self._results = ResultCache()

    def routes(self) -> tuple[Route, ...]:
        """Return the routes `query/`, `query/{Kind}/` and `query/{id}/`."""
        collection = "projects/{project_id}/query"
        return (
            Route("POST", collection, self.run),
            Route("POST", f"{collection}/{{id}}", self.run),
            Route("GET", f"{collection}/{{id}}", self.poll),
            Route("DELETE", f"{collection}/{{id}}", self.cancel),
        )

    async def run(self, call: Call) -> Response:
        """Return 200 with the result, or 202 with a QueryStatus for `refresh: "async"` and similar modes."""
        query = as_object(call.body.get("query"))
        if query is None:
            raise required("query")
        kind = str(query.get("kind"))
        named = call.arguments.get("id")
        if named is not None and named != kind:
            detail = f'Query kind mismatch: path kind "{named}" does not match body kind "{kind}".'
            raise invalid(detail)
        mode = _mode(call)
        with self._blocking(call) as scope, scope:
            shown = await self.obtain(call, query, mode, identity=_wanted_id(call) or uuid.uuid4().hex)
            return json_response(shown, 202 if _is_running(shown) else 200)
        raise server_error(503, "The query was cancelled.")

    async def obtain(
        self, call: Call, query: Row, mode: Mode, *, identity: str | None = None, of: Row | None = None
    ) -> Row:
        """Return the result of a query according to `mode`: computed, cached, or with the `query_status` of its job.

        A query that is neither cached nor computed returns only `cache_key` and `query_status`.

        The job has the id `identity`, by default the key of the result. `of` identifies the owner of the query
        (`insight_id`, `dashboard_id`). Raises ApiError.
        """
        source = with_filters_override(unwrapped(query), as_object(call.body.get("filters_override")) or {})
        key = cache_key(call.project_id, source, await to_thread.run_sync(_settings, call, source))

        def start() -> Row:
            return self._start(call, source, key, identity or key, of or {})

        if mode == "force_async":
            return {"query_status": start()}
        kept = None if mode == "force_blocking" else self._results.get(key)
        if kept is None:
            if mode in ("async", "lazy_async"):
                return {"cache_key": key, "query_status": start()}
            if mode == "force_cache":
                return {"cache_key": key, "query_status": self._running(call, identity or key)}
            return await self._computed(call, source, key)
        now = call.services.clock()
        status = self._running(call, identity or key)
        if not kept.is_fresh(now) and mode != "force_cache":
            if mode == "blocking":
                return await self._computed(call, source, key)
            if mode != "lazy_async" or not kept.is_fresh(now, lazily=True):
                status = start()
        return {**kept.result, "is_cached": True, "query_status": status}

    async def _computed(self, call: Call, source: Row, key: str) -> Row:
        """Compute the result, and cache it if PostHog caches its kind."""
        found = await self.compute(call, source)
        if "cache_key" not in found:
            return found
        kept = kept_result(source, found, key, call.services.clock())
        self._results.put(key, kept)
        return kept.result

    def _running(self, call: Call, identity: str) -> Row | None:
        """Return the status of a running job, else None."""
        job = self._jobs.get(identity)
        if job is None or job.status["complete"] or job.status["team_id"] != call.project_id:
            return None
        return dict(job.status)

    @contextmanager
    def _blocking(self, call: Call) -> Generator[anyio.CancelScope]:
        """Let a request with a client query id be cancelled by that id."""
        key = (call.project_id, _wanted_id(call))
        scope = anyio.CancelScope()
        if key[1] is not None:
            self._scopes[key] = scope
        try:
            yield scope
        finally:
            if self._scopes.get(key) is scope:
                del self._scopes[key]

    async def poll(self, call: Call) -> Response:
        """Return 202 while running, 200 with the result in `query_status.results`, 400 or 500 with `error_message`.

        With `show_progress=true` the status of a running query includes its progress.
        """
        job = self._job(call)
        shown = dict(job.status)
        if not job.status["complete"] and call.params.get("show_progress", "").lower() == "true":
            shown["query_progress"] = _shown(await call.services.events.progress(job.mark))
        return json_response({"query_status": shown}, 202 if not shown["complete"] else job.failed_with)

    async def cancel(self, call: Call) -> Response:
        """Stop the query in the engine, drop an asynchronous one, and return 200 with a message."""
        blocking = self._scopes.get((call.project_id, call.arguments["id"]))
        if blocking is not None:
            blocking.cancel()
            return json_response({"message": "Query task revoked"})
        job = self._job(call)
        job.scope.cancel()
        del self._jobs[call.arguments["id"]]
        return json_response({"message": "Query task revoked"})

    def _job(self, call: Call) -> _Job:
        job = self._jobs.get(call.arguments["id"])
        if job is None or job.status["team_id"] != call.project_id or job.expires < time.monotonic():
            raise not_found(f"Query {call.arguments['id']} not found for team {call.project_id}")
        return job

    def _start(self, call: Call, source: Row, key: str, identity: str, of: Row) -> Row:
        """Return the status of a new job, or of a running job with the same result."""
        running = self._running(call, identity) if identity == key else None
        if running is not None:
            return running
        now = time.monotonic()
        self._jobs = {name: job for name, job in self._jobs.items() if job.expires > now}
        job = _Job({**_status(call, identity), **of}, now + KEPT_SECONDS)
        self._jobs[identity] = job
        call.services.spawn(lambda: self._work(job, call, source, key))
        return dict(job.status)

    async def _work(self, job: _Job, call: Call, source: Row, key: str) -> None:
        with job.scope:
            results = None
            failed_with = 200
            message = None
            try:
                with marked(job.mark):
                    results = await self._computed(call, source, key)
            except ApiError as error:
                failed_with = error.status
                message = _detail(error)
            job.failed_with = failed_with if failed_with in (200, 400) else 500
            job.status |= {
                "complete": True,
                "error": message is not None,
                "error_message": message,
                "results": results,
                "end_time": timestamp(call.services.clock()),
            }

    async def compute(self, call: Call, query: Row) -> Row:
        """Return the result of a query, computed now, without its envelope. Raises ApiError."""
        source = unwrapped(query)
        return await RUNNERS[source["kind"]](call, source, await self._projects.of(call))


def unwrapped(query: Row) -> Row:
    """Return the query inside its wrapper nodes. Raises ApiError 400 for an unsupported kind."""
    while query.get("kind") in WRAPPERS:
        source = as_object(query.get("source"))
        if source is None:
            raise invalid("query.source: Field required")
        query = source
    if str(query.get("kind")) not in RUNNERS:
        raise invalid(f"The sandbox does not support queries of kind {str(query.get('kind'))[:60]}.")
    return query


def _mode(call: Call) -> Mode:
    """Parse `refresh` of the body. Here `force_cache` computes missing results. Raises ApiError 400."""
    refresh = call.body.get("refresh")
    if call.body.get("async") is True:
        return "async"
    if refresh is None or isinstance(refresh, bool):
        return "force_blocking" if refresh else "blocking"
    mode = mode_named(refresh)
    if mode is None:
        raise invalid(f"refresh: Input should be one of {', '.join(sorted(MODES))}")
    return "blocking" if mode == "force_cache" else mode


def _is_running(shown: Row) -> bool:
    return (as_object(shown.get("query_status")) or {}).get("complete") is False


def _settings(call: Call, source: Row) -> Row:
    """Return the settings a result depends on besides its query. Blocking.

    As in PostHog this is incomplete: other changes to an experiment or action leave the cached result in place.
    """
    found: Row = {name: call.body[name] for name in _OVERRIDES if call.body.get(name)}
    measured = source.get("experiment_id") if source["kind"] == "ExperimentQuery" else None
    with call.services.store.transaction() as rows:
        project = rows.get("projects", call.project_id) or {}
        experiment = rows.get("experiments", measured) if isinstance(measured, int) else None
    if experiment is not None:
        found["stats_method"] = (as_object(experiment["stats_config"]) or {}).get("method")
    return {**found, **{name: project.get(name) for name in ("timezone", "week_start_day")}}


def _shown(progress: Progress | None) -> Row | None:
    if progress is None:
        return None
    return {
        "active_cpu_time": progress.cpu_microseconds,
        "bytes_read": progress.bytes,
        "estimated_rows_total": progress.total_rows,
        "rows_read": progress.rows,
        "time_elapsed": progress.seconds,
    }


def _wanted_id(call: Call) -> str | None:
    wanted = call.body.get("client_query_id")
    return wanted if isinstance(wanted, str) and 0 < len(wanted) <= 200 else None


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
