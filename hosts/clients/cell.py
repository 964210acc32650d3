"""The part of a cell that runs in the client's environment: where to connect, and what the client showed.

The runner passes a cell as JSON in the first argument; the last line that a client prints is what it showed.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

type Transport = Literal["stdio", "http"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call to make: the good one, or the one whose result is an error."""

    tool: str
    arguments: Mapping[str, Any]

    @property
    def json(self) -> str:
        """The arguments as JSON text."""
        return json.dumps(dict(self.arguments))


@dataclass(frozen=True, slots=True)
class Cell:
    """One client and one transport."""

    transport: Transport
    good: ToolCall
    mistake: ToolCall
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    url: str = ""
    packages: str = ""
    """The folder with the Node packages, for clients that are commands."""
    node: str = ""

    @property
    def stdio(self) -> dict[str, Any]:
        """How to start the server, with the names that most clients use."""
        return {"command": self.command, "args": list(self.args), "env": dict(self.env)}

    @classmethod
    def read(cls, text: str) -> "Cell":
        """Parse the JSON of the runner."""
        fields: dict[str, Any] = json.loads(text)
        fields |= {name: ToolCall(**fields[name]) for name in ("good", "mistake")}
        fields["args"] = tuple(fields["args"])
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a client showed. None: the client has no way to show this."""

    tools: list[str] | None = None
    answer: str | None = None
    """The text of the good call."""
    error: str | None = None
    """The text of the other call."""
    error_as: str = ""
    """How the client shows an error: an exception, a flag, or only its text."""
    notes: list[str] = field(default_factory=list[str])


def main(use: Callable[[Cell], Coroutine[Any, Any, Shown]]) -> None:
    """Use the server as the cell says, and print what the client showed."""
    shown = asyncio.run(use(Cell.read(sys.argv[1])))
    print(json.dumps(asdict(shown)), flush=True)
