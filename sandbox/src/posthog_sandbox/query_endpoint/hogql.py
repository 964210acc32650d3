"""HogQLQuery, HogQLMetadata and DatabaseSchemaQuery."""

import time
import uuid

from anyio import to_thread

from ..errors import ApiError, invalid
from ..hogql import Context, HogqlError, Notice, describe_schema, index_use, property_notices, translate
from ..http.routing import Call
from ..queries.project import Project, with_filters
from ..queries.running import Ran, page_of, response_fields, run_hogql
from ..storage.engine import EngineError
from ..values import Row, as_object


async def hogql_query(call: Call, query: Row, project: Project) -> Row:
    """Return rows with `columns` and `types` as pairs; `hasMore`, `limit`, `offset` only if the query has no LIMIT."""
    text = _text(query)
    ran = await _logged(call, query, project)
    translated = ran.translated
    rows = ran.table.rows
    page = {"hasMore": None, "limit": translated.limit, "offset": translated.offset}
    if translated.default_limit_applied and translated.limit is not None:
        rows, page = page_of(ran, translated.limit, translated.offset or 0)
    return {
        **response_fields(call, query, project),
        "clickhouse": translated.sql,
        "hogql": translated.hogql,
        "query": text,
        "columns": list(translated.columns),
        "types": [[name, kind] for name, kind in zip(translated.columns, ran.table.types, strict=True)],
        "results": rows,
        "error": None,
        "explain": None,
        "metadata": None,
        "modifiers": as_object(query.get("modifiers")) or {},
        "timings": ran.timings,
        **page,
        "query_status": None,
        "resolved_date_range": None,
    }


async def _logged(call: Call, query: Row, project: Project) -> Ran:
    """Run the query and record it for `query_log`. A query rejected before it runs is not recorded."""
    identity = str(call.body.get("client_query_id") or uuid.uuid4().hex)
    started = time.perf_counter()
    try:
        ran = await run_hogql(call, _text(query), with_filters(project, query, call.body))
    except ApiError as error:
        if isinstance(error.__cause__, EngineError):
            project.log.failed(call, identity, query, time.perf_counter() - started, error.__cause__)
        raise
    project.log.finished(call, identity, query, time.perf_counter() - started, ran.table)
    return ran


async def hogql_metadata(call: Call, query: Row, project: Project) -> Row:
    """Check whether a query translates, without running it. Raises ApiError 400 for Hog programs.

    Errors have positions; `warnings` list clamped values, `notices` property types, and `isUsingIndices` is whether
    events are filtered by time.
    With the language `hogQLExpr` the text is an expression on events.
    """
    text = _text(query)
    context = with_filters(project, query, call.body)
    language = query.get("language", "hogQL")
    if language not in _FRAMES:
        raise invalid(f"The sandbox supports the languages hogQL and hogQLExpr (got {str(language)[:40]}).")
    before, after = _FRAMES[language]
    return await to_thread.run_sync(_checked, text, before, after, context)


def _checked(text: str, before: str, after: str, context: Context) -> Row:
    """Check a text with its context before and after. Blocking: large queries take a second."""
    whole = f"{before}{text}{after}"
    try:
        translated = translate(whole, context)
        found = {"warnings": translated.warnings, "notices": property_notices(whole, context)}
        use = index_use(whole)
    except HogqlError as error:
        errors = [_notice(Notice(error.message, error.start, error.end), len(before))]
        return {**_metadata(text, []), "isValid": False, "errors": errors}
    shown = {name: [_notice(notice, len(before)) for notice in notices] for name, notices in found.items()}
    return {**_metadata(text, list(translated.tables)), **shown, "isUsingIndices": use}


_FRAMES = {"hogQL": ("", ""), "hogQLExpr": ("SELECT ", "\nFROM events")}


def _notice(notice: Notice, shift: int) -> Row:
    return {
        "message": notice.message,
        "start": None if notice.start is None else max(0, notice.start - shift),
        "end": None if notice.end is None else max(0, notice.end - shift),
        "fix": None,
    }


def _metadata(text: str, tables: list[str]) -> Row:
    return {
        "isValid": True,
        "query": text,
        "errors": [],
        "warnings": [],
        "notices": [],
        "isUsingIndices": "undecisive",
        "table_names": tables,
    }


async def database_schema(_call: Call, _query: Row, project: Project) -> Row:
    """Return the tables and their fields."""
    return describe_schema(project.context.group_types)


def _text(query: Row) -> str:
    text = query.get("query")
    if not isinstance(text, str):
        raise invalid("query.query: Field required")
    return text
