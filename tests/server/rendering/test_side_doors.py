"""Errors, completions, prompts and progress are as clean as results of tools."""

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import GetPromptResult, PromptMessage, PromptReference, TextContent

from maton_posthog.gateway.queries import background
from maton_posthog.schemas.secret_forms import secret_forms
from maton_posthog.server import app
from maton_posthog.server.results.door import Door
from maton_posthog.tools.query import operations as query

from ...gateway.fake_gateway import CANARY, echo_refusal, reply
from ...tools.posthog.fake import page
from ..queries.test_slow import PATH, SQL, Slow
from ..test_every_operation import served

pytestmark = pytest.mark.anyio

FORMS = (CANARY, base64.b64encode(CANARY.encode()).decode().rstrip("="), quote(CANARY, safe=""))
HIDDEN = "\U000e0041\u202e\u200b"
EVENTS = "/posthog/api/projects/136209/event_definitions/"


def leaks(text: str) -> bool:
    """Return whether a text contains the key or a hidden character."""
    return any(form in text for form in (*FORMS, *HIDDEN))


async def protocol_error(client: Client, uri: str) -> str:
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    return json.dumps(caught.value.error.model_dump(mode="json"), ensure_ascii=False)


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
@pytest.mark.parametrize("uri", ["posthog://project", "posthog://schema"])
async def test_an_error_of_a_resource_does_not_contain_an_echoed_key(status: int, uri: str) -> None:
    async with served() as (client, fake):
        fake.answers(echo_refusal(status))
        shown = await protocol_error(client, uri)
        assert any(CANARY.encode() in request.raw for request in fake.received)
    assert not leaks(shown)


@pytest.mark.parametrize("form", FORMS)
async def test_the_nearest_name_in_an_error_of_a_resource_is_clean(form: str) -> None:
    async with served() as (client, fake):
        field = {"events": {"type": "posthog", "fields": {"event": {"type": "string"}}}}
        tables = {"tables": {f"events{form}": field["events"], **field}}
        fake.on("POST", PATH, reply(200, tables))
        assert not leaks(await protocol_error(client, f"posthog://schema/events{quote(form)}x"))


async def test_the_uri_in_a_protocol_error_is_clean() -> None:
    async with served() as (client, _):
        assert not leaks(await protocol_error(client, f"posthog://nothing/{CANARY}"))
        with pytest.raises(MCPError) as caught:
            await client.call_tool(f"no_tool_{CANARY}{HIDDEN}", {})
        assert not leaks(str(caught.value.error.model_dump()))


@pytest.mark.parametrize("form", [*FORMS, *HIDDEN, "a\ufe00\ufe01", "a\U000e0100"])
async def test_a_name_that_is_not_clean_is_not_suggested(form: str) -> None:
    async with served() as (client, fake):
        fake.on("GET", EVENTS, reply(200, page({"name": f"seen {form}"}, {"name": "seen"})))
        reference = PromptReference(name="why_did_it_change")
        found = await client.complete(reference, {"name": "event", "value": "seen"})
    assert found.completion.values == ["seen"]


async def test_a_prompt_does_not_repeat_the_key() -> None:
    async with served() as (client, _):
        result = await client.get_prompt("why_did_it_change", {"event": f"seen {CANARY}{HIDDEN}"})
        assert not leaks(result.model_dump_json())
        with pytest.raises(MCPError) as caught:
            await client.get_prompt("why_did_it_change", {"event": "seen", f"a_{CANARY}": "x"})
        assert not leaks(str(caught.value.error.model_dump()))


async def test_progress_does_not_contain_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "PROGRESS_EVERY_S", 0.02)
    monkeypatch.setattr(query, "_FOR_THE_ANSWER_S", 54.5)
    told: list[str | None] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        assert (progress > 0, total) == (True, None)
        told.append(message)

    class Telling(background.Query):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments)
            self.news = f"Running in PostHog {CANARY}"

    monkeypatch.setattr(background, "Query", Telling)
    async with served() as (client, fake):
        fake.on("POST", PATH, Slow())
        await client.call_tool("run_hogql", {"query": SQL}, progress_callback=tell)
    assert told
    assert not any(leaks(message or "") for message in told)


async def test_results_and_errors_of_tools_are_cleaned_with_the_keys_of_the_server() -> None:
    async with served() as (client, fake):
        await client.call_tool("list_flags", {})
        for behaviour in (
            reply(200, page(*({"id": 1, "key": form, "name": f"{form}{HIDDEN}"} for form in FORMS))),
            reply(400, {"type": "validation_error", "code": "x", "detail": " ".join(FORMS), "attr": FORMS[1]}),
        ):
            fake.on("GET", "/posthog/api/projects/136209/feature_flags/", behaviour)
            result = await client.call_tool("list_flags", {})
            assert "[redacted]" in str(result.content)
            assert not leaks(str(result.content))


async def test_the_result_of_any_handler_passes_the_door() -> None:
    """The handlers clean what they know to be foreign; the door is there for what they overlook."""
    texts = [TextContent(text=f"{form} {HIDDEN}") for form in FORMS]

    async def handler(_: Any) -> Any:
        return GetPromptResult(messages=[PromptMessage(role="user", content=text) for text in texts])

    through: Any = getattr(app, "_through_door")  # noqa: B009
    sent = await through(Door(secret_forms(CANARY)), None, handler)
    assert len(sent.messages) == len(FORMS)
    assert not leaks(sent.model_dump_json())
