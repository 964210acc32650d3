"""What the HTTP port answers before the server behind it is imported."""

import contextlib
import signal
import socket
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

import httpx2
import pytest

from maton_posthog.server.starting.listening import LoadingResponder, listen
from tests.server.processes import ServerProcess


@contextmanager
def responder() -> Generator[str]:
    with listen("127.0.0.1", 0) as listener:
        answering = LoadingResponder(listener)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            answering.stop()


def test_it_is_healthy_and_asks_everybody_else_to_come_again() -> None:
    with responder() as url, httpx2.Client() as client:
        healthy = client.get(f"{url}/healthz")
        posted = client.post(f"{url}/mcp", content=b"x" * 300_000)
        streamed = client.get(f"{url}/sse")
    assert (healthy.status_code, healthy.text) == (200, "ok\n")
    assert [(each.status_code, each.headers["Retry-After"]) for each in (posted, streamed)] == [(503, "1")] * 2


def test_clients_that_send_nothing_or_nonsense_or_leave_do_not_end_it() -> None:
    with responder() as url, httpx2.Client() as client:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        with socket.create_connection(address) as nonsense:
            nonsense.sendall(b"\xff" * 20_000)
        socket.create_connection(address).close()
        with socket.create_connection(address):  # it is not waited for longer than a moment
            assert client.get(f"{url}/healthz", timeout=60).status_code == 200


def test_a_client_that_sends_byte_by_byte_does_not_hold_up_the_start() -> None:
    with listen("127.0.0.1", 0) as listener:
        answering = LoadingResponder(listener)
        with socket.create_connection(listener.getsockname()) as client:
            done = threading.Event()

            def drip() -> None:
                with contextlib.suppress(OSError):
                    while not done.wait(0.05):
                        client.sendall(b"x")

            dripping = threading.Thread(target=drip)
            dripping.start()
            try:
                stopping = threading.Thread(target=answering.stop, daemon=True)
                stopping.start()
                stopping.join(60)
                assert not stopping.is_alive()
            finally:
                done.set()
                dripping.join()


def test_the_socket_is_free_for_the_server_afterwards() -> None:
    with listen("127.0.0.1", 0) as listener:
        LoadingResponder(listener).stop()
        with socket.create_connection(listener.getsockname()) as client:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"served")
                assert client.recv(6) == b"served"


HELD = """
import signal, sys, threading
from maton_posthog.server.starting import process as start
from maton_posthog.server.__main__ import main

go_on = threading.Event()
signal.signal(signal.SIGUSR1, lambda *_: go_on.set())

class Responder(start.LoadingResponder):
    def __init__(self, listener):
        super().__init__(listener)
        print("port", listener.getsockname()[1], file=sys.stderr, flush=True)
        while not go_on.wait(0.05):
            pass

start.LoadingResponder = Responder
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGUSR1 lets the server go on")
def test_a_server_that_loads_answers_and_hands_its_port_over() -> None:
    command = (sys.executable, "-c", HELD, "--transport", "http", "--port", "0")
    with ServerProcess(command=command) as server, httpx2.Client() as client:
        url = f"http://127.0.0.1:{server.wait_for_error_line('port ').rpartition(' ')[2]}"
        assert client.get(f"{url}/healthz").status_code == 200
        assert client.get(f"{url}/mcp").status_code == 503
        server.process.send_signal(signal.SIGUSR1)
        server.wait_for_error_line("Serving MCP at")
        assert client.get(f"{url}/mcp").status_code == 400
