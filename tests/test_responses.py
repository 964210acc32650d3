"""The responses of each tool, reviewed as text: `make snapshots` accepts changes."""

from typing import Any

import pytest

from maton_posthog.server.tool_list import tool_list

from .snapshots.calls import PAIRS
from .snapshots.files import RESPONSES, difference, readable, strays
from .snapshots.responses import responses, stable


@pytest.fixture(scope="module")
def made(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """Return the responses of the tools that are tested in this run."""
    names = {item.name for item in request.session.items}
    return responses({tool: pair for tool, pair in PAIRS.items() if any(f"[{tool}]" in name for name in names)})


def test_every_tool_has_a_call_that_succeeds_and_one_that_fails() -> None:
    assert PAIRS.keys() == tool_list().keys()


@pytest.mark.snapshot
@pytest.mark.parametrize("tool", tool_list())
def test_the_responses_of_a_tool_are_those_of_its_snapshot(made: dict[str, dict[str, Any]], tool: str) -> None:
    assert difference(RESPONSES / f"{tool}.json", readable(made[tool])) == ""


@pytest.mark.snapshot
def test_no_response_snapshot_is_left_of_a_removed_tool() -> None:
    assert strays(RESPONSES, tool_list()) == []


def test_only_what_varies_between_runs_is_replaced() -> None:
    fixed = {"id": "d7f2ed1c-5be3-5285-85e0-d18240b5661d", "count": 3, "query_id": "0" * 32, "url": "http://a.example/"}
    varies = {
        "url": "see http://127.0.0.1:40123/x",
        "request_id": "e7dd6f55266c4c568002a3c16e3ad318",
        "metrics": [{"uuid": "5b0b6f0e-9a52-4c7e-8f0a-3d1c2b4a5e6f"}],
        "age_s": 7,
    }
    assert stable(fixed) == fixed
    assert stable(varies) == {
        "url": "see http://sandbox/x",
        "request_id": "<id>",
        "metrics": [{"uuid": "<uuid>"}],
        "age_s": "<measured>",
    }
