"""A reader of compiled SQL that is independent of the compiler and separates quoted from unquoted text."""

from __future__ import annotations

import re

from posthog_sandbox.hogql.functions.allowed import COMBINATORS
from posthog_sandbox.hogql.functions.registry import allowed_functions

_TOKEN = re.compile(
    r"""(?P<space>\s+) | (?P<string>'(?:[^'\\]|\\.)*') | (?P<name>`(?:[^`\\]|\\.)*`)
      | (?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?) | (?P<word>[A-Za-z_]\w*) | (?P<comment>--|/\*|\#|//) | (?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
_KEYWORDS_TEXT = """
SELECT DISTINCT AS FROM WHERE GROUP BY HAVING WINDOW QUALIFY ORDER ASC DESC LIMIT OFFSET WITH RECURSIVE TIES
JOIN LEFT RIGHT FULL INNER CROSS ANY ALL SEMI ANTI ASOF ARRAY ON AND UNION INTERSECT EXCEPT OVER PARTITION
ROWS RANGE GROUPS BETWEEN UNBOUNDED PRECEDING FOLLOWING CURRENT ROW FILL TO STEP ROLLUP CUBE GROUPING SETS
NULL true false inf nan
"""
_KEYWORDS = frozenset(_KEYWORDS_TEXT.split())
_MADE_BY_THE_COMPILER_TEXT = """
now64 toDateTime toDateTime64 toDate toTimeZone parseDateTime64BestEffortOrNull accurateCastOrNull toBool
transform JSONExtractRaw nullIf ifNull isNull isNotNull replaceRegexpAll in CAST toDateOrNull toStartOfWeek
arrayReduce arrayConcat concat exists numbers like ilike notLike notILike equals notEquals less greater
lessOrEquals greaterOrEquals match materialize toInt64 domain extract extractAll arrayDistinct cityHash64
reinterpretAsUInt128 toUUID JSONExtractString
"""
_MADE_BY_THE_COMPILER = frozenset(_MADE_BY_THE_COMPILER_TEXT.split())
_FUNCTIONS = _MADE_BY_THE_COMPILER | {function.name for function in allowed_functions()}
_TABLES = frozenset({"events", "persons", "person_distinct_ids", "groups", "sessions", "session_replays"})


def tokens(sql: str) -> list[tuple[str, str]]:
    """Return kind and text of each token except blanks."""
    found = [(match.lastgroup or "", match.group()) for match in _TOKEN.finditer(sql)]
    return [(kind, text) for kind, text in found if kind != "space"]


def skeleton(sql: str) -> str:
    """Return the SQL with all strings and quoted names replaced by one each."""
    same = {"string": "'text'", "name": "`name`", "number": "0"}
    return " ".join(same.get(kind, text) for kind, text in tokens(sql))


def assert_harmless(sql: str) -> None:
    """Fail for anything but one SELECT over known tables with allowed keywords and functions."""
    found = tokens(sql)
    defined = {found[i][1] for i in range(len(found) - 2) if found[i][0] == "name" and _opens_query(found, i + 1)}
    for index, (kind, text) in enumerate(found):
        assert kind != "comment", text
        assert kind != "mark" or text in "()[],.*=<>-+%", text
        if kind == "word":
            assert text in _KEYWORDS or _is_function(text), text
        if text in ("FROM", "JOIN") and kind == "word" and found[index - 1][1] != "ARRAY":
            _assert_table(found, index + 1, defined)


def _opens_query(found: list[tuple[str, str]], index: int) -> bool:
    return found[index][1] == "AS" and found[index + 1][1] == "("


def _is_function(name: str) -> bool:
    if name in _FUNCTIONS:
        return True
    return any(name.endswith(suffix) and _is_function(name.removesuffix(suffix)) for suffix in COMBINATORS)


def _assert_table(found: list[tuple[str, str]], index: int, defined: set[str]) -> None:
    kind, text = found[index]
    is_call = found[index + 1][1] == "("
    if kind == "number" or text == "(" or (is_call and text in ("numbers", "toDate", "toDateTime64")):
        return  # FROM of WITH FILL, a subquery, numbers()
    if found[index + 1][1] == ".":
        assert text == "`posthog`"
        assert found[index + 2][1].strip("`") in _TABLES
    else:
        assert kind == "name"
        assert text in defined
