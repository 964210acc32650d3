"""The README is in step with the code."""

import json
import re

import pytest

from maton_posthog.gateway.errors import Code
from maton_posthog.server.cli.serve import command
from maton_posthog.server.settings import DECLARATIONS

from ..snapshots.documentation import named_literals, prompt_table, settings_table, tool_table, with_block
from ..snapshots.files import ROOT, difference

PATH = ROOT / "README.md"


@pytest.mark.snapshot
def test_its_tables_are_those_of_the_code() -> None:
    text = PATH.read_text("utf-8")
    for name, made in (("tools", tool_table()), ("prompts", prompt_table()), ("settings", settings_table())):
        text = with_block(text, name, made)
    assert difference(PATH, text) == ""


def test_every_setting_is_in_the_settings_table_and_nothing_else() -> None:
    told = set(re.findall(r"\| `(MATON_\w+|POSTHOG_\w+|--[a-z-]+)", section("Settings")))
    variables = {declaration.variable for declaration in DECLARATIONS.values() if declaration.variable}
    flags = {option for parameter in command.params for option in parameter.opts}
    assert told == variables | flags


def test_every_error_code_is_in_the_errors_table_and_nothing_else() -> None:
    told = re.findall(r"`(\w+)`", section("Errors"))
    assert sorted(told) == sorted(named_literals(Code))


@pytest.mark.parametrize("block", re.findall(r"```json\n(.+?)```", PATH.read_text("utf-8"), re.DOTALL))
def test_its_json_can_be_pasted(block: str) -> None:
    assert isinstance(json.loads(block), dict)


def section(title: str) -> str:
    """Return the table under a heading: its lines that begin with a bar."""
    text = PATH.read_text("utf-8").split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    return "\n".join(line for line in text.splitlines() if line.startswith("|"))
