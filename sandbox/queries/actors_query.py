"""ActorsQuery: persons as rows of chosen columns."""

from typing import Any

from ..errors import invalid
from ..hogql import escape
from ..routing import Call
from ..values import Row
from .columns import Column, default_order, grouped_by, ordered, read_column, without_comment
from .people import persons_by_id
from .project import Project
from .property_filters import TRUE
from .running import answer_fields, page_of, run_hogql, texts, whole_number

_DEFAULT_SELECT = ("person", "id", "person.$delete")
_PERSON = ("person", "actor")
_SPECIAL = {"person": "id", "actor": "id", "person.$delete": "1"}
_DEFAULT_LIMIT = 100


async def actors_query(call: Call, query: Row, project: Project) -> Row:
    """Persons with `search`, `properties`, `orderBy`, `limit` and `offset`. Raises ApiError 400."""
    if query.get("source") is not None:
        raise invalid("The sandbox does not answer ActorsQuery with a source yet.")
    select = [without_comment(text) for text in texts(query, "select")] or list(_DEFAULT_SELECT)
    columns = [read_column(text, _SPECIAL) for text in select]
    limit, offset = whole_number(query, "limit", _DEFAULT_LIMIT), whole_number(query, "offset", 0, 10**9)
    terms = [project.condition(query.get(name) or [], "persons") for name in ("properties", "fixedProperties")]
    terms = [term for term in (*terms, _search(query.get("search"))) if term != TRUE]
    groups = grouped_by(columns)
    order = ordered(texts(query, "orderBy"), _SPECIAL) or default_order(columns, "created_at")
    pieces = [
        f"SELECT {', '.join(column.hogql for column in columns)} FROM persons",
        f"WHERE {' AND '.join(terms)}" if terms else "",
        f"GROUP BY {groups}" if groups else "",
        f"ORDER BY {order}" if order else "",
        f"LIMIT {limit + 1} OFFSET {offset}",
    ]
    ran = await run_hogql(call, " ".join(piece for piece in pieces if piece), project.context)
    rows, page = page_of(ran, limit, offset)
    return {
        **answer_fields(call, query, project),
        "columns": select,
        "types": list(ran.table.types),
        "results": await _shown(call, project, columns, rows),
        "missing_actors_count": 0,
        **page,
        "hogql": ran.translated.hogql,
        "timings": ran.timings,
        "modifiers": {},
        "error": None,
    }


def _search(text: object) -> str:
    """A part of the email, the name, the id or any distinct id, in any case."""
    if not isinstance(text, str) or not text.strip():
        return TRUE
    plain = text.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    pattern = escape.string(f"%{plain}%")
    places = ("properties.email", "properties.name", "toString(id)")
    named = " OR ".join(f"{place} ILIKE {pattern}" for place in places)
    known = f"id IN (SELECT person_id FROM person_distinct_ids WHERE distinct_id ILIKE {pattern})"
    return f"({named} OR {known})"


async def _shown(call: Call, project: Project, columns: list[Column], rows: list[list[Any]]) -> list[list[Any]]:
    places = [index for index, column in enumerate(columns) if column.name in _PERSON]
    people = await persons_by_id(call, project, {row[index] for row in rows for index in places})
    for index in places:
        for row in rows:
            row[index] = people.get(row[index]) or {"id": row[index]}
    return rows
