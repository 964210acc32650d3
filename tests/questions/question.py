"""Questions: their text, the tool calls that answer them, and the true answer counted from the events."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from .world import World

type Shown = Mapping[str, Any]
"""The JSON object that a tool returned."""
type Arguments = Mapping[str, Any]

MOST_CALLS = 2
NO_ARGUMENTS: Arguments = {}


@dataclass(frozen=True, slots=True)
class Step:
    """One tool call. `then` makes arguments from the previous result, as an agent would."""

    tool: str
    arguments: Arguments = field(default_factory=dict[str, Any])
    then: Callable[[Shown], Arguments] | None = None

    def after(self, before: Shown) -> Arguments:
        """Return the arguments, given the previous result."""
        return {**self.arguments, **(self.then(before) if self.then else {})}


@dataclass(frozen=True, slots=True)
class Question:
    """A question as a product manager would ask it.

    `read` extracts the answer from the result of the last call; `truth` counts it in plain Python, without the engine
    and the tools. `described` contains the arguments of a preceding describe_data call, or None if there is none.
    """

    asked: str
    steps: tuple[Step, ...]
    read: Callable[[Shown], Any]
    truth: Callable[[World], Any]
    described: Arguments | None = None
    zone: str = "UTC"
    """The timezone of the project."""


def call(tool: str, **arguments: Any) -> tuple[Step, ...]:
    """Return a single call."""
    return (Step(tool, arguments),)


def hogql(query: str, **more: Any) -> tuple[Step, ...]:
    """Return a single HogQL query."""
    return call("run_hogql", query=query, **more)


def rows(shown: Shown) -> list[list[Any]]:
    """Return all rows of a table."""
    return shown["rows"]


def pairs(shown: Shown) -> list[list[Any]]:
    """Return the first two columns: names and their numbers."""
    return [row[:2] for row in rows(shown)]


def cell(shown: Shown) -> Any:
    """Return the last cell of the first row, for answers that are one number."""
    return shown["rows"][0][-1]


def fact(*path: str) -> Callable[[Shown], Any]:
    """Return a reader of a fact, such as `fact("biggest_drop", "lost")`; of a list of facts it reads the first."""

    def read(shown: Shown) -> Any:
        found: Any = shown["facts"]
        for name in path:
            one: Any = cast("list[Any]", found)[0] if isinstance(found, list) else found
            found = one[name]
        return found

    return read


def agree(answered: Any, true: Any) -> bool:
    """Return whether both are equal; floats with a relative tolerance of 1e-9."""
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
