"""Claude Code's own list of servers, which connects to each."""

import re
from pathlib import Path

from cell import Cell, Shown, main
from command import configuration, run, write


async def use(cell: Cell) -> Shown:
    write(Path.home() / ".claude.json", configuration(cell, type="http", url=cell.url))
    listed = run(str(Path(cell.packages, "node_modules", ".bin", "claude")), "mcp", "list").stdout
    line = next((line for line in listed.splitlines() if line.startswith("posthog:")), listed.strip())
    if not line.endswith("Connected"):
        raise RuntimeError(f"it shows: {line}")
    return Shown(notes=[f"It shows `{re.sub('.* - ', '', line)}`, and no tools without a model."])


if __name__ == "__main__":
    main(use)
