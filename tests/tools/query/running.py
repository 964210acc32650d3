"""Queries of the tests, against a fake of PostHog."""

import re
from typing import Any

from maton_posthog.tools.operation import Operation
from maton_posthog.tools.query.operations import OPERATIONS

from ..posthog import fake
from ..posthog.fake import QUERY_PATH, FakeCall, Sent, answer

(RUN, RESULT, CANCEL) = OPERATIONS
POST = f"POST {QUERY_PATH}"
DELETE = "DELETE /api/projects/{project_id}/query/{query_id}/"
POLL = "GET /api/projects/{project_id}/query/{query_id}/"
SQL = "SELECT event, count() FROM events GROUP BY event ORDER BY event"


async def run(operation: Operation[Any], api: FakeCall, **arguments: Any) -> dict[str, Any]:
    """Run a query without the check, whose look-ups are tested in test_check.py."""
    unchecked = {"check": "off"} if operation is RUN else {}
    return await fake.run(operation, api, **(unchecked | arguments))


def rows(count: int, **changes: Any) -> dict[str, Any]:
    results = [[f"event {number}", number] for number in range(count)]
    return answer("hogql_response_with_limit_in_sql", results=results, **changes)


def sent_sql(api: FakeCall) -> str:
    assert api.last.body is not None
    return api.last.body["query"]["query"]


def sent_body(api: FakeCall) -> dict[str, Any]:
    """Return the body of the last request without the id that cancels the query."""
    return sent_body_of(api.last)


def sent_body_of(sent: Sent) -> dict[str, Any]:
    assert sent.body is not None
    assert re.fullmatch("[0-9a-f]{32}", sent.body["client_query_id"])
    return {name: value for name, value in sent.body.items() if name != "client_query_id"}
