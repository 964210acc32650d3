"""Pydantic AI: an agent whose model is a script that makes the two calls, and records what a model would see."""

from cell import Cell, Shown, main
from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel


async def use(cell: Cell) -> Shown:
    calls = [ToolCallPart(call.tool, dict(call.arguments)) for call in (cell.good, cell.mistake)]
    tools: list[str] = []

    def model(_: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        tools[:] = [tool.name for tool in info.function_tools]
        return ModelResponse([calls.pop(0)] if calls else [TextPart("done")])

    target = StdioTransport(**cell.stdio) if cell.transport == "stdio" else cell.url
    async with Agent(FunctionModel(model), toolsets=[MCPToolset(target)]) as agent:
        messages = (await agent.run("hi")).all_messages()
    good, mistake = [part for message in messages for part in message.parts if isinstance(part, ToolReturnPart)]
    return Shown(tools, good.model_response_str(), mistake.model_response_str(), f"`outcome={mistake.outcome!r}`")


if __name__ == "__main__":
    main(use)
