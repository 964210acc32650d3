import json
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import PromptReference, TextResourceContents

from maton_posthog.server.app import build
from maton_posthog.server.results.render import MAX_TEXT_BYTES
from maton_posthog.server.runtime import Runtime
from maton_posthog.server.settings import load

from ...gateway.fake_gateway import drop
from ...tools.posthog.live import NOW, running_sandbox
from ..test_every_operation import ERAS, Era, served

pytestmark = pytest.mark.anyio


async def read(client: Client, uri: str) -> dict[str, Any]:
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    assert (str(content.uri), content.mime_type) == (uri, "application/json")
    assert len(content.text.encode()) <= MAX_TEXT_BYTES
    return json.loads(content.text)


@ERAS
async def test_resources_and_templates_are_listed_without_a_request(era: Era) -> None:
    async with served(era) as (client, fake):
        resources = (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates
        assert fake.received == []
    assert {"posthog://project", "posthog://schema"} <= {str(resource.uri) for resource in resources}
    assert [template.uri_template for template in templates] == ["posthog://schema/{table}"]


async def test_the_schema_is_that_of_describe_data_and_is_requested_once() -> None:
    async with served() as (client, fake):
        shown = await read(client, "posthog://schema")
        asked = len(fake.received)
        tool = await client.call_tool("describe_data", {})
        described = json.loads(getattr(tool.content[0], "text", ""))
        assert described | {"age_s": 0} == shown | {"age_s": 0}
        assert len(fake.received) == asked
    assert shown["project"]["id"] == 136209
    assert shown["events"][0][0] == "$pageview"


async def test_a_table_is_read_by_its_name() -> None:
    async with served() as (client, _):
        shown = await read(client, "posthog://schema/events")
    assert shown["columns"] == {"string": ["event"], "datetime": ["timestamp"]}


@pytest.mark.parametrize(
    "uri", ["posthog://schema/evnts", "posthog://schema/", "posthog://nothing", "file:///etc/passwd"]
)
async def test_an_unknown_resource_is_a_protocol_error(uri: str) -> None:
    async with served() as (client, _):
        with pytest.raises(MCPError) as caught:
            await client.read_resource(uri)
    assert caught.value.error.code == -32602
    assert caught.value.error.data["uri"] == uri


async def test_an_unknown_table_is_reported_with_the_nearest_one() -> None:
    async with served() as (client, _):
        with pytest.raises(MCPError, match="Did you mean `events`") as caught:
            await client.read_resource("posthog://schema/evnts")
    assert caught.value.error.data["error"]["code"] == "not_found"


async def test_a_resource_is_cacheable_privately_for_as_long_as_the_server_caches_it() -> None:
    async with served() as (client, _):
        schema = await client.read_resource("posthog://schema")
        project = await client.read_resource("posthog://project")
    assert (schema.cache_scope, project.cache_scope) == ("private", "private")
    assert 0 < schema.ttl_ms <= 600_000
    assert project.ttl_ms == 60_000


async def test_the_schema_is_offered_only_with_describe_data() -> None:
    async with served(toolsets="flags") as (client, fake):
        listed = {str(resource.uri) for resource in (await client.list_resources()).resources}
        assert "posthog://project" in listed
        assert "posthog://schema" not in listed
        assert (await client.list_resource_templates()).resource_templates == []
        with pytest.raises(MCPError, match="Unknown resource"):
            await client.read_resource("posthog://schema/events")
        assert fake.received == []


async def test_a_schema_that_cannot_be_read_is_an_error_with_the_reason() -> None:
    async with served() as (client, fake):
        fake.answers(drop)
        with pytest.raises(MCPError) as caught:
            await client.read_resource("posthog://schema")
    assert caught.value.error.data["error"]["code"] == "unavailable"


async def test_the_schema_of_the_sandbox_is_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("chdb", reason="the sandbox needs ClickHouse in chdb-core")
    monkeypatch.setenv("MATON_API_KEY", "sandbox")
    with running_sandbox(events=3_000) as sandbox:
        runtime = Runtime(load(gateway_url=sandbox.url, control_url=sandbox.url), now=lambda: NOW)
        try:
            async with Client(build(runtime)) as client:
                shown = await read(client, "posthog://schema")
                events = await read(client, "posthog://schema/events")
                completed = await client.complete(
                    PromptReference(name="why_did_it_change"), {"name": "event", "value": "purch"}
                )
        finally:
            await runtime.aclose()
    assert "system.feature_flags" in shown["tables"]["system"]
    assert events["joins"]["person"] == "persons"
    assert completed.completion.values == ["purchase_completed"]
