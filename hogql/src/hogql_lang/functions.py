"""The functions of HogQL, by name. PostHog's own list changes, so an unknown function is only a warning."""

from functools import cache, lru_cache
from importlib import resources

from .spelling import nearest


@cache
def known_functions() -> frozenset[str]:
    """Return the names of all functions, without the combinators of aggregates."""
    return frozenset(resources.files(__package__ or "").joinpath("functions.txt").read_text("utf-8").split())


_OTHER_DIALECTS = {
    "len": "length", "charindex": "position", "instr": "position", "getdate": "now", "sysdate": "now",
    "curdate": "today", "datepart": "dateTrunc", "datetime_trunc": "dateTrunc", "timestamp_trunc": "dateTrunc",
    "extract_year": "toYear", "strftime": "formatDateTime",
    "group_concat": "groupArray", "listagg": "groupArray", "array_to_string": "arrayStringConcat", "nvl": "ifNull",
    "zeroifnull": "ifNull", "iif": "if", "decode": "multiIf", "json_extract": "JSONExtractString",
    "json_extract_scalar": "JSONExtractString", "json_extract_path_text": "JSONExtractString",
    "get_json_object": "JSONExtractString", "approx_count_distinct": "uniq", "approx_distinct": "uniq",
    "count_distinct": "uniq", "percentile": "quantile", "percentile_cont": "quantile", "percentile_disc": "quantile",
    "approx_percentile": "quantile", "stddev": "stddevPop", "variance": "varPop", "mean": "avg", "average": "avg",
    "count_if": "countIf", "sum_if": "sumIf", "avg_if": "avgIf", "countif": "countIf", "safe_divide": "divide",
    "regexp_matches": "match", "regexp_like": "match", "regexp_replace": "replaceRegexpAll",
    "regexp_substr": "extract", "split": "splitByChar", "string_split": "splitByChar", "generate_series": "range",
    "unnest": "arrayJoin", "explode": "arrayJoin", "first": "argMin", "last": "argMax",
    "weekday": "toDayOfWeek", "dow": "toDayOfWeek", "week": "toISOWeek",
    "unix_timestamp": "toUnixTimestamp", "convert": "toString", "str": "toString", "to_number": "toFloat",
    "todouble": "toFloat", "tofloat64": "toFloat", "toint32": "toInt", "toint64": "toInt", "touint64": "toInt",
    "concat_ws": "arrayStringConcat", "top": "LIMIT n at the end", "on": "LIMIT 1 BY column at the end",
    "date": "toDate", "cardinality": "bitmapCardinality",
    "arraylength": "length", "array_length": "length", "array_size": "length", "size": "length",
}  # fmt: skip


def unknown_function(name: str, arguments: int | None = None) -> tuple[str, ...] | None:
    """Return the functions nearest to an unknown name, None for a function that exists."""
    if is_known(name):
        return None
    other = "ifNull" if (name.lower(), arguments) == ("isnull", 2) else _OTHER_DIALECTS.get(name.lower())
    return tuple(dict.fromkeys(((other,) if other else ()) + nearest(name, known_functions())))[:3]


COMBINATORS = (
    "If", "Array", "Distinct", "OrNull", "OrDefault", "OrZero", "State", "Merge", "Map", "ForEach", "ArgMin", "ArgMax",
)  # fmt: skip
"""Suffixes of aggregate names (ClickHouse, "Aggregate Function Combinators")."""


@lru_cache(maxsize=1024)
def is_known(name: str) -> bool:
    """Return whether a function has this name, alone or with combinators.

    Lowercase names can also be written in uppercase; all others are case-sensitive (PostHog's
    `hogql/functions/core.py`).
    """
    if name in known_functions() or name.lower() in known_functions():
        return True
    endings = (ending for ending in COMBINATORS if name.endswith(ending) and name != ending)
    return any(is_known(name.removesuffix(ending)) for ending in endings)
