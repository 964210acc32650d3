"""A HogQL statement with its text, tokens, tree and limits, which are read once."""

from __future__ import annotations

from dataclasses import dataclass

from . import tree
from .guard import SHORT, Bounds
from .limits import Limits, limits_of_tokens, limits_of_tree
from .parser import Parsed, parse
from .tokens import Token, tokenize


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and everything read from its text."""

    sql: str
    tokens: tuple[Token, ...]
    tree: Parsed
    limits: Limits | None
    """None for anything but a SELECT."""


def read(sql: str, bounds: Bounds = SHORT) -> Statement:
    """Read a statement. Raises TooDeep for more than 100 open brackets."""
    tokens = tuple(tokenize(sql))
    found = parse(sql, bounds, tokens)
    if isinstance(found, tree.Select | tree.SetQuery):
        return Statement(sql, tokens, found, limits_of_tree(found))
    return Statement(sql, tokens, found, limits_of_tokens(sql, tokens))
