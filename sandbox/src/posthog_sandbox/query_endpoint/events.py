"""EventsQuery: events with chosen columns."""

from datetime import timedelta
from typing import Any

from ..errors import invalid
from ..hogql import escape
from ..http.routing import Call
from ..insights.actors.query import insight_events
from ..queries.columns import SelectedColumn, conditions, default_order, ordered, read_column
from ..queries.elements import elements_of
from ..queries.people import as_json, display_name, persons_by_distinct_id
from ..queries.project import Project
from ..queries.running import page_of, response_fields, run_hogql, texts, whole_number
from ..queries.selection import Selection
from ..values import Row, as_list, as_object, is_uuid

_STAR = ("uuid", "event", "properties", "timestamp", "distinct_id", "elements_chain", "created_at", "person_mode")
_SPECIAL = {
    "*": f"tuple({', '.join(_STAR)})",
    "person": "distinct_id",
    "person_display_name": "distinct_id",
}
_DEFAULT_LIMIT = 100
_DEFAULT_AFTER = "-24h"


async def events_query(call: Call, query: Row, project: Project) -> Row:
    """Return `columns` as sent, `types` as strings, `*` and `person` as objects. Raises ApiError 400."""
    columns = [read_column(text, _SPECIAL) for text in texts(query, "select") or ["*"]]
    limit, offset = whole_number(query, "limit", _DEFAULT_LIMIT), whole_number(query, "offset", 0, 10**9)
    terms = [*await _source_terms(call, query, project), *_terms(call, query, project)]
    order = ordered(texts(query, "orderBy"), _SPECIAL) or default_order(columns, "timestamp")
    selection = Selection(columns=columns, source="events", terms=terms, order=order, limit=limit, offset=offset)
    ran = await run_hogql(call, selection.hogql(), project.context)
    rows, page = page_of(ran, limit, offset)
    return {
        **response_fields(call, query, project),
        "columns": [column.shown for column in columns],
        "types": list(ran.table.types),
        "results": await _shown(call, project, columns, rows),
        **page,
        "nextCursor": None,
        "hogql": ran.translated.hogql,
        "timings": ran.timings,
        "modifiers": {},
        "error": None,
    }


async def _source_terms(call: Call, query: Row, project: Project) -> list[str]:
    """Return the condition for the events of the InsightActorsQuery in `source`; all other conditions also apply."""
    if query.get("source") is None:
        return []
    source = as_object(query["source"])
    if source is None:
        raise invalid("query.source: Input should be a valid dictionary")
    return [f"({await insight_events(call, source, project)})"]


def _terms(call: Call, query: Row, project: Project) -> list[str]:
    """Return the conditions on events. Both time bounds are exclusive."""
    after, before = query.get("after") or _DEFAULT_AFTER, query.get("before")
    soon = (call.services.clock() + timedelta(seconds=5)).isoformat()
    terms = [f"timestamp < {project.moment(str(before or soon))}"]
    if after != "all":
        terms.append(f"timestamp > {project.moment(str(after))}")
    names = [*([query["event"]] if query.get("event") else []), *(as_list(query.get("events")) or [])]
    if names:
        terms.append(f"event IN ({', '.join(escape.string(str(name)) for name in names)})")
    if isinstance(query.get("actionId"), int):
        terms.append(f"matchesAction({query['actionId']})")
    if query.get("personId"):
        person = str(query["personId"])
        terms.append(f"person_id = {escape.string(person)}" if is_uuid(person) else "false")
    terms += [project.condition(query.get(name) or []) for name in ("properties", "fixedProperties")]
    if query.get("filterTestAccounts"):
        terms.append(project.test_accounts())
    return [*terms, *conditions(texts(query, "where"))]


async def _shown(call: Call, project: Project, columns: list[SelectedColumn], rows: list[list[Any]]) -> list[list[Any]]:
    """Return the rows with persons and whole events as objects."""
    personal = [index for index, column in enumerate(columns) if column.name in ("person", "person_display_name")]
    people = await persons_by_distinct_id(call, project, {row[index] for row in rows for index in personal})
    for index, column in enumerate(columns):
        for row in rows:
            value = row[index]
            if column.name == "*":
                row[index] = _event(value, call.project_id)
            elif column.name == "person":
                row[index] = people.get(value) or {"distinct_id": value}
            elif column.name == "person_display_name":
                person = people.get(value)
                name = display_name(person, value)
                row[index] = {"display_name": name, "id": person and person["uuid"], "distinct_id": value}
    return rows


def _event(values: list[Any], project_id: int) -> Row:
    found = dict(zip(_STAR, values, strict=True))
    mode, chain = found.pop("person_mode"), found["elements_chain"]
    created = found.pop("created_at")
    chain_first = {"elements_chain": found.pop("elements_chain"), "created_at": created, "person_mode": mode}
    shown = {**found, "properties": as_json(found["properties"]), "team_id": project_id, **chain_first}
    return {**shown, "elements": elements_of(chain)} if chain else shown
