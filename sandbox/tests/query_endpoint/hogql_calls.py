"""HogQL queries to a running sandbox: the resulting value, or the reason of a rejection."""

from typing import Any

from ..sandbox_client import Serving


async def scalar(sandbox: Serving, text: str, **more: Any) -> Any:
    """Return the single value of a HogQL query, never cached; `more` is added to the query."""
    body = {"query": {"kind": "HogQLQuery", "query": text, **more}, "refresh": "force_blocking"}
    response = await sandbox.send("POST", "query/", body)
    assert response.status_code == 200, response.text
    return response.json()["results"][0][0]


async def rejection(sandbox: Serving, text: str, **more: Any) -> str:
    body = {"query": {"kind": "HogQLQuery", "query": text, **more}}
    status, _, detail, _ = await sandbox.rejection("POST", "query/", body)
    assert status == 400
    return detail
