"""Run the server inside a program and call it without a transport. Synthetic data; no key needed."""

import asyncio

from mcp import Client

from maton_posthog import __version__, load_settings, open_server


async def main() -> None:
    settings = load_settings(sandbox=True, read_only=True, toolsets="query,analytics")
    async with open_server(settings) as server, Client(server) as client:
        tools = (await client.list_tools()).tools
        print(f"maton-posthog-mcp {__version__} lists {len(tools)} tools:")
        for tool in tools:
            print(f"  {tool.name}")


asyncio.run(main())
