"""Conditions for accepting HTTP requests, and the parts of them that reach the server: the application over ASGI."""

import hmac
import json
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.types import ListToolsResult, PaginatedRequestParams

from maton_posthog.server.settings import load
from maton_posthog.server.transports import http as transports
from tests.server.processes import INITIALIZE, HttpServer

pytestmark = pytest.mark.anyio

TOKEN = "token-0123456789"
ALLOWED = {"Authorization": f"Bearer {TOKEN}"}


class Listening:
    """A server that keeps the headers of each request for its tools."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        self.server: Server[Any] = Server("listening", on_list_tools=self._list_tools)

    async def _list_tools(
        self, context: ServerRequestContext[Any], _: PaginatedRequestParams | None
    ) -> ListToolsResult:
        assert context.request is not None
        self.headers.append(dict(context.request.headers))
        return ListToolsResult(tools=[])


@asynccontextmanager
async def client_of(server: Server[Any], monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[httpx2.AsyncClient]:
    """Return a client of the application that protects a server with the token."""
    monkeypatch.setenv("MATON_POSTHOG_TOKEN", TOKEN)
    app = transports.http_app(server, load(transport="http"))
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            yield client


async def opened(client: httpx2.AsyncClient) -> httpx2.Response:
    """Return the response to a request for a session of the older era."""
    body = HttpServer.request("initialize", INITIALIZE)
    return await client.post("/mcp", headers={**HttpServer.headers(), **ALLOWED}, content=body)


async def test_the_token_of_a_request_does_not_reach_the_server_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    listening = Listening()
    async with client_of(listening.server, monkeypatch) as client:
        session = (await opened(client)).headers["mcp-session-id"]
        headers = {**HttpServer.headers(session), **ALLOWED, "X-Kept": "1"}
        await client.post("/mcp", headers=headers, content=HttpServer.request("tools/list"))
    (seen,) = listening.headers
    assert seen["x-kept"] == "1"
    assert "authorization" not in seen
    assert TOKEN not in str(seen)


async def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[set[bytes]] = []
    compare = hmac.compare_digest

    def noted(one: Any, other: Any) -> bool:
        compared.append({text if isinstance(text, bytes) else str(text).encode() for text in (one, other)})
        return compare(one, other)

    for module in (hmac, secrets):
        monkeypatch.setattr(module, "compare_digest", noted)
    async with client_of(Listening().server, monkeypatch) as client:
        response = await client.get("/mcp", headers={"Authorization": "Bearer token-0123456780"})
    assert response.status_code == 401
    assert {TOKEN.encode(), b"token-0123456780"} in compared


async def test_a_request_with_too_many_values_does_not_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {**HttpServer.headers(), **ALLOWED}
    texts = {"text": 'a, "quoted", \\ text, ' * 20_000}
    async with client_of(Listening().server, monkeypatch) as client:
        for params, status in (({"x": [1] * 70_000}, 413), ({"x": [{"a": 1}] * 70_000}, 413), (texts, 400)):
            body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": params})
            response = await client.post("/mcp", headers=headers, content=body)
            assert response.status_code == status
