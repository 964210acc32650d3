"""HogQL to a syntax tree, by PostHog's own parser, where that takes no more than moments.

The parser (`hogql-parser-rs`, not on Windows) holds the interpreter lock, takes time that grows with the square of the
length of an operator chain and the fourth power of the number of joined tables (500 terms: a second), and overflows its
stack on nested template strings. So only statements that parse within moments are parsed; PostHog checks all.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast

from .hogql import Token

MAX_WORK = 60_000
"""Over all tokens, the sum of how many tokens of the same expression, and of those around it, come before."""
MAX_JOINS = 15
MAX_LENGTH = 20_000
"""Characters."""

type Node = dict[str, Any]
"""A node of the tree: `node` is its kind, `start` and `end` its place."""


@dataclass(frozen=True, slots=True)
class Unparsed:
    """A statement that does not parse. `place` in characters; `unsupported`: a clause that HogQL lacks."""

    message: str
    place: int | None
    unsupported: bool = False


def parse(sql: str, tokens: Sequence[Token]) -> Node | Unparsed | None:
    """The tree of a statement, why there is none, or None for one that is left to PostHog."""
    parser = _parser()
    if parser is None or len(sql) > MAX_LENGTH or not _is_quick(tokens):
        return None
    try:
        tree = cast("Node", json.loads(parser.parse_select_json(sql)))
    except UnicodeEncodeError:
        return Unparsed("it holds half of a surrogate pair", None)
    if not tree.get("error"):
        return tree
    place = cast("Node", tree.get("start") or {}).get("offset")
    if isinstance(place, int):
        place = len(sql.encode()[:place].decode(errors="ignore"))  # errors count bytes
    return Unparsed(str(tree.get("message")), place, tree.get("type") != "SyntaxError")


def available() -> bool:
    """Whether the parser is installed."""
    return _parser() is not None


def place(node: Node) -> int | None:
    """Where a node begins, in characters."""
    start = node.get("start")
    return cast("Node", start).get("offset") if isinstance(start, dict) else None


def children(value: Any) -> Iterator[Node]:
    """The nodes directly below a node, or in a list of nodes."""
    waiting: list[Any] = list(cast("Node", value).values()) if isinstance(value, dict) else [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting += cast("list[Any]", item)
        elif isinstance(item, dict):
            fields = cast("Node", item)
            if "node" in fields:
                yield fields
            else:
                waiting += fields.values()


class _Parser(Protocol):
    """The part of `hogql_parser_rs` used here; it ships no types."""

    def parse_select_json(self, text: str, /) -> str: ...


@cache
def _parser() -> _Parser | None:
    try:
        return cast("_Parser", import_module("hogql_parser_rs"))
    except ImportError:
        return None


def _is_quick(tokens: Sequence[Token]) -> bool:
    if sum(token.word == "JOIN" for token in tokens) > MAX_JOINS:
        return False
    work, runs = len(tokens), [0]
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.word == "'" and before is not None and before.word == "F" and before.end == token.start:
            return False
        while len(runs) <= token.depth:
            runs.append(0)
        del runs[max(token.depth, 0) + 1 :]
        runs[-1] = 0 if token.word in _ENDS_OF_CHAINS else runs[-1] + 1
        work += sum(runs)
        if work > MAX_WORK:
            return False
    return True


_ENDS_OF_CHAINS = frozenset(
    [",", "SELECT", "FROM", "WHERE", "PREWHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "INTERSECT", "EXCEPT"]
)
