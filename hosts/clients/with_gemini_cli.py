"""Gemini CLI: its list of servers, and a conversation with a model on this machine that is a script."""

import json
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cell import Cell, Shown, ToolCall, main
from command import configuration, run, write
from scripted import Request, model


async def use(cell: Cell) -> Shown:
    servers = configuration(cell, httpUrl=cell.url)
    quiet = {"privacy": {"usageStatisticsEnabled": False}, "general": {"enableAutoUpdate": False}}
    key = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
    write(Path.home() / ".gemini" / "settings.json", {**servers, **quiet, **key})
    os.environ["GEMINI_CLI_TRUST_WORKSPACE"] = "true"  # it connects in trusted folders only
    gemini = (cell.node, str(Path(cell.packages, "node_modules", ".bin", "gemini")))
    done = run(*gemini, "mcp", "list")
    shown = f"{done.stdout}\n{done.stderr}"
    line = next((line for line in shown.splitlines() if "posthog:" in line), shown.strip())
    if not line.endswith("Connected"):
        raise RuntimeError(f"it shows: {line}")
    with model(partial(reply, (cell.good, cell.mistake))) as (url, requests):
        os.environ |= {"GOOGLE_GEMINI_BASE_URL": url, "GEMINI_API_KEY": "none"}
        run(*gemini, "--prompt", "hi", "--approval-mode", "yolo", "--model", "gemini-2.5-flash")
    last = max(requests, key=lambda request: len(results(request)))
    good, mistake = (json.dumps(result, ensure_ascii=False) for result in results(last))
    return Shown(
        tools=[name.rpartition("posthog_")[2] for name in tools(last) if "posthog_" in name],
        answer=good,
        error=mistake,
        error_as="`error`" if '"error":' in mistake[:40] else "text",
        notes=["`gemini mcp list` shows `Connected`."],
    )


def tools(request: Request) -> list[str]:
    """Return the names of the tools that a request offers the model."""
    return [one["name"] for group in request.get("tools", ()) for one in group.get("functionDeclarations", ())]


def results(request: Request) -> list[dict[str, Any]]:
    """Return the results of tools that a request shows the model."""
    parts = [part for content in request.get("contents", ()) for part in content["parts"]]
    return [part["functionResponse"]["response"] for part in parts if "functionResponse" in part]


def reply(calls: Sequence[ToolCall], request: Request) -> list[dict[str, Any]]:
    """Return the next call as a streamed message, and a text after the last."""
    done = len(results(request))
    part: dict[str, Any] = {"text": "done"}
    if tools(request) and done < len(calls):
        name = next(name for name in tools(request) if name.endswith(f"posthog_{calls[done].tool}"))
        part = {"functionCall": {"name": name, "args": calls[done].arguments}}
    usage = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    return [{"candidates": [candidate], "usageMetadata": usage}]


if __name__ == "__main__":
    main(use)
