"""Views of insights (`viewed/`, `my_last_viewed/`, `trending/`) and `cancel/`. The sandbox has one user."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from anyio import to_thread
from starlette.responses import Response

from ...errors import ApiError, required
from ...http.fields import integers
from ...http.paging import positive
from ...http.resource import not_deleted, of_project
from ...http.responses import json_response
from ...http.routing import Call, Endpoint, Route
from ...values import Row
from .resource import INSIGHTS

_SHOWN, _DAYS, _MOST_DAYS = 10, 7, 3650


def _view(call: Call) -> None:
    if "insight_ids" not in call.body:
        raise required("insight_ids")
    requested = set(integers(call.body["insight_ids"], "insight_ids"))
    with call.services.store.transaction() as rows:
        for insight in of_project(rows, "insights", call.project_id):
            if insight["id"] in requested:
                rows.save("insights", {**insight, "last_viewed_at": rows.now})


async def _viewed(call: Call) -> Response:
    """Record views and return 201 without a body; ids that do not exist are ignored."""
    await to_thread.run_sync(_view, call)
    return Response(status_code=201)


def _latest(days: int, call: Call) -> list[Row]:
    limit = positive(call.params.get("limit"), _SHOWN)
    with call.services.store.transaction() as rows:
        since = datetime.fromisoformat(rows.now) - timedelta(days=days)
        seen = [
            row
            for row in of_project(rows, "insights", call.project_id)
            if not_deleted(call.params, row)
            and row["last_viewed_at"] is not None
            and datetime.fromisoformat(row["last_viewed_at"]) >= since
        ]
        seen.sort(key=lambda row: row["last_viewed_at"], reverse=True)
        return [INSIGHTS.show(rows, row) for row in seen[:limit]]


async def _my_last_viewed(call: Call) -> Response:
    return json_response(await to_thread.run_sync(partial(_latest, _MOST_DAYS), call))


async def _trending(call: Call) -> Response:
    """Return the insights viewed in the last `days`. With one user, each viewer is counted once."""
    days = min(positive(call.params.get("days"), _DAYS), _MOST_DAYS)
    return json_response(await to_thread.run_sync(partial(_latest, days), call))


async def _cancel(stop: Endpoint, call: Call) -> Response:
    """Cancel a query; return 201 without a body, even if it was not running."""
    wanted = call.body.get("client_query_id")
    if not isinstance(wanted, str) or not wanted:
        raise required("client_query_id")
    with suppress(ApiError):
        await stop(replace(call, arguments={**call.arguments, "id": wanted}))
    return Response(status_code=201)


def insight_view_routes(stop: Endpoint) -> tuple[Route, ...]:
    """Return the routes; `stop` cancels the query named in the path."""
    collection = "projects/{project_id}/insights"
    return (
        Route("POST", f"{collection}/viewed", _viewed),
        Route("GET", f"{collection}/my_last_viewed", _my_last_viewed),
        Route("GET", f"{collection}/trending", _trending),
        Route("POST", f"{collection}/cancel", partial(_cancel, stop)),
    )
