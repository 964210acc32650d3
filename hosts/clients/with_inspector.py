"""MCP Inspector on the command line; `--strict` checks the portability of the schemas, and must find no problem."""

import json
from pathlib import Path

from cell import Cell, Shown, ToolCall, main
from command import configuration, run, write

IS_ERROR = 5
ABOUT_ITSELF = "[mcp-inspector]"
"""Begins the lines about where it keeps secrets."""


async def use(cell: Cell) -> Shown:
    write(Path("mcp.json"), configuration(cell, type="streamable-http", url=cell.url))
    program = str(Path(cell.packages, "node_modules", ".bin", "mcp-inspector"))
    inspector = (cell.node, program, "--cli", "--config", "mcp.json", "--server", "posthog", "--format", "json")

    def called(call: ToolCall, status: int) -> str:
        given = ("--method", "tools/call", "--tool-name", call.tool, "--tool-args-json", call.json)
        return json.loads(run(*inspector, *given, statuses=(status,)).stdout)["result"]["content"][0]["text"]

    listed = run(*inspector, "--method", "tools/list", "--strict")
    problems = [line for line in listed.stderr.splitlines() if line.strip() and not line.startswith(ABOUT_ITSELF)]
    if problems:
        raise RuntimeError(f"--strict printed: {' '.join(problems)}")
    return Shown(
        tools=[tool["name"] for tool in json.loads(listed.stdout)["result"]["tools"]],
        answer=called(cell.good, 0),
        error=called(cell.mistake, IS_ERROR),
        error_as=f"exit status {IS_ERROR}",
        notes=["`--strict` has no warnings."],
    )


if __name__ == "__main__":
    main(use)
