"""ErrorTrackingQuery: the issues with exceptions in a range, and what PostHog counts of each."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ..errors import invalid
from ..hogql import escape
from ..http.routing import Call
from ..insights.requests import choice, malformed_query, options
from ..queries.error_issues import ALL_ISSUES, issues_by_id
from ..queries.moments import parse_moment
from ..queries.project import Project
from ..queries.running import Ran, response_fields, run_hogql, whole_number
from ..values import Row, as_list, as_object, is_uuid

_FIELDS = frozenset([
    "kind", "issueId", "orderBy", "orderDirection", "dateRange", "status", "assignee", "filterGroup",
    "filterTestAccounts", "searchQuery", "volumeResolution", "withAggregations", "withFirstEvent", "withLastEvent",
    "limit", "offset", "personId", "groupKey", "groupTypeIndex", "modifiers", "response", "tags", "version",
])  # fmt: skip
_REQUIRED = ("dateRange", "orderBy", "volumeResolution")
_ORDERS = ("last_seen", "first_seen", "occurrences", "users", "sessions")
_STATUSES = ("active", "archived", "pending_release", "resolved", "suppressed", "all")
_COLUMNS = (
    "id", "last_seen", "occurrences", "sessions", "users", "library", "first_event", "last_event", "seconds",
)  # fmt: skip
_DEFAULT_LIMIT = 100
_DEFAULT_SPAN, _ALL_TIME = timedelta(days=7), timedelta(days=4 * 365)
_MOST_TOKENS = 100
_SEARCHED = (
    "properties.$exception_list", "properties.$exception_types", "properties.$exception_values",
    "properties.$exception_sources", "properties.$exception_functions", "properties.email", "person.properties.email",
)  # fmt: skip
_EVENT = "tuple(toString(uuid), distinct_id, toString(timestamp), properties)"


async def error_tracking_query(call: Call, query: Row, project: Project) -> Row:
    """Return the issues of a page. `first_seen` is of all exceptions of an issue, the rest of those that match.

    Raises ApiError 400 for unknown and missing fields, as PostHog's schema does.
    """
    _check(query)
    start, end = _range(options(query, "dateRange"), call.services.clock())
    limit, offset = (
        whole_number(query, "limit", _DEFAULT_LIMIT) or _DEFAULT_LIMIT,
        whole_number(query, "offset", 0, 10**9),
    )
    order = choice(query, "orderBy", "ErrorTrackingQuery.", _ORDERS, "last_seen")
    usual = "ASC" if order == "first_seen" else "DESC"
    direction = choice(query, "orderDirection", "ErrorTrackingQuery.", ("ASC", "DESC"), usual)
    issues = issues_by_id((await run_hogql(call, ALL_ISSUES, project.context)).table.rows)
    ran = await run_hogql(call, _matching(query, project, start, end), project.context)
    found = [issues[row[0]] | dict(zip(_COLUMNS, row, strict=True)) for row in ran.table.rows if row[0] in issues]
    found.sort(key=lambda issue: (issue[order], issue["id"]), reverse=direction == "DESC")
    return {
        **response_fields(call, query, project),
        "columns": list(_COLUMNS[:-1]),
        "results": [_shown(issue, query, start, end) for issue in found[offset : offset + limit]],
        "hasMore": len(found) > offset + limit,
        "limit": limit,
        "offset": offset,
        **_ran(ran),
    }


def _ran(ran: Ran) -> Row:
    return {"hogql": ran.translated.hogql, "timings": ran.timings, "modifiers": {}, "error": None}


def _check(query: Row) -> None:
    for name in query.keys() - _FIELDS:
        raise malformed_query(f"ErrorTrackingQuery.{name[:40]}", "Extra inputs are not permitted")
    for name in _REQUIRED:
        if query.get(name) is None:
            raise malformed_query(f"ErrorTrackingQuery.{name}", "Field required")
    whole_number(query, "volumeResolution", 0)
    choice(query, "status", "ErrorTrackingQuery.", _STATUSES, "all")
    for name in ("issueId", "personId"):
        value = query.get(name)
        if value is not None and not (isinstance(value, str) and is_uuid(value)):
            raise invalid(f"{name} must be a valid UUID")


def _range(dates: Row, now: datetime) -> tuple[datetime, datetime]:
    """Return the range in UTC, by the second. Without a start it is a week; a relative end is after now, as PostHog
    reads it.
    """
    until, since = dates.get("date_to"), dates.get("date_from")
    if until == "all":
        raise invalid("Invalid date range")
    end = parse_moment(str(until), now, "UTC") if until else now
    if until and re.search(r"\d{4}-", str(until)) is None:
        end = now + (now - end)
    if since == "all":
        start = now - _ALL_TIME
    else:
        start = parse_moment(str(since), now, "UTC") if since else end - _DEFAULT_SPAN
    return (start.astimezone(UTC).replace(microsecond=0), end.astimezone(UTC).replace(microsecond=0))


def _matching(query: Row, project: Project, start: datetime, end: datetime) -> str:
    """Return HogQL for what is counted of each issue. Raises ApiError 400."""
    terms = [
        "event = '$exception'",
        "issue_id IS NOT NULL",
        *(f"timestamp {sign} toDateTime({escape.string(at.isoformat())})" for sign, at in ((">=", start), ("<=", end))),
        *_chosen(query),
        *_found(query.get("searchQuery")),
        _filtered(query.get("filterGroup"), project),
    ]
    if query.get("filterTestAccounts"):
        terms.append(project.test_accounts())
    zone = f"dateDiff('second', toDateTime({escape.string(start.isoformat())}), timestamp)"
    first, last = (f"{name}({_EVENT}, timestamp)" for name in ("argMin", "argMax"))
    return (
        "SELECT toString(issue_id) AS id, max(timestamp) AS last_seen, count() AS occurrences, "
        "count(DISTINCT nullIf($session_id, '')) AS sessions, count(DISTINCT person_id) AS users, "
        f"argMax(properties.$lib, timestamp) AS library, {first} AS first_event, {last} AS last_event, "
        f"groupArray({zone}) AS seconds FROM events WHERE {' AND '.join(terms)} GROUP BY id LIMIT 50000"
    )


def _chosen(query: Row) -> list[str]:
    """Return the conditions on the issue, its state, and who saw it. All issues are active, and have no assignee."""
    terms: list[str] = []
    if query.get("issueId"):
        terms.append(f"issue_id = toUUID({escape.string(str(query['issueId']))})")
    if query.get("personId"):
        terms.append(f"person_id = {escape.string(str(query['personId']))}")
    group = query.get("groupTypeIndex")
    if query.get("groupKey") and isinstance(group, int):
        terms.append(f"$group_{min(max(group, 0), 4)} = {escape.string(str(query['groupKey']))}")
    if query.get("status") not in (None, "active", "all") or query.get("assignee") is not None:
        terms.append("false")
    return terms


def _found(search: object) -> list[str]:
    """Return a condition for each word or quoted phrase: one of the texts of the exception contains it."""
    if search is None:
        return []
    if not isinstance(search, str):
        raise malformed_query("ErrorTrackingQuery.searchQuery", "Input should be a valid string")
    words = [word.strip("'\"") for word in re.findall(r"\"[^\"]*\"|'[^']*'|\S+", search)]
    if len(words) > _MOST_TOKENS:
        raise invalid("Too many search tokens")
    return [
        "(" + " OR ".join(f"position(lower({text}), lower({escape.string(word)})) > 0" for text in _SEARCHED) + ")"
        for word in words
        if word
    ]


def _filtered(value: object, project: Project) -> str:
    """Return the filters of the first group, the only one that PostHog reads. Raises ApiError 400."""
    if value is None:
        return "true"
    outer = _group(value, "filterGroup")
    groups = [_group(one, f"filterGroup.values.{at}") for at, one in enumerate(outer["values"])]
    return project.condition(groups[0]) if groups else "true"


def _group(value: object, place: str) -> Row:
    group = as_object(value) or {}
    if group.get("type") not in ("AND", "OR") or as_list(group.get("values")) is None:
        raise malformed_query(f"ErrorTrackingQuery.{place}", "Input should be a group with `type` and `values`")
    return group


def _shown(issue: Mapping[str, Any], query: Row, start: datetime, end: datetime) -> Row:
    kept = ("id", "status", "name", "description", "first_seen", "assignee", "last_seen", "library")
    with_counts = query.get("withAggregations") is not False
    return {
        **{name: issue[name] for name in kept},
        "function": None,
        "source": None,
        "first_event": _event(issue["first_event"]) if query.get("withFirstEvent") else None,
        "last_event": _event(issue["last_event"]) if query.get("withLastEvent") else None,
        "aggregations": _counts(issue, whole_number(query, "volumeResolution", 0), start, end) if with_counts else None,
    }


def _event(values: tuple[str, str, str, str]) -> Row:
    return dict(zip(("uuid", "distinct_id", "timestamp", "properties"), values, strict=True))


def _counts(issue: Mapping[str, Any], resolution: int, start: datetime, end: datetime) -> Row:
    counts: Row = {name: issue[name] for name in ("occurrences", "sessions", "users")}
    if not resolution:
        return {**counts, "volumeRange": None, "volume_buckets": []}
    seconds = int((end - start).total_seconds())
    size, volume = max(1, seconds // resolution), [0] * resolution
    for at in issue["seconds"]:
        volume[min(resolution - 1, at // size)] += 1
    labels = [(start + timedelta(seconds=at * seconds / resolution)).isoformat() for at in range(resolution)]
    buckets = [{"label": label, "value": value} for label, value in zip(labels, volume, strict=True)]
    return {**counts, "volumeRange": volume, "volume_buckets": buckets}
