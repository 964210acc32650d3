"""The three HogQL queries of an explanation, and what their rows say."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ....gateway.budget import Budget
from ....gateway.call import Call
from ....schemas.analytics.results import InsightAnswer
from ....schemas.measures import Number
from ....schemas.privacy import SMALLEST_GROUP
from ...operation import unexpected_shape
from ..computing import response_to, results, without_results
from .counts import Counts
from .dimensions import Dimension, quoted
from .metric import MeasuredNumber
from .windows import Windows, literal

TOOL = "explain_change"
_ALL, _COURSE, _FIRST = 0, 1, 2
"""The numbers of the rows of the whole, of its course, and of the first dimension."""
_MOST_VALUES = 15
"""Values of a dimension that are read: the largest in the period or before."""
_MOST_ROWS = 4000
_MOST_MASKS = 20_000
_MOST_LIBRARIES = 8


class _ScanRow(NamedTuple):
    """A value of a dimension; numbers and units are those of each window, and of what lies between them."""

    dimension: int
    value: str
    numbers: list[Number]
    units: list[Number]
    people: Number
    squares: Number | None
    many: Number
    first_seen: str


class _MaskRow(NamedTuple):
    """A combination of values."""

    mask: int
    numbers: list[Number]
    units: list[Number]
    people: Number


class _AroundRow(NamedTuple):
    """All events of a window from one library."""

    window: int
    library: str
    everything: Number
    errors: Number
    error_types: list[str]
    own: Number
    missing: list[Number]


@dataclass(frozen=True, slots=True)
class Scan:
    """The number in all windows: as a whole, over time, and by the values of the dimensions."""

    total: Counts
    squares: float
    """The sum of the squares of all amounts."""
    course: Mapping[str, tuple[float, float]]
    """Numerator and denominator of the whole by interval."""
    parts: Mapping[str, Mapping[str, Counts]]


async def scan(api: Call, metric: MeasuredNumber, windows: Windows, dimensions: Sequence[Dimension]) -> Scan:
    """Return the number by the values of all dimensions, in one query."""
    course = f"toString(toStartOf{windows.name_of_step}(timestamp))"
    listed = [f"({at}, {sql})" for at, sql in enumerate(("''", course, *(one.sql for one in dimensions)))]
    inner = _rows(metric, windows, f"[{', '.join(listed)}]")
    numbers, units = _sums(metric, len(windows.all))
    columns = [
        "tupleElement(pair, 1) AS d", "tupleElement(pair, 2) AS v", f"{numbers} AS numbers", f"{units} AS units",
        "uniqIf(actor, w = 0) AS people", "sum(x * x) AS squares", "count() AS many", "min(at) AS first",
        f"countIf(w = 0) + countIf(w > 0) / {len(windows.before)} AS size",
    ]  # fmt: skip
    spread = f"SELECT arrayJoin(pairs) AS pair, w, x, y, actor, at, item FROM ({inner})"
    grouped = f"SELECT {', '.join(columns)} FROM ({spread}) GROUP BY d, v{_groups(api, f' OR d <= {_COURSE}')}"
    shown = "d, v, numbers, units, people, squares, many, first"
    placed = f"SELECT {shown}, row_number() OVER (PARTITION BY d ORDER BY size DESC, v ASC) AS place FROM ({grouped})"
    sql = (
        f"SELECT d, v, numbers, units, people, squares, many, toString(first) FROM ({placed}) "
        f"WHERE place <= {_MOST_VALUES} OR d = {_COURSE} LIMIT {_MOST_ROWS}"
    )
    rows = await ask_rows(api, sql, metric.values, metric.filters, _ScanRow)
    return _scanned(metric, windows, [one.name for one in dimensions], rows)


def _groups(api: Call, unless: str = "") -> str:
    """Return the condition that leaves out parts of few persons, where only groups are shown."""
    return f" HAVING uniq(actor) >= {SMALLEST_GROUP}{unless}" if api.privacy.aggregate_only else ""


def _scanned(metric: MeasuredNumber, windows: Windows, names: Sequence[str], rows: Sequence[_ScanRow]) -> Scan:
    empty = (0.0,) * len(windows.all)
    total, squares = Counts(empty, empty if metric.is_rate else ()), 0.0
    parts: dict[str, dict[str, Counts]] = {}
    course: dict[str, tuple[float, float]] = {}
    for row in rows:
        if row.dimension == _COURSE:
            course[row.value[:19]] = sum(row.numbers), sum(row.units)
            continue
        if not 0 <= row.dimension < _FIRST + len(names):
            raise unexpected_shape("this kind of query", "the number of a dimension")
        cell = _cell(metric, windows, row)
        if row.dimension == _ALL:
            total, squares = cell, row.squares or 0.0
        else:
            parts.setdefault(names[row.dimension - _FIRST], {})[row.value] = cell
    return Scan(total, squares, course, parts)


def _cell(metric: MeasuredNumber, windows: Windows, row: _ScanRow | _MaskRow) -> Counts:
    """Return the numbers of the windows, without what lies between them."""
    many = len(windows.all)
    if len(row.numbers) != many + 1 or (metric.is_rate and len(row.units) != many + 1):
        raise unexpected_shape("this kind of query", "the number of windows")
    first = row.first_seen if isinstance(row, _ScanRow) else ""
    return Counts(tuple(row.numbers[:-1]), tuple(row.units[:-1]) if metric.is_rate else (), row.people, first)


async def combinations(
    api: Call,
    metric: MeasuredNumber,
    windows: Windows,
    chosen: Sequence[tuple[Dimension, str]],
) -> list[tuple[int, Counts]]:
    """Return the number by which of the chosen values a row has: bit n is set for value n. Numbers of persons or
    sessions, of which one can be in several rows, are by pairs of values: they do not add up.
    """
    values = dict(metric.values)
    columns: list[str] = []
    terms: list[str] = []
    for at, (dimension, value) in enumerate(chosen):
        values[f"c{at}"] = value
        columns.append(dimension.sql)
        terms.append(f"if(pairs[{at + 1}] = {{c{at}}}, {1 << at}, 0)")
    inner = _rows(metric, windows, f"[{', '.join(columns)}]")
    numbers, units = _sums(metric, len(windows.all))
    mask = " + ".join(terms)
    if metric.once:
        pairs = ", ".join(str(1 << one | 1 << two) for one, two in itertools.combinations(range(len(chosen)), 2))
        mask = f"arrayJoin(arrayFilter(pair -> bitAnd({mask}, pair) = pair, [{pairs}]))"
    sql = (
        f"SELECT {mask} AS mask, {numbers} AS numbers, {units} AS units, uniqIf(actor, w = 0) AS people "
        f"FROM ({inner}) GROUP BY mask{_groups(api)} ORDER BY count() DESC LIMIT {_MOST_MASKS}"
    )
    rows = await ask_rows(api, sql, values, metric.filters, _MaskRow)
    return [(row.mask, _cell(metric, windows, row)) for row in rows]


def _rows(metric: MeasuredNumber, windows: Windows, pairs: str) -> str:
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


def _sums(metric: MeasuredNumber, windows: int) -> tuple[str, str]:
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


async def around(api: Call, metric: MeasuredNumber, windows: Windows) -> Around:
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
    names = [f"{'person.' if one.type == 'person' else ''}properties.{quoted(one.key)}" for one in needed]
    missing = [f"countIf({own} AND ifNull(toString({name}), '') = '')" for name in names]
    columns.append(f"[{', '.join(missing or ['toUInt64(0)'])}] AS missing")
    where = f"timestamp >= {literal(windows.start)} AND timestamp < {literal(windows.period.end)}"
    sql = f"SELECT {', '.join(columns)} FROM events WHERE {where} GROUP BY w, lib ORDER BY all_events DESC LIMIT 2000"
    rows = await ask_rows(api, sql, values, {}, _AroundRow)
    return _read_around(windows, rows, [one.key for one in needed])


def _read_around(windows: Windows, rows: Sequence[_AroundRow], needed: Sequence[str]) -> Around:
    def cell(number: Callable[[_AroundRow], float], library: str | None = None) -> Counts:
        counts = [0.0] * len(windows.all)
        for row in rows:
            if 0 <= row.window < len(counts) and library in (None, row.library):
                counts[row.window] += number(row)
        return Counts(tuple(counts))

    def of_property(at: int) -> Counts:
        return cell(lambda row: row.missing[at] if at < len(row.missing) else 0.0)

    sizes: dict[str, float] = {}
    for row in rows:
        sizes[row.library] = sizes.get(row.library, 0.0) + row.everything
    largest = sorted(sizes, key=lambda name: -sizes[name])[:_MOST_LIBRARIES]
    old = {kind for row in rows if row.window for kind in row.error_types}
    new = [kind for row in rows if not row.window for kind in row.error_types if kind and kind not in old]
    return Around(
        everything=cell(lambda row: row.everything),
        libraries={name: cell(lambda row: row.everything, name) for name in largest},
        errors=cell(lambda row: row.errors),
        error_types=tuple(dict.fromkeys(new)),
        candidates=cell(lambda row: row.own),
        missing={name: of_property(at) for at, name in enumerate(needed)},
    )


async def ask_rows[R](
    api: Call, sql: str, values: Mapping[str, Any], filters: Mapping[str, Any], shape: type[R]
) -> list[R]:
    """Return the rows of a HogQL query, counted as one. Raises Failed (`bad_upstream_response`) for other rows."""
    used = {name: value for name, value in values.items() if f"{{{name}}}" in sql}
    query: dict[str, Any] = {"kind": "HogQLQuery", "query": sql, "values": used}
    if "{filters}" in sql:
        query["filters"] = dict(filters)
    answer = await response_to(api.counted_as(Budget.QUERY), query, InsightAnswer, tool=TOOL, refresh=False)
    if answer.results is None:
        raise without_results()
    return results(answer, list[shape])
