"""The MCP SDK's own client."""

from cell import Cell, Shown, main
from mcp import Client, StdioServerParameters


async def use(cell: Cell) -> Shown:
    target = StdioServerParameters(**cell.stdio) if cell.transport == "stdio" else cell.url
    async with Client(target) as client:
        tools = await client.list_tools()
        good = await client.call_tool(cell.good.tool, dict(cell.good.arguments))
        mistake = await client.call_tool(cell.mistake.tool, dict(cell.mistake.arguments))
    return Shown(
        tools=[tool.name for tool in tools.tools],
        answer=good.content[0].text,
        error=mistake.content[0].text if mistake.is_error else None,
        error_as="`is_error`",
    )


if __name__ == "__main__":
    main(use)
