"""Persons, read from the events. In lists `id` is the UUID; on a single person it is the number."""

import csv
import io
import json
from collections.abc import AsyncGenerator

from anyio import to_thread
from starlette.responses import Response

from ...errors import invalid, not_found
from ...http.filters import json_parameter, truth
from ...http.paging import DEFAULT_LIMIT, page_url, positive, whole
from ...http.responses import json_response
from ...http.routing import Call, Route
from ...storage.events import literal
from ...values import Row, as_object, integer_id, is_uuid
from ..cohorts.rules import CohortError, persons_of
from ..removals import removed_keys
from .changes import people
from .filters import person_condition, property_text

_COLUMNS = "toString(id), name, created_at, properties, is_identified, last_seen_at, number"
_NOT_AN_ID = (
    "The ID provided does not look like a personID. "
    "If you are using a distinctId, please use /persons?distinct_id=X instead."
)
_CSV_COLUMNS = ("id", "name", "created_at")
_EMAIL = property_text("email")


async def _list(call: Call) -> Response:
    conditions = [condition async for condition in _conditions(call)]
    page = await person_page(call, conditions)
    return _table(page["results"]) if call.params.get("format") == "csv" else json_response(page)


def _table(persons: list[Row]) -> Response:
    """Return CSV with a column for each property on the page."""
    properties = sorted({name for person in persons for name in person["properties"]})
    written = io.StringIO()
    sheet = csv.writer(written)
    sheet.writerow([*_CSV_COLUMNS, *(f"properties.{name}" for name in properties)])
    for person in persons:
        values = (person["properties"].get(name, "") for name in properties)
        sheet.writerow([*(person[name] for name in _CSV_COLUMNS), *values])
    return Response(written.getvalue().encode("utf-8", "replace"), media_type="text/csv")


async def person_page(call: Call, conditions: list[str]) -> Row:
    """Return `{"results", "next", "previous"}` of the persons that match all conditions; `count` only on request.

    A full page always has a `next`, even if the next page is empty.
    """
    limit, offset = positive(call.params.get("limit"), DEFAULT_LIMIT), whole(call.params.get("offset"))
    where = await _where(call, conditions)
    page = f"ORDER BY created_at DESC, id LIMIT {min(limit, 10**6)} OFFSET {offset}"
    persons = await read_persons(call, f"{where} {page}")
    results = [_listed(person) for person in persons]
    after, before = {"limit": limit, "offset": offset + limit}, {"limit": limit, "offset": offset - limit}
    body: Row = {
        "results": results,
        "next": page_url(call.address, call.query, after) if len(results) >= limit else None,
        "previous": page_url(call.address, call.query, before) if offset >= limit else None,
    }
    if truth(call.params.get("include_total", "")):
        sql = f"SELECT count() FROM {await people(call)} {where}"
        counted = await call.services.events.rows(call.project_id, sql)
        body["count"] = counted[0][0]
    return body


async def _conditions(call: Call) -> AsyncGenerator[str]:
    params = call.params
    if search := params.get("search"):
        by_id = f"id IN ({_of_distinct_id(search)})"
        yield f"({by_id} OR ifNull(positionCaseInsensitiveUTF8({_EMAIL}, {literal(search)}) > 0, false))"
    if email := params.get("email"):
        yield f"ifNull({_EMAIL} = {literal(email)}, false)"
    if distinct_id := params.get("distinct_id"):
        yield f"id IN ({_of_distinct_id(distinct_id)})"
    if properties := params.get("properties"):
        for item in json_parameter(properties, "properties"):
            yield person_condition(as_object(item) or {})
    if cohort := params.get("cohort"):
        yield f"id IN ({await to_thread.run_sync(_cohort, call, cohort)})"


def _cohort(call: Call, key: str) -> str:
    number = integer_id(key)
    with call.services.store.transaction() as rows:
        cohort = None if number is None else rows.get("cohorts", number)
        if cohort is None or cohort["_project"] != call.project_id or cohort["deleted"]:
            raise invalid("Cohort does not exist", attr="cohort")
        try:
            return persons_of(rows, cohort)
        except CohortError as error:
            raise invalid(str(error), attr="cohort") from error


def _of_distinct_id(distinct_id: str) -> str:
    return f"SELECT person_id FROM posthog.person_distinct_ids WHERE distinct_id = {literal(distinct_id)}"


async def _where(call: Call, conditions: list[str]) -> str:
    removed = ", ".join(map(literal, await removed_keys(call, "person")))
    kept = [f"toString(id) NOT IN ({removed})"] if removed else []
    return f"WHERE {' AND '.join(['true', *kept, *conditions])}"


async def read_persons(call: Call, clauses: str) -> list[Row]:
    """Return the persons of these clauses (WHERE and after), each with all of its distinct ids."""
    events = call.services.events
    found = await events.rows(call.project_id, f"SELECT {_COLUMNS} FROM {await people(call)} {clauses}")
    ids = ", ".join(literal(row[0]) for row in found) or "''"
    pairs = await events.rows(
        call.project_id,
        "SELECT toString(person_id), arraySort(groupArray(distinct_id)) FROM posthog.person_distinct_ids "
        f"WHERE toString(person_id) IN ({ids}) GROUP BY person_id",
    )
    distinct_ids: dict[str, list[str]] = {row[0]: row[1] for row in pairs}
    return [_person(*row, distinct_ids=distinct_ids.get(row[0], [])) for row in found]


def _person(
    uuid: str,
    name: str,
    created_at: str,
    properties: str,
    is_identified: bool,
    last_seen_at: str,
    number: int,
    *,
    distinct_ids: list[str],
) -> Row:
    return {
        "id": number,
        "uuid": uuid,
        "name": name,
        "created_at": created_at,
        "properties": json.loads(properties),
        "is_identified": is_identified,
        "distinct_ids": distinct_ids,
        "last_seen_at": last_seen_at,
    }


def _listed(person: Row) -> Row:
    extra: Row = {"matched_recordings": [], "value_at_data_point": None}
    return {"type": "person", **person, "id": person["uuid"], **extra}


def embedded_person(person: Row) -> Row:
    """Return a person as recordings and the single endpoint show it: `id` is the number."""
    return {name: person[name] for name in ("id", "name", "distinct_ids", "properties", "created_at", "uuid")}


async def find_person(call: Call) -> Row:
    """Return the person of the path, by number or UUID. Raises ApiError 400 for neither, 404."""
    key = call.arguments["id"]
    number = integer_id(key)
    if number is None and not is_uuid(key):
        raise invalid(_NOT_AN_ID)
    wanted = f"toString(id) = {literal(key.lower())}" if number is None else f"number = {number}"
    persons = await read_persons(call, await _where(call, [wanted]))
    if not persons:
        raise not_found()
    return persons[0]


async def _get(call: Call) -> Response:
    return json_response(embedded_person(await find_person(call)))


ROUTES = (
    Route("GET", "projects/{project_id}/persons", _list),
    Route("GET", "projects/{project_id}/persons/{id}", _get),
)
