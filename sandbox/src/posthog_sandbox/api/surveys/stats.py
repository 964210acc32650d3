"""Survey statistics: shown, dismissed and answered, counted from the events."""

from datetime import UTC, datetime
from typing import Any

from anyio import to_thread
from starlette.responses import Response

from ...errors import invalid, not_found
from ...http.filters import truth
from ...http.responses import json_response
from ...http.routing import Call, Route
from ...storage.events import literal
from ...values import Row, timestamp

_EVENTS = _SHOWN, _DISMISSED, _SENT = ("survey shown", "survey dismissed", "survey sent")
_SURVEY_ID = "JSONExtractString(properties, '$survey_id')"
_SUBMISSION_ID = "JSONExtractString(properties, '$survey_submission_id')"
_SUBMISSION = f"if({_SUBMISSION_ID} = '', toString(uuid), {_SUBMISSION_ID})"
"""A submission can be sent in parts, which share an id and count once."""
_OF_A_PART = "JSONExtractRaw(properties, '$survey_partially_completed') IN ('true', '\"true\"')"
"""Partially answered surveys send `survey dismissed`, but count as answered."""


async def _stats_of_one(call: Call) -> Response:
    survey = await to_thread.run_sync(_survey, call)
    start, end = _dates(call)
    first = datetime.fromisoformat(survey["start_date"] or survey["created_at"])
    last = datetime.fromisoformat(survey["end_date"]) if survey["end_date"] else None
    start = max(start, first) if start else first
    end = min(end, last) if end and last else end or last
    stats = await _stats(call, [survey["id"]], start, end)
    return json_response(
        {**stats, "survey_id": survey["id"], "start_date": survey["start_date"], "end_date": survey["end_date"]}
    )


async def _stats_of_all(call: Call) -> Response:
    """Return the statistics of all surveys that are not archived, combined."""
    start, end = _dates(call)
    surveys = await to_thread.run_sync(_surveys, call)
    active = [survey["id"] for survey in surveys if not survey["archived"]]
    return json_response(await _stats(call, active, start, end) if active else {"stats": {}, "rates": _rates(None)})


async def _responses_count(call: Call) -> Response:
    """Return the number of responses by survey id, without surveys that have none."""
    surveys = await to_thread.run_sync(_surveys, call)
    starts = [survey["start_date"] for survey in surveys if survey["start_date"]]
    if not starts:
        return json_response({})
    conditions = [f"timestamp >= {_moment(datetime.fromisoformat(min(starts)))}"]
    if requested := [word.strip() for word in call.params.get("survey_ids", "").split(",") if word.strip()]:
        conditions.append(_of_surveys(requested))
    if truth(call.params.get("exclude_archived", "")):
        conditions.append(_of_surveys([survey["id"] for survey in surveys if not survey["archived"]]))
    sql = (
        f"SELECT {_SURVEY_ID} AS survey, uniqExact({_SUBMISSION}) FROM posthog.events "
        f"WHERE event = 'survey sent' AND {' AND '.join(conditions)} GROUP BY survey ORDER BY survey"
    )
    found = await call.services.events.rows(call.project_id, sql)
    return json_response(dict(found))


def _survey(call: Call) -> Row:
    with call.services.store.transaction() as rows:
        found = rows.get("surveys", call.arguments["id"].lower())
    if found is None or found["_project"] != call.project_id:
        raise not_found()
    return found


def _surveys(call: Call) -> list[Row]:
    with call.services.store.transaction() as rows:
        return rows.all("surveys", call.project_id)


def _dates(call: Call) -> tuple[datetime | None, datetime | None]:
    start, end = (_date(call.params.get(name)) for name in ("date_from", "date_to"))
    if start and end and start > end:
        raise invalid("date_from must be before date_to")
    return start, end


def _date(value: str | None) -> datetime | None:
    if not value:
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise invalid(
            "Invalid date format. Please use ISO 8601 format with timezone info "
            "(e.g. 2024-01-01T00:00:00Z or 2024-01-01T00:00:00+00:00)"
        ) from None
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _moment(value: datetime) -> str:
    return f"parseDateTime64BestEffort({literal(timestamp(value))}, 6, 'UTC')"


def _of_surveys(ids: list[str]) -> str:
    return f"{_SURVEY_ID} IN ({', '.join(map(literal, ids)) or 'NULL'})"


async def _stats(call: Call, surveys: list[str], start: datetime | None, end: datetime | None) -> Row:
    """Return `{"stats": by event, "rates": percentages}`. Only the latest part of a submission counts."""
    dates = [f"timestamp >= {_moment(start)}"] if start else []
    dates += [f"timestamp <= {_moment(end)}"] if end else []
    latest = (
        f"SELECT argMax(uuid, timestamp) FROM posthog.events "
        f"WHERE {' AND '.join(['event = ' + literal(_SENT), *dates])} GROUP BY {_SUBMISSION}"
    )
    conditions = [
        f"event IN ({', '.join(map(literal, _EVENTS))})",
        _of_surveys(surveys),
        *dates,
        f"(event != {literal(_DISMISSED)} OR NOT {_OF_A_PART})",
    ]
    source = f"FROM posthog.events WHERE {' AND '.join(conditions)}"
    counted = (
        "SELECT event, count(), uniqExact(person_id), min(timestamp), max(timestamp) "
        f"{source} AND (event != {literal(_SENT)} OR uuid IN ({latest})) GROUP BY event"
    )
    both = (
        f"SELECT count() FROM (SELECT person_id {source} GROUP BY person_id "
        f"HAVING countIf(event = {literal(_DISMISSED)}) > 0 AND countIf(event = {literal(_SENT)}) > 0)"
    )
    stats = {event: _counts() for event in _EVENTS}
    for event, *values in await call.services.events.rows(call.project_id, counted):
        stats[event] = _counts(*values)
    answered = await call.services.events.rows(call.project_id, both)
    shown, dismissed, sent = (stats[event] for event in _EVENTS)
    # Users who first dismissed and then answered count as having answered.
    dismissed["unique_persons"] = max(dismissed["unique_persons"] - (answered[0][0] if answered else 0), 0)
    for name in ("total_count", "unique_persons"):
        shown[f"{name}_only_seen"] = max(shown[name] - dismissed[name] - sent[name], 0)
    return {"stats": stats, "rates": _rates(stats)}


def _counts(total: int = 0, persons: int = 0, first: str | None = None, last: str | None = None) -> dict[str, Any]:
    return {
        "total_count": total,
        "unique_persons": persons,
        "first_seen": first,
        "last_seen": last,
        "unique_persons_only_seen": 0,
        "total_count_only_seen": 0,
    }


def _rates(stats: Row | None) -> dict[str, float]:
    """Return percentages of the persons who were shown a survey; 0 when there are none."""

    def rate(event: str, name: str) -> float:
        of = stats[_SHOWN][name] if stats else 0
        return round(stats[event][name] / of * 100, 2) if stats and of else 0.0

    return {
        "response_rate": rate(_SENT, "total_count"),
        "dismissal_rate": rate(_DISMISSED, "total_count"),
        "unique_users_response_rate": rate(_SENT, "unique_persons"),
        "unique_users_dismissal_rate": rate(_DISMISSED, "unique_persons"),
    }


_COLLECTION = "projects/{project_id}/surveys"
ROUTES = (
    Route("GET", f"{_COLLECTION}/stats", _stats_of_all),
    Route("GET", f"{_COLLECTION}/responses_count", _responses_count),
    Route("GET", f"{_COLLECTION}/{{id}}/stats", _stats_of_one),
)
