"""Gemini CLI's own list of servers, which connects to each."""

import os
import re
from pathlib import Path

from cell import Cell, Shown, main
from command import configuration, run, write


async def use(cell: Cell) -> Shown:
    write(Path.home() / ".gemini" / "settings.json", configuration(cell, httpUrl=cell.url))
    os.environ["GEMINI_CLI_TRUST_WORKSPACE"] = "true"  # it connects in trusted folders only
    done = run(cell.node, str(Path(cell.packages, "node_modules", ".bin", "gemini")), "mcp", "list")
    shown = f"{done.stdout}\n{done.stderr}"
    line = next((line for line in shown.splitlines() if "posthog:" in line), shown.strip())
    if not line.endswith("Connected"):
        raise RuntimeError(f"it shows: {line}")
    return Shown(notes=[f"It shows `{re.sub('.* - ', '', line)}`, and no tools without a model."])


if __name__ == "__main__":
    main(use)
