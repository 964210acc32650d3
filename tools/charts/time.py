"""Numbers over time: lines, with what is not over yet dashed; the four statuses of a lifecycle stacked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from ..table import Cell, Table
from .bars import bars
from .style import COLOURS, MOST_SERIES, Chart, Heading, Layer, Rows, amount, colour, labels, sheet, value_axis

MOST_POINTS = 400
"""Intervals in one chart; the newest stay."""
_LIFECYCLE = ("new", "returning", "resurrecting", "dormant")
_LIFECYCLE_COLOURS = ("#2563eb", "#059669", "#9333ea", "#dc2626")
_BEFORE = " before"
_MOST_DOTS = 60
_MOST_TICKS = 9
_HEIGHT = 420
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class _Series:
    label: str
    colour: str
    values: tuple[float | None, ...]
    earlier: bool = False
    """The period before of the series that has this label."""


def over_time(table: Table, marks: Mapping[str, Any], heading: Heading) -> Chart | None:
    """Lines; bars where the first column holds something else than moments."""
    rows = table.rows[-MOST_POINTS:]
    moments = [moment(row[0]) for row in rows]
    times = [at for at in moments if at is not None]
    if len(times) < len(moments) or any(a >= b for a, b in pairwise(times)):
        return bars(Table("bars", table.columns, table.rows), marks, heading)
    left_out = (f"only the newest {len(rows)} of {len(table.rows)} intervals",) if len(rows) < len(table.rows) else ()
    is_open = [row[0] in (marks.get("incomplete_last"), marks.get("incomplete_first")) for row in rows]
    if table.columns[1:] == _LIFECYCLE:
        spec = _lifecycle(times, rows, is_open, heading)
        return Chart(spec, left_out) if spec else None
    series, others = _series(table.columns, rows)
    if not series:
        return None
    return Chart(_lines(times, series, is_open, heading), (*left_out, *others))


def moment(value: Cell) -> int | None:
    """Milliseconds of a date or time as it is written, whatever its zone: the clock of the project is kept."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        return None
    return round(read.replace(tzinfo=UTC).timestamp() * 1000)


def _series(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> tuple[list[_Series], tuple[str, ...]]:
    """The largest series, those of the period before beside them; and what is left out."""
    found: list[tuple[int, tuple[float | None, ...]]] = []
    for at in range(1, len(columns)):
        values = tuple(amount(row[at]) for row in rows)
        if any(value is not None for value in values):
            found.append((at, values))
    earlier = {at for at in range(2, len(columns)) if columns[at] == columns[at - 1] + _BEFORE}
    now = [(at, values) for at, values in found if at not in earlier]
    sizes = {at: sum(abs(value or 0) for value in values) for at, values in now}
    kept = sorted(sorted(sizes, key=lambda at: -sizes[at])[:MOST_SERIES])
    names = dict(zip(kept, labels([columns[at] for at in kept]), strict=True))
    colours = {at: COLOURS[place] for place, at in enumerate(kept)}
    before = [
        _Series(names[at - 1], colours[at - 1], values, earlier=True)
        for at, values in found
        if at in earlier and at - 1 in names
    ]
    series = [_Series(names[at], colours[at], values) for at, values in now if at in names]
    others = (f"only the {len(kept)} largest of {len(now)} series",) if len(kept) < len(now) else ()
    return before + series, others


def _lines(
    times: Sequence[int], series: Sequence[_Series], is_open: Sequence[bool], heading: Heading
) -> dict[str, Any]:
    closed: Rows = []
    pending: Rows = []
    earlier: Rows = []
    for one in series:
        points = [{"t": at, "v": value, "s": one.label} for at, value in zip(times, one.values, strict=True)]
        if one.earlier:
            earlier += points
            continue
        for at, point in enumerate(points):
            if not is_open[at]:
                closed.append(point)
            if is_open[at] or (at and is_open[at - 1]) or (at + 1 < len(points) and is_open[at + 1]):
                pending.append(point)
    dots = {"point": {"size": 34, "filled": True}} if len(times) <= _MOST_DOTS else {}
    open_points = [point for point in pending if is_open[times.index(point["t"])]]
    layers: list[Layer] = []
    if earlier:
        layers.append(_layer(earlier, {"type": "line", "strokeDash": [2, 4], "strokeWidth": 2, "opacity": 0.65}))
    layers += _pieces(pending, is_open, times)
    layers.append(_layer(closed, {"type": "line", "strokeWidth": 2.5, "strokeJoin": "round", **dots}))
    layers.append(
        _layer(open_points, {"type": "point", "filled": False, "fill": "#ffffff", "size": 55, "strokeWidth": 2})
    )
    now = [one for one in series if not one.earlier]
    values = [value for one in series for value in one.values if value is not None]
    words = [*(["dashed: not over yet"] if open_points else []), *(["dotted: the period before"] if earlier else [])]
    only = now[0].label if len(now) == 1 else None
    scale = colour([one.label for one in now], [one.colour for one in now])
    return sheet(
        heading,
        _HEIGHT,
        layers,
        legend=", ".join(words),
        x=_time_axis(times),
        y={"field": "v", "type": "quantitative", "axis": value_axis(values, only), "scale": {"zero": True}},
        color=scale,
    )


def _pieces(pending: Rows, is_open: Sequence[bool], times: Sequence[int]) -> list[Layer]:
    """The dashed ways into and out of incomplete intervals, drawn apart."""
    first = [point for point in pending if is_open[0] and point["t"] in times[:2]]
    last = [point for point in pending if is_open[-1] and point["t"] in times[-2:]]
    mark = {"type": "line", "strokeDash": [6, 5], "strokeWidth": 2}
    return [_layer(points, mark) for points in (first, last) if points and len(times) > 1]


def _layer(rows: Rows, mark: Layer) -> Layer:
    return {"data": {"values": rows}, "mark": mark}


def _lifecycle(
    times: Sequence[int], rows: Sequence[Sequence[Cell]], is_open: Sequence[bool], heading: Heading
) -> dict[str, Any] | None:
    """Who came above the line, who went below; the incomplete interval pale."""
    data: Rows = []
    for at, row in enumerate(rows):
        for place, status in enumerate(_LIFECYCLE):
            value = amount(row[place + 1])
            if value is not None:
                data.append({"t": times[at], "v": value, "s": status, "o": 0.4 if is_open[at] else 1, "p": place})
    if not data:
        return None
    step = min((b - a for a, b in pairwise(times)), default=_DAY_MS)
    size = max(1.0, min(60.0, 0.75 * 680 * step / (times[-1] - times[0] + step)))
    x = _time_axis(times)
    x["scale"] |= {"domain": [times[0] - step / 2, times[-1] + step / 2], "nice": False}
    axis = value_axis([point["v"] for point in data], "users")
    layer: Layer = {"data": {"values": data}, "mark": {"type": "bar", "size": size}}
    layer["encoding"] = {
        "opacity": {"field": "o", "type": "quantitative", "scale": None, "legend": None},
        "order": {"field": "p", "type": "quantitative"},
    }
    return sheet(
        heading,
        _HEIGHT,
        [layer],
        legend="pale: not over yet" if any(is_open) else "",
        x=x,
        y={"field": "v", "type": "quantitative", "axis": axis, "stack": "zero"},
        color=colour(_LIFECYCLE, _LIFECYCLE_COLOURS),
    )


def _time_axis(times: Sequence[int]) -> dict[str, Any]:
    """Ticks on moments of the data, as many as can be read."""
    every = -(-len(times) // _MOST_TICKS)
    shown = [at for place, at in enumerate(reversed(times)) if place % every == 0][::-1]
    span = times[-1] - times[0]
    if any(at % _DAY_MS for at in times):
        form = "%H:%M" if span < _DAY_MS else "%b %-d %H:%M"
    else:
        form = "%b %-d" if span < 320 * _DAY_MS else "%b %-d, %Y"
    axis = {"title": None, "values": shown, "format": form, "grid": False, "labelFlush": False}
    return {"field": "t", "type": "temporal", "axis": axis, "scale": {"type": "utc"}}
