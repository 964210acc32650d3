"""Areas that are off: nothing of them is offered, and nothing is requested from them."""

import json
from typing import Any

import pytest

from maton_posthog.schemas.restore import RESTORABLE
from maton_posthog.tools.operations import OPERATIONS
from maton_posthog.tools.toolsets import RESTORED, Effect, Toolset

from ..test_every_operation import served, text_of

pytestmark = pytest.mark.anyio


def test_a_resource_can_be_restored_where_its_area_deletes() -> None:
    assert tuple(RESTORED) == tuple(RESTORABLE.values())
    deletes = {each.toolset for each in OPERATIONS if each.effect is Effect.DELETE} - {Toolset.CONNECTIONS}
    assert set(RESTORED.values()) == deletes


@pytest.mark.parametrize("toolsets", ["flags", "flags,cohorts", "experiments,query"])
async def test_only_resources_of_offered_areas_can_be_restored(toolsets: str) -> None:
    offered = [name for name, area in RESTORED.items() if area in toolsets.split(",")]
    async with served(toolsets=toolsets) as (client, fake):
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools["restore_deleted"].input_schema["properties"]["resource"]["enum"] == offered
        for resource in RESTORED:
            fake.received.clear()
            result = await client.call_tool("restore_deleted", {"resource": resource, "id": 42})
            if resource not in offered:
                error = json.loads(text_of(result))["error"]
                assert (error["code"], error["outcome"]) == ("toolset_off", "not_sent")
                assert RESTORED[resource] in error["message"]
                assert fake.received == []
            else:
                assert any(request.method == "PATCH" for request in fake.received)


@pytest.mark.parametrize("toolset", [one for one in Toolset if one not in RESTORED.values()])
async def test_without_an_area_that_deletes_nothing_can_be_restored(toolset: Toolset) -> None:
    async with served(toolsets=toolset.value) as (client, fake):
        assert "restore_deleted" not in {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("restore_deleted", {"resource": "flag", "id": 42})
        assert json.loads(text_of(result))["error"]["code"] == "toolset_off"
        assert fake.received == []


QUERY = {"kind": "HogQLQuery", "query": "select 1"}


@pytest.mark.parametrize(
    ("flags", "tool", "arguments"),
    [
        ({"toolsets": "dashboards"}, "create_dashboard", {"name": "A", "tiles": [{"name": "B", "query": QUERY}]}),
        (
            {"exclude_tools": "create_insight"},
            "create_dashboard",
            {"name": "A", "tiles": [{"name": "B", "query": QUERY}]},
        ),
        ({"toolsets": "dashboards"}, "delete_dashboard", {"dashboard_id": 9, "delete_insights": True}),
        ({"exclude_tools": "delete_insight"}, "delete_dashboard", {"dashboard_id": 9, "delete_insights": True}),
    ],
)
async def test_a_dashboard_makes_and_deletes_no_insights_where_their_tools_are_off(
    flags: dict[str, Any], tool: str, arguments: dict[str, Any]
) -> None:
    async with served(**flags) as (client, fake):
        error = json.loads(text_of(await client.call_tool(tool, arguments)))["error"]
        assert (error["code"], error["outcome"]) == ("toolset_off", "not_sent")
        assert tool.replace("dashboard", "insight") in error["message"]
        assert fake.received == []
        without = {name: value for name, value in arguments.items() if name not in ("tiles", "delete_insights")}
        assert not (await client.call_tool(tool, without)).is_error
