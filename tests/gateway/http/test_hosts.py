import logging
import socket
import time
from collections import Counter
from typing import Any

import anyio
import pytest

from maton_posthog.gateway.budget import Budget
from maton_posthog.gateway.errors import GatewayError
from maton_posthog.gateway.http import hosts
from maton_posthog.gateway.http.request import Request

from ..conftest import Opener
from ..fake_gateway import CANARY, FakeGateway, Peer, Received, drop, reply

pytestmark = pytest.mark.anyio

READ = Request(method="GET", path="/api/x/", writes=False, budget=Budget.CRUD)
WRITE = Request(method="POST", path="/api/x/", writes=True, budget=Budget.CRUD, body={})
LIST = Request(method="GET", path="/connections", writes=False, budget=Budget.CONTROL, plane="control")
MATON = ("https://gateway.maton.ai", "https://api.maton.ai")


@pytest.fixture
def nobody() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


def soon() -> float:
    return time.monotonic() + 10


@pytest.mark.parametrize("request_", [READ, WRITE], ids=["read", "write"])
async def test_a_host_that_cannot_be_reached_gives_way_to_the_next(
    fake: FakeGateway, gateway: Opener, nobody: str, caplog: pytest.LogCaptureFixture, request_: Request
) -> None:
    client = gateway(gateway_urls=(nobody, fake.url))
    for _ in range(3):
        await client.send(request_, soon())
    assert len(fake.received) == 3
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warnings == [f"{hosts.netloc(nobody)} cannot be reached; using {hosts.netloc(fake.url)}"]


async def test_32_calls_at_once_change_the_host_together_and_log_it_once(
    fake: FakeGateway, gateway: Opener, nobody: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = gateway(gateway_urls=(nobody, fake.url))
    async with anyio.create_task_group() as group:
        for number in range(32):
            group.start_soon(client.send, (READ, WRITE)[number % 2], soon())
    assert Counter(request.method for request in fake.received) == {"GET": 16, "POST": 16}
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1


async def test_each_plane_changes_its_host_separately(fake: FakeGateway, gateway: Opener, nobody: str) -> None:
    client = gateway(gateway_urls=(nobody, fake.url), control_urls=(fake.url,))
    await client.send(LIST, soon())
    await client.send(READ, soon())
    assert [request.path for request in fake.received] == ["/connections", "/posthog/api/x/"]


async def test_a_host_that_responds_or_disconnects_is_kept(fake: FakeGateway, gateway: Opener) -> None:
    async with FakeGateway() as other:
        client = gateway(gateway_urls=(fake.url, other.url))
        for behaviour in (drop, reply(502, b""), reply(404, b""), reply(302, b"", location=other.url)):
            fake.answers(behaviour)
            with pytest.raises(GatewayError):
                await client.send(READ, soon())
        assert other.connections == 0


async def test_when_no_host_can_be_reached_the_last_one_is_named(gateway: Opener, nobody: str) -> None:
    client = gateway(gateway_urls=("http://127.0.0.1:1", nobody))
    with pytest.raises(GatewayError, match=hosts.netloc(nobody)) as error:
        await client.send(WRITE, soon())
    assert error.value.outcome == "not_sent"


class Tunnel:
    """A proxy that rejects every CONNECT and records what it received."""

    def __init__(self) -> None:
        self.seen: list[Received] = []

    async def __call__(self, request: Received, peer: Peer) -> None:
        self.seen.append(request)
        await reply(502, b"")(request, peer)
        peer.close()


async def test_a_proxy_that_cannot_reach_a_host_received_no_key(
    fake: FakeGateway, gateway: Opener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "maton_posthog")
    set_proxies(monkeypatch, HTTPS_PROXY=f"http://user:pa55%20word@127.0.0.1:{fake.port}")
    tunnel = Tunnel()
    fake.answers(tunnel)
    client = gateway(gateway_urls=MATON, control_urls=("https://ctrl.maton.ai",))
    with pytest.raises(GatewayError) as error:
        await client.send(WRITE, soon())
    assert (error.value.code, error.value.outcome) == ("unavailable", "not_sent")
    assert [request.target for request in tunnel.seen][:2] == ["gateway.maton.ai:443", "api.maton.ai:443"]
    assert {request.method for request in tunnel.seen} == {"CONNECT"}
    assert all(CANARY.encode() not in request.raw for request in tunnel.seen)
    assert {request.headers["proxy-authorization"] for request in tunnel.seen} == {"Basic dXNlcjpwYTU1IHdvcmQ="}
    told = [record.getMessage() for record in caplog.records if "proxy" in record.getMessage()]
    assert told == [
        f"requests to {host} go through the proxy 127.0.0.1:{fake.port}"
        for host in ("gateway.maton.ai", "api.maton.ai", "ctrl.maton.ai")
    ]
    assert "pa55" not in caplog.text


async def test_requests_to_this_machine_use_no_proxy(
    fake: FakeGateway, gateway: Opener, nobody: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "maton_posthog")
    set_proxies(monkeypatch, HTTP_PROXY=nobody, HTTPS_PROXY=nobody, ALL_PROXY=nobody)
    await gateway().send(READ, soon())
    await gateway(gateway_urls=(f"http://localhost:{fake.port}",)).send(READ, soon())
    assert len(fake.received) == 2
    assert "proxy" not in caplog.text


@pytest.mark.parametrize(
    "variables",
    [{"ALL_PROXY": "socks5://127.0.0.1:9"}, {"HTTPS_PROXY": "gopher://127.0.0.1:9"}],
    ids=["socks", "unknown scheme"],
)
async def test_a_proxy_that_cannot_be_used_is_one_line_with_the_remedy(
    gateway: Opener, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    set_proxies(monkeypatch, **variables)
    with pytest.raises(GatewayError) as error:
        await gateway(gateway_urls=MATON).send(READ, soon())
    assert (error.value.code, error.value.outcome) == ("unavailable", "not_sent")
    assert "HTTPS_PROXY" in str(error.value.hint)


@pytest.mark.parametrize(
    ("found", "named"),
    [
        ({}, {}),
        ({"https": "http://proxy.example:3128"}, {"api.maton.ai": "proxy.example:3128"}),
        ({"https": "proxy.example:3128"}, {"api.maton.ai": "proxy.example:3128"}),
        ({"all": "http://u:p%40ss@proxy.example"}, {"api.maton.ai": "proxy.example"}),
        ({"all": "http://u:p@ss@proxy.example:1"}, {"api.maton.ai": "proxy.example:1"}),
        ({"http": "http://proxy.example:3128"}, {}),
    ],
)
def test_a_proxy_is_named_by_host_and_port_only(
    monkeypatch: pytest.MonkeyPatch, found: dict[str, str], named: dict[str, str]
) -> None:
    set_proxies(monkeypatch)
    assert hosts.proxies(["https://api.maton.ai/posthog", "http://127.0.0.1:8000"], found) == named


def test_the_no_proxy_variable_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    set_proxies(monkeypatch, HTTPS_PROXY="http://proxy.example:3128", NO_PROXY="maton.ai")
    assert hosts.proxies(["https://api.maton.ai"]) == {}


def test_loopback_hosts_are_reached_directly_whatever_the_environment() -> None:
    found = {"http": "http://proxy.example", "https": "http://proxy.example", "all": "proxy.example"}
    bases = [
        "http://127.0.0.1:1/posthog",
        "http://[::1]:2",
        "http://localhost:3",
        "https://localhost",
        "https://a.example",
    ]
    assert [hosts.proxy_of(base, found) for base in bases] == [None, None, None, None, "http://proxy.example"]


def set_proxies(monkeypatch: pytest.MonkeyPatch, **variables: Any) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
