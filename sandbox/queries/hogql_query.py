"""HogQLQuery and HogQLMetadata."""

from anyio import to_thread

from ..errors import invalid
from ..hogql import HogqlError, describe_schema, translate
from ..routing import Call
from ..values import Row, as_object
from .project import Project, with_filters
from .running import answer_fields, page_of, run_hogql


async def hogql_query(call: Call, query: Row, project: Project) -> Row:
    """Rows with `columns` and `types` as pairs. `hasMore`, `limit`, `offset` only without a LIMIT of its own."""
    text = _text(query)
    ran = await run_hogql(call, text, with_filters(project, query, call.body))
    translated = ran.translated
    rows, page = ran.table.rows, {"hasMore": None, "limit": translated.limit, "offset": translated.offset}
    if translated.default_limit_applied and translated.limit is not None:
        rows, page = page_of(ran, translated.limit, translated.offset or 0)
    return {
        **answer_fields(call, query, project),
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


async def hogql_metadata(call: Call, query: Row, project: Project) -> Row:
    """Whether a query translates, and what is wrong with it where; nothing runs. Raises ApiError 400 for Hog programs.

    With the language `hogQLExpr` the text is an expression on events.
    """
    text, context = _text(query), with_filters(project, query, call.body)
    language = query.get("language", "hogQL")
    if language not in _FRAMES:
        raise invalid(f"The sandbox checks the languages hogQL and hogQLExpr, not {str(language)[:40]}.")
    before, after = _FRAMES[language]
    errors: list[Row] = []
    tables: list[str] = []
    warnings: list[Row] = []
    try:
        translated = await to_thread.run_sync(translate, f"{before}{text}{after}", context)
        tables = list(translated.tables)
        warnings = [_told(item.message, item.start, item.end, len(before)) for item in translated.warnings]
    except HogqlError as error:
        errors = [_told(error.message, error.start, error.end, len(before))]
    return {**_metadata(text, tables), "isValid": not errors, "errors": errors, "warnings": warnings}


_FRAMES = {"hogQL": ("", ""), "hogQLExpr": ("SELECT ", "\nFROM events")}


def _told(message: str, start: int | None, end: int | None, shift: int) -> Row:
    return {
        "message": message,
        "start": None if start is None else max(0, start - shift),
        "end": None if end is None else max(0, end - shift),
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
    """The tables and their fields."""
    return describe_schema(project.context.group_types)


def _text(query: Row) -> str:
    text = query.get("query")
    if not isinstance(text, str):
        raise invalid("query.query: Field required")
    return text
