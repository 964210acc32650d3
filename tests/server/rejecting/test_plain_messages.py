"""No message about arguments has a word of Python: wrong types and values for every field of every tool."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from maton_posthog.server.arguments import invalid_arguments
from maton_posthog.tools.operation import Operation
from maton_posthog.tools.operations import OPERATIONS

from ..test_every_operation import ARGUMENTS

PYTHON = re.compile(
    r"dictionar|\binstance\b|\bdict\b|\btuple\b|\bstr\b|\bint\b|\bbool\b|\bNone\b|\bTrue\b|\bFalse\b|NoneType|pydantic"
    r"|validat|isoformat|\battribute\b|\bobject of type\b|Input should|unhashable|\bliteral\b|Traceback|Error\b"
    r"|\bfunction\b|\bkeyword\b|fractional part|__|\bcallable\b|Value error|could not convert"
)
WRONG: list[Any] = [
    None, True, 0, -1, 7, 1.5, 10**30, float("inf"), float("nan"), "", " ", "x", "no such", "x" * 500, "2026-13-45",
    "2026-02-23T25:00", "-99999d", "[1", "{", "[]", "{}", [], [1], [None], ["x", {}], [[]], {}, {"a": 1}, {"event": 1},
    {"kind": "x"}, {"kind": "InsightVizNode", "source": 5}, {"tool": "query_trends", "arguments": 5}, {"tool": 5},
    {"tool": "query_trends", "arguments": {"events": 5, "date_from": {}}}, [{"key": 1}], [{"event": 5}],
    [{"type": "x"}],
    [{"key": "a", "operator": "zz"}], [{"key": "a", "operator": "between", "value": "x"}], [{"question": 5}],
    [{"key": "a", "operator": "is_date_before", "value": "yesterday"}], [{"key": "a", "rollout_percentage": "x"}],
    {"properties": [{"key": "a", "type": "b"}]}, [{"url": 5, "url_matching": "z"}], {"groups": [{"properties": 5}]},
    {"groups": 5}, {"multivariate": []}, {"x": 5, "y": []},
]  # fmt: skip


def messages(operation: Operation[Any]) -> Iterator[tuple[str, Any, str]]:
    """Yield each wrong value, its field, and the message."""
    base = ARGUMENTS.get(operation.name, {})
    fields = list(operation.input.model_fields)
    calls: list[tuple[Any, str, Any]] = [({**base, name: value}, name, value) for name in fields for value in WRONG]
    calls += [([], "", []), ("x", "", "x")]
    for arguments, name, value in calls:
        try:
            operation.input.model_validate(arguments)
        except ValidationError as error:
            yield name, value, invalid_arguments(operation.name, error, fields).message


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_a_message_about_an_argument_has_no_word_of_python(operation: Operation[Any]) -> None:
    found = list(messages(operation))
    assert found
    for name, value, message in found:
        said = message.replace("action_id", "").replace(repr(value), "")
        assert not PYTHON.search(said), (name, value, message)
