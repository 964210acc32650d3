"""OpenAI's Agents SDK, with its default time limit of 5 seconds for each request."""

from agents import Agent, RunContextWrapper
from agents.mcp import MCPServerStdio, MCPServerStreamableHttp, MCPUtil
from cell import Cell, Shown, main


async def use(cell: Cell) -> Shown:
    if cell.transport == "stdio":
        server = MCPServerStdio(params=cell.stdio)
    else:
        server = MCPServerStreamableHttp(params={"url": cell.url})
    async with server:
        context = RunContextWrapper(None)
        tools = await server.list_tools(context, Agent("tester", mcp_servers=[server]))
        by_name = {tool.name: tool for tool in tools}
        good = await MCPUtil.invoke_mcp_tool(server, by_name[cell.good.tool], context, cell.good.json)
        mistake = await MCPUtil.invoke_mcp_tool(server, by_name[cell.mistake.tool], context, cell.mistake.json)
    return Shown(list(by_name), str(good), str(mistake), "text")


if __name__ == "__main__":
    main(use)
