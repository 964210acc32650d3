"""DSPy: tools of a session of the MCP SDK."""

import dspy
from cell import Cell, Shown, ToolCall, main
from mcp import Client, StdioServerParameters


async def use(cell: Cell) -> Shown:
    target = StdioServerParameters(**cell.stdio) if cell.transport == "stdio" else cell.url
    async with Client(target) as client:
        listed = await client.list_tools()
        tools = {tool.name: dspy.Tool.from_mcp_tool(client.session, tool) for tool in listed.tools}

        async def called(call: ToolCall) -> str:
            return str(await tools[call.tool].acall(**call.arguments))

        good = await called(cell.good)
        try:
            error, shown_as = await called(cell.mistake), "text"
        except RuntimeError as raised:
            error, shown_as = str(raised), "`RuntimeError`"
    return Shown(list(tools), good, error, shown_as)


if __name__ == "__main__":
    main(use)
