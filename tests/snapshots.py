"""Golden files: what the server shows to hosts, reviewed as text.

A test compares what is made now with what is stored; `make snapshots` (UPDATE_SNAPSHOTS=1) stores what is made now.
"""

import json
import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TOOLSNAPS = ROOT / "tests" / "toolsnaps"
FIX = "If the change is meant, run `make snapshots` and review the diff."


def updating() -> bool:
    return os.environ.get("UPDATE_SNAPSHOTS") == "1"


def dumps(value: Any) -> str:
    """JSON that diffs line by line; the order of keys is part of it."""
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def difference(path: Path, made: str) -> str:
    """What is wrong with a golden file, "" when nothing; in an update the file is written first."""
    if updating():
        path.write_text(made, "utf-8")
    name = path.relative_to(ROOT).as_posix()
    if not path.exists():
        return f"{name} is missing. {FIX}"
    return "" if path.read_text("utf-8") == made else f"{name} is not what the code makes. {FIX}"


def strays(kept: set[Path]) -> list[str]:
    """Golden files of tools that are gone; in an update they are removed."""
    found = set(TOOLSNAPS.glob("*.json")) - kept
    if updating():
        for path in found:
            path.unlink()
        return []
    return sorted(path.name for path in found)
