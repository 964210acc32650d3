"""ActorsQuery: persons or groups with chosen columns, either all of them or the actors of another query."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from anyio import to_thread
from hogql_lang import tree

from ..errors import invalid
from ..hogql import HogqlError, escape, parse_query, translate
from ..http.routing import Call
from ..insights.actor_source import KINDS, ActorSource
from ..insights.actors.query import insight_actors
from ..queries.columns import SelectedColumn, default_order, ordered, read_column, without_comment
from ..queries.people import groups_by_key, persons_by_id, recorded_sessions
from ..queries.project import Project, with_filters
from ..queries.property_filters import TRUE
from ..queries.running import Ran, page_of, response_fields, run_hogql, texts, whole_number
from ..queries.selection import Selection
from ..values import Row, as_object

_DEFAULT_LIMIT = 100
_EVENT_IDS = "event_distinct_ids"
_RECORDINGS = "matched_recordings"
_NAME = "person_display_name"
_ID_ALIASES = ("group_key", "actor_id", "person_id")


@dataclass(frozen=True, slots=True)
class _Strategy:
    """The columns of one kind of actor: table, id, whole-actor columns, searched columns and default order."""

    table: str
    key: str
    objects: tuple[str, ...]
    default_select: tuple[str, ...]
    searched: tuple[str, ...]
    ordered_by: str

    @property
    def special(self) -> Mapping[str, str]:
        """Return the columns that stand for another expression."""
        return {
            **dict.fromkeys(self.objects, self.key),
            "person.$delete": "1",
            _RECORDINGS: "matching_events",
            _NAME: f"({_DISPLAY_NAME}, toString(id))",
        }


_DISPLAY_NAME = (
    "coalesce(nullIf(toString(properties.email), ''), nullIf(toString(properties.name), ''), "
    "nullIf(toString(properties.username), ''), toString(id))"
)
_PERSONS = _Strategy(
    table="persons",
    key="id",
    objects=("person", "actor"),
    default_select=("person", "id", "person.$delete"),
    searched=("properties.email", "properties.name", "toString(id)"),
    ordered_by="properties.email",
)
_GROUPS = _Strategy(
    table="groups",
    key="key",
    objects=("group", "actor"),
    default_select=("group",),
    searched=("properties.name", "key"),
    ordered_by="properties.name",
)


async def actors_query(call: Call, query: Row, project: Project) -> Row:
    """Return actors with `source`, `search`, `properties`, `orderBy`, `limit` and `offset`. Raises ApiError 400."""
    source = await _source(call, query, project)
    group = None if source is None else source.group
    strategy = _PERSONS if group is None else _GROUPS
    select = _select(query, strategy)
    columns = [read_column(text, strategy.special) for text in select]
    limit, offset = whole_number(query, "limit", _DEFAULT_LIMIT), whole_number(query, "offset", 0, 10**9)
    selection = Selection(
        columns=columns,
        source=strategy.table,
        terms=_terms(query, project, strategy),
        order=_order(query, columns, strategy),
        limit=limit,
        offset=offset,
    )
    ran = await _ran(call, selection, source, strategy, project)
    rows, page = page_of(ran, limit, offset)
    results, missing = await _shown(call, project, columns, rows, group, strategy)
    return {
        **response_fields(call, query, project),
        "columns": select,
        "types": list(ran.table.types),
        "results": results,
        "missing_actors_count": missing,
        **page,
        "hogql": ran.translated.hogql,
        "timings": ran.timings,
        "modifiers": {},
        "error": None,
    }


async def _source(call: Call, query: Row, project: Project) -> ActorSource | None:
    """Return the actors of the query's `source`; None means all persons. Raises ApiError 400."""
    if query.get("source") is None:
        return None
    source = as_object(query["source"])
    kind = str((source or {}).get("kind"))
    if source is not None and kind in KINDS:
        return await insight_actors(call, source, project)
    if source is not None and kind == "HogQLQuery":
        return await to_thread.run_sync(_hogql_source, call, source, project)
    allowed = ", ".join(map(repr, sorted({*KINDS, "HogQLQuery"})))
    raise invalid(f"1 validation error for QueryRequest\nquery.source.kind\n  Input should be {allowed}", "parse_error")


def _hogql_source(call: Call, source: Row, project: Project) -> ActorSource:
    """Return the actors of a HogQL query. Raises ApiError 400."""
    text = source.get("query")
    if not isinstance(text, str):
        raise invalid("query.source.query: Field required")
    context = with_filters(project, source, call.body)
    try:
        translate(text, context)
        identity = _id_column(parse_query(text))
    except HogqlError as error:
        raise invalid(error.message, error.code) from error
    if identity is None:
        raise invalid("Source query must have an id column")
    return ActorSource(hogql=text.rstrip().rstrip(";"), context=context, id_column=identity)


def _id_column(query: tree.Query) -> str | None:
    """Return the column of actor ids as PostHog picks it: one with such an alias, else the first with `id` in its name.

    Only names are considered; `*` and other expressions are not.
    """
    while isinstance(query, tree.SetQuery):
        query = query.first
    aliases = [column.alias for column in query.columns if isinstance(column, tree.Alias)]
    found = [alias for alias in aliases if alias in _ID_ALIASES]
    for column in query.columns:
        match column:
            case tree.Alias(alias) if "id" in alias:
                found.append(alias)
            case tree.Field(chain) if any("id" in str(part).lower() for part in chain):
                found.append(str(chain[-1]))
            case _:
                pass
    return found[0] if found else None


def _select(query: Row, strategy: _Strategy) -> list[str]:
    """Return the columns; the actors of a trend always include the distinct ids of their events."""
    select = [without_comment(text) for text in texts(query, "select")] or list(strategy.default_select)
    source = as_object(query.get("source")) or {}
    of_trend = (as_object(source.get("source")) or {}).get("kind") == "TrendsQuery"
    if strategy is _PERSONS and of_trend and _EVENT_IDS not in select:
        select.append(_EVENT_IDS)
    return select


def _terms(query: Row, project: Project, strategy: _Strategy) -> list[str]:
    terms = [_search(query.get("search"), strategy)]
    if strategy is _PERSONS:
        terms += [project.condition(query.get(name) or [], "persons") for name in ("properties", "fixedProperties")]
    return [term for term in terms if term != TRUE]


def _search(text: object, strategy: _Strategy) -> str:
    """Match part of the name, the id or any distinct id of a person, ignoring case."""
    if not isinstance(text, str) or not text.strip():
        return TRUE
    plain = text.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    pattern = escape.string(f"%{plain}%")
    places = [f"{place} ILIKE {pattern}" for place in strategy.searched]
    if strategy is _PERSONS:
        places.append(f"id IN (SELECT person_id FROM person_distinct_ids WHERE distinct_id ILIKE {pattern})")
    return f"({' OR '.join(places)})"


def _order(query: Row, columns: list[SelectedColumn], strategy: _Strategy) -> str:
    orders = texts(query, "orderBy")
    for direction in ("", " ASC", " DESC"):
        if orders == [f"{strategy.objects[0]}{direction}"]:
            return f"{strategy.ordered_by}{direction}"
    return ordered(orders, strategy.special) or default_order(columns, "created_at")


async def _ran(
    call: Call, selection: Selection, source: ActorSource | None, strategy: _Strategy, project: Project
) -> Ran:
    """Return the rows. A source with all selected columns is read alone, so that deleted actors are included.

    Otherwise it is joined with the table of the actors, as in PostHog.
    """
    if source is None:
        return await run_hogql(call, selection.hogql(), project.context)
    key = f", {escape.hogql_identifier(source.id_column)} AS {strategy.key}"
    columns = f"*{key if source.id_column != strategy.key else ''}"
    alone = f"(SELECT {columns} FROM ({source.hogql}\n)) AS source"
    text = replace(selection, source=alone).hogql()
    try:
        await to_thread.run_sync(translate, text, source.context)
    except HogqlError:
        joined = f"{alone} INNER JOIN {strategy.table} USING ({strategy.key})"
        text = replace(selection, source=joined).hogql()
    return await run_hogql(call, text, source.context)


async def _shown(
    call: Call,
    project: Project,
    columns: list[SelectedColumn],
    rows: list[list[Any]],
    group: int | None,
    strategy: _Strategy,
) -> tuple[list[list[Any]], int | None]:
    """Return the rows with actors as objects, and the number of missing actors; None when no actor is shown."""
    names = [column.name for column in columns]
    places = [index for index, name in enumerate(names) if name in strategy.objects]
    if places and _RECORDINGS in names:
        await _match_recordings(call, project, rows, names.index(_RECORDINGS))
    ids = {str(row[index]) for row in rows for index in places}
    actors = await (persons_by_id(call, project, ids) if group is None else groups_by_key(call, project, group, ids))
    event_ids = names.index(_EVENT_IDS) if _EVENT_IDS in names else None
    missing = None
    for index in places:
        missing = sum(str(row[index]) not in actors for row in rows)
        for row in rows:
            identity = str(row[index])
            gone = {"id": identity} if group is None else {"id": identity, "group_type_index": group}
            if event_ids is not None:
                gone["distinct_ids"] = row[event_ids]
            row[index] = actors.get(identity) or gone
    for index, name in enumerate(names):
        if name == _NAME:
            for row in rows:
                row[index] = {"display_name": row[index][0], "id": row[index][1]}
    return rows, missing


async def _match_recordings(call: Call, project: Project, rows: list[list[Any]], place: int) -> None:
    """Replace matching events by the recordings they happened in."""
    recorded = await recorded_sessions(call, project, {event[2] for row in rows for event in row[place] if event[2]})
    for row in rows:
        events: dict[str, list[Row]] = {}
        for time, identity, session, window in sorted(row[place]):
            if session in recorded:
                events.setdefault(session, []).append({"uuid": identity, "timestamp": time, "window_id": window})
        row[place] = [{"session_id": session, "events": found} for session, found in events.items()]
