"""Golden files of everything the server shows to hosts and models, reviewed as text.

A test compares what is made now with what is stored; `make snapshots` (UPDATE_SNAPSHOTS=1) stores what is made now.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).parents[2]
TOOLSNAPS = ROOT / "tests" / "toolsnaps"
RESPONSES = ROOT / "tests" / "responses"
LINE = 100
FIX = "If the change is meant, run `make snapshots` and review the diff."


def updating() -> bool:
    return os.environ.get("UPDATE_SNAPSHOTS") == "1"


def dumps(value: Any) -> str:
    """Return JSON with readable diffs; the order of keys is kept."""
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def readable(value: Any, indent: str = "") -> str:
    """Return JSON for reading: one field or object a line, and rows of plain values in one line each."""
    if not isinstance(value, dict | list) or not value or _is_plain(cast("dict[str, Any] | list[Any]", value)):
        return json.dumps(value, ensure_ascii=False) + ("" if indent else "\n")
    deeper = indent + " "
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        lines = [f"{deeper}{json.dumps(name)}: {readable(item, deeper)}" for name, item in fields.items()]
        ends = "{}"
    else:
        lines = [f"{deeper}{readable(item, deeper)}" for item in cast("list[Any]", value)]
        ends = "[]"
    return f"{ends[0]}\n{',\n'.join(lines)}\n{indent}{ends[1]}" + ("" if indent else "\n")


def _is_plain(value: dict[str, Any] | list[Any]) -> bool:
    """Return whether a list or object fits in a line, with nothing nested in it."""
    inner = value.values() if isinstance(value, dict) else value
    return len(json.dumps(value)) <= LINE and not any(isinstance(item, dict | list) for item in inner)


def difference(path: Path, made: str) -> str:
    """Return what is wrong with a golden file, "" if nothing is. An update writes the file first."""
    if updating():
        path.write_text(made, "utf-8")
    name = path.relative_to(ROOT).as_posix()
    if not path.exists():
        return f"{name} is missing. {FIX}"
    return "" if path.read_text("utf-8") == made else f"{name} is not what the code makes. {FIX}"


def strays(folder: Path, tools: Iterable[str]) -> list[str]:
    """Return the golden files of a folder that belong to no tool; in an update they are removed."""
    found = set(folder.glob("*.json")) - {folder / f"{tool}.json" for tool in tools}
    if updating():
        for path in found:
            path.unlink()
        return []
    return sorted(path.name for path in found)
