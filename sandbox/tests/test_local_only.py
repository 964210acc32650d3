"""The sandbox, whose key is public, is reachable from this machine only, and from no page of another site."""

import http.client
import subprocess
import sys
from collections.abc import Iterator

import pytest

from posthog_sandbox import Sandbox


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with Sandbox(events=10) as started:
        yield int(started.url.rpartition(":")[2])


def status(port: int, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.putrequest("GET", "/", skip_host=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("host", ["evil.example.com", "127.0.0.1.evil.example.com", "127.0.0.1@evil.example.com", "["])
def test_another_host_is_rejected(port: int, host: str) -> None:
    assert status(port, {"Host": host}) == 421


@pytest.mark.parametrize("origin", ["https://evil.example.com", "null", "http://localhost.evil.example.com", "file://"])
def test_a_page_of_another_site_is_rejected(port: int, origin: str) -> None:
    assert status(port, {"Host": f"127.0.0.1:{port}", "Origin": origin}) == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1", "[::1]:8000", "127.0.0.2"])
def test_this_machine_is_accepted(port: int, host: str) -> None:
    assert status(port, {"Host": host, "Origin": f"http://{host}"}) == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])  # noqa: S104 - to see that it is refused
def test_an_address_for_other_machines_is_one_line(host: str) -> None:
    command = [sys.executable, "-m", "posthog_sandbox", "--host", host]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"--host {host} is not a loopback address" in done.stderr
    assert done.stderr.count("\n") == 1
