"""Parse HogQL text to syntax trees that can be compiled, or raise `HogqlError`."""

from __future__ import annotations

from hogql_lang import LONG, Parsed, Unjudged, Unparsed, parse, tree
from hogql_lang import parse_expression as parse_one

from ..errors import HogqlError, query_error
from .supported import supported


def parse_query(text: str) -> tree.Query:
    """Return the tree of one SELECT or UNION. Raises `HogqlError` with the place of a syntax error."""
    found = _checked(parse(text, LONG))
    if not isinstance(found, tree.Select | tree.SetQuery):
        raise query_error("Anything but a SELECT is not supported here.", found.span)
    return found


def parse_expression(text: str) -> tree.Expr:
    """Return the tree of one expression, such as `event = 'purchase' and properties.amount > 10`."""
    return _checked(parse_one(text, LONG))


def _checked(found: Parsed) -> tree.Expr:
    match found:
        case Unparsed():
            raise HogqlError("hogql_syntax_error", found.message, found.place, found.end)
        case Unjudged():
            end = None if found.place is None else found.place + 1
            raise HogqlError("hogql_syntax_error", found.message, found.place, end)
        case _:
            return supported(found)
