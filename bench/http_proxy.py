"""The simplest server to call over Streamable HTTP: that of `bench.proxy`. Takes the gateway's URL and a port."""

import sys
from functools import partial

import anyio
import httpx2
import uvicorn
from mcp.server.lowlevel import Server

from .proxy import call_tool, list_tools


async def main(gateway_url: str, port: int) -> None:
    async with httpx2.AsyncClient(base_url=gateway_url, headers={"Authorization": "Bearer bench"}) as client:
        server = Server("proxy", on_list_tools=list_tools, on_call_tool=partial(call_tool, client))
        config = uvicorn.Config(server.streamable_http_app(), port=port, log_level="error", access_log=False)
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], int(sys.argv[2]))
