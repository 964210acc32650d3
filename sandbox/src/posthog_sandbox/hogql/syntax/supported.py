"""Reject the HogQL constructs that are not supported here by name, and simplify some others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from hogql_lang import tree
from hogql_lang.walk import rebuilt, walk

from ..errors import HogqlError, query_error
from .hogqlx import expanded

_NAMES = {"Program": "A Hog program", "Block": "A Hog program", "SelectSetQuery": "Anything but a SELECT"}


def supported(root: tree.Expr) -> tree.Expr:
    """Return the tree in the compiler's form: tags are tuples, PREWHERE is part of WHERE. Raises `HogqlError`."""
    is_plain = True
    for node in walk(root):
        _reject(node)
        is_plain = is_plain and not isinstance(node, tree.Tag | tree.GroupingSet) and not _has_prewhere(node)
    return root if is_plain else cast(tree.Expr, _simplified(root))


def _reject(node: tree.Node) -> None:
    match node:
        case tree.Opaque(kind):
            raise _unsupported(_NAMES.get(kind, kind), node)
        case tree.Values():
            raise _unsupported("VALUES", node)
        case tree.CalledExpression():
            raise _unsupported("Calling an expression", node)
        case tree.Call(order_by=order_by, within_group=within_group) if order_by or within_group:
            raise _unsupported("ORDER BY in a call", node)
        case tree.Select(limit_percent=True):
            raise _unsupported("LIMIT with a percentage", node)
        case tree.Join(sample=tree.Sample() as sample) if not _is_plain_sample(sample):
            raise _unsupported("SAMPLE with an OFFSET or an expression", node)
        case _:
            pass


def _unsupported(what: str, node: tree.Expr | tree.Join) -> HogqlError:
    return query_error(f"{what} is not supported here.", node.span)


def _is_plain_sample(sample: tree.Sample) -> bool:
    ratio = sample.value
    return (
        sample.offset is None
        and isinstance(ratio, tree.Ratio)
        and isinstance(ratio.left, tree.Constant)
        and isinstance(ratio.right, tree.Constant | None)
    )


def _has_prewhere(node: tree.Node) -> bool:
    return isinstance(node, tree.Select) and node.prewhere is not None


def _simplified(item: Any) -> Any:
    node = rebuilt(item, _simplified)
    match node:
        case tree.Tag():
            return expanded(node)
        case tree.GroupingSet(exprs, span):
            return tree.Tuple(exprs, span)
        case tree.Select(prewhere=before) if before is not None:
            where = before if node.where is None else tree.Logical("and", (before, node.where))
            return replace(node, prewhere=None, where=where)
        case _:
            return node
