"""Running the questions on a real MCP server over a sandbox in a separate process, and counting the cost of answers."""

import importlib
import json
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import anyio
import anyio.to_thread
import pytest
from mcp import Client
from mcp.types import TextContent

from maton_posthog.server.runtime import Runtime
from maton_posthog.server.settings import load
from tests.clients import client_of
from tests.tools.posthog.live import NOW, running_sandbox

from .question import Question, Shown
from .world import EVENTS

PATIENCE_S = 60
PROJECT = 1
"""The project with events."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a question: the result of the last call, and the tokens (o200k_base) of all results."""

    shown: Shown
    errors: tuple[str, ...]
    described_tokens: int
    tokens: int
    """The tokens of the calls after describe_data."""
    hogql_queries: int


@contextmanager
def sandbox() -> Generator[str]:
    """Yield the URL of a sandbox that runs until the block ends."""
    with running_sandbox(EVENTS) as running:
        yield running.url


def new_server(url: str) -> Runtime:
    """Return a server without cached state."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MATON_API_KEY", "sandbox")
        return Runtime(load(gateway_url=url, control_url=url), now=lambda: NOW)


async def ask_all(url: str, questions: Sequence[Question]) -> tuple[Answered, ...]:
    """Return the answers in the order of the questions, each from a new server."""
    return tuple([await ask(url, question) for question in questions])


def set_zone(url: str, zone: str) -> None:
    """Set the timezone of the project."""
    headers = {"Authorization": "Bearer sandbox", "Content-Type": "application/json"}
    body = json.dumps({"timezone": zone}).encode()
    request = urllib.request.Request(f"{url}/posthog/api/projects/{PROJECT}/", body, headers, method="PATCH")
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        assert answer.status == 200


async def ask(url: str, question: Question) -> Answered:
    """Make the calls of a question, one after another."""
    await anyio.to_thread.run_sync(set_zone, url, question.zone)
    errors: list[str] = []
    spent: list[int] = []
    shown: Shown = {}
    described_tokens = tokens = 0
    async with client_of(new_server(url)) as client:
        if question.described is not None:
            text, failed = await _call(client, "describe_data", dict(question.described))
            described_tokens = count_tokens(text)
            shown = json.loads(text)
            errors += [text] if failed else []
        for step in question.steps:
            text, failed = await _call(client, step.tool, dict(step.after(shown)))
            tokens += count_tokens(text)
            shown = json.loads(text)
            errors += [text] if failed else []
            budget: dict[str, Any] = shown.get("budget", {})
            spent += [budget["used"]] if budget.get("class") == "query" else []
    return Answered(shown, tuple(errors), described_tokens, tokens, max(spent, default=0))


async def _call(client: Client, tool: str, arguments: dict[str, Any]) -> tuple[str, bool]:
    result = await client.call_tool(tool, arguments)
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text, bool(result.is_error)


@cache
def _encoding() -> Any:
    return cast("Any", importlib.import_module("rs_bpe.bpe")).openai.o200k_base()


def count_tokens(text: str) -> int:
    """Return the number of o200k_base tokens in a text."""
    return _encoding().count(text)
