"""Parse HogQL to syntax trees with PostHog's own parser (`hogql-parser-rs`, not on Windows) if that is quick."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Literal, Protocol, cast

from . import tree
from .build import Json, expression, offset
from .guard import SHORT, Bounds, check
from .tokens import Token

MAX_DEPTH = 100
"""Levels of nesting of one tree; far above what people write, far below Python's recursion limit."""
_MOST_LEVELS = 2 * MAX_DEPTH
"""Levels of nesting of its JSON: a level of the tree is one or two of them."""


@dataclass(frozen=True, slots=True)
class Unparsed:
    """A text that is not HogQL. The place is in characters."""

    message: str
    place: int | None = None
    end: int | None = None
    unsupported: bool = False
    """The text uses a clause that HogQL does not support."""


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A text that was not parsed: it would take too long, or there is no parser here."""

    message: str
    place: int | None = None


type Parsed = tree.Expr | Unparsed | Unjudged


def parse(sql: str, bounds: Bounds = SHORT, tokens: Sequence[Token] | None = None) -> Parsed:
    """Return the tree of a statement, or why there is none. Pass `tokens` if they are known already."""
    return _read("parse_select_json", sql, bounds, tokens)


def parse_expression(text: str, bounds: Bounds = SHORT) -> Parsed:
    """Return the tree of one expression, such as `event = 'purchase' and properties.amount > 10`."""
    return _read("parse_expr_json", text, bounds, None)


def available() -> bool:
    """Return whether the parser is installed."""
    return _parser() is not None


class _Parser(Protocol):
    """The part of `hogql_parser_rs` used here; that package ships no types."""

    def parse_select_json(self, text: str, /) -> str: ...
    def parse_expr_json(self, text: str, /) -> str: ...


@cache
def _parser() -> _Parser | None:
    try:
        return cast("_Parser", import_module("hogql_parser_rs"))
    except ImportError:
        return None


def syntax_error(sql: str, bounds: Bounds = SHORT) -> Unparsed | Unjudged | None:
    """Return why a statement cannot be parsed, None for one that can; quicker than `parse`, which builds its tree."""
    written = _written("parse_select_json", sql, bounds, None)
    if not isinstance(written, str):
        return written
    if written.startswith(_TREE):
        return None
    found = cast("Json", json.loads(written))
    return _error(sql, found) if found.get("error") else None


def _read(
    function: Literal["parse_select_json", "parse_expr_json"],
    text: str,
    bounds: Bounds,
    tokens: Sequence[Token] | None,
) -> Parsed:
    written = _written(function, text, bounds, tokens)
    if not isinstance(written, str):
        return written
    try:
        found = cast("Json", json.loads(written))
    except RecursionError:
        return _TOO_DEEP
    if found.get("error"):
        return _error(text, found)
    is_shallow = written.count("{") + written.count("[") <= _MOST_LEVELS or _is_shallow(found)
    return expression(found) if is_shallow else _TOO_DEEP


def _written(
    function: Literal["parse_select_json", "parse_expr_json"],
    text: str,
    bounds: Bounds,
    tokens: Sequence[Token] | None,
) -> str | Unparsed | Unjudged:
    """Return the parser's JSON."""
    parser = _parser()
    if parser is None:
        return Unjudged("The HogQL parser is not installed here.")
    if (overload := check(text, bounds, tokens)) is not None:
        return Unjudged(overload.message, overload.place)
    try:
        return getattr(parser, function)(text)
    except UnicodeEncodeError:
        return Unparsed("the query is not valid Unicode: it holds half of a surrogate pair")
    except RecursionError:
        return _TOO_DEEP


def _error(text: str, found: Json) -> Unparsed:
    start, end = _error_place(text, offset(found.get("start")), offset(found.get("end")))
    return Unparsed(str(found.get("message")), start, end, found.get("type") != "SyntaxError")


_TREE = '{"end":{"column":'
"""The beginning of a tree; an error has no column."""
_TOO_DEEP = Unjudged(f"The query is nested too deeply: more than {MAX_DEPTH} levels.")


def _error_place(text: str, start: int | None, end: int | None) -> tuple[int | None, int | None]:
    """Return the characters of an error: errors count bytes of UTF-8, nodes count characters."""
    if start is None or text.isascii():
        return start, end
    encoded = text.encode()
    first = len(encoded[:start].decode(errors="ignore"))
    if end is None:
        return first, None
    last = len(encoded[:end].decode(errors="ignore"))
    return first, max(last, first + 1) if end > start else last


def _is_shallow(found: Json) -> bool:
    level: list[Any] = [found]
    for _ in range(_MOST_LEVELS):
        deeper: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below = [each for key, each in cast("Json", item).items() if key not in ("start", "end")]
            else:
                below = cast("list[Any]", item)
            deeper += [each for each in below if isinstance(each, dict | list)]
        if not deeper:
            return True
        level = deeper
    return False
