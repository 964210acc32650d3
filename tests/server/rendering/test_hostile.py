"""Whatever strangers write, a result is one JSON object that quotes it: nothing hidden, nothing followed."""

import json
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import TextResourceContents

from maton_posthog.tools.operation import Operation
from tests.gateway.fake_gateway import FakeGateway, Peer, Received, posthog, raw, reply
from tests.hostile.texts import HALF_A_PAIR, Poison, hidden, sentences, texts, unquoted
from tests.oracle import WHOLE, examples

from ..test_every_operation import ANSWERED, ARGUMENTS, INSIGHTS, RETURNING, served, text_of, upstream

pytestmark = pytest.mark.anyio

MORE: dict[str, dict[str, Any]] = {
    "manage_connection": {"action": "list"},
    "run_hogql": {**ARGUMENTS["run_hogql"], "refresh": True, "check": "off"},
    "query_trends": {"events": [{"action_id": 3}], "breakdown": "$browser", "compare": True},
    "query_funnel": {"steps": [{"action_id": 3}, {"action_id": 4}], "breakdown": "$browser"},
    "query_retention": {"event": "$pageview", "breakdown": "$browser"},
    "query_stickiness": {"events": [{"action_id": 3}]},
    "query_lifecycle": {"event": {"action_id": 3}},
}
"""Arguments with which a tool shows more of what strangers write."""
_STEP = {"name": "$pageview", "breakdown_value": ["Chrome"]}
RESULTS: dict[str, Any] = {
    "TrendsQuery": [
        {**INSIGHTS["TrendsQuery"][0], "breakdown_value": ["Chrome"], "compare": True, "compare_label": period}
        for period in ("current", "previous")
    ],
    "FunnelsQuery": [[{**_STEP, "order": 0, "count": 2}, {**_STEP, "order": 1, "count": 0}]],
    "RetentionQuery": [{**INSIGHTS["RetentionQuery"][0], "breakdown_value": ["Chrome"]}],
}
SHOWS_NOTHING_FOREIGN = frozenset({"check_hogql", "query_lifecycle"})
"""Tools whose responses have few texts of strangers: they are called often, and must not fail."""
MOST_CALLS = 100
A_QUARTER = 26
"""The number of texts of which four are more than all."""
STATUSES = (400, 401, 402, 403, 404, 409, 422, 429, 500, 503)


def answer_to(request: Received) -> Any:
    kind = request.json["query"]["kind"] if request.path.endswith("/query/") else None
    return {"results": RESULTS[kind]} if kind in RESULTS else upstream(request)


@asynccontextmanager
async def poisoned(start: int = 0) -> AsyncGenerator[tuple[Client, FakeGateway, Poison]]:
    """Return a client of a server whose upstream returns hostile texts. Nothing may call the trap."""
    async with FakeGateway() as trap, served() as (client, fake):
        poison = Poison(f"127.0.0.1:{trap.port}", start)

        async def behave(request: Received, peer: Peer) -> None:
            answer = poison.in_value(answer_to(request))
            if request.method == "GET" and isinstance(answer, dict) and "next" in answer:
                answer["next"] = f"{trap.url}/next?offset=20"
            await peer.send(raw(200, json.dumps(answer).encode()))

        fake.answers(behave)
        yield client, fake, poison
        assert trap.connections == 0
        assert all(re.match(r"/posthog/api/|/connections", request.path) for request in fake.received)


def check(text: str) -> dict[str, Any]:
    """Return the object in the text of a result, which holds what strangers wrote inside of strings only."""
    shown = json.loads(text)
    assert isinstance(shown, dict)
    assert text == json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
    assert hidden(text) == []
    for sentence in sentences(shown):
        assert unquoted(sentence) == [], sentence
    return cast("dict[str, Any]", shown)


def starts(operation: Operation[Any]) -> Iterator[int]:
    """Yield the first of the texts that a tool meets: in a sample each tool meets a quarter, the next tool the next."""
    if WHOLE or operation.name == "describe_data":
        yield from range(0, len(texts()), 10)
    else:
        yield RETURNING.index(operation) % 4 * A_QUARTER


@pytest.mark.oracle
@ANSWERED
async def test_a_result_quotes_every_hostile_text(operation: Operation[Any]) -> None:
    arguments = MORE.get(operation.name) or ARGUMENTS.get(operation.name, {})
    enough = len(texts()) if WHOLE else A_QUARTER
    used, good = set[str](), 0
    for start in starts(operation):
        async with poisoned(start) as (client, _, poison):
            for _ in range(examples(25, MOST_CALLS)):
                result = await client.call_tool(operation.name, arguments)
                check(text_of(result))
                good += not result.is_error
                if len(poison.used) >= enough or operation.name == "describe_data":
                    break
            used |= {text[:20] for text in poison.used}
    assert good or operation.effect.writes
    assert len(used) > enough - 5 or operation.name in SHOWS_NOTHING_FOREIGN, sorted(used)


@pytest.mark.oracle
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("form", ["posthog", "maton", "control"])
async def test_an_error_repeats_a_hostile_text_only_as_the_upstreams_words(status: int, form: str) -> None:
    async with served() as (client, fake):
        await client.call_tool("list_flags", {})
        for text in texts() if WHOLE else texts()[STATUSES.index(status) :: 10]:
            body = posthog(text, text, text) if form == "posthog" else {"error": {"message": text, "code": status}}
            if form == "control":
                fake.on("GET", "/connections", reply(status, body, retry_after="0"))
            fake.answers(reply(status, body, retry_after="0"))
            arguments = {"action": "list"} if form == "control" else {}
            result = await client.call_tool("manage_connection" if arguments else "list_flags", arguments)
            error = check(text_of(result))["error"]
            assert len(error.get("upstream", {}).get("detail", "")) <= 500
            for field in ("message", "hint"):
                assert unquoted(error.get(field, "")) == []
        assert all(re.match(r"/posthog/api/|/connections", request.path) for request in fake.received)


@pytest.mark.parametrize("uri", ["posthog://project", "posthog://schema", "posthog://schema/events"])
async def test_a_resource_quotes_every_hostile_text(uri: str) -> None:
    read, unread = 0, list[str]()
    for start in range(0, len(texts()), 10):
        async with poisoned(start) as (client, _, poison):
            try:
                (content,) = (await client.read_resource(uri)).contents
            except MCPError as error:
                unread.append(str(error.error) if any(HALF_A_PAIR in text for text in poison.used) else "\0")
            else:
                assert isinstance(content, TextResourceContents)
                check(content.text)
                read += 1
    assert read >= 8
    assert hidden("".join(unread)) == []


async def test_the_tools_and_instructions_are_the_same_after_hostile_results() -> None:
    async with poisoned() as (client, _, _):
        before = await client.list_tools()
        await client.call_tool("describe_data", {})
        await client.call_tool("list_flags", {})
        assert await client.list_tools() == before
