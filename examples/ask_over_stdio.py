"""Run a HogQL query through an MCP client that starts the server. Synthetic data; no key needed."""

import asyncio
import json
import sys
from typing import Any

from mcp import Client, StdioServerParameters
from mcp.types import TextContent

SERVER = StdioServerParameters(command=sys.executable, args=["-m", "maton_posthog.server", "--sandbox"])
QUERY = """
    select properties.$browser as browser, uniq(person_id) as users
    from events
    where event = '$pageview' and timestamp >= now() - interval 30 day
    group by browser
    order by users desc
    limit 5
"""


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Return the result of a tool. Raises RuntimeError with the message and hint of an error."""
    while True:
        result = await client.call_tool(tool, arguments)
        content = result.content[0]
        assert isinstance(content, TextContent)
        answer = json.loads(content.text)
        if not result.is_error:
            return answer
        error = answer["error"]
        if "retry_after_s" not in error:
            raise RuntimeError(f"{error['message']} {error.get('hint', '')}")
        await asyncio.sleep(error["retry_after_s"])  # the sandbox is still creating its data


async def main() -> None:
    async with Client(SERVER) as client:
        answer = await call(client, "run_hogql", query=QUERY)
        while "rows" not in answer:  # a query can outlive its tool call
            answer = await call(client, "get_query_result", query_id=answer["query_id"])
    print(*answer["columns"], sep="\t")
    for row in answer["rows"]:
        print(*row, sep="\t")


asyncio.run(main())
