"""Configuration of MCP hosts, to be pasted by a person."""

import json
import shutil
import sys
from pathlib import Path

SERVER_NAME = "posthog"
_CONFIGURATIONS = {
    "darwin": "~/Library/Application Support/Claude/claude_desktop_config.json",
    "win32": "%APPDATA%\\Claude\\claude_desktop_config.json",
}


def claude_desktop_file() -> str:
    """Return the path of Claude Desktop's configuration on this system."""
    return _CONFIGURATIONS.get(sys.platform, "~/.config/Claude/claude_desktop_config.json")


def command_in_use() -> tuple[str, ...]:
    """Return the absolute command of this installation: hosts start servers without the user's PATH."""
    script = Path(sys.executable).parent / "maton-posthog-mcp"
    found = shutil.which(str(script))
    return (found,) if found else (sys.executable, "-P", "-m", "maton_posthog.server")


def claude_desktop(*options: str, **environment: str) -> str:
    """Return the configuration of one server as JSON for Claude Desktop."""
    command, *arguments = command_in_use()
    server: dict[str, object] = {"command": command}
    if arguments or options:
        server["args"] = [*arguments, *options]
    if environment:
        server["env"] = environment
    return json.dumps({"mcpServers": {SERVER_NAME: server}}, indent=2)
