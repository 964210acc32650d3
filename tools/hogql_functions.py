"""The functions that HogQL has, by their names; PostHog's own list moves, so an unknown one is only a warning."""

from functools import cache
from importlib import resources

from .nearest import nearest

_OTHER_DIALECTS = {
    "len": "length", "char_length": "length", "charindex": "position", "instr": "position", "getdate": "now",
    "sysdate": "now", "current_timestamp": "now", "curdate": "today", "current_date": "today", "datepart": "dateTrunc",
    "date_part": "dateTrunc", "extract_year": "toYear", "to_date": "toDate", "to_char": "formatDateTime",
    "strftime": "formatDateTime", "date_format": "formatDateTime", "string_agg": "groupArray",
    "array_agg": "groupArray", "group_concat": "groupArray", "listagg": "groupArray", "nvl": "ifNull",
    "isnull": "isNull", "iif": "if", "json_extract": "JSONExtractString", "json_value": "JSONExtractString",
    "get_json_object": "JSONExtractString", "approx_count_distinct": "uniq", "count_distinct": "uniq",
    "countdistinct": "uniq", "percentile": "quantile", "percentile_cont": "quantile", "percentile_disc": "quantile",
    "stddev": "stddevPop", "variance": "varPop", "mean": "avg", "average": "avg", "regexp_matches": "match",
    "regexp_like": "match", "regexp_extract": "extract", "split_part": "splitByChar", "split": "splitByChar",
    "generate_series": "range", "unnest": "arrayJoin", "explode": "arrayJoin", "first": "argMin", "last": "argMax",
    "first_value": "argMin", "last_value": "argMax", "ucase": "upper", "lcase": "lower", "to_timestamp": "toDateTime",
    "date_add": "dateAdd", "date_sub": "dateSub", "datediff": "dateDiff", "date_diff": "dateDiff",
    "dateadd": "dateAdd", "datesub": "dateSub", "weekday": "toDayOfWeek", "dayofweek": "toDayOfWeek",
    "year": "toYear", "month": "toMonth", "day": "toDayOfMonth", "hour": "toHour", "week": "toISOWeek",
    "convert": "toString", "str": "toString", "concat_ws": "arrayStringConcat", "substr": "substring",
}  # fmt: skip


def unknown_function(name: str) -> tuple[str, ...] | None:
    """The nearest functions of an unknown one, None for one that there is (upper and lower case count alike)."""
    known = _known()
    lower = name.lower()
    if _bare(lower, known):
        return None
    other = _OTHER_DIALECTS.get(lower)
    return tuple(dict.fromkeys(((other,) if other else ()) + nearest(name, known.values())))[:3]


_COMBINATORS = (
    "if", "array", "distinct", "ornull", "ordefault", "orzero", "state", "merge", "map", "foreach", "argmin", "argmax",
)  # fmt: skip
"""What may follow the name of an aggregate (ClickHouse, "Aggregate Function Combinators")."""


def _bare(name: str, known: dict[str, str]) -> bool:
    """Whether it is a known name, alone or with combinators."""
    if name in known:
        return True
    endings = (ending for ending in _COMBINATORS if name.endswith(ending) and name != ending)
    return any(_bare(name.removesuffix(ending), known) for ending in endings)


@cache
def _known() -> dict[str, str]:
    text = resources.files(__package__ or "").joinpath("hogql_functions.txt").read_text("utf-8")
    return {name.lower(): name for name in text.split()}
