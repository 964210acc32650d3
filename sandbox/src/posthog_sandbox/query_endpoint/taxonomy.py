"""TeamTaxonomyQuery and EventTaxonomyQuery: the events and the values of their properties."""

from typing import Any

from ..errors import invalid
from ..hogql import escape
from ..http.routing import Call
from ..queries.project import Project
from ..queries.running import Ran, page_of, response_fields, run_hogql, texts, whole_number
from ..values import Row

_EVENTS = 100
_RECENT = "timestamp >= now() - INTERVAL 30 DAY"
_SAMPLED_EVENTS = 100
_VALUES = 5
_PROPERTIES = 500
_HIDDEN = (
    r"^(?:\$set|\$set_once|\$time|\$sent_at|distinct_id|\$ip)$"
    r"|^\$(?:feature|feature_enrollment|feature_interaction)/|^\$product_tour|^__|^survey_dismiss|^survey_responded"
    r"|phjs"
)


async def team_taxonomy(call: Call, query: Row, project: Project) -> Row:
    """Return `[{"event", "count"}]` of the last 30 days, most frequent first, at most 100."""
    text = (
        f"SELECT event, count() AS n FROM events WHERE {_RECENT} GROUP BY event ORDER BY n DESC, event ASC "
        f"LIMIT {_EVENTS}"
    )
    ran = await run_hogql(call, text, project.context)
    results = [{"event": event, "count": count} for event, count in ran.table.rows]
    return {**response_fields(call, query, project), **_run_fields(ran), "results": results}


async def event_taxonomy(call: Call, query: Row, project: Project) -> Row:
    """Return `[{"property", "sample_values", "sample_count"}]` of an event or action. Raises ApiError 400."""
    action = query.get("actionId")
    if not query.get("event") and not isinstance(action, int):
        raise invalid("Either event or actionId must be provided.")
    wanted = f"matchesAction({action})" if isinstance(action, int) else f"event = {escape.string(str(query['event']))}"
    most = max(1, whole_number(query, "maxPropertyValues", _VALUES, 100))
    limit, offset = whole_number(query, "limit", _PROPERTIES), whole_number(query, "offset", 0, 10**9)
    names = texts(query, "properties")
    pairs = _named(names, wanted) if names else _sampled(wanted)
    text = (
        f"SELECT pair.1 AS key, arraySlice(arrayDistinct(groupArray(pair.2)), 1, {most}) AS sample_values, "
        f"uniqExact(pair.2) AS sample_count FROM ({pairs}) GROUP BY key "
        f"ORDER BY sample_count DESC, key ASC LIMIT {limit + 1} OFFSET {offset}"
    )
    ran = await run_hogql(call, text, project.context)
    rows, page = page_of(ran, limit, offset)
    return {
        **response_fields(call, query, project),
        **_run_fields(ran),
        **page,
        "results": [_shown(row) for row in rows],
    }


def _sampled(wanted: str) -> str:
    """Return names and values of properties of the latest events, without internal properties."""
    events = (
        f"SELECT properties AS held FROM events WHERE {_RECENT} AND {wanted} "
        f"ORDER BY timestamp DESC LIMIT {_SAMPLED_EVENTS}"
    )
    kept = f"NOT match(raw.1, {escape.string(_HIDDEN)}) AND raw.2 != 'null'"
    found = f"arrayFilter(raw -> {kept}, JSONExtractKeysAndValuesRaw(held))"
    pairs = f"""arrayMap(raw -> (raw.1, replaceRegexpAll(raw.2, '^"|"$', '')), {found})"""
    return f"SELECT arrayJoin({pairs}) AS pair FROM ({events})"


def _named(names: list[str], wanted: str) -> str:
    """Return the non-empty values of these properties on all events of the period."""
    listed = ", ".join(
        f"({escape.string(name)}, ifNull(toString(properties.{escape.hogql_identifier(name)}), ''))" for name in names
    )
    pairs = f"arrayFilter(item -> item.2 != '', [{listed}])"
    return f"SELECT arrayJoin({pairs}) AS pair FROM events WHERE {_RECENT} AND {wanted}"


def _shown(row: list[Any]) -> Row:
    return {"property": row[0], "sample_values": row[1], "sample_count": row[2]}


def _run_fields(ran: Ran) -> Row:
    return {"hogql": ran.translated.hogql, "timings": ran.timings, "modifiers": {}, "error": None}
