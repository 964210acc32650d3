"""The aggregates that tell nothing about single rows."""

import re
from collections.abc import Mapping

PERSON: Mapping[object, str] = {"events": "person_id", "persons": "id"}
"""The tables whose rows can be counted in persons, and the column that tells persons apart."""
MOMENTS = (("timestamp",), ("created_at",))
"""Columns of which min and max are the ends of a range."""
EDGES = frozenset(["min", "max"])
NUMERIC_CASTS = frozenset([
    "tofloat", "toint", "tofloatorzero", "tofloatornull", "tofloatordefault", "tointorzero", "tointornull",
    "todecimal", "touint", "tofloat64", "toint64", "length", "datediff",
])  # fmt: skip
"""Functions that return a number whatever they are given."""
CASTS = NUMERIC_CASTS | frozenset([
    "abs", "round", "floor", "ceil", "log", "sqrt", "ifnull", "coalesce", "todate", "todatetime",
    "tostartofday", "tostartofhour", "tostartofweek", "tostartofmonth",
])  # fmt: skip
"""Functions of one row inside an aggregate: casts and rounding, nothing that compares."""
RAW = re.compile(
    r"any|arg_?(?:min|max)|group|array_?agg|first|last|top|approx_top|min_?by|max_?by|histogram|quantiles|sum_?map"
    r"|(?:min|max)_?map|simple|sequence|window|largest|nth|lag|lead|row_number|rank|string_?agg|json_?(?:object|array)agg",
    re.IGNORECASE,
)
"""Functions that return values of single rows, or lists of them."""
_COUNTS = frozenset([
    "count", "uniq", "uniqexact", "uniqhll12", "uniqcombined", "uniqcombined64", "countdistinct",
])  # fmt: skip
_NUMBERS = frozenset([
    "sum", "avg", "median", "medianexact", "quantile", "quantileexact", "quantiletdigest", "stddevpop",
    "stddevsamp", "stddev_pop", "stddev_samp", "varpop", "varsamp", "var_pop", "var_samp",
])  # fmt: skip
_ALL = _COUNTS | _NUMBERS | EDGES


def base_name(name: str) -> str:
    """Return the name of an aggregate in lowercase, without the combinator If."""
    lowered = name.lower()
    return lowered.removesuffix("if") if lowered.endswith("if") and lowered.removesuffix("if") in _ALL else lowered


def is_aggregate(name: str) -> bool:
    """Return whether this is one of the aggregates that are allowed."""
    return base_name(name) in _ALL


def is_count(name: str) -> bool:
    """Return whether an aggregate only counts."""
    return name in _COUNTS
