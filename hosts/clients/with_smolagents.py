"""smolagents, which connects through mcpadapt."""

import asyncio

from cell import Cell, Shown, main
from mcp import StdioServerParameters
from smolagents import MCPClient


async def use(cell: Cell) -> Shown:
    return await asyncio.to_thread(use_in_thread, cell)


def use_in_thread(cell: Cell) -> Shown:
    target = StdioServerParameters(**cell.stdio) if cell.transport == "stdio" else {"url": cell.url}
    with MCPClient(target, structured_output=False) as tools:
        by_name = {tool.name: tool for tool in tools}
        good = by_name[cell.good.tool](**cell.good.arguments)
        mistake = by_name[cell.mistake.tool](**cell.mistake.arguments)
    return Shown(list(by_name), str(good), str(mistake), "text")


if __name__ == "__main__":
    main(use)
