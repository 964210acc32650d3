"""The functions that HogQL has, by their names; PostHog's own list moves, so an unknown one is only a warning."""

from functools import cache
from importlib import resources

from .nearest import nearest

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
    "date": "toDate",
}  # fmt: skip


def unknown_function(name: str) -> tuple[str, ...] | None:
    """The nearest functions of an unknown one, None for one that there is.

    Names in small letters may be written in capitals, too; the others are what they are (PostHog's
    `hogql/functions/core.py`).
    """
    known = _known()
    if _is_known(name, known):
        return None
    other = _OTHER_DIALECTS.get(name.lower())
    return tuple(dict.fromkeys(((other,) if other else ()) + nearest(name, known)))[:3]


_COMBINATORS = (
    "If", "Array", "Distinct", "OrNull", "OrDefault", "OrZero", "State", "Merge", "Map", "ForEach", "ArgMin", "ArgMax",
)  # fmt: skip
"""What may follow the name of an aggregate (ClickHouse, "Aggregate Function Combinators")."""


def _is_known(name: str, known: frozenset[str]) -> bool:
    """Whether it is a known name, alone or with combinators."""
    if name in known or name.lower() in known:
        return True
    endings = (ending for ending in _COMBINATORS if name.endswith(ending) and name != ending)
    return any(_is_known(name.removesuffix(ending), known) for ending in endings)


@cache
def _known() -> frozenset[str]:
    return frozenset(resources.files(__package__ or "").joinpath("functions.txt").read_text("utf-8").split())
