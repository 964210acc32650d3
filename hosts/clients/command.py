"""Run the command of a host, with a configuration file in the form that most hosts share."""

import json
import subprocess
from pathlib import Path
from typing import Any

from cell import Cell


def configuration(cell: Cell, **http: Any) -> dict[str, Any]:
    """Return the server's entry in `mcpServers`; `http` are the fields of the host's form for a URL."""
    return {"mcpServers": {"posthog": cell.stdio if cell.transport == "stdio" else http}}


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a configuration file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2), "utf-8")


def run(*command: str, statuses: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
    """Run a command. Raises RuntimeError with its output when it exits with another status."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode not in statuses:
        output = " | ".join(f"{done.stderr}\n{done.stdout}".split("\n"))
        raise RuntimeError(f"{Path(command[0]).name} exited with {done.returncode}: {output[-500:]}")
    return done
