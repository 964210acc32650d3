"""The clients of the matrix: their environments, programs, and what each has a way to show."""

from dataclasses import dataclass
from typing import Literal

from .clients.cell import Transport

TRANSPORTS: tuple[Transport, ...] = ("stdio", "http")
type Kind = Literal["python", "node", "command"]
"""How the program runs: in a Python environment, in Node, or here as the driver of a command of a Node package."""
EVERYTHING = ("list", "call", "error")


@dataclass(frozen=True, slots=True)
class Client:
    """A host or framework."""

    name: str
    kind: Kind
    program: str
    """File in `clients/`."""
    configuration: str
    """How it is configured for this server: the client's own options or functions."""
    transports: tuple[Transport, ...] = TRANSPORTS
    shows: tuple[str, ...] = EVERYTHING
    provokes: str = ""
    """A warning in the server's log that the client provokes."""
    quick: bool = False
    seconds: float = 120
    """Time limit for a cell."""


CLIENTS = (
    Client("mcp", "python", "with_mcp.py", "`Client(StdioServerParameters(...))`, `Client(url)`", quick=True),
    Client("fastmcp", "python", "with_fastmcp.py", '`Client({"mcpServers": ...})`', quick=True),
    Client("pydantic-ai", "python", "with_pydantic_ai.py", "`MCPToolset(StdioTransport(...))`, `MCPToolset(url)`"),
    Client("langchain", "python", "with_langchain.py", '`MultiServerMCPClient({"posthog": ...})`'),
    Client("openai-agents", "python", "with_openai_agents.py", "`MCPServerStdio`, `MCPServerStreamableHttp`"),
    Client("llama-index", "python", "with_llama_index.py", "`BasicMCPClient`, `McpToolSpec`"),
    Client("google-adk", "python", "with_google_adk.py", "`McpToolset(connection_params=...)`"),
    Client("smolagents", "python", "with_smolagents.py", "`MCPClient(...)`"),
    Client("dspy", "python", "with_dspy.py", "`dspy.Tool.from_mcp_tool`"),
    Client(
        "typescript-sdk",
        "node",
        "with_typescript_sdk.mjs",
        "`StdioClientTransport`, `StreamableHTTPClientTransport`",
        quick=True,
    ),
    Client("vercel-ai", "node", "with_vercel_ai.mjs", "`createMCPClient({ transport })`", quick=True),
    Client("inspector", "command", "with_inspector.py", "`--cli --config mcp.json`, also with `--strict`"),
    Client("claude-code", "command", "with_claude_code.py", "`mcpServers` in `~/.claude.json`"),
    Client("gemini-cli", "command", "with_gemini_cli.py", "`mcpServers` in `~/.gemini/settings.json`"),
    Client(
        "conformance",
        "command",
        "with_conformance.py",
        "`server --url URL --requirements REVISION`",
        transports=("http",),
        shows=(),
        provokes="Invalid Host header",
        quick=True,
    ),
)
