"""Streamable HTTP, 2026-07-28: a small proxied call, and many at once, each on a connection that stays open."""

import http.client
import json
import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from .process import Process, request

VERSION = "2026-07-28"
TOOL = "list_flags"
_META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": VERSION,
    "Mcp-Method": "tools/call",
    "Mcp-Name": TOOL,
}
_LONGEST_S = 60.0


class HttpPeer:
    """A server that is called over HTTP. Connections are kept."""

    def __init__(self, stack: ExitStack, module: str, *arguments: str, variables: Mapping[str, str]) -> None:
        port = _free_port()
        given = [argument.format(port=port) for argument in arguments]
        self.process = stack.enter_context(Process(module, *given, variables=variables, longest_s=600, quiet=True))
        self._port = port
        self._connections: list[http.client.HTTPConnection] = []
        _wait_for(port)

    def call(self, arguments: Mapping[str, Any], at_once: int) -> None:
        """Call the tool this many times concurrently. Raises RuntimeError for an error."""
        while len(self._connections) < at_once:
            self._connections.append(http.client.HTTPConnection("127.0.0.1", self._port, timeout=_LONGEST_S))
        params = {"name": TOOL, "arguments": arguments, "_meta": _META}
        body = json.dumps(request(1, "tools/call", params)).encode()
        for connection in self._connections[:at_once]:
            connection.request("POST", "/mcp", body, _HEADERS)
        for connection in self._connections[:at_once]:
            text = connection.getresponse().read()
            if b'"isError":false' not in text:
                raise RuntimeError(f"the server returned {text[:300]!r}")


def peers(stack: ExitStack, gateway_url: str, settings: Mapping[str, str]) -> tuple[HttpPeer, HttpPeer]:
    """Start this server and the simplest one. Both have answered a call."""
    ours = HttpPeer(stack, "maton_posthog.server", "--transport", "http", "--port", "{port}", variables=settings)
    least = HttpPeer(stack, "bench.http_proxy", gateway_url, "{port}", variables={})
    for peer in (ours, least):
        _until_ready(peer)
    return ours, least


def _until_ready(peer: HttpPeer) -> None:
    deadline = time.monotonic() + _LONGEST_S
    while True:
        try:
            peer.call({"limit": 1}, 1)
        except RuntimeError:  # it is loading
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _LONGEST_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
