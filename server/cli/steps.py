"""The steps of the demo. Each calls tools as a model would and shows the results."""

import importlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import anyio
from mcp import Client
from mcp.types import TextContent, Tool

from .page import Terminal

PATIENCE_S = 300
"""The time for making the synthetic data; one tool call times out after 55 seconds."""
EVENTS = (
    "SELECT event, count() AS events, uniq(person_id) AS persons FROM events "
    "WHERE timestamp > now() - INTERVAL 30 DAY GROUP BY event ORDER BY events DESC LIMIT 8"
)
MISSPELT = "SELECT evnt, count() FROM events GROUP BY evnt"


class DemoError(Exception):
    """A step failed. The message is one line with the step and the reason."""


class Demo:
    """The steps of the demo over one MCP connection."""

    def __init__(self, client: Client, page: Terminal) -> None:
        self._client = client
        self._page = page

    async def all(self) -> None:
        """Run every step in order. Raises DemoError."""
        await self.tools()
        await self.numbers()
        await self.flag()
        await self.annotation()
        await self.errors()

    async def tools(self) -> None:
        """Show the tools and their cost in tokens."""
        tools = (await self._client.list_tools()).tools
        counted, how = count_tokens(tools)
        reading = [tool.name for tool in tools if tool.annotations and tool.annotations.read_only_hint]
        writing = [tool.name for tool in tools if tool.name not in reading]
        largest = sorted(counted.items(), key=lambda item: -item[1])[:3]
        self._page.heading(f"{len(tools)} tools, {sum(counted.values()):,} tokens {how}")
        self._page.facts(
            [
                ("reading", ", ".join(reading)),
                ("writing", ", ".join(writing)),
                ("largest", ", ".join(f"{name} {size}" for name, size in largest)),
            ]
        )

    async def numbers(self) -> None:
        """Run a HogQL query, once the data is ready."""
        self._page.heading("HogQL")
        self._page.call("run_hogql", EVENTS)
        answer = await self._rows(EVENTS)
        self._page.progress_done()
        self._page.table(answer["columns"], answer["rows"])
        self._page.facts([("project", answer["project"]["name"])])

    async def flag(self) -> None:
        """Create, roll out, delete and restore a flag. Changes of a flag that is on are asked about first."""
        self._page.heading("A feature flag: created, rolled out, deleted, restored")
        created = await self._show("create_flag", key="demo-new-checkout", name="New checkout", rollout_percentage=5)
        number = str(created["id"])
        updated = await self._confirmed("update_flag", flag=number, rollout_percentage=25)
        (rollout,) = updated["changed"].values()
        self._page.facts([("rollout", f"{rollout['before']}% before, {rollout['after']}% now")])
        deleted = await self._confirmed("delete_flag", flag=number)
        undo = deleted["undo"]
        self._page.facts([("deleted", json.dumps(deleted["deleted"])), ("undo", json.dumps(undo))])
        await self._confirmed(undo["tool"], **undo["arguments"])
        found = await self._show("get_flag", flag="demo-new-checkout")
        self._page.facts([("restored", f"{found['key']}, id {found['id']}, active: {json.dumps(found['active'])}")])

    async def annotation(self) -> None:
        """Create an annotation."""
        self._page.heading("An annotation")
        stored = await self._show("create_annotation", content="New checkout at 25%")
        self._page.facts([(name, stored[name]) for name in ("id", "content", "date_marker", "scope") if name in stored])

    async def errors(self) -> None:
        """Show mistakes that models make, and the errors that they get."""
        self._page.heading("Errors that teach")
        await self._show_error("list_flags", serch="checkout")
        await self._show_error("run_hogql", query=MISSPELT)

    async def _rows(self, sql: str) -> dict[str, Any]:
        """Return the result of a query that may outlive its call while the data are made. Raises DemoError."""
        deadline = anyio.current_time() + PATIENCE_S
        answer = await self._ask("run_hogql", patience=PATIENCE_S, query=sql)
        while answer.get("status") == "running":
            if anyio.current_time() > deadline:
                raise DemoError(f"run_hogql: the query still runs after {PATIENCE_S} s. Try again on an idle machine.")
            answer = await self._ask("get_query_result", query_id=answer["query_id"])
        return answer

    async def _show(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        self._page.call(name, json.dumps(arguments))
        return await self._ask(name, **arguments)

    async def _confirmed(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """Show the question that a change has for the user, and the call after the user agreed."""
        self._page.call(name, json.dumps(arguments))
        is_error, answer = await self._call(name, arguments)
        if not is_error or answer["error"]["code"] != "confirmation_required":
            raise DemoError(f"{name} changed a flag that is on without asking")
        self._page.facts([("asks first", answer["error"]["message"])])
        return await self._ask(name, **arguments, confirmation=answer["error"]["confirmation"])

    async def _show_error(self, name: str, /, **arguments: Any) -> None:
        self._page.call(name, json.dumps(arguments))
        is_error, answer = await self._call(name, arguments)
        if not is_error:
            raise DemoError(f"{name} accepted arguments that it should reject")
        error = answer["error"]
        shown = {**error, "PostHog": error.get("upstream", {}).get("detail")}
        parts = ("code", "message", "PostHog", "hint", "outcome")
        self._page.facts([(part, shown[part]) for part in parts if shown.get(part)])

    async def _ask(self, name: str, /, *, patience: float = 0, **arguments: Any) -> dict[str, Any]:
        """Return the result of a tool. After a timeout, call it again for up to `patience` seconds."""
        deadline = anyio.current_time() + patience
        while True:
            is_error, answer = await self._call(name, arguments)
            if not is_error:
                return answer
            error = answer["error"]
            if error["code"] != "timeout" or anyio.current_time() > deadline:
                raise DemoError(f"{name}: {error['message']} {error.get('hint', '')}")

    async def _call(self, name: str, arguments: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
        # With progress, a call waits until the sandbox has its events.
        result = await self._client.call_tool(name, dict(arguments), progress_callback=_ignore_progress)
        texts = [part.text for part in result.content if isinstance(part, TextContent)]
        return bool(result.is_error), json.loads(texts[0])


async def _ignore_progress(progress: float, total: float | None, message: str | None) -> None:
    """Drop the progress of a call: the log of the server reports that of the data."""


def count_tokens(tools: Sequence[Tool]) -> tuple[dict[str, int], str]:
    """Return the tokens of each tool as a host passes it to its model, and the method of counting.

    The method is o200k_base with the package rs-bpe, and otherwise an estimate.
    """
    texts = {tool.name: json.dumps(_definition(tool), ensure_ascii=False, separators=(",", ":")) for tool in tools}
    try:
        encoding: Any = cast("Any", importlib.import_module("rs_bpe.bpe")).openai.o200k_base()
    except ImportError:
        return {name: len(text) // 4 for name, text in texts.items()}, "(estimated: a quarter of the characters)"
    return {name: encoding.count(text) for name, text in texts.items()}, "(o200k_base)"


def _definition(tool: Tool) -> dict[str, object]:
    return {"name": tool.name, "description": tool.description, "inputSchema": tool.input_schema}
