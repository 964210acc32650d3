"""Issues of error tracking, which are only read: they follow from the exceptions."""

from functools import partial

from starlette.responses import Response

from ..errors import not_found
from ..http.responses import json_response
from ..http.routing import Call, Route
from ..queries.error_issues import ALL_ISSUES, issues_by_id
from .insights.resource import RunQuery


async def _get(run_query: RunQuery, call: Call) -> Response:
    found = await run_query(call, {"kind": "HogQLQuery", "query": ALL_ISSUES})
    issue = issues_by_id(found["results"]).get(call.arguments["id"].lower())
    if issue is None:
        raise not_found()
    return json_response({**issue, "external_issues": [], "cohort": None})


def error_issue_routes(run_query: RunQuery) -> tuple[Route, ...]:
    """Return the routes of issues; `run_query` reads the exceptions."""
    return (Route("GET", "projects/{project_id}/error_tracking/issues/{id}", partial(_get, run_query)),)
