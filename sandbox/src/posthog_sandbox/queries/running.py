"""Translating and running HogQL, and the fields that all query responses share."""

import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from anyio import to_thread

from ..errors import ApiError, invalid, server_error
from ..hogql import Context, HogqlError, Translated, translate
from ..http.routing import Call
from ..storage.engine import EngineError, ResultTable
from ..values import Row, as_list, timestamp
from .project import Project

LONGEST_SECONDS = 60.0
_CACHED_MINUTES = 60

type Runner = Callable[[Call, Row, Project], Awaitable[Row]]
"""A function that runs a query of one kind from the request, the query and its project; raises ApiError."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A completed HogQL query; `timings` are seconds in PostHog's format."""

    translated: Translated
    table: ResultTable
    timings: list[Row]


async def run_hogql(call: Call, text: str, context: Context) -> Ran:
    """Translate and run. Raises ApiError: 400 with HogQL's or ClickHouse's code, 504 above limits, 429."""
    started = time.perf_counter()
    try:
        translated = await to_thread.run_sync(translate, text, context)
    except HogqlError as error:
        raise _hogql_error(text, error) from error
    parsed = time.perf_counter()
    try:
        table = await call.services.events.query(call.project_id, translated.sql, max_seconds=LONGEST_SECONDS)
    except EngineError as error:
        raise _engine_error(error) from error
    timings = [
        {"k": "./translate", "t": round(parsed - started, 6)},
        {"k": "./execute", "t": round(time.perf_counter() - parsed, 6)},
    ]
    return Ran(translated, table, timings)


def response_fields(call: Call, query: Row, project: Project) -> Row:
    """Return the common fields of a response. Nothing is cached here, but the cache key is that of the query."""
    now = call.services.clock()
    key = hashlib.sha256(json.dumps(query, sort_keys=True).encode()).hexdigest()[:32]
    return {
        "cache_key": f"cache_{call.project_id}_{key}",
        "cache_target_age": timestamp(now + timedelta(minutes=_CACHED_MINUTES)),
        "last_refresh": timestamp(now),
        "next_allowed_client_refresh": timestamp(now),
        "calculation_trigger": None,
        "is_cached": False,
        "timezone": project.context.timezone,
    }


def page_of(ran: Ran, limit: int, offset: int) -> tuple[list[list[Any]], Row]:
    """Return the page of a query that fetched `limit` + 1 rows, and its paging fields."""
    rows = ran.table.rows
    return rows[:limit], {"hasMore": len(rows) > limit, "limit": limit, "offset": offset}


def whole_number(query: Row, name: str, default: int, most: int = 50_000) -> int:
    """Return an integer of a query, capped at `most`. Raises ApiError 400 for any other value."""
    value = query.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise invalid(f"query.{name}: Input should be a valid integer")
    return min(value, most)


def texts(query: Row, name: str) -> list[str]:
    """Return a list of strings of a query; empty if missing. Raises ApiError 400."""
    if query.get(name) is None:
        return []
    values = as_list(query[name])
    if values is None or not all(isinstance(item, str) for item in values):
        raise invalid(f"query.{name}: Input should be a list of strings")
    return [str(item) for item in values]


def _hogql_error(text: str, error: HogqlError) -> ApiError:
    """Return a 400 error with HogQL's code; syntax errors include their position."""
    message = error.message
    if error.code == "hogql_syntax_error" and error.start is not None:
        before = text[: error.start]
        line, column = before.count("\n") + 1, error.start - before.rfind("\n")
        message = f"{message} (line {line}, column {column})"
    return invalid(message, error.code)


def _engine_error(error: EngineError) -> ApiError:
    """Convert ClickHouse's errors as PostHog does: 400 with the error's name, 504 above limits, 503 if cancelled."""
    if error.code_name == "TIMEOUT_EXCEEDED":
        return server_error(504, "Query has hit the max execution time before completing. Use a shorter time range.")
    if error.code_name == "MEMORY_LIMIT_EXCEEDED":
        return server_error(504, "Query exceeds memory limits. Try reducing its scope by changing the time range.")
    if error.code_name == "QUERY_WAS_CANCELLED":
        return server_error(503, "The query was cancelled.")
    return invalid(error.message, error.code_name.lower())
