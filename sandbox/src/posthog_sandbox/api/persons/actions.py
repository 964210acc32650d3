"""Operations on persons other than list and retrieve."""

from typing import Any

from anyio import to_thread
from starlette.responses import Response

from ...errors import ApiError, invalid
from ...http.fields import boolean, json_list, json_object
from ...http.filters import truth
from ...http.resource import of_project
from ...http.responses import json_response
from ...http.routing import Call, Route
from ...storage.events import literal
from ...values import Row, is_uuid
from ..cohorts.resource import COHORTS
from ..cohorts.rules import CohortError, persons_of
from ..removals import remove_keys
from .changes import change_properties, people
from .filters import property_text
from .resource import find_person

_AT_MOST = 1000
_VALUES = 20


def _missing(attr: str) -> ApiError:
    """Return PostHog's error for a missing field, which has `code` and `detail` swapped."""
    swapped = {"attr": attr, "code": "This field is required.", "detail": "required", "type": "validation_error"}
    return ApiError(400, swapped)


async def _delete(call: Call) -> Response:
    """Delete a person permanently. PostHog responds before the deletion; `keep_person` deletes only the events."""
    person = await find_person(call)
    if truth(call.params.get("keep_person", "")) is not True:
        await remove_keys(call, "person", person["uuid"])
    return Response(status_code=202)


async def _change(call: Call) -> Response:
    """Add or replace properties; others are kept."""
    person = await find_person(call)
    sent = json_object(call.body.get("properties"), "properties")
    await change_properties(call, person, lambda properties: {**properties, **sent})
    return Response(status_code=202)


async def _update_property(call: Call) -> Response:
    """Set one property; return 202 without a body, because PostHog applies the change as an event."""
    for name in ("value", "key"):
        if call.body.get(name) is None:
            raise _missing(name)
    key, value = str(call.body["key"]), call.body["value"]
    await change_properties(call, await find_person(call), lambda properties: {**properties, key: value})
    return Response(status_code=202)


async def _delete_property(call: Call) -> Response:
    key = call.body.get("$unset")
    if not key:
        raise _missing("$unset")
    person = await find_person(call)
    await change_properties(call, person, lambda all: {name: value for name, value in all.items() if name != key})
    return json_response({"success": True}, 201)


async def _split(call: Call) -> Response:
    """Accept a split: PostHog gives every distinct id a separate person some time after its 201."""
    await find_person(call)
    raise invalid("The sandbox does not split persons: the persons of its events stay as they were made.")


async def _bulk_delete(call: Call) -> Response:
    """Delete up to 1000 persons by UUID or distinct id; those that do not exist are ignored."""
    keep = "keep_person" in call.body and boolean(call.body["keep_person"], "keep_person")
    if call.body.get("ids"):
        ids = _texts(call.body["ids"], "ids")
        condition = f"toString(id) IN ({', '.join(literal(id.lower()) for id in ids if is_uuid(id)) or 'NULL'})"
    elif call.body.get("distinct_ids"):
        ids = ", ".join(map(literal, _texts(call.body["distinct_ids"], "distinct_ids")))
        condition = f"id IN (SELECT person_id FROM posthog.person_distinct_ids WHERE distinct_id IN ({ids}))"
    else:
        raise invalid("You need to specify either distinct_ids or ids")
    sql = f"SELECT toString(id) FROM posthog.persons WHERE {condition}"
    found = [row[0] for row in await call.services.events.rows(call.project_id, sql)]
    if not keep:
        await remove_keys(call, "person", *found)
    return Response(status_code=202)


def _texts(value: Any, name: str) -> list[str]:
    found = [str(item) for item in json_list(value, name)]
    if len(found) > _AT_MOST:
        raise invalid(f"You can only pass {_AT_MOST} {name} in one call", attr=name)
    return found


async def _values(call: Call) -> Response:
    """Return the most frequent values of a property with their numbers of persons: `[{"name", "count"}]`."""
    key, part = call.params.get("key"), call.params.get("value")
    if not key:
        return json_response([])
    text = property_text(key)
    wanted = f"positionCaseInsensitiveUTF8({text}, {literal(part)}) > 0" if part else f"{text} IS NOT NULL"
    counted = f"SELECT {text} AS value, count() AS persons FROM {await people(call)} WHERE {wanted}"
    sql = f"{counted} GROUP BY value ORDER BY persons DESC, value LIMIT {_VALUES}"
    found = await call.services.events.rows(call.project_id, sql)
    return json_response([{"name": name, "count": count} for name, count in found])


async def _cohorts(call: Call) -> Response:
    """Return `{"results"}`: the cohorts that contain a person."""
    key = call.params.get("person_id", "")
    if not is_uuid(key):
        raise invalid("Must be a valid UUID.", attr="person_id")

    def read() -> list[tuple[Row, str]]:
        found: list[tuple[Row, str]] = []
        with call.services.store.transaction() as rows:
            for cohort in of_project(rows, "cohorts", call.project_id):
                try:
                    found.append((COHORTS.show(rows, cohort), persons_of(rows, cohort)))
                except CohortError:
                    continue
        return [(shown, sql) for shown, sql in found if not shown["deleted"]]

    cohorts = await to_thread.run_sync(read)
    tests = ", ".join(f"toUUID({literal(key)}) IN ({sql})" for _, sql in cohorts)
    [held] = await call.services.events.rows(call.project_id, f"SELECT {tests}") if cohorts else [[]]
    return json_response({"results": [shown for (shown, _), is_in in zip(cohorts, held, strict=True) if is_in]})


_COLLECTION = "projects/{project_id}/persons"
ROUTES = (
    Route("PATCH", f"{_COLLECTION}/{{id}}", _change),
    Route("DELETE", f"{_COLLECTION}/{{id}}", _delete),
    Route("POST", f"{_COLLECTION}/{{id}}/update_property", _update_property),
    Route("POST", f"{_COLLECTION}/{{id}}/delete_property", _delete_property),
    Route("POST", f"{_COLLECTION}/{{id}}/split", _split),
    Route("POST", f"{_COLLECTION}/bulk_delete", _bulk_delete),
    Route("GET", f"{_COLLECTION}/values", _values),
    Route("GET", f"{_COLLECTION}/cohorts", _cohorts),
)
