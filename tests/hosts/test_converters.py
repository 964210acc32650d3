"""`hosts/converters.py`: what counts as taken, and how it is reported. Running the converters needs a network."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hosts import converters
from hosts.environments import UnavailableError, pins

from ..snapshots.files import ROOT

pytestmark = pytest.mark.anyio

FREE = {"type": "object", "additionalProperties": {"minLength": 0}}
EITHER = {"anyOf": [FREE, {"type": "string"}]}
PUBLISHED = {
    "type": "object",
    "properties": {
        "events": {"type": "array", "items": EITHER},
        "event": EITHER,
        "kind": {"type": "string", "enum": ["a", "b"]},
        "values": FREE,
    },
    "required": ["events"],
}


def changed(at: str, value: Any) -> dict[str, Any]:
    """Return the published schema with another part at a place such as `properties.kind`; None removes it."""
    schema: dict[str, Any] = json.loads(json.dumps(PUBLISHED))
    *path, last = at.split(".")
    part = schema
    for name in path:
        part = part[name]
    part[last] = value
    if value is None:
        del part[last]
    return schema


GEMINI = {
    "type": "OBJECT",
    "properties": {
        "events": {"type": "ARRAY", "items": {"any_of": [{"type": "OBJECT"}, {"type": "STRING"}]}},
        "event": {"any_of": [{"type": "OBJECT"}, {"type": "STRING"}]},
        "kind": {"type": "STRING", "enum": ["a", "b"]},
        "values": {"type": "OBJECT"},
    },
}
NULLABLE = {"anyOf": [FREE, {"type": "string"}, {"type": "null"}]}


@pytest.mark.parametrize("sent", [PUBLISHED, GEMINI, changed("properties.event", NULLABLE), changed("required", ["x"])])
def test_a_schema_that_says_the_same_in_other_words_is_taken(sent: Mapping[str, Any]) -> None:
    assert converters.judged({"tool": PUBLISHED}, {"tool": sent}) == ({}, {})


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        (changed("properties.event", None), "event: the schema is gone"),
        (changed("properties.event", {"description": "x"}), "event: 0 of 2 branches are left"),
        (changed("properties.events.items", None), "events[]: the schema is gone"),
        (changed("properties.kind", {"type": "string"}), "kind: the words differ"),
        (changed("properties.values", {"type": "string"}), "values: object became string"),
        (changed("properties.values.additionalProperties", False), "values: a free-form object accepts nothing but {}"),
        (changed("properties", {}), "events: the schema is gone"),
        (True, "the arguments: the schema is gone"),
    ],
)
def test_a_schema_that_lost_something_is_not_taken(sent: Any, fault: str) -> None:
    assert converters.judged({"tool": PUBLISHED}, {"tool": sent}) == ({"tool": fault}, {})


def test_a_tool_that_does_not_arrive_is_not_taken() -> None:
    assert converters.judged({"tool": PUBLISHED}, {}) == ({"tool": "the tool does not reach the model"}, {})


def test_one_form_of_two_is_narrower_but_taken() -> None:
    sent = changed("properties.events.items", {"type": "string"})
    assert converters.judged({"tool": PUBLISHED}, {"tool": sent}) == ({}, {"tool": "events[]: only string is left"})


async def run(monkeypatch: pytest.MonkeyPatch, outcome: Any) -> int:
    async def convert() -> Any:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def disable(level: int) -> None:
        assert level

    one = converters.Converter("pytest", convert, "converters")
    monkeypatch.setattr(converters, "CONVERTERS", (one,))
    monkeypatch.setattr(converters.logging, "disable", disable)
    return await converters.run_all("converters")


async def test_all_tools_taken_is_success(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    tools = json.loads(converters.TOOL_LIST.read_text("utf-8"))
    sent = {name: tool["inputSchema"] for name, tool in tools.items()}
    assert await run(monkeypatch, sent) == 0
    assert re.fullmatch(rf"pytest [\d.]+: {len(tools)} of {len(tools)} tools\n", capsys.readouterr().out)


@pytest.mark.parametrize("outcome", [{}, ExceptionGroup("several", [ValueError("refused")])])
async def test_a_tool_that_is_not_taken_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], outcome: Any
) -> None:
    assert await run(monkeypatch, outcome) == 1
    shown = capsys.readouterr().out
    assert ": 0 of " in shown
    assert ("ValueError: refused" if outcome else "does not reach the model") in shown


def test_what_cannot_be_installed_is_skipped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(name: str) -> Path:
        raise UnavailableError("no network")

    monkeypatch.setattr(converters, "python_environment", fails)
    for name in converters.environments():
        assert converters.run_in(name) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{converter.name}: skipped: no network" for converter in converters.CONVERTERS
    ]


def test_the_quick_converters_are_a_part() -> None:
    assert set(converters.QUICK) == set(converters.environments(quick=True)) < set(converters.environments())


def test_the_page_lists_every_converter_with_its_pinned_version() -> None:
    page = (ROOT / "docs" / "hosts.md").read_text("utf-8")
    tools = len(json.loads(converters.TOOL_LIST.read_text("utf-8")))
    for converter in converters.CONVERTERS:
        name = converter.distribution or converter.name
        assert f"| {name} | {pins(converter.requirements)[name]} | {tools} of {tools} |" in page
