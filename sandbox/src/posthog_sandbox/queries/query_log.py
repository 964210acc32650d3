"""The HogQL queries that ran, for the table `query_log`."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ..http.routing import Call
from ..storage.engine import EngineError, ResultTable
from ..values import Row

MAX_QUERIES = 500
"""Maximum number of recorded queries, over all projects."""
_MAX_TEXT = 10_000
"""Maximum number of recorded characters per query."""
_SANDBOX_USER = 1
_CODES: Mapping[str, int] = {
    "UNKNOWN_IDENTIFIER": 47, "ILLEGAL_TYPE_OF_ARGUMENT": 43, "TYPE_MISMATCH": 53, "TIMEOUT_EXCEEDED": 159,
    "MEMORY_LIMIT_EXCEEDED": 241, "QUERY_WAS_CANCELLED": 394, "NOT_AN_AGGREGATE": 215, "CANNOT_PARSE_TEXT": 6,
}  # fmt: skip
_UNKNOWN_CODE = 1002


@dataclass(frozen=True, slots=True)
class QueryLog:
    """A thread-safe record of queries that is kept until the sandbox stops."""

    _entries: deque[Row] = field(default_factory=lambda: deque[Row](maxlen=MAX_QUERIES))

    def finished(self, call: Call, identity: str, query: Row, seconds: float, table: ResultTable) -> None:
        """Record a successful query."""
        size = sum(len(str(value)) for row in table.rows for value in row)
        counts = {"read_rows": table.read_rows, "read_bytes": table.read_bytes}
        self._add(call, identity, query, seconds, {**counts, "result_rows": len(table.rows), "result_bytes": size})

    def failed(self, call: Call, identity: str, query: Row, seconds: float, error: EngineError) -> None:
        """Record a query that ClickHouse rejected or stopped."""
        code = _CODES.get(error.code_name, _UNKNOWN_CODE)
        self._add(call, identity, query, seconds, {"status": "ExceptionWhileProcessing", "exception_code": code})

    def rows(self, project_id: int) -> list[Row]:
        """Return the queries of a project, newest first."""
        return [entry for entry in reversed(tuple(self._entries)) if entry["team_id"] == project_id]

    def _add(self, call: Call, identity: str, query: Row, seconds: float, more: Row) -> None:
        ended = call.services.clock().astimezone(UTC)
        started = ended - timedelta(seconds=seconds)
        self._entries.append(
            {
                "team_id": call.project_id,
                "query_id": identity,
                "query": str(query.get("query"))[:_MAX_TEXT],
                "hogql_name": str(query.get("name") or call.body.get("name") or ""),
                "endpoint": call.path,
                "created_by": _SANDBOX_USER,
                "event_date": f"{ended:%Y-%m-%d}",
                "event_time": _moment(ended),
                "query_start_time": _moment(started),
                "query_duration_ms": round(seconds * 1000),
                "RealTimeMicroseconds": round(seconds * 1_000_000),
                "cpu_microseconds": round(seconds * 1_000_000),
                "status": "QueryFinish",
                "is_personal_api_key_request": False,
                "api_key_label": "",
                "api_key_mask": "",
                **more,
            }
        )


def _moment(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")
