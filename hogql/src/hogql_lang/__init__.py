"""HogQL, PostHog's SQL: guarded parsing, a typed syntax tree, name resolution, known functions and error checks.

`read` returns a `Statement` and `judge` the `Verdict` on it; `parse` and `parse_expression` return bare trees.
"""

from typing import TYPE_CHECKING

from . import tree
from .guard import LONG, SHORT, Bounds
from .parser import Parsed, Unjudged, Unparsed, available, parse, parse_expression
from .spelling import nearest
from .tokens import MAX_NESTING, Token, TooDeep, tokenize

if TYPE_CHECKING:
    from .check import Verdict, judge
    from .findings import Findings, Problem, Unknown, Used
    from .limits import Limits
    from .schema import Column, Schema, SchemaError, read_schema
    from .statement import Statement, read

__all__ = [
    "LONG",
    "MAX_NESTING",
    "SHORT",
    "Bounds",
    "Column",
    "Findings",
    "Limits",
    "Parsed",
    "Problem",
    "Schema",
    "SchemaError",
    "Statement",
    "Token",
    "TooDeep",
    "Unjudged",
    "Unknown",
    "Unparsed",
    "Used",
    "Verdict",
    "available",
    "judge",
    "nearest",
    "parse",
    "parse_expression",
    "read",
    "read_schema",
    "tokenize",
    "tree",
]
__version__ = "0.1.0"

_HOMES = {
    "check": ("Verdict", "judge"),
    "findings": ("Findings", "Problem", "Unknown", "Used"),
    "limits": ("Limits",),
    "schema": ("Column", "Schema", "SchemaError", "read_schema"),
    "statement": ("Statement", "read"),
}
"""Modules that are loaded when one of their names is used: a program that only parses does not need them."""


def __getattr__(name: str) -> object:
    for module, names in _HOMES.items():
        if name in names:
            from importlib import import_module

            return getattr(import_module(f".{module}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
