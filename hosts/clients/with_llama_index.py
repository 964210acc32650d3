"""LlamaIndex's tools for MCP servers."""

from cell import Cell, Shown, main
from llama_index.tools.mcp import BasicMCPClient, McpToolSpec


async def use(cell: Cell) -> Shown:
    if cell.transport == "stdio":
        client = BasicMCPClient(cell.command, args=list(cell.args), env=dict(cell.env))
    else:
        client = BasicMCPClient(cell.url)
    tools = {tool.metadata.name: tool for tool in await McpToolSpec(client).to_tool_list_async()}
    good = await tools[cell.good.tool].acall(**cell.good.arguments)
    mistake = await tools[cell.mistake.tool].acall(**cell.mistake.arguments)
    return Shown(
        tools=list(tools),
        answer=good.content,
        error=mistake.content,
        error_as="`ToolOutput.is_error`" if mistake.is_error else "text",
        notes=["It connects again for every call."],
    )


if __name__ == "__main__":
    main(use)
