"""The `select`, `where` and `orderBy` of EventsQuery and ActorsQuery, given as HogQL expressions."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hogql_lang import tree

from ..errors import invalid
from ..hogql import HogqlError, escape, has_aggregate, parse_expression

_DIRECTION = re.compile(r"\s+(?P<direction>asc|desc)$", re.IGNORECASE)
_NEXT_ORDER = re.compile(r"(?<=\sasc),\s*|(?<=\sdesc),\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SelectedColumn:
    """A selected column.

    `shown` is the text as sent, `name` the text without its comment, `hogql` the selected expression, `reference` the
    expression in GROUP BY and ORDER BY.
    """

    shown: str
    name: str
    hogql: str
    reference: str
    is_aggregate: bool = False

    @property
    def is_constant(self) -> bool:
        """Return whether the column is a constant, which must not be in GROUP BY."""
        return self.hogql.isdecimal()


def read_column(shown: str, special: Mapping[str, str]) -> SelectedColumn:
    """Parse a column; `special` maps names to other expressions. Raises ApiError 400."""
    name = without_comment(shown)
    if name in special:
        return SelectedColumn(shown, name, special[name], special[name])
    parsed = _parsed(name)
    reference = escape.hogql_identifier(parsed.alias) if isinstance(parsed, tree.Alias) else _line(name)
    return SelectedColumn(shown, name, _line(name), reference, has_aggregate(parsed))


def without_comment(text: str) -> str:
    """Return the text before ` -- `."""
    return text.split(" -- ", 1)[0].strip()


def _parsed(text: str) -> tree.Expr:
    try:
        return parse_expression(text)
    except HogqlError as error:
        raise invalid(error.message, error.code) from error


def _line(text: str) -> str:
    """Return the expression with a line break, which ends any comment in it."""
    return f"{text}\n"


def conditions(where: Iterable[str]) -> list[str]:
    """Return conditions that must all be true, each in parentheses. Raises ApiError 400."""
    texts = list(where)
    for text in texts:
        _parsed(text)
    return [f"({_line(text)})" for text in texts]


def grouped_by(columns: list[SelectedColumn]) -> str:
    """Return the GROUP BY columns; empty without an aggregate."""
    if not any(column.is_aggregate for column in columns):
        return ""
    return ", ".join(column.reference for column in columns if not column.is_aggregate)


def ordered(orders: Iterable[str], special: Mapping[str, str]) -> str:
    """Return `orderBy` as HogQL; one text can contain several orders, each with its direction. Raises ApiError 400."""
    shown: list[str] = []
    for text in (part for order in orders for part in _NEXT_ORDER.split(without_comment(order))):
        found = _DIRECTION.search(text)
        expression = text[: found.start()].strip() if found else text
        _parsed(expression)
        shown.append(f"{special.get(expression, _line(expression))} {found['direction'].upper() if found else 'ASC'}")
    return ", ".join(shown)


def default_order(columns: list[SelectedColumn], time: str) -> str:
    """Return `count()` descending, else the first aggregate, else the time descending, else the first column."""
    names = [column.name for column in columns]
    if "count()" in names:
        return "count() DESC"
    aggregates = [column for column in columns if column.is_aggregate]
    if aggregates:
        return f"{aggregates[0].reference} DESC"
    if time in names or "*" in names:
        return f"{time} DESC"
    return f"{columns[0].reference} ASC" if columns else ""
