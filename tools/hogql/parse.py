"""HogQL to a syntax tree, by PostHog's own parser, where that takes no more than moments.

The parser (`hogql-parser-rs`, not on Windows) holds the interpreter lock, takes time that grows with the square of the
length of an operator chain and the fourth power of the number of joined tables, commas included (500 terms: a second),
doubles with every nested construct that it can read in two ways (`doubling`), and overflows its stack on nested
template strings. So only statements that parse within moments are parsed; PostHog
checks all.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast

from .doubling import repeats_too_much
from .statement import Token

MAX_WORK = 60_000
"""Over all tokens, the sum of how many tokens of the same expression, and of those around it, come before."""
MAX_JOINS = 15
"""`JOIN`s, and commas between the tables of FROM."""
MAX_TEMPLATES = 10
"""Template strings, which may be nested in each other."""
MAX_LENGTH = 12_000
"""Characters: the longest list of columns takes 0.1 s."""

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
    if parser is None or len(sql) > MAX_LENGTH or not _is_quick(sql, tokens) or repeats_too_much(sql) is not None:
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


def _is_quick(sql: str, tokens: Sequence[Token]) -> bool:
    if _joined(tokens) > MAX_JOINS or len(_TEMPLATE.findall(sql)) > MAX_TEMPLATES:
        return False
    work, runs = len(tokens), [0]
    words = ["", *(token.word for token in tokens), ""]
    for at, token in enumerate(tokens, start=1):
        while len(runs) <= token.depth:
            runs.append(0)
        del runs[max(token.depth, 0) + 1 :]
        runs[-1] = 0 if _ends_chain(words, at) else runs[-1] + 1
        work += sum(runs)
        if work > MAX_WORK:
            return False
    return True


def _ends_chain(words: Sequence[str], at: int) -> bool:
    """Whether an expression ends at a word. A keyword between operators (`1 + union + 1`) is a name."""
    if words[at] not in _ENDS_OF_CHAINS:
        return False
    return words[at] == "," or (words[at - 1] not in _OPERATORS and words[at + 1] not in _ENDS_OF_NAMES)


def _joined(tokens: Sequence[Token]) -> int:
    """How often a table is joined, by a word or a comma, in all FROM clauses together."""
    joined, from_clauses = 0, set[int]()
    for token in tokens:
        if token.word == "FROM":
            from_clauses.add(token.depth)
        elif token.word in _ENDS_OF_FROM or token.word in ")]}":
            from_clauses.discard(token.depth + (token.word in ")]}"))
        joined += token.word == "JOIN" or (token.word == "," and token.depth in from_clauses)
    return joined


_TEMPLATE = re.compile(r"[fF]'")
_ENDS_OF_FROM = frozenset(["SELECT", "WHERE", "PREWHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "WINDOW", "QUALIFY"])
_ENDS_OF_CHAINS = frozenset(
    [",", "SELECT", "FROM", "WHERE", "PREWHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "UNION", "INTERSECT", "EXCEPT"]
)
_OPERATORS = frozenset([*"+-*/%=<>!|&^~?:.", "AND", "OR", "NOT", "LIKE", "ILIKE", "IN", "IS", "BETWEEN", "AS"])
_ENDS_OF_NAMES = frozenset([*"+/%=<>!|&^~?:.)]},", "AND", "OR", "LIKE", "ILIKE", "IN", "IS", "BETWEEN"])
