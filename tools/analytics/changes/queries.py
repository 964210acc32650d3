"""The three HogQL queries of an explanation, and what their rows say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....gateway.budget import Budget
from ....gateway.call import Call
from ....schemas.analytics.results import InsightAnswer
from ....schemas.json import as_list
from ..computing import response_to, without_results
from .causes import Counts
from .dimensions import Dimension, quoted
from .metric import Metric
from .windows import Windows, literal

TOOL = "explain_change"
_ALL, _COURSE = "\x01all", "\x01course"
_MOST_VALUES = 15
"""Values of a dimension that are read: the largest in the period or before."""
_MOST_ROWS = 4000
_MOST_MASKS = 20_000
_MOST_LIBRARIES = 8


@dataclass(frozen=True, slots=True)
class Scan:
    """The number in all windows: as a whole, over time, and by the values of the dimensions."""

    total: Counts
    squares: float
    """The sum of the squares of all amounts."""
    course: Mapping[str, tuple[float, float]]
    """Numerator and denominator of the whole by interval."""
    parts: Mapping[str, Mapping[str, Counts]]
    many: float
    """Rows in all windows."""


async def scan(api: Call, metric: Metric, windows: Windows, dimensions: Sequence[Dimension]) -> Scan:
    """Return the number by the values of all dimensions, in one query."""
    course = f"toString(toStartOf{windows.name_of_step}(timestamp))"
    pairs = [("", _ALL), *((one.sql, one.name) for one in dimensions), (course, _COURSE)]
    values = dict(metric.values)
    listed: list[str] = []
    for at, (sql, name) in enumerate(pairs):
        values[f"d{at}"] = name
        listed.append(f"({{d{at}}}, {sql or chr(39) * 2})")
    inner = _rows(metric, windows, f"[{', '.join(listed)}]")
    numbers, units = _sums(metric, len(windows.all))
    columns = [
        "tupleElement(pair, 1) AS d", "tupleElement(pair, 2) AS v", f"{numbers} AS numbers", f"{units} AS units",
        "uniqIf(actor, w = 0) AS people", "sum(x * x) AS squares", "count() AS many", "min(at) AS first",
        f"countIf(w = 0) + countIf(w > 0) / {len(windows.before)} AS size",
    ]  # fmt: skip
    spread = f"SELECT arrayJoin(pairs) AS pair, w, x, y, actor, at, item FROM ({inner})"
    grouped = f"SELECT {', '.join(columns)} FROM ({spread}) GROUP BY d, v"
    shown = "d, v, numbers, units, people, squares, many, first"
    placed = f"SELECT {shown}, row_number() OVER (PARTITION BY d ORDER BY size DESC, v ASC) AS place FROM ({grouped})"
    sql = (
        f"SELECT d, v, numbers, units, people, squares, many, toString(first) FROM ({placed}) "
        f"WHERE place <= {_MOST_VALUES} OR d = {{course}} LIMIT {_MOST_ROWS}"
    )
    values["course"] = _COURSE
    rows = await ask_rows(api, sql, values, metric.filters)
    return _scanned(metric, windows, rows)


def _scanned(metric: Metric, windows: Windows, rows: Sequence[Sequence[Any]]) -> Scan:
    empty = (0.0,) * len(windows.all)
    total, squares, many = Counts(empty, empty if metric.is_rate else ()), 0.0, 0.0
    parts: dict[str, dict[str, Counts]] = {}
    course: dict[str, tuple[float, float]] = {}
    for name, value, numbers, units, people, square, count, first in rows:
        if name == _COURSE:
            course[str(value)[:19]] = sum(map(float, numbers)), sum(map(float, units))
            continue
        cell = _cell(metric, numbers, units, people, first)
        if name == _ALL:
            total, squares, many = cell, float(square or 0), float(count)
        else:
            parts.setdefault(str(name), {})[str(value)] = cell
    return Scan(total, squares, course, parts, many)


def _cell(metric: Metric, numbers: Sequence[Any], units: Sequence[Any], people: Any, first: Any = "") -> Counts:
    """Return the numbers of the windows, without what lies between them."""
    counts, sizes = (tuple(map(float, given[:-1])) for given in (numbers, units))
    return Counts(counts, sizes if metric.is_rate else (), float(people), str(first))


async def combinations(
    api: Call,
    metric: Metric,
    windows: Windows,
    chosen: Sequence[tuple[Dimension, str]],
) -> list[tuple[int, Counts]]:
    """Return the number by which of the chosen values a row has: bit n is set for value n."""
    values = dict(metric.values)
    columns: list[str] = []
    terms: list[str] = []
    for at, (dimension, value) in enumerate(chosen):
        values[f"c{at}"] = value
        columns.append(dimension.sql)
        terms.append(f"if(pairs[{at + 1}] = {{c{at}}}, {1 << at}, 0)")
    inner = _rows(metric, windows, f"[{', '.join(columns)}]")
    numbers, units = _sums(metric, len(windows.all))
    sql = (
        f"SELECT {' + '.join(terms)} AS mask, {numbers} AS numbers, {units} AS units, uniqIf(actor, w = 0) AS people "
        f"FROM ({inner}) GROUP BY mask ORDER BY count() DESC LIMIT {_MOST_MASKS}"
    )
    rows = await ask_rows(api, sql, values, metric.filters)
    return [(int(mask), _cell(metric, numbers, units, people)) for mask, numbers, units, people in rows]


def _rows(metric: Metric, windows: Windows, pairs: str) -> str:
    """Return the rows that count: `pairs`, their window `w` (-1 between windows), number, unit, actor and item."""
    bounds = [
        f"timestamp >= {literal(one.start)} AND timestamp < {literal(one.end)}, {at}"
        for at, one in enumerate(windows.all)
    ]
    window = f"multiIf({', '.join(bounds)}, -1)"
    where = f"timestamp >= {literal(windows.start)} AND timestamp < {literal(windows.period.end)} AND {metric.where}"
    if not metric.steps:
        item = quoted(metric.once) if metric.once else "''"
        columns = (
            f"{pairs} AS pairs, {window} AS w, {metric.number} AS x, {metric.unit or '0'} AS y, person_id AS actor, "
            f"timestamp AS at, toString({item}) AS item"
        )
        return f"SELECT {columns} FROM events WHERE {where} AND {{filters}}"
    entered, *_ = metric.steps
    columns = (
        f"argMinIf({pairs}, timestamp, {entered}) AS pairs, any({window}) AS w, "
        f"windowFunnel({metric.window_s})(toDateTime(timestamp), {', '.join(metric.steps)}) AS level, "
        "person_id AS actor, min(timestamp) AS at"
    )
    grouped = (
        f"SELECT {columns} FROM events WHERE {where} AND {{filters}} "
        f"GROUP BY person_id, toStartOf{windows.name_of_step}(timestamp)"
    )
    return (
        f"SELECT pairs, w, if(level >= {len(metric.steps)}, 1, 0) AS x, 1 AS y, actor, at, '' AS item "
        f"FROM ({grouped}) WHERE level >= 1"
    )


def _sums(metric: Metric, windows: int) -> tuple[str, str]:
    """Return the numbers and the units of each window as arrays; last what lies between windows."""

    def one(column: str, at: int) -> str:
        if metric.once:
            return f"toFloat(uniqIf(item, w = {at} AND {column} != 0))"
        return f"toFloat(sumIf({column}, w = {at}))"

    places = (*range(windows), -1)
    numbers = ", ".join(one("x", at) for at in places)
    units = ", ".join(one("y", at) for at in places) if metric.is_rate else "toFloat(0)"
    return f"[{numbers}]", f"[{units}]"


@dataclass(frozen=True, slots=True)
class Around:
    """What else happened in the period, and is usual in a window before it."""

    everything: Counts
    libraries: Mapping[str, Counts]
    """All events by the library that sent them."""
    errors: Counts
    error_types: tuple[str, ...]
    """Types of errors that the windows before do not have."""
    missing: Mapping[str, Counts]
    """Events without a property that the number needs."""
    candidates: Counts
    """The events of the number without conditions on properties."""


async def around(api: Call, metric: Metric, windows: Windows) -> Around:
    """Return the volume of all events, errors, and missing properties, in one query over the windows."""
    values = dict(metric.values)
    bounds = [
        f"timestamp >= {literal(one.start)} AND timestamp < {literal(one.end)}, {at}"
        for at, one in enumerate(windows.all)
    ]
    error = "event = '$exception'"
    kinds = "ifNull(toString(coalesce(properties.$exception_types, properties.$exception_type)), '')"
    own = metric.where
    needed = [one for one in metric.needed if one.type in ("event", "person") and "%" not in one.key][:4]
    columns = [
        f"multiIf({', '.join(bounds)}, -1) AS w", "ifNull(toString(properties.$lib), '') AS lib",
        "count() AS all_events",
        f"countIf({error}) AS errors", f"groupUniqArrayIf(20)(leftUTF8({kinds}, 120), {error}) AS kinds",
        f"countIf({own}) AS own",
    ]  # fmt: skip
    for at, one in enumerate(needed):
        name = f"{'person.' if one.type == 'person' else ''}properties.{quoted(one.key)}"
        columns.append(f"countIf({own} AND ifNull(toString({name}), '') = '') AS missing{at}")
    where = f"timestamp >= {literal(windows.start)} AND timestamp < {literal(windows.period.end)}"
    sql = f"SELECT {', '.join(columns)} FROM events WHERE {where} GROUP BY w, lib ORDER BY all_events DESC LIMIT 2000"
    rows = await ask_rows(api, sql, values, {})
    return _read_around(windows, rows, [one.key for one in needed])


def _read_around(windows: Windows, rows: Sequence[Sequence[Any]], needed: Sequence[str]) -> Around:
    many = len(windows.all)

    def cell(column: int, library: str | None = None) -> Counts:
        counts = [0.0] * many
        for row in rows:
            if row[0] >= 0 and library in (None, row[1]):
                counts[int(row[0])] += float(row[column])
        return Counts(tuple(counts))

    sizes: dict[str, float] = {}
    for row in rows:
        sizes[str(row[1])] = sizes.get(str(row[1]), 0) + float(row[2])
    largest = sorted(sizes, key=lambda name: -sizes[name])[:_MOST_LIBRARIES]
    old = {str(kind) for row in rows if row[0] != 0 for kind in as_list(row[4])}
    new = {str(kind): None for row in rows if row[0] == 0 for kind in as_list(row[4]) if str(kind) not in old}
    return Around(
        everything=cell(2),
        libraries={name: cell(2, name) for name in largest},
        errors=cell(3),
        error_types=tuple(kind for kind in new if kind),
        candidates=cell(5),
        missing={name: cell(6 + at) for at, name in enumerate(needed)},
    )


async def ask_rows(api: Call, sql: str, values: Mapping[str, Any], filters: Mapping[str, Any]) -> list[list[Any]]:
    """Return the rows of a HogQL query, counted as one."""
    used = {name: value for name, value in values.items() if f"{{{name}}}" in sql}
    query: dict[str, Any] = {"kind": "HogQLQuery", "query": sql, "values": used}
    if "{filters}" in sql:
        query["filters"] = dict(filters)
    answer = await response_to(api.counted_as(Budget.QUERY), query, InsightAnswer, tool=TOOL, refresh=False)
    if answer.results is None:
        raise without_results()
    return [as_list(row) for row in as_list(answer.results)]
