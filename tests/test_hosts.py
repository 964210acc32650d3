"""`hosts/converters.py`: what counts as taken, and how it is reported. Running the converters needs a network."""

import importlib.util
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .snapshots.files import ROOT

pytestmark = pytest.mark.anyio

HOSTS = ROOT / "hosts"
FREE = {"type": "object", "additionalProperties": {"description": "Any."}}
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


@pytest.fixture
def converters(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("converters", HOSTS / "converters.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "converters", module)  # where dataclasses look up annotations
    spec.loader.exec_module(module)
    return module


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
def test_a_schema_that_says_the_same_in_other_words_is_taken(converters: ModuleType, sent: Mapping[str, Any]) -> None:
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
def test_a_schema_that_lost_something_is_not_taken(converters: ModuleType, sent: Any, fault: str) -> None:
    assert converters.judged({"tool": PUBLISHED}, {"tool": sent}) == ({"tool": fault}, {})


def test_a_tool_that_does_not_arrive_is_not_taken(converters: ModuleType) -> None:
    assert converters.judged({"tool": PUBLISHED}, {}) == ({"tool": "the tool does not reach the model"}, {})


def test_one_form_of_two_is_narrower_but_taken(converters: ModuleType) -> None:
    sent = changed("properties.events.items", {"type": "string"})
    assert converters.judged({"tool": PUBLISHED}, {"tool": sent}) == ({}, {"tool": "events[]: only string is left"})


async def run(converters: ModuleType, monkeypatch: pytest.MonkeyPatch, outcome: Any) -> int:
    async def convert() -> Any:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def disable(level: int) -> None:
        assert level

    one = converters.Converter("pytest", convert)
    monkeypatch.setattr(converters, "CONVERTERS", (one,))
    monkeypatch.setattr(converters.logging, "disable", disable)
    return await converters.run_all("converters")


async def test_all_tools_taken_is_success(
    converters: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tools = json.loads(converters.TOOL_LIST.read_text("utf-8"))
    sent = {name: tool["inputSchema"] for name, tool in tools.items()}
    assert await run(converters, monkeypatch, sent) == 0
    assert re.fullmatch(rf"pytest [\d.]+: {len(tools)} of {len(tools)} tools\n", capsys.readouterr().out)


@pytest.mark.parametrize("outcome", [{}, ExceptionGroup("several", [ValueError("refused")])])
async def test_a_tool_that_is_not_taken_fails_the_run(
    converters: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], outcome: Any
) -> None:
    assert await run(converters, monkeypatch, outcome) == 1
    shown = capsys.readouterr().out
    assert ": 0 of " in shown
    assert ("ValueError: refused" if outcome else "does not reach the model") in shown


def test_what_cannot_be_installed_is_skipped_with_the_reason(
    converters: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def installed(requirements: Path) -> tuple[Path, str]:
        return requirements, "no network"

    monkeypatch.setattr(converters, "installed", installed)
    assert converters.run_in("converters") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{converter.name}: skipped: no network"
        for converter in converters.CONVERTERS
        if converter.requirements == "converters"
    ]


def test_every_requirement_is_pinned_and_names_no_place(converters: ModuleType) -> None:
    names = {converter.requirements for converter in converters.CONVERTERS}
    assert {path.stem for path in HOSTS.glob("*.txt")} == names
    for name in names:
        lines = (HOSTS / f"{name}.txt").read_text("utf-8").splitlines()
        assert all(re.fullmatch(r"#.*|[a-z][a-z0-9-]*(\[[a-z,]+\])?==[0-9.]+", line) for line in lines)
