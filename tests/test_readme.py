"""The README tells what the code does."""

import json
import re
from collections.abc import Sequence
from typing import Any, get_args

import pytest

from maton_posthog.gateway.errors import Code
from maton_posthog.server.cli.serve import command
from maton_posthog.server.settings import Settings
from maton_posthog.tools.operation import Operation
from maton_posthog.tools.operations import OPERATIONS

from .snapshots import ROOT, difference

PATH = ROOT / "README.md"
OPENING, CLOSING = "<!-- tools: rendered from OPERATIONS by `make snapshots` -->\n", "<!-- /tools -->\n"


def test_the_tool_table_lists_the_operations() -> None:
    before, _, rest = PATH.read_text("utf-8").partition(OPENING)
    _, closing, after = rest.partition(CLOSING)
    assert closing, f"README.md has lost the lines {OPENING}{CLOSING}"
    assert difference(PATH, before + OPENING + tool_table() + CLOSING + after) == ""


def test_every_setting_is_in_the_settings_table_and_nothing_else() -> None:
    told = set(re.findall(r"`(MATON_\w+|POSTHOG_\w+|--[a-z-]+)", section("Settings")))
    aliases = {str(field.validation_alias) for field in Settings.model_fields.values()}
    variables = {alias for alias in aliases if not alias.startswith("--")}
    flags = {option for parameter in command.params for option in parameter.opts}
    assert told == variables | flags


def test_every_error_code_is_in_the_errors_table_and_nothing_else() -> None:
    told = re.findall(r"`(\w+)`", section("Errors"))
    assert sorted(told) == sorted(get_args(Code.__value__))


def test_every_make_target_it_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for document in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"(?:`|^)make ([a-z]+)", (ROOT / document).read_text("utf-8"), re.MULTILINE))
        assert named <= set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE)), document


@pytest.mark.parametrize("block", re.findall(r"```json\n(.+?)```", PATH.read_text("utf-8"), re.DOTALL))
def test_its_json_can_be_pasted(block: str) -> None:
    assert isinstance(json.loads(block), dict)


def tool_table() -> str:
    """One row an area: what reads, and what writes."""
    areas = dict.fromkeys(operation.toolset for operation in OPERATIONS if operation.toolset)
    rows = [_row(area.value, [op for op in OPERATIONS if op.toolset is area]) for area in areas]
    rows.append(_row("all areas", [op for op in OPERATIONS if op.toolset is None]))
    return "| area | reads | writes |\n|---|---|---|\n" + "".join(rows)


def section(title: str) -> str:
    """The table under a heading: its lines that begin with a bar."""
    text = PATH.read_text("utf-8").split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    return "\n".join(line for line in text.splitlines() if line.startswith("|"))


def _row(area: str, operations: Sequence[Operation[Any]]) -> str:
    reads = " ".join(f"`{op.name}`" for op in operations if not op.effect.writes)
    writes = " ".join(f"`{op.name}`" for op in operations if op.effect.writes)
    return f"| {area} | {reads} | {writes} |\n"
