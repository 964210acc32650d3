"""How a kind of query is answered: HogQL translated and run, and the fields that all answers share."""

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
from ..storage.engine import EngineError, Table
from ..values import Row, as_list, timestamp
from .project import Project

LONGEST_SECONDS = 60.0
_CACHED_MINUTES = 60

type Runner = Callable[[Call, Row, Project], Awaitable[Row]]
"""Answers a query of one kind: the request, the query, its project. Raises ApiError."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A HogQL query that ran; `timings` in seconds as PostHog shows them."""

    translated: Translated
    table: Table
    timings: list[Row]


async def run_hogql(call: Call, text: str, context: Context) -> Ran:
    """Translate and run. Raises ApiError: 400 with HogQL's or ClickHouse's code, 504 past the limits, 429."""
    started = time.perf_counter()
    try:
        translated = await to_thread.run_sync(translate, text, context)
    except HogqlError as error:
        raise _hogql_refusal(text, error) from error
    parsed = time.perf_counter()
    try:
        table = await call.services.events.query(call.project_id, translated.sql, max_seconds=LONGEST_SECONDS)
    except EngineError as error:
        raise _engine_refusal(error) from error
    timings = [
        {"k": "./translate", "t": round(parsed - started, 6)},
        {"k": "./execute", "t": round(time.perf_counter() - parsed, 6)},
    ]
    return Ran(translated, table, timings)


def answer_fields(call: Call, query: Row, project: Project) -> Row:
    """What every answer begins with. Nothing is cached here; the key is that of the query all the same."""
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
    """The rows of a query that fetched one more than `limit`, and the fields that tell whether there are more."""
    rows = ran.table.rows
    return rows[:limit], {"hasMore": len(rows) > limit, "limit": limit, "offset": offset}


def whole_number(query: Row, name: str, default: int, most: int = 50_000) -> int:
    """A count in a query, cut down to `most`. Raises ApiError 400 for anything that is none."""
    value = query.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise invalid(f"query.{name}: Input should be a valid integer")
    return min(value, most)


def texts(query: Row, name: str) -> list[str]:
    """A list of texts in a query; nothing when it is not there. Raises ApiError 400."""
    if query.get(name) is None:
        return []
    values = as_list(query[name])
    if values is None or not all(isinstance(item, str) for item in values):
        raise invalid(f"query.{name}: Input should be a list of strings")
    return [str(item) for item in values]


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
