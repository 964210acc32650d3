"""Google's Agent Development Kit."""

import json

from cell import Cell, Shown, ToolCall, main
from google.adk.agents import LlmAgent
from google.adk.agents.invocation_context import InvocationContext
from google.adk.sessions import InMemorySessionService
from google.adk.tools import ToolContext
from google.adk.tools.mcp_tool import McpToolset, StdioConnectionParams, StreamableHTTPConnectionParams
from mcp import StdioServerParameters


async def use(cell: Cell) -> Shown:
    if cell.transport == "stdio":
        parameters = StdioConnectionParams(server_params=StdioServerParameters(**cell.stdio))
    else:
        parameters = StreamableHTTPConnectionParams(url=cell.url)
    toolset = McpToolset(connection_params=parameters)
    tools = {tool.name: tool for tool in await toolset.get_tools()}
    run = await invocation()

    async def called(number: str, call: ToolCall) -> str:
        context = ToolContext(run, function_call_id=number)
        return json.dumps(await tools[call.tool].run_async(args=dict(call.arguments), tool_context=context))

    good, mistake = await called("1", cell.good), await called("2", cell.mistake)
    await toolset.close()
    return Shown(list(tools), good, mistake, "`isError`" if '"isError": true' in mistake else "text")


async def invocation() -> InvocationContext:
    """Return the context of a run without a model."""
    sessions = InMemorySessionService()
    session = await sessions.create_session(app_name="tester", user_id="tester")
    return InvocationContext(
        session_service=sessions, invocation_id="1", agent=LlmAgent(name="tester"), session=session
    )


if __name__ == "__main__":
    main(use)
