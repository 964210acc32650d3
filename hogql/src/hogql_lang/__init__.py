"""HogQL, PostHog's SQL: guarded parsing, a typed syntax tree, name resolution, known functions and error checks.

`read` returns a `Statement` and `judge` the `Verdict` on it; `parse` and `parse_expression` return bare trees.
"""

from . import tree
from .check import Verdict, judge
from .findings import Findings, Problem, Unknown, Used
from .guard import LONG, SHORT, Bounds
from .limits import Limits
from .parser import Parsed, Unjudged, Unparsed, available, parse, parse_expression
from .schema import Column, Schema, SchemaError, read_schema
from .spelling import nearest
from .statement import Statement, read
from .tokens import MAX_NESTING, Token, TooDeep, tokenize

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
