"""A REST resource as one record, with generic handlers for list, get, create, update and delete."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial

from anyio import to_thread
from starlette.datastructures import QueryParams
from starlette.responses import Response

from ..errors import destroy_forbidden, not_found
from ..identity import user_basic
from ..storage.store import Rows
from ..values import Row, integer_id
from .fields import Field, checked
from .filters import Filter, Ordering, selected
from .paging import DEFAULT_LIMIT, counted, limit_offset
from .responses import json_response
from .routing import Call, Route


@dataclass(frozen=True, slots=True)
class Change:
    """One create or update inside its transaction.

    `values` are the checked fields of `body`; `before` is the stored row, None on create.
    """

    rows: Rows
    project_id: int
    body: Row
    values: Row
    before: Row | None


def _keep(_change: Change, row: Row) -> Row:
    return row


def _nothing(_change: Change, _row: Row) -> None:
    return None


def public(_rows: Rows, row: Row) -> Row:
    """Return the row without the sandbox's internal fields."""
    return {name: value for name, value in row.items() if not name.startswith("_")}


def always(_call: Call, _row: Row) -> bool:
    """Let deleted rows be read and changed."""
    return True


def alive_or_restored(call: Call, row: Row) -> bool:
    """Hide a deleted row except from the PATCH that restores it with `"deleted": false`."""
    return not row["deleted"] or (call.method == "PATCH" and call.body.get("deleted") is False)


def not_deleted(_params: QueryParams, row: Row) -> bool:
    """Leave deleted rows out of lists."""
    return not row["deleted"]


def of_project(rows: Rows, table: str, project_id: int) -> list[Row]:
    """Return the rows that belong to the project."""
    return rows.all(table, project_id)


def by_id(rows: Rows, table: str, key: str) -> Row | None:
    """Return the row with an integer id."""
    number = integer_id(key)
    return None if number is None else rows.get(table, number)


def by_uuid(rows: Rows, table: str, key: str) -> Row | None:
    """Return the row with a UUID."""
    return rows.get(table, key)


def _no_filters() -> Mapping[str, Filter]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource; `table` is also its path segment.

    `defaults` are the fields of a new row. `check` can reject or complete a row before it is stored; `stored` updates
    related rows once the row has its id; `after` starts background work after the commit. With `destroy`, DELETE
    removes the row (204); without it, DELETE returns 405 with an empty body.
    """

    table: str
    fields: tuple[Field, ...]
    defaults: Row
    check: Callable[[Change, Row], Row] = _keep
    stored: Callable[[Change, Row], None] = _nothing
    after: Callable[[Call, Row], None] = lambda _call, _row: None
    show: Callable[[Rows, Row], Row] = public
    show_in_list: Callable[[Rows, Row], Row] | None = None
    show_saved: Callable[[Rows, Row], Row] | None = None
    reachable: Callable[[Call, Row], bool] = always
    listed: Callable[[QueryParams, Row], bool] = not_deleted
    candidates: Callable[[Rows, str, int], list[Row]] = of_project
    find: Callable[[Rows, str, str], Row | None] = by_id
    destroy: Callable[[Rows, Row], None] | None = None
    filters: Mapping[str, Filter] = field(default_factory=_no_filters)
    ordering: Ordering = field(default_factory=Ordering)
    page_size: int = DEFAULT_LIMIT
    paginated: bool = True


def routes(resource: Resource) -> tuple[Route, ...]:
    """Return the routes to list, create, get, update and delete at the two usual paths."""
    collection = f"projects/{{project_id}}/{resource.table}"
    item = f"{collection}/{{id}}"
    return (
        Route("GET", collection, partial(_in_thread, resource, list_rows, 200)),
        Route("POST", collection, partial(_saving, resource, create_row, 201)),
        Route("GET", item, partial(_in_thread, resource, get_row, 200)),
        Route("PATCH", item, partial(_saving, resource, update_row, 200)),
        Route("PUT", item, partial(_saving, resource, update_row, 200)),
        Route("DELETE", item, partial(_destroy, resource)),
    )


async def _in_thread(resource: Resource, act: Callable[[Resource, Call], Row], status: int, call: Call) -> Response:
    return json_response(await to_thread.run_sync(act, resource, call), status)


async def _saving(
    resource: Resource, act: Callable[[Resource, Call], tuple[Row, Row]], status: int, call: Call
) -> Response:
    row, shown = await to_thread.run_sync(act, resource, call)
    resource.after(call, row)
    return json_response(shown, status)


async def _destroy(resource: Resource, call: Call) -> Response:
    if resource.destroy is None:
        raise destroy_forbidden()
    await to_thread.run_sync(_destroy_row, resource, resource.destroy, call)
    return Response(status_code=204)


def _destroy_row(resource: Resource, destroy: Callable[[Rows, Row], None], call: Call) -> None:
    with call.services.store.transaction() as rows:
        destroy(rows, reach(resource, rows, call))


def list_rows(resource: Resource, call: Call) -> Row:
    """Return one page of the list."""
    with call.services.store.transaction() as rows:
        found = [
            row
            for row in resource.candidates(rows, resource.table, call.project_id)
            if resource.listed(call.params, row)
        ]
        found = selected(rows, found, call.params, resource.filters)
        found = resource.ordering.sorted(found, call.params)
        show = partial(resource.show_in_list or resource.show, rows)
        if not resource.paginated:
            return counted(call.params, found, show)
        return limit_offset(call.address, call.query, call.params, found, show, resource.page_size)


def get_row(resource: Resource, call: Call) -> Row:
    """Return one row."""
    with call.services.store.transaction() as rows:
        return resource.show(rows, reach(resource, rows, call))


def create_row(resource: Resource, call: Call) -> tuple[Row, Row]:
    """Create a row; return it as stored and as shown."""
    values = checked(resource.fields, call.body, partial=False)
    with call.services.store.transaction() as rows:
        change = Change(rows, call.project_id, call.body, values, None)
        row = add_row(resource, change)
        return row, (resource.show_saved or resource.show)(rows, row)


def add_row(resource: Resource, change: Change) -> Row:
    """Store a new row and the rows that depend on it."""
    stamps: Row = {"created_at": change.rows.now, "created_by": user_basic()}
    if "updated_at" in resource.defaults:
        stamps["updated_at"] = change.rows.now
    row = resource.check(change, {**deepcopy(resource.defaults), **change.values, **stamps})
    row = change.rows.insert(resource.table, change.project_id, row)
    resource.stored(change, row)
    _log(resource, change, row, "created")
    return row


def update_row(resource: Resource, call: Call) -> tuple[Row, Row]:
    """Update a row; return it as stored and as shown. PUT, unlike PATCH, needs all required fields."""
    with call.services.store.transaction() as rows:
        before = reach(resource, rows, call)
        values = checked(resource.fields, call.body, partial=call.method == "PATCH")
        change = Change(rows, call.project_id, call.body, values, before)
        row = change_row(resource, change, before)
        return row, (resource.show_saved or resource.show)(rows, row)


def change_row(resource: Resource, change: Change, before: Row) -> Row:
    """Store a changed row and the rows that depend on it."""
    stamps: Row = {"updated_at": change.rows.now} if "updated_at" in resource.defaults else {}
    row = resource.check(change, {**before, **change.values, **stamps})
    change.rows.save(resource.table, row)
    resource.stored(change, row)
    _log(resource, change, row, "deleted" if row.get("deleted") and not before.get("deleted") else "updated")
    return row


def _log(resource: Resource, change: Change, row: Row, activity: str) -> None:
    """Log a change for `{id}/activity/`, except to rows that the sandbox created internally."""
    if row.get("_internal"):
        return
    before = change.before or {}
    changes = [
        {"field": name, "before": before.get(name), "after": row.get(name)}
        for name in change.values
        if change.before is not None and before.get(name) != row.get(name)
    ]
    logged: Row = {
        "table": resource.table,
        "item": row["id"],
        "activity": activity,
        "name": row.get("key") or row.get("name"),
        "short_id": row.get("short_id"),
        "changes": changes,
        "user": user_basic(),
        "created_at": change.rows.now,
    }
    change.rows.insert("activity", change.project_id, logged)


def reach(resource: Resource, rows: Rows, call: Call) -> Row:
    """Return the row named by the path. Raises ApiError 404 when this project or method cannot see it."""
    row = resource.find(rows, resource.table, call.arguments["id"])
    if row is None or not resource.reachable(call, row) or not _belongs(resource, rows, row, call.project_id):
        raise not_found()
    return row


def _belongs(resource: Resource, rows: Rows, row: Row, project_id: int) -> bool:
    if row["_project"] == project_id:
        return True
    return any(seen["id"] == row["id"] for seen in resource.candidates(rows, resource.table, project_id))
