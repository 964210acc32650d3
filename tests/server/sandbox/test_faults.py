"""The effect of each fault of a sandbox on the agent, with real processes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from posthog_sandbox import Sandbox

from ..processes import ServerProcess

HTML = {"body": "<html><h1>Bad gateway</h1></html>", "headers": {"content-type": "text/html"}}
SLOW_DOWN = {"detail": "Request was throttled."}
ONE_FLAG = {"count": 1, "results": [{"id": 1, "key": "dripping"}]}
"""A short body, because each dripping byte costs both processes a turn."""
FLAG = {"key": "checkout", "name": "Checkout", "rollout_percentage": 10}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(events=100) as started:
        yield started


@pytest.fixture(scope="module")
def server(sandbox: Sandbox) -> Iterator[ServerProcess]:
    """Yield a server whose retry quota the temporary faults of this module do not use up."""
    yield from started(sandbox)


@pytest.fixture(scope="module")
def worn_server(sandbox: Sandbox) -> Iterator[ServerProcess]:
    """Yield a server for permanent faults, which use up its retry quota."""
    yield from started(sandbox)


@pytest.fixture
def paused_server(sandbox: Sandbox) -> Iterator[ServerProcess]:
    """Yield a server for one test, which makes it pause."""
    yield from started(sandbox)


def started(sandbox: Sandbox) -> Iterator[ServerProcess]:
    sandbox.clear_faults()
    with ServerProcess(
        "--gateway-url", sandbox.url, "--control-url", sandbox.url, MATON_API_KEY=sandbox.key
    ) as running:
        running.initialize()
        assert not failed(called(running, "list_flags"))
        yield running


def fail(sandbox: Sandbox, **fault: Any) -> None:
    """Set this fault for flags only; the projects that a server reads first are unaffected."""
    sandbox.clear_faults()
    sandbox.add_fault(path="*/feature_flags/*", **fault)


def called(server: ServerProcess, tool: str, **arguments: Any) -> dict[str, Any]:
    """Return the result of a tool."""
    return server.ask("tools/call", {"name": tool, "arguments": arguments})["result"]


def failed(result: dict[str, Any]) -> dict[str, Any] | None:
    """Return the error in a result, None without one."""
    return json.loads(result["content"][0]["text"])["error"] if result.get("isError") else None


def error_of(server: ServerProcess, tool: str, **arguments: Any) -> dict[str, Any]:
    """Return the error of a call that cannot succeed."""
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
def test_a_temporary_fault_is_not_visible(sandbox: Sandbox, server: ServerProcess, rule: dict[str, Any]) -> None:
    fail(sandbox, **rule)
    result = called(server, "list_flags")
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
        ({"drop": "before"}, "unavailable", "Lost the connection"),
        ({"drop": "half"}, "unavailable", "Lost the connection"),
        ({"body_bytes": 40_000_000}, "response_too_large", "larger than 16 MiB"),
    ],
)
def test_a_lasting_fault_is_reported_with_a_next_step(
    sandbox: Sandbox, worn_server: ServerProcess, rule: dict[str, Any], code: str, said: str
) -> None:
    fail(sandbox, **rule)
    error = error_of(worn_server, "list_flags")

    assert (error["code"], said in error["message"]) == (code, True), error
    assert error["hint"]
    assert "<" not in error["message"]
    assert "outcome" not in error or error["outcome"] == "rejected"
    sandbox.clear_faults()
    assert not failed(called(worn_server, "list_dashboards"))


def test_a_long_wait_is_reported_and_nothing_is_sent_meanwhile(sandbox: Sandbox, paused_server: ServerProcess) -> None:
    fail(sandbox, status=429, headers={"Retry-After": "120"}, body=SLOW_DOWN, times=1)
    first, second = error_of(paused_server, "list_flags"), error_of(paused_server, "list_flags")

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
def test_an_interrupted_write_reports_its_outcome(
    sandbox: Sandbox, worn_server: ServerProcess, rule: dict[str, Any], code: str, outcome: str, is_made: bool
) -> None:
    fail(sandbox, method="POST", **rule)
    key = f"{FLAG['key']}-{code}-{rule.get('drop', rule.get('status'))}"
    error = error_of(worn_server, "create_flag", **{**FLAG, "key": key})
    assert (error["code"], error["outcome"]) == (code, outcome), error

    sandbox.clear_faults()
    listed = json.loads(called(worn_server, "list_flags", search=key)["content"][0]["text"])["flags"]
    assert [flag["key"] for flag in listed] == ([key] if is_made else [])


def test_a_call_whose_response_never_ends_can_be_cancelled(sandbox: Sandbox, server: ServerProcess) -> None:
    fail(sandbox, drip_s=60)
    server.send("tools/call", {"name": "list_flags", "arguments": {}}, number=7)
    server.send("notifications/cancelled", {"requestId": 7, "reason": "the user is tired of waiting"})

    assert not failed(called(server, "list_dashboards"))
    sandbox.clear_faults()
    assert not failed(called(server, "list_flags"))
