"""Requests over TLS: certificates are verified, and a request through a proxy has left only when the tunnel is open."""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from maton_posthog.gateway import client as client_module
from maton_posthog.gateway.budget import Budget
from maton_posthog.gateway.client import Gateway
from maton_posthog.gateway.errors import GatewayError
from maton_posthog.gateway.http.request import Request

from ..conftest import Opener, inside
from ..fake_gateway import CANARY, Behaviour, FakeGateway, Peer, Received, after, drip, drop, hang, hang_up, raw
from .test_hosts import set_proxies

pytestmark = pytest.mark.anyio

WITHIN_S = 60.0
"""A deadline that only passes when time is skipped."""
READ = Request(method="GET", path="/api/x/", writes=False, budget=Budget.CRUD)
WRITE = Request(method="POST", path="/api/x/", writes=True, budget=Budget.CRUD, body={})


def certificate(folder: Path) -> Path:
    """Return a self-signed certificate for 127.0.0.1 with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


@asynccontextmanager
async def tls_server(pem: Path, received: list[bytes]) -> AsyncGenerator[str]:
    """Run an HTTPS server that records every request it can read; yield its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            received.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(raw(200, b'{"id": 1}', connection="close"))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_nothing_is_sent_to_a_host_whose_certificate_is_not_trusted(
    gateway: Opener, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_proxies(monkeypatch)
    received: list[bytes] = []
    pem = certificate(tmp_path)
    async with tls_server(pem, received) as url:
        with pytest.raises(GatewayError) as error:
            await gateway(gateway_urls=(url,)).send(WRITE, time.monotonic() + WITHIN_S)
        assert (error.value.code, error.value.outcome) == ("unavailable", "not_sent")
        assert received == []
        # The same host is fine once the environment trusts its certificate.
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        assert await gateway(gateway_urls=(url,)).send(WRITE, time.monotonic() + WITHIN_S) == {"id": 1}
    assert CANARY.encode() in received[0]


@pytest.mark.parametrize("behaviour", [drop, hang_up, hang], ids=["reset", "closed", "silent"])
async def test_a_write_whose_proxy_opens_no_tunnel_was_not_sent(
    fake: FakeGateway,
    gateway: Opener,
    skip: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
    behaviour: Behaviour,
) -> None:
    set_proxies(monkeypatch, HTTPS_PROXY=fake.url)
    monkeypatch.setattr(client_module, "CONNECT_TIMEOUT_S", 2 * WITHIN_S)
    fake.answers(after(partial(skip, WITHIN_S), hang) if behaviour is hang else behaviour)
    with pytest.raises(GatewayError) as error:
        await gateway(gateway_urls=("https://gateway.maton.ai",)).send(WRITE, time.monotonic() + WITHIN_S)
    assert error.value.outcome == "not_sent"
    assert {request.method for request in fake.received} == {"CONNECT"}


async def test_a_response_that_is_too_large_closes_its_connection(fake: FakeGateway, gateway: Opener) -> None:
    closed = asyncio.Event()
    fake.answers(endless(closed.set))
    client = gateway()
    with pytest.raises(GatewayError) as error:
        await client.send(READ, time.monotonic() + WITHIN_S)
    assert error.value.code == "response_too_large"
    assert open_connections(client) == []
    async with asyncio.timeout(10):
        await closed.wait()


async def test_a_cancelled_call_leaves_no_connection_behind(fake: FakeGateway, gateway: Opener) -> None:
    client = gateway()
    with anyio.CancelScope() as scope:
        fake.answers(drip({"id": 1}, half_way=scope.cancel))
        await client.send(READ, time.monotonic() + WITHIN_S)
    assert scope.cancelled_caught
    assert open_connections(client) == []


def open_connections(client: Gateway) -> list[Any]:
    """Return the connections that the pool of a gateway keeps."""
    return [connection for pool in inside(client)._http.all for connection in pool.connections]


def endless(at_end: Callable[[], None]) -> Behaviour:
    """Send an endless body while the client reads."""

    async def behave(_: Received, peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                await peer.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        finally:
            at_end()

    return behave
