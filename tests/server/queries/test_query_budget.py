"""The HogQL budget: the cost of 130 queries, and of one query sent 200 times."""

import json
from typing import Any

import anyio
import pytest
from mcp import Client

from maton_posthog.gateway.budget import Ledger
from maton_posthog.gateway.client import Gateway, GatewayConfig
from maton_posthog.server import runtime as runtimes

from ...gateway.fake_gateway import FakeGateway
from ..test_every_operation import served, text_of
from .test_slow import asked

pytestmark = pytest.mark.anyio

SQL = "SELECT event FROM events WHERE timestamp > now() - INTERVAL 1 DAY"


class Clock:
    """Stands still until it is set."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock of the budgets of every server in the test."""
    clock = Clock()

    def gateway(config: GatewayConfig) -> Gateway:
        return Gateway(config, ledger=Ledger(config.policy, config.pace, clock=clock))

    monkeypatch.setattr(runtimes, "Gateway", gateway)
    return clock


async def run(client: Client, sql: str) -> dict[str, Any]:
    return json.loads(text_of(await client.call_tool("run_hogql", {"query": sql})))


async def test_of_130_queries_in_an_hour_120_are_sent_and_10_get_the_wait_and_alternatives(
    clock: Clock,
) -> None:
    async with served(budgets="strict") as (client, fake):
        answers: list[dict[str, Any]] = []
        for number in range(130):
            clock.now += 10
            answers.append(await run(client, f"{SQL} LIMIT {number + 1}"))
        assert len(asked(fake)) == 120
        refused = [answer["error"] for answer in answers if "error" in answer]
        assert len(refused) == 10
        assert [index for index, answer in enumerate(answers) if "error" in answer] == list(range(120, 130))
        for error in refused:
            assert (error["code"], error["outcome"], error["source"]) == ("budget_spent", "not_sent", "local")
            assert 0 < error["retry_after_s"] <= 3600
            assert "insights" in error["hint"]
        used = [answer["budget"]["used"] for answer in answers[:120]]
        assert used == list(range(1, 121))
        clock.now += refused[-1]["retry_after_s"]
        assert "rows" in await run(client, f"{SQL} LIMIT 999"), "after the wait that was told there is room again"


async def test_tools_without_queries_work_when_the_budget_is_spent(clock: Clock) -> None:
    async with served(budgets="strict") as (client, fake):
        for number in range(120):
            await run(client, f"{SQL} LIMIT {number + 1}")
        assert (await run(client, f"{SQL} LIMIT 500"))["error"]["code"] == "budget_spent"
        for tool, arguments in (
            ("check_hogql", {"query": SQL}),
            ("describe_data", {"table": "events"}),
            ("query_trends", {"events": ["$pageview"]}),
            ("list_flags", {}),
        ):
            assert not (await client.call_tool(tool, arguments)).is_error, tool
        assert "rows" in await run(client, f"{SQL} LIMIT 120"), "asked before: answered from here"
        assert len(asked(fake)) == 120


async def test_200_equal_queries_at_once_are_one_request(clock: Clock) -> None:
    async with served(budgets="strict") as (client, fake):
        answers: list[dict[str, Any]] = []

        async def ask() -> None:
            answers.append(await run(client, SQL))

        async with anyio.create_task_group() as tasks:
            for _ in range(200):
                tasks.start_soon(ask)
        assert requests(fake) == 1
        assert len(answers) == 200
        assert len({json.dumps(answer["rows"]) for answer in answers}) == 1
        assert answers[0]["budget"]["used"] == 1


def requests(fake: FakeGateway) -> int:
    return len(asked(fake))
