"""What a question is: words, the tool calls that answer it, and the true answer counted from the events themselves."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from .world import World

type Shown = Mapping[str, Any]
"""The JSON object that a tool showed."""
type Arguments = Mapping[str, Any]

MOST_CALLS = 2
NO_ARGUMENTS: Arguments = {}


@dataclass(frozen=True, slots=True)
class Step:
    """One tool call. `then` makes arguments out of the answer before, as an agent that has read it would."""

    tool: str
    arguments: Arguments = field(default_factory=dict[str, Any])
    then: Callable[[Shown], Arguments] | None = None

    def after(self, before: Shown) -> Arguments:
        """The arguments, once the answer before is known."""
        return {**self.arguments, **(self.then(before) if self.then else {})}


@dataclass(frozen=True, slots=True)
class Question:
    """A question as a product person asks it.

    `read` takes the answer out of what the last call showed; `truth` counts it in plain Python, knowing neither the
    engine nor the tools. `described` are the arguments of the describe_data call before, None when there is none.
    """

    asked: str
    steps: tuple[Step, ...]
    read: Callable[[Shown], Any]
    truth: Callable[[World], Any]
    described: Arguments | None = None
    zone: str = "UTC"
    """The timezone of the project that is asked."""


def call(tool: str, **arguments: Any) -> tuple[Step, ...]:
    """A single call."""
    return (Step(tool, arguments),)


def hogql(query: str, **more: Any) -> tuple[Step, ...]:
    """A single HogQL query."""
    return call("run_hogql", query=query, **more)


def rows(shown: Shown) -> list[list[Any]]:
    """All rows of a table."""
    return shown["rows"]


def pairs(shown: Shown) -> list[list[Any]]:
    """The first two columns: names and their numbers."""
    return [row[:2] for row in rows(shown)]


def cell(shown: Shown) -> Any:
    """The last cell of the first row: where an answer is one number."""
    return shown["rows"][0][-1]


def fact(*path: str) -> Callable[[Shown], Any]:
    """What the tool says beside its table: `fact("biggest_drop", "lost")`; of a list of facts the first."""

    def read(shown: Shown) -> Any:
        found: Any = shown["facts"]
        for name in path:
            one: Any = cast("list[Any]", found)[0] if isinstance(found, list) else found
            found = one[name]
        return found

    return read


def agree(answered: Any, true: Any) -> bool:
    """Whether both are the same; floats to 1e-9 of their size."""
    if isinstance(answered, (list, tuple)) and isinstance(true, (list, tuple)):
        one, other = cast("list[Any]", answered), cast("list[Any]", true)
        return len(one) == len(other) and all(agree(left, right) for left, right in zip(one, other, strict=True))
    if isinstance(answered, dict) and isinstance(true, dict):
        mine, theirs = cast("dict[str, Any]", answered), cast("dict[str, Any]", true)
        return mine.keys() == theirs.keys() and all(agree(mine[name], theirs[name]) for name in mine)
    if isinstance(answered, float) or isinstance(true, float):
        numbers = isinstance(answered, (int, float)) and isinstance(true, (int, float))
        return numbers and math.isclose(cast("float", answered), cast("float", true), rel_tol=1e-9)
    return answered == true
