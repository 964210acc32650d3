"""Claude Code: its list of servers, and a conversation with a model on this machine that is a script."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cell import Cell, Shown, ToolCall, main
from command import configuration, run, write
from scripted import Request, model

PREFIX = "mcp__posthog__"


async def use(cell: Cell) -> Shown:
    servers = configuration(cell, type="http", url=cell.url)
    write(Path.home() / ".claude.json", servers)
    claude = str(Path(cell.packages, "node_modules", ".bin", "claude"))
    listed = run(claude, "mcp", "list").stdout
    line = next((line for line in listed.splitlines() if line.startswith("posthog:")), listed.strip())
    if not line.endswith("Connected"):
        raise RuntimeError(f"it shows: {line}")
    with model(partial(reply, (cell.good, cell.mistake))) as (url, requests):
        os.environ |= {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "none", "ENABLE_TOOL_SEARCH": "false"}
        run(claude, "--print", "hi", "--allowedTools", PREFIX + cell.good.tool)
    last = max(requests, key=lambda request: len(results(request)))
    good, mistake = results(last)
    return Shown(
        tools=[tool["name"].removeprefix(PREFIX) for tool in last["tools"] if tool["name"].startswith(PREFIX)],
        answer=text(good),
        error=text(mistake),
        error_as="`is_error`" if mistake.get("is_error") else "text",
        notes=["`claude mcp list` shows `Connected`."],
    )


def results(request: Request) -> list[dict[str, Any]]:
    """Return the results of tools that a request shows the model."""
    blocks = [block for message in request["messages"] for block in message["content"] if isinstance(block, dict)]
    return [block for block in blocks if block["type"] == "tool_result"]


def text(result: Mapping[str, Any]) -> str:
    """Return the text of a result."""
    content = result["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def reply(calls: Sequence[ToolCall], request: Request) -> list[dict[str, Any]]:
    """Return the next call as a streamed message, and a text after the last."""
    done = len(results(request))
    if not request.get("tools") or done == len(calls):
        return message({"type": "text", "text": ""}, {"type": "text_delta", "text": "done"})
    block = {"type": "tool_use", "id": f"toolu_{done}", "name": PREFIX + calls[done].tool, "input": {}}
    return message(block, {"type": "input_json_delta", "partial_json": calls[done].json})


def message(block: Mapping[str, Any], delta: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the events of a message with one block."""
    usage = {"input_tokens": 1, "output_tokens": 1}
    whole = {"id": "msg_1", "type": "message", "role": "assistant", "model": "script", "content": [], "usage": usage}
    reason = "tool_use" if block["type"] == "tool_use" else "end_turn"
    return [
        {"type": "message_start", "message": {**whole, "stop_reason": None, "stop_sequence": None}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]


if __name__ == "__main__":
    main(use)
