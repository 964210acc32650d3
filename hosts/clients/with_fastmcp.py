"""FastMCP's client, with the configuration file that hosts use."""

from cell import Cell, Shown, main
from fastmcp import Client
from fastmcp.exceptions import ToolError


async def use(cell: Cell) -> Shown:
    server = cell.stdio if cell.transport == "stdio" else {"url": cell.url}
    async with Client({"mcpServers": {"posthog": server}}) as client:
        tools = await client.list_tools()
        good = await client.call_tool(cell.good.tool, cell.good.arguments)
        try:
            await client.call_tool(cell.mistake.tool, cell.mistake.arguments)
            error = None
        except ToolError as raised:
            error = str(raised)
    return Shown([tool.name for tool in tools], good.content[0].text, error, "`ToolError`")


if __name__ == "__main__":
    main(use)
