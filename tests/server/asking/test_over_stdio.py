"""Asking a person over stdio, with real processes: calls of clients that can ask leave the short way."""

import json
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest
from mcp import Client, StdioServerParameters
from mcp.types import ElicitRequestParams, ElicitResult, TextContent

from posthog_sandbox import Sandbox
from tests.oracle import crossed
from tests.server.processes import COMMAND, environment

pytestmark = pytest.mark.anyio
ERAS = pytest.mark.parametrize("era", ["legacy", "auto"])


class Person:
    """A person who answers every question in the same way."""

    def __init__(self, action: Literal["accept", "decline"]) -> None:
        self.action: Literal["accept", "decline"] = action
        self.asked: list[str] = []

    async def answer(self, context: Any, params: ElicitRequestParams) -> ElicitResult:
        del context
        self.asked.append(params.message)
        return ElicitResult(action=self.action)


@pytest.fixture(scope="module")
def started() -> Generator[Sandbox]:
    with Sandbox(events=100) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(started: Sandbox) -> Sandbox:
    started.reset()
    return started


@asynccontextmanager
async def connected(sandbox: Sandbox, era: Any, person: Person | None) -> AsyncGenerator[Client]:
    variables = environment(MATON_API_KEY=sandbox.key, MATON_GATEWAY_URL=sandbox.url, MATON_CONTROL_URL=sandbox.url)
    server = StdioServerParameters(command=COMMAND[0], args=[*COMMAND[1:]], env=variables)
    callback = person.answer if person else None
    async with Client(server, mode=era, elicitation_callback=callback) as client:
        yield client


async def called(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    (content,) = result.content
    assert isinstance(content, TextContent)
    return json.loads(content.text)


@crossed(("era", ("legacy", "auto")), ("action", ("accept", "decline")))
async def test_a_person_at_a_client_over_stdio_decides(
    sandbox: Sandbox, era: str, action: Literal["accept", "decline"]
) -> None:
    person = Person(action)
    async with connected(sandbox, era, person) as client:
        made = await called(client, "create_flag", key=f"asked-{era}", rollout_percentage=5)
        assert person.asked == []
        shown = await called(client, "update_flag", flag=str(made["id"]), rollout_percentage=50)
        now = await called(client, "get_flag", flag=str(made["id"]))
    assert len(person.asked) == 1
    assert ("changed" in shown) is (action == "accept")
    assert now["filters"]["groups"][0]["rollout_percentage"] == (50 if action == "accept" else 5)


@ERAS
async def test_a_client_without_a_person_confirms_over_the_short_way(sandbox: Sandbox, era: str) -> None:
    async with connected(sandbox, era, None) as client:
        made = await called(client, "create_flag", key="unasked", rollout_percentage=5)
        error = (await called(client, "delete_flag", flag=str(made["id"])))["error"]
        gone = await called(client, "delete_flag", flag=str(made["id"]), confirmation=error["confirmation"])
    assert gone["deleted"] is True
