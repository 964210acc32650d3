"""Cohorts: groups of persons, calculated in the background (`is_calculating`, then `count`)."""

from dataclasses import replace
from functools import partial

from anyio import to_thread
from starlette.responses import Response

from ...errors import ApiError, invalid, required
from ...http.fields import Field, boolean, choice, json_list, json_object, text
from ...http.filters import Ordering, Predicate, contains, created_by, truth
from ...http.resource import Change, Resource, add_row, public, reach, routes
from ...http.responses import json_response
from ...http.routing import Call, Route, Services
from ...storage.engine import EngineError
from ...storage.store import Rows
from ...values import Row, as_list, is_uuid
from ..flags.rules import flag_properties
from ..persons.resource import person_page
from .from_queries import Compute, check_query, persons_of_query, reason
from .rules import CohortError, check_filters, persons_of

_FIELDS = (
    Field("name", text(400), required=True, null=True),
    Field("description", text(1000)),
    Field("groups", json_list),
    Field("deleted", boolean),
    Field("filters", json_object, null=True),
    Field("query", json_object, null=True),
    Field("is_static", boolean),
    Field("cohort_type", choice("static", "person_property", "behavioral", "realtime", "analytical"), null=True),
)
_DEFAULTS: Row = {
    "name": None,
    "description": "",
    "groups": [],
    "deleted": False,
    "filters": None,
    "query": None,
    "version": None,
    "pending_version": None,
    "is_calculating": False,
    "last_calculation": None,
    "errors_calculating": 0,
    "last_error_message": None,
    "count": None,
    "is_static": False,
    "cohort_type": None,
    "_members": [],
}
_DEFINITION = ("filters", "groups", "query", "is_static")


def _check(change: Change, row: Row) -> Row:
    before = change.before
    if row["query"] is not None and not row["is_static"]:
        raise invalid("A cohort with a query must be static.", attr="query")
    if change.values.get("query") is not None:
        check_query(change.values["query"])
    if before is None and not row["is_static"] and row["filters"] is None and not row["groups"]:
        raise required("filters")
    if change.values.get("filters") is not None and not row["is_static"]:
        check_filters(change.rows, change.values["filters"])
    if "_create_static_person_ids" in change.body:
        row["_members"] = _person_ids(change.body["_create_static_person_ids"])
    if before is not None and row["deleted"] and not before["deleted"]:
        _reject_if_used(change, row)
    if before is None or any(row[name] != before[name] for name in _DEFINITION):
        row |= {"is_calculating": True, "pending_version": (row["pending_version"] or 0) + 1}
    return row


def _person_ids(sent: object) -> list[str]:
    ids = as_list(sent)
    if ids is None or not all(isinstance(item, str) and is_uuid(item) for item in ids):
        raise invalid("Expected a list of person UUIDs.", attr="_create_static_person_ids")
    return [str(item) for item in ids]


def _reject_if_used(change: Change, row: Row) -> None:
    keys = [
        flag["key"]
        for flag in change.rows.all("feature_flags", change.project_id)
        if flag["active"]
        and not flag["deleted"]
        and any(item.get("value") == row["id"] for item in flag_properties(flag["filters"], "cohort"))
    ]
    if keys:
        raise invalid(
            f"This cohort is used in {len(keys)} active feature flag(s): {', '.join(keys)}. "
            "Please remove the cohort from these feature flags before deleting it."
        )


def _detach(change: Change, row: Row) -> None:
    """Clear a deleted cohort from the experiments that use it as exposure cohort."""
    if row["deleted"]:
        for experiment in change.rows.all("experiments", change.project_id):
            if experiment["exposure_cohort"] == row["id"]:
                change.rows.save("experiments", {**experiment, "exposure_cohort": None})


def _show(rows: Rows, row: Row) -> Row:
    experiments = rows.all("experiments", row["_project"])
    used = [item["id"] for item in experiments if item["exposure_cohort"] == row["id"] and not item["deleted"]]
    return {**public(rows, row), "experiment_set": used}


def _start(call: Call, row: Row) -> None:
    if row["is_calculating"]:
        call.services.spawn(partial(calculate, call.services, row["id"]))


def _start_computed(compute: Compute, call: Call, row: Row) -> None:
    if row["is_calculating"] and row["query"] is not None:
        call.services.spawn(partial(_fill, compute, call, row))
    else:
        _start(call, row)


async def _fill(compute: Compute, call: Call, row: Row) -> None:
    """Fill a static cohort with the persons of its query, then count them."""
    services = call.services
    version = row["pending_version"]
    try:
        members = await persons_of_query(compute, call, row["query"])
    except ApiError as error:
        await to_thread.run_sync(_finish, services, row["id"], version, {"last_error_message": reason(error)})
        return
    await to_thread.run_sync(_keep_members, services, row["id"], version, members)
    await calculate(services, row["id"])


def _keep_members(services: Services, cohort_id: int, version: int | None, members: list[str]) -> None:
    with services.store.transaction() as rows:
        cohort = rows.get("cohorts", cohort_id)
        if cohort is not None and cohort["pending_version"] == version:
            rows.save("cohorts", {**cohort, "_members": members})


async def calculate(services: Services, cohort_id: int) -> None:
    """Count a cohort and store the count or the error, unless the cohort has changed in the meantime."""
    version = await to_thread.run_sync(_pending_version, services, cohort_id)
    try:
        project_id, sql = await to_thread.run_sync(_definition, services, cohort_id)
        count = (await services.events.rows(project_id, f"SELECT count() FROM ({sql})"))[0][0]
        outcome: Row = {"count": count, "errors_calculating": 0, "last_error_message": None}
    except (CohortError, EngineError, ApiError) as error:
        outcome = {"last_error_message": str(error)}
    await to_thread.run_sync(_finish, services, cohort_id, version, outcome)


def _pending_version(services: Services, cohort_id: int) -> int | None:
    with services.store.transaction() as rows:
        return (rows.get("cohorts", cohort_id) or {}).get("pending_version")


def _definition(services: Services, cohort_id: int) -> tuple[int, str]:
    with services.store.transaction() as rows:
        cohort = rows.get("cohorts", cohort_id)
        if cohort is None:
            raise CohortError("The cohort no longer exists.")
        return cohort["_project"], persons_of(rows, cohort)


def _finish(services: Services, cohort_id: int, version: int | None, outcome: Row) -> None:
    with services.store.transaction() as rows:
        cohort = rows.get("cohorts", cohort_id)
        if cohort is None or cohort["pending_version"] != version:
            return
        failed = {} if "count" in outcome else {"errors_calculating": cohort["errors_calculating"] + 1}
        done = {"is_calculating": False, "last_calculation": rows.now, "version": version}
        rows.save("cohorts", {**cohort, **done, **failed, **outcome})


async def calculate_pending(services: Services) -> None:
    """Count every cohort with a pending calculation."""
    for cohort_id in await to_thread.run_sync(_pending, services):
        await calculate(services, cohort_id)


def _pending(services: Services) -> list[int]:
    with services.store.transaction() as rows:
        return [cohort["id"] for cohort in rows.all("cohorts") if cohort["is_calculating"]]


def _kind(_rows: Rows, values: list[str]) -> Predicate:
    return lambda row: values[-1] not in {"static", "dynamic"} or row["is_static"] == (values[-1] == "static")


def _hide_behavioral(_rows: Rows, values: list[str]) -> Predicate:
    return lambda row: not truth(values[-1]) or "'behavioral'" not in str(row["filters"])


COHORTS = Resource(
    table="cohorts",
    fields=_FIELDS,
    defaults=_DEFAULTS,
    check=_check,
    stored=_detach,
    after=_start,
    show=_show,
    filters={
        "search": contains("name"),
        "type": _kind,
        "created_by_id": created_by,
        "hide_behavioral_cohorts": _hide_behavioral,
    },
    ordering=Ordering("-created_at,-id"),
)


def cohort_persons(rows: Rows, cohort: Row) -> str:
    """Return a SELECT of the cohort's person ids. Raises ApiError 400 when the sandbox cannot calculate the cohort."""
    try:
        return persons_of(rows, cohort)
    except CohortError as error:
        raise invalid(str(error)) from error


async def _persons(call: Call) -> Response:
    """Return a page of the cohort's persons, in the form of the list of persons."""

    def find() -> str:
        with call.services.store.transaction() as rows:
            return persons_of(rows, reach(COHORTS, rows, call))

    try:
        condition = f"id IN ({await to_thread.run_sync(find)})"
    except CohortError as error:
        raise invalid(str(error)) from error
    return json_response(await person_page(call, [condition]))


async def _add_persons(call: Call) -> Response:
    """Add persons to a static cohort."""

    def add() -> Row:
        ids = _person_ids(call.body.get("person_ids"))
        with call.services.store.transaction() as rows:
            cohort = reach(COHORTS, rows, call)
            if not cohort["is_static"]:
                raise invalid("Can only add users to static cohorts")
            members = list(dict.fromkeys([*cohort["_members"], *ids]))
            again = {"is_calculating": True, "pending_version": (cohort["pending_version"] or 0) + 1}
            return rows.save("cohorts", {**cohort, "_members": members, **again})

    _start(call, await to_thread.run_sync(add))
    return json_response({"success": True})


async def _duplicate(call: Call) -> Response:
    """Create a static cohort of a cohort's current persons; as in PostHog, this is a GET."""

    def find() -> tuple[Row, str]:
        with call.services.store.transaction() as rows:
            cohort = reach(COHORTS, rows, call)
            return cohort, cohort_persons(rows, cohort)

    cohort, sql = await to_thread.run_sync(find)
    members = [row[0] for row in await call.services.events.rows(call.project_id, f"SELECT toString(id) FROM ({sql})")]

    def make() -> tuple[Row, Row]:
        values = {"name": f"{cohort['name']} (static copy)", "is_static": True}
        body = {**values, "_create_static_person_ids": members}
        with call.services.store.transaction() as rows:
            row = add_row(COHORTS, Change(rows, call.project_id, body, values, None))
            return row, COHORTS.show(rows, row)

    row, shown = await to_thread.run_sync(make)
    _start(call, row)
    return json_response(shown)


def cohort_routes(compute: Compute) -> tuple[Route, ...]:
    """Return the routes of cohorts; `compute` runs the queries that static cohorts are created from."""
    item = "projects/{project_id}/cohorts/{id}"
    return (
        *routes(replace(COHORTS, after=partial(_start_computed, compute))),
        Route("GET", f"{item}/duplicate_as_static_cohort", _duplicate),
        Route("GET", f"{item}/persons", _persons),
        Route("PATCH", f"{item}/add_persons_to_static_cohort", _add_persons),
    )
