"""HogQLQuery and HogQLMetadata."""

from anyio import to_thread

from ..errors import invalid
from ..hogql import HogqlError, describe_schema, translate
from ..routing import Call
from ..values import Row
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
        "modifiers": {},
        "timings": ran.timings,
        **page,
        "query_status": None,
        "resolved_date_range": None,
    }


async def hogql_metadata(call: Call, query: Row, project: Project) -> Row:
    """Whether a query translates, and what is wrong with it where; nothing runs."""
    text, context = _text(query), with_filters(project, query, call.body)
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


async def database_schema(_call: Call, _query: Row, project: Project) -> Row:
    """The tables and their fields."""
    return describe_schema(project.context.group_types)


def _text(query: Row) -> str:
    text = query.get("query")
    if not isinstance(text, str):
        raise invalid("query.query: Field required")
    return text
