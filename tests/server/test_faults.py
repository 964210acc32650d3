"""The whole server before a sandbox with faults: what each fault becomes for the agent, by real processes."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from .processes import ServerProcess, environment

SANDBOX = ("sandbox", "--events", "100", "--json", "--exit-on-eof")
HTML = {"body": "<html><h1>Bad gateway</h1></html>", "headers": {"content-type": "text/html"}}
SLOW_DOWN = {"detail": "Request was throttled."}
ONE_FLAG = {"count": 1, "results": [{"id": 1, "key": "dripping"}]}
"""A body of few bytes: each byte that drips costs both processes a turn."""
FLAG = {"key": "checkout", "name": "Checkout", "rollout_percentage": 10}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Where a sandbox listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "maton_posthog.server", *SANDBOX],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    assert process.stdout is not None
    with process:
        yield json.loads(process.stdout.readline())["gateway_url"]
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def fresh(url: str) -> Iterator[ServerProcess]:
    """A server that has not repeated or paused anything yet."""
    yield from started(url)


@pytest.fixture(scope="module")
def server(url: str) -> Iterator[ServerProcess]:
    """A server that has seen faults before."""
    yield from started(url)


def started(url: str) -> Iterator[ServerProcess]:
    faults(url)
    with ServerProcess("--gateway-url", url, "--control-url", url, MATON_API_KEY="sandbox") as running:
        running.initialize()
        assert not failed(called(running, "list_flags"))
        yield running


def faults(url: str, *rules: dict[str, Any]) -> None:
    """These faults from now on, on flags alone; the projects that a server reads first stay as they are."""
    sent = [{"match": {"path": "*/feature_flags/*"}, **rule} for rule in rules]
    headers = {"Authorization": "Bearer sandbox", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/sandbox/faults", json.dumps(sent).encode(), headers, method="POST")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def called(server: ServerProcess, tool: str, **arguments: Any) -> dict[str, Any]:
    """The result of a tool."""
    return server.ask("tools/call", {"name": tool, "arguments": arguments})["result"]


def failed(result: dict[str, Any]) -> dict[str, Any] | None:
    """The error in a result; None for an answer."""
    return json.loads(result["content"][0]["text"])["error"] if result.get("isError") else None


def error_of(server: ServerProcess, tool: str, **arguments: Any) -> dict[str, Any]:
    """The error of a call that cannot succeed."""
    error = failed(called(server, tool, **arguments))
    assert error is not None
    return error


@pytest.mark.parametrize(
    "rule",
    [
        {"delay_s": 0.2},
        {"status": 429, "headers": {"Retry-After": "0"}, "body": SLOW_DOWN, "times": 1},
        {"status": 429, "body": SLOW_DOWN, "times": 1},
        {"status": 503, "times": 2},
        {"status": 502, **HTML, "times": 1},
        {"drop": "before", "times": 1},
        {"drop": "after", "times": 1},
        {"drop": "half", "times": 1},
        {"drip_s": 0.0001, "body": ONE_FLAG},
    ],
)
def test_a_fault_that_passes_is_not_seen(url: str, fresh: ServerProcess, rule: dict[str, Any]) -> None:
    faults(url, rule)
    result = called(fresh, "list_flags")
    assert failed(result) is None
    assert json.loads(result["content"][0]["text"])["flags"]


@pytest.mark.parametrize(
    ("rule", "code", "said"),
    [
        ({"status": 429, "body": SLOW_DOWN}, "rate_limited", "limits the rate"),
        ({"status": 500, "body": {"detail": "A server error occurred."}}, "unavailable", "(500)"),
        ({"status": 502, **HTML}, "unavailable", "(502)"),
        ({"status": 504, **HTML}, "unavailable", "(504)"),
        ({"status": 200, **HTML}, "bad_upstream_response", "not valid JSON"),
        ({"status": 200, "body": "[1, 2"}, "bad_upstream_response", "not valid JSON"),
        ({"drop": "before"}, "unavailable", "broke off"),
        ({"drop": "half"}, "unavailable", "broke off"),
        ({"body_bytes": 40_000_000}, "response_too_large", "larger than 16 MiB"),
    ],
)
def test_a_fault_that_stays_is_told_with_what_to_do(
    url: str, server: ServerProcess, rule: dict[str, Any], code: str, said: str
) -> None:
    faults(url, rule)
    error = error_of(server, "list_flags")

    assert (error["code"], said in error["message"]) == (code, True), error
    assert error["hint"]
    assert "<" not in error["message"]
    assert "outcome" not in error or error["outcome"] == "rejected"
    faults(url)
    assert not failed(called(server, "list_dashboards"))


def test_a_long_wait_is_told_and_nothing_is_sent_meanwhile(url: str, fresh: ServerProcess) -> None:
    faults(url, {"status": 429, "headers": {"Retry-After": "120"}, "body": SLOW_DOWN, "times": 1})
    first, second = error_of(fresh, "list_flags"), error_of(fresh, "list_flags")

    assert (first["code"], first["retry_after_s"], first["outcome"]) == ("rate_limited", 120, "rejected")
    assert (second["code"], second["outcome"]) == ("rate_limited", "not_sent")
    assert second["retry_after_s"] <= 120


@pytest.mark.parametrize(
    ("rule", "code", "outcome", "is_made"),
    [
        ({"status": 429, "body": SLOW_DOWN}, "rate_limited", "rejected", False),
        ({"status": 500, **HTML}, "outcome_unknown", "unknown", False),
        ({"drop": "before"}, "outcome_unknown", "unknown", False),
        ({"drop": "after"}, "outcome_unknown", "unknown", True),
        ({"drop": "half"}, "outcome_unknown", "unknown", True),
    ],
)
def test_of_a_write_it_is_told_whether_it_may_have_happened(
    url: str, server: ServerProcess, rule: dict[str, Any], code: str, outcome: str, is_made: bool
) -> None:
    faults(url, {**rule, "match": {"path": "*/feature_flags/*", "method": "POST"}})
    key = f"{FLAG['key']}-{code}-{rule.get('drop', rule.get('status'))}"
    error = error_of(server, "create_flag", **{**FLAG, "key": key})
    assert (error["code"], error["outcome"]) == (code, outcome), error

    faults(url)
    listed = json.loads(called(server, "list_flags", search=key)["content"][0]["text"])["flags"]
    assert [flag["key"] for flag in listed] == ([key] if is_made else [])


def test_a_call_whose_answer_drips_without_end_can_be_cancelled(url: str, server: ServerProcess) -> None:
    faults(url, {"drip_s": 60})
    server.send("tools/call", {"name": "list_flags", "arguments": {}}, number=7)
    server.send("notifications/cancelled", {"requestId": 7, "reason": "the user is tired of waiting"})

    assert not failed(called(server, "list_dashboards"))
    faults(url)
    assert not failed(called(server, "list_flags"))
