"""Functions that PostHog expands to other HogQL: each is a template over its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, cast

from hogql_lang import tree
from hogql_lang.walk import rebuilt

from ..errors import Span, query_error
from ..syntax.parser import parse_expression
from . import macro_texts
from .registry import Function


def expand(node: tree.Call) -> tree.Expr | None:
    """Return the expanded call, None if it is not a macro. Raises `HogqlError` for a wrong number of arguments."""
    forms = _macros().get(node.name.lower())
    if forms is None:
        return None
    if node.params is not None or node.distinct or node.filter is not None:
        raise query_error(f"'{node.name}' takes no parameters, DISTINCT or FILTER.", node.span)
    fewest, most = min(forms), max(forms)
    Function(node.name, fewest, most, "unknown", "", "function").check_count(len(node.args), node.name, node.span)
    names, template = forms[len(node.args)]
    return fill(template, dict(zip(names, node.args, strict=True)), node.span)


def fill(template: str, arguments: Mapping[str, tree.Expr], span: Span | None) -> tree.Expr:
    """Return a template with `{name}` replaced by arguments; errors in the template point to `span`."""
    return cast(tree.Expr, _filled(_parsed(template), arguments, span))


def macro_names() -> frozenset[str]:
    """Return the names of all macros in their usual case, for hints."""
    return frozenset(head.partition("(")[0] for head, _ in _entries())


def _entries() -> list[tuple[str, str]]:
    lines = [line for text in macro_texts.ALL for line in text.strip().splitlines()]
    return [(head.strip(), body.strip()) for head, _, body in (line.partition(" = ") for line in lines)]


@cache
def _macros() -> dict[str, dict[int, tuple[tuple[str, ...], str]]]:
    """Return argument names and template by lowercase name and number of arguments."""
    found: dict[str, dict[int, tuple[tuple[str, ...], str]]] = {}
    for head, body in _entries():
        name, _, arguments = head.removesuffix(")").partition("(")
        names = tuple(arguments.split(", "))
        found.setdefault(name.lower(), {})[len(names)] = names, body
    return found


@cache
def _parsed(template: str) -> tree.Expr:
    return parse_expression(template)


def _filled(item: Any, arguments: Mapping[str, tree.Expr], span: Span | None) -> Any:
    if isinstance(item, tree.Placeholder) and isinstance(item.expr, tree.Field):
        return arguments[str(item.expr.chain[0])]
    node = rebuilt(item, lambda member: _filled(member, arguments, span))
    return replace(node, span=span) if hasattr(node, "span") else node
