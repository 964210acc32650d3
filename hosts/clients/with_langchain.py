"""LangChain's adapter for MCP servers."""

from cell import Cell, Shown, ToolCall, main
from langchain_core.messages import ToolMessage
from langchain_mcp_adapters.client import MultiServerMCPClient


async def use(cell: Cell) -> Shown:
    stdio = {"transport": "stdio", **cell.stdio}
    client = MultiServerMCPClient(
        {"posthog": stdio if cell.transport == "stdio" else {"transport": "http", "url": cell.url}}
    )
    tools = {tool.name: tool for tool in await client.get_tools()}

    async def called(call: ToolCall) -> ToolMessage:
        made = {"type": "tool_call", "id": "1", "name": call.tool, "args": dict(call.arguments)}
        return await tools[call.tool].ainvoke(made)

    good, mistake = await called(cell.good), await called(cell.mistake)
    return Shown(
        tools=list(tools),
        answer=good.text,
        error=mistake.text if mistake.status == "error" else None,
        error_as='`ToolMessage` with `status="error"`',
        notes=["It connects again for every call."],
    )


if __name__ == "__main__":
    main(use)
