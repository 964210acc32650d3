import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import GetPromptResult, TextContent

from maton_posthog.server.features.prompts import PLANS, PromptPlan, offered, written
from maton_posthog.server.tool_list import tool_list
from maton_posthog.tools.operation import Toolset

from ...snapshots.files import ROOT
from ..test_every_operation import ERAS, Era, served

pytestmark = pytest.mark.anyio
EVERY = pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
TOOLS = frozenset(tool_list())
WORD = re.compile(r"\b(?:" + "|".join(sorted(TOOLS)) + r")\b")


def text_of(result: GetPromptResult) -> str:
    (message,) = result.messages
    assert isinstance(message.content, TextContent)
    return message.content.text


def least(plan: PromptPlan) -> dict[str, str]:
    return {argument.name: f"my {argument.name}" for argument in plan.arguments if argument.required}


def everything(plan: PromptPlan) -> dict[str, str]:
    return {argument.name: f"my {argument.name}" for argument in plan.arguments}


@ERAS
async def test_prompts_are_listed_and_returned_with_their_arguments(era: Era) -> None:
    async with served(era) as (client, fake):
        prompts = (await client.list_prompts()).prompts
        assert [prompt.name for prompt in prompts] == [plan.name for plan in PLANS]
        result = await client.get_prompt("experiment_verdict", {"experiment": "new checkout"})
        assert fake.received == []
    assert '"new checkout"' in text_of(result)


@EVERY
def test_a_prompt_names_exactly_its_tools_and_no_write_tools(plan: PromptPlan) -> None:
    text = text_of(written(plan, everything(plan))) + text_of(written(plan, least(plan)))
    named = set(WORD.findall(text))
    assert named == plan.tools
    assert not any(tool_list()[name].effect.writes for name in named)


@EVERY
def test_a_prompt_is_a_short_numbered_plan_with_its_arguments(plan: PromptPlan) -> None:
    text = text_of(written(plan, everything(plan)))
    assert len(text) < 2_500
    assert "\n1. " in text
    for argument in plan.arguments:
        assert f'"my {argument.name}"' in text, argument.name


@EVERY
async def test_a_prompt_is_offered_only_with_all_its_tools(plan: PromptPlan) -> None:
    assert plan.name in offered(TOOLS)
    for tool in plan.tools:
        assert plan.name not in offered(TOOLS - {tool})


async def test_a_prompt_is_listed_only_when_its_tools_are_offered() -> None:
    async with served(toolsets=frozenset({Toolset.EXPERIMENTS})) as (client, _):
        assert [prompt.name for prompt in (await client.list_prompts()).prompts] == ["experiment_verdict"]
        await refused(client, "flag_cleanup", {}, "Unknown prompt: flag_cleanup")


async def test_read_only_servers_offer_all_prompts() -> None:
    async with served(read_only=True) as (client, _):
        assert len((await client.list_prompts()).prompts) == len(PLANS)


async def test_missing_and_unknown_arguments_are_named() -> None:
    async with served() as (client, _):
        await refused(client, "experiment_verdict", {}, "experiment_verdict: experiment is required")
        await refused(client, "experiment_verdict", {"experiment": "  "}, "experiment is required")
        await refused(client, "flag_cleanup", {"flag": "x"}, "flag is not an argument. Arguments: project")
        await refused(client, "nothing", {}, "Unknown prompt: nothing")


async def refused(client: Client, name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(MCPError) as caught:
        await client.get_prompt(name, arguments)
    assert message in str(caught.value)


@given(st.text(min_size=1, max_size=400))
def test_the_text_of_an_argument_is_quoted_as_data(value: str) -> None:
    plan = next(plan for plan in PLANS if plan.name == "why_did_it_change")
    if not value.strip():
        return
    plain = text_of(written(plan, {"event": "x"}))
    text = text_of(written(plan, {"event": value}))
    assert text.count("\n") == plain.count("\n"), "no argument adds a line to the plan"
    assert len(text) < len(plain) + 2_000


def test_the_readme_lists_each_prompt_with_its_arguments() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for plan in PLANS:
        arguments = ", ".join(f"**{each.name}**" if each.required else each.name for each in plan.arguments)
        assert f"| `{plan.name}` | {arguments} |" in readme
