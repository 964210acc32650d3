"""MCP over HTTP: real sockets, both protocol eras, both HTTP transports, and access control."""

import json
from collections.abc import Generator
from typing import Any

import pytest
from mcp import Client
from mcp.client.sse import sse_client

from maton_posthog.server.transports.http import security
from tests.server.processes import EVERYWHERE, HttpServer, silent_gateway

pytestmark = pytest.mark.anyio

TOKEN = "token-0123456789"
MODERN: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
MODERN_HEADERS = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}


@pytest.fixture(scope="module")
def server() -> Generator[HttpServer]:
    with HttpServer() as started:
        yield started


@pytest.fixture(scope="module")
def guarded() -> Generator[HttpServer]:
    with HttpServer("--allowed-host", "mcp.example.com", host=EVERYWHERE, MATON_POSTHOG_TOKEN=TOKEN) as started:
        yield started


def authorization(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_both_eras_are_served_at_mcp(server: HttpServer, mode: str) -> None:
    async with Client(f"http://127.0.0.1:{server.port}/mcp", mode=mode) as client:
        listed = await client.list_tools()
    assert listed.tools


async def test_the_older_transport_is_served_at_sse(server: HttpServer) -> None:
    async with Client(sse_client(f"http://127.0.0.1:{server.port}/sse"), mode="legacy") as client:
        listed = await client.list_tools()
    assert listed.tools


@pytest.mark.parametrize(("transport", "path"), [("http", "/mcp"), ("sse", "/sse")])
def test_the_address_of_the_chosen_transport_is_logged(transport: str, path: str) -> None:
    with HttpServer(transport=transport) as server:
        assert server.url == f"http://127.0.0.1:{server.port}{path}"
        assert server.fetch("GET", "/healthz").status == 200
        assert server.open_session()


def test_a_session_of_the_older_era_lives_until_it_is_deleted(server: HttpServer) -> None:
    session = server.open_session()
    listed = server.fetch("POST", "/mcp", server.headers(session), server.request("tools/list"))
    assert listed.message()["result"]["tools"]
    assert server.fetch("DELETE", "/mcp", server.headers(session)).status == 200
    assert server.fetch("POST", "/mcp", server.headers(session), server.request("tools/list")).status == 404


def test_the_newer_era_needs_no_session(server: HttpServer) -> None:
    body = server.request("tools/list", {"_meta": MODERN})
    answer = server.fetch("POST", "/mcp", {**server.headers(), **MODERN_HEADERS}, body)
    assert answer.status == 200
    assert "mcp-session-id" not in answer.headers
    assert answer.message()["result"]["tools"]
    assert server.fetch("GET", "/mcp", {**server.headers(), **MODERN_HEADERS}).status == 405


def test_health_needs_no_token(guarded: HttpServer) -> None:
    answer = guarded.fetch("GET", "/healthz")
    assert (answer.status, answer.body) == (200, b"ok\n")


@pytest.mark.parametrize("path", ["/mcp", "/sse", "/messages/", "/healthz", "/nothing"])
@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1.evil.example.com", "127.0.0.1@evil.example.com", ""])
@pytest.mark.parametrize("everywhere", [False, True])
def test_an_unknown_host_is_rejected_at_every_endpoint(
    server: HttpServer, guarded: HttpServer, path: str, host: str, everywhere: bool
) -> None:
    chosen = guarded if everywhere else server
    method = "POST" if path in ("/mcp", "/messages/") else "GET"
    assert chosen.fetch(method, path, {**chosen.headers(), **authorization(), "Host": host}).status == 421


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", "http://127.0.0.1.evil.example.com"])
@pytest.mark.parametrize("everywhere", [False, True])
def test_an_unknown_origin_is_rejected_at_every_endpoint(
    server: HttpServer, guarded: HttpServer, origin: str, everywhere: bool
) -> None:
    chosen = guarded if everywhere else server
    for method, path in (("POST", "/mcp"), ("GET", "/sse"), ("POST", "/messages/"), ("GET", "/healthz")):
        headers = {**chosen.headers(), **authorization(), "Origin": origin}
        assert chosen.fetch(method, path, headers, b"{}" if method == "POST" else b"").status == 403


@pytest.mark.parametrize("host", ["mcp.example.com", "mcp.example.com:8443", "localhost", "127.0.0.1:1"])
def test_allowed_hosts_and_this_machine_are_accepted(guarded: HttpServer, host: str) -> None:
    headers = {**authorization(), "Host": host, "Origin": f"https://{host}"}
    assert guarded.fetch("GET", "/healthz", headers).status == 200
    assert guarded.open_session(**headers)


def test_a_host_allowed_with_a_port_is_rejected_on_another_port() -> None:
    settings = security(["mcp.example.com:8443", "[fd00::1]", "[fd00::2]:81"])
    named = [host for host in settings.allowed_hosts if "localhost" not in host and "127.0.0.1" not in host]
    assert named == ["[::1]", "[::1]:*", "mcp.example.com:8443", "[fd00::1]", "[fd00::1]:*", "[fd00::2]:81"]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": "Bearer \xe9\xff"},
        {"X-Maton-Api-Key": TOKEN},
    ],
)
def test_without_the_token_only_health_is_served(guarded: HttpServer, given: dict[str, str]) -> None:
    for method, path in (("POST", "/mcp"), ("GET", "/mcp"), ("GET", "/sse"), ("POST", "/messages/"), ("GET", "/x")):
        answer = guarded.fetch(method, path, given)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_session_id_alone_authorizes_nothing(guarded: HttpServer) -> None:
    session = guarded.open_session(**authorization())
    body = guarded.request("tools/list")
    assert guarded.fetch("POST", "/mcp", guarded.headers(session), body).status == 401
    assert guarded.fetch("POST", "/mcp", {**guarded.headers(session), **authorization("x")}, body).status == 401
    assert guarded.fetch("POST", "/mcp", {**guarded.headers(session), **authorization()}, body).status == 200


def test_the_token_of_a_client_never_reaches_the_gateway() -> None:
    with (
        silent_gateway() as gateway,
        HttpServer(MATON_API_KEY="mtk-0123456789", MATON_GATEWAY_URL=gateway.url, MATON_POSTHOG_TOKEN=TOKEN) as server,
    ):
        session = server.open_session(**authorization())
        call = server.request("tools/call", {"name": "list_flags", "arguments": {"project_id": 1}})
        headers = {**server.headers(session), **authorization(), "X-Maton-Api-Key": "other", "Cookie": "c=1"}
        with server.open_stream("POST", "/mcp", headers, call):
            request = gateway.wait_for_request()
    assert b"authorization: bearer mtk-0123456789" in request.lower()
    assert TOKEN.encode() not in request
    assert b"other" not in request
    assert b"c=1" not in request


LOOSENING = {
    "X-MCP-Readonly": "false", "X-Read-Only": "false", "Maton-Posthog-Read-Only": "0", "X-MCP-Toolsets": "all",
    "Maton-Connection": "9b1c7a52-0000-4000-8000-000000000009", "X-PostHog-Project-Id": "9", "X-PostHog-Read-Only": "0",
    "X-Maton-Api-Key": "another-key", "X-Forwarded-Host": "example.com", "X-HTTP-Method-Override": "DELETE",
}  # fmt: skip
"""Headers by which other servers, or a reader of our settings, would ask for more."""


def test_no_header_of_a_client_loosens_what_the_server_allows() -> None:
    with (
        silent_gateway() as gateway,
        HttpServer(
            *("--read-only", "--project", "1", "--connection", "0b6f7a52", "--toolsets", "flags,connections"),
            MATON_API_KEY="mtk-0123456789",
            MATON_GATEWAY_URL=gateway.url,
        ) as server,
    ):
        plain = server.open_session()
        asking = server.open_session(**LOOSENING)
        listed = [
            server.fetch("POST", "/mcp", {**server.headers(session), **more}, server.request("tools/list")).message()
            for session, more in ((plain, {}), (asking, LOOSENING))
        ]
        assert listed[0] == listed[1]
        headers = {**server.headers(asking), **LOOSENING}
        write = server.request(
            "tools/call", {"name": "create_flag", "arguments": {"key": "x", "rollout_percentage": 1}}
        )
        rejected = server.fetch("POST", "/mcp", headers, write).message()["result"]
        assert json.loads(rejected["content"][0]["text"])["error"]["code"] == "read_only"
        read = server.request("tools/call", {"name": "list_flags", "arguments": {}})
        with server.open_stream("POST", "/mcp", headers, read):
            request = gateway.wait_for_request().lower()
    assert request.startswith(b"get /posthog/api/projects/1/")
    assert b"maton-connection: 0b6f7a52" in request
    assert b"authorization: bearer mtk-0123456789" in request
    assert all(value.lower().encode() not in request for value in LOOSENING.values() if len(value) > 5)


@pytest.mark.parametrize("path", ["/mcp", "/messages/?session_id=00000000000000000000000000000000"])
def test_a_form_post_is_rejected(server: HttpServer, path: str) -> None:
    headers = {**server.headers(), "Content-Type": "text/plain"}
    assert server.fetch("POST", path, headers, server.request("ping")).status == 400


@pytest.mark.parametrize("path", ["/mcp", "/messages/"])
def test_a_body_over_4_mib_is_rejected(server: HttpServer, path: str) -> None:
    headers = {**server.headers(), "Content-Length": str(5 * 1024 * 1024)}
    with server.open_stream("POST", path, headers) as stream:
        assert b" 413 " in stream.read_until(b"\r\n")


def test_invalid_bodies_get_an_error_and_the_next_call_works(server: HttpServer) -> None:
    session = server.open_session()
    for body in (b"not json", b"[" * 100_000, b"\xff", b"[]", b'{"jsonrpc":"2.0","id":1,"method":5}'):
        answer = server.fetch("POST", "/mcp", server.headers(session), body)
        assert answer.status == 400
        assert json.loads(answer.body)["error"]["code"] in (-32700, -32600, -32602)
    assert server.fetch("POST", "/mcp", server.headers(session), server.request("ping")).status == 200


@pytest.mark.parametrize("number", [b"1.5", b"null", b"true", b"{}", b"[1]"])
def test_a_request_with_a_wrong_id_gets_an_error(server: HttpServer, number: bytes) -> None:
    session = server.open_session()
    request = b'{"jsonrpc":"2.0","method":"tools/list","id":%s}' % number
    answer = server.fetch("POST", "/mcp", server.headers(session), request)
    assert answer.status == 400
    assert json.loads(answer.body) == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -32600, "message": "The id of a request must be a string or an integer."},
    }
    with server.open_stream("GET", "/sse") as stream:
        address = stream.read_until(b"session_id=") + stream.read_until(b"\r\n")
        path = "/messages/" + address.decode().rpartition("/messages/")[2].strip()
        assert server.fetch("POST", path, server.headers(), request).status == 400


def test_a_request_to_resume_a_stream_opens_a_new_one(server: HttpServer) -> None:
    asked = {"Mcp-Session-Id": server.open_session(), "Accept": "text/event-stream", "Last-Event-ID": "7"}
    with server.open_stream("GET", "/mcp", asked) as stream:
        assert b"200 OK" in stream.read_until(b"\r\n\r\n")


def test_a_call_whose_arguments_are_null_is_a_call_without_arguments(server: HttpServer) -> None:
    body = server.request("tools/call", {"name": "get_query_result", "arguments": None})
    answer = server.fetch("POST", "/mcp", server.headers(server.open_session()), body)
    assert answer.status == 200
    assert b"query_id" in answer.body


def test_nothing_is_written_to_stdout() -> None:
    with HttpServer("--log-level", "debug") as server:
        server.open_session()
        server.fetch("GET", "/nothing?secret=1")
        server.process.terminate()
        assert server.exit_code() == 0
        assert server.lines == []
        assert "secret" not in "\n".join(server.errors)
