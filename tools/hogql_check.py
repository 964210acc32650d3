"""Checks HogQL with PostHog's own parser before it costs one of the scarce queries.

The parser (`hogql-parser-rs`, not on Windows) holds the interpreter lock, takes time that grows with the square of the
length of an operator chain and the fourth power of the number of joined tables (500 terms: a second), and overflows its
stack on nested template strings. So only statements that parse within moments are checked; PostHog checks all.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast

from ..gateway.errors import Refused
from ..schemas.text import excerpt
from .hogql import Token, tokenize

MAX_WORK = 60_000
"""Over all tokens, the sum of how many tokens of the same expression, and of those around it, come before."""
MAX_JOINS = 15
MAX_LENGTH = 20_000
"""Characters."""

type _Node = dict[str, Any]


def check(sql: str, values: Mapping[str, Any]) -> None:
    """Raises Refused: `hogql_syntax_error` with the place, `hogql_query_error` for a clause that HogQL lacks,
    `invalid_argument` for a placeholder without a value. Statements that would take long to parse are let through.
    """
    parser = _parser()
    if parser is None or len(sql) > MAX_LENGTH or not _is_quick(tokenize(sql)):
        return
    try:
        tree = cast("_Node", json.loads(parser.parse_select_json(sql)))
    except UnicodeEncodeError:
        raise Refused("hogql_syntax_error", "query: it holds half of a surrogate pair.", "Send Unicode text.") from None
    if tree.get("error"):
        raise _refusal(sql, tree)
    _check_placeholders(tree, values)


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


def _refusal(sql: str, error: _Node) -> Refused:
    message = excerpt(str(error.get("message")), 200)
    if error.get("type") != "SyntaxError":
        return Refused("hogql_query_error", f"query: HogQL cannot do this: {message}.", "Leave that clause out.")
    place = cast("_Node", error.get("start") or {}).get("offset")
    if isinstance(place, int):
        place = len(sql.encode()[:place].decode(errors="ignore"))  # errors count bytes
        message = f"{message}, at character {place}: `{excerpt(sql[max(0, place - 20) : place + 20], 50)}`"
    return Refused("hogql_syntax_error", f"query: {message}.", "Send one SELECT in HogQL, texts in single quotes.")


def _check_placeholders(tree: _Node, values: Mapping[str, Any]) -> None:
    """PostHog fills `{filters}` and `{variables.x}` itself; every other placeholder needs a value."""
    names = {_name(node) for node in _nodes(tree) if node.get("node") == "Placeholder"}
    if missing := sorted(names - {"", "filters", "variables"} - set(values)):
        raise Refused(
            "invalid_argument",
            f"values: no value for {', '.join('{' + excerpt(name, 50) + '}' for name in missing)}.",
            "Give each placeholder of the query its value in values.",
        )


def _name(placeholder: _Node) -> str:
    chain: object = cast("_Node", placeholder.get("expr") or {}).get("chain")
    return str(cast("list[Any]", chain)[0]) if isinstance(chain, list) and chain else ""


def _nodes(tree: _Node) -> Iterator[_Node]:
    waiting: list[Any] = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield cast("_Node", item)
            waiting += cast("_Node", item).values()
        elif isinstance(item, list):
            waiting += cast("list[Any]", item)
