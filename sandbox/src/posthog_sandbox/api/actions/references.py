"""References to an action: `actions/{id}/references/`, and their number in lists with `include_reference_count`."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from anyio import to_thread
from starlette.responses import Response

from ...http.resource import list_rows, of_project, reach, routes
from ...http.responses import json_response
from ...http.routing import Call, Endpoint, Route
from ...storage.store import Rows
from ...values import Row, as_list, as_object
from .resource import ACTIONS

_AT_MOST = 50
_OF_EXPERIMENTS = (
    "metrics",
    "metrics_secondary",
    "filters",
    "parameters",
    "exposure_criteria",
    "stats_config",
    "scheduling_config",
)


def _nodes(value: Any) -> Iterator[Row]:
    """Yield every JSON object inside a value, including the value."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        found = as_object(item)
        if found is not None:
            yield found
            waiting += found.values()
        else:
            waiting += as_list(item) or []


def _uses(value: Any, id: int) -> bool:
    return any(
        ((node.get("kind") == "ActionsNode" or node.get("type") == "actions") and _is(node.get("id"), id))
        or _is(node.get("actionId"), id)
        for node in _nodes(value)
    )


def _is_of_cohort(filters: Any, id: int) -> bool:
    return any(
        (node.get("event_type") == "actions" and _is(node.get("key"), id))
        or (node.get("seq_event_type") == "actions" and _is(node.get("seq_event"), id))
        for node in _nodes(filters)
    )


def _is(value: object, id: int) -> bool:
    return not isinstance(value, bool) and value in (id, str(id))


def references(rows: Rows, action: Row) -> list[Row]:
    """Return insights, experiments and cohorts: `{"type", "id", "name", "url", "created_at", "created_by"}`."""
    id, project = action["id"], action["_project"]
    insights = [row for row in of_project(rows, "insights", project) if _uses([row["query"], row["filters"]], id)]
    experiments = [
        row for row in of_project(rows, "experiments", project) if _uses([row[name] for name in _OF_EXPERIMENTS], id)
    ]
    cohorts = [row for row in of_project(rows, "cohorts", project) if _is_of_cohort(row["filters"], id)]
    named = [("insight", row["short_id"], row["name"] or row["derived_name"], row) for row in insights]
    named += [("experiment", str(row["id"]), row["name"], row) for row in experiments]
    named += [("cohort", str(row["id"]), row["name"], row) for row in cohorts]
    return [
        {
            "type": kind,
            "id": key,
            "name": name or "Unnamed",
            "url": f"/{kind}s/{key}",
            "created_at": row["created_at"],
            "created_by": row["created_by"],
        }
        for kind, key, name, row in named
        if not row["deleted"]
    ]


def _references(call: Call) -> list[Row]:
    with call.services.store.transaction() as rows:
        return references(rows, reach(ACTIONS, rows, call))[:_AT_MOST]


async def _list_references(call: Call) -> Response:
    return json_response(await to_thread.run_sync(_references, call))


def _with_counts(call: Call) -> Row:
    page = list_rows(ACTIONS, call)
    with call.services.store.transaction() as rows:
        for shown in page["results"]:
            action = rows.get(ACTIONS.table, shown["id"])
            shown["reference_count"] = 0 if action is None else len(references(rows, action))
    return page


async def _list(plain: Endpoint, call: Call) -> Response:
    """Return a page of actions. As in PostHog, any value of `include_reference_count` adds the counts."""
    if not call.params.get("include_reference_count"):
        return await plain(call)
    return json_response(await to_thread.run_sync(_with_counts, call))


_COLLECTION = f"projects/{{project_id}}/{ACTIONS.table}"
ROUTES = (
    *(
        replace(route, endpoint=partial(_list, route.endpoint))
        if (route.method, route.path) == ("GET", _COLLECTION)
        else route
        for route in routes(ACTIONS)
    ),
    Route("GET", f"{_COLLECTION}/{{id}}/references", _list_references),
)
