"""Numbers over time: lines, with the incomplete interval dashed; the statuses of a lifecycle are stacked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from ..table import Cell, Role, Row, Table
from .bars import bars
from .style import COLOURS, MOST_SERIES, Chart, DataRows, Heading, Layer, amount, colour, labels, sheet, value_axis

MOST_POINTS = 400
"""Intervals in one chart; the newest are kept."""
_STATUS_COLOURS = ("#2563eb", "#059669", "#9333ea", "#dc2626")
_MOST_DOTS = 60
_MOST_TICKS = 9
_HEIGHT = 420
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class _Curve:
    label: str
    colour: str
    values: tuple[float | None, ...]
    earlier: bool = False
    """True for the values of the period before, for the series with this label."""


def over_time(table: Table, marks: Mapping[str, Any], heading: Heading) -> Chart | None:
    """Return a chart of lines, or of bars when the dimension is not made of moments."""
    dimensions = table.at(Role.DIMENSION)
    if not dimensions:
        return None
    across, rows = dimensions[0], table.rows[-MOST_POINTS:]
    moments = [moment(row[across]) for row in rows]
    times = [at for at in moments if at is not None]
    if len(times) < len(moments) or any(a >= b for a, b in pairwise(times)):
        return bars(replace(table, shape="bars"), marks, heading)
    left_out = (f"only the newest {len(rows)} of {len(table.rows)} intervals",) if len(rows) < len(table.rows) else ()
    is_open = [row[across] in (marks.get("incomplete_last"), marks.get("incomplete_first")) for row in rows]
    if table.at(Role.STATUS):
        spec = _lifecycle(replace(table, rows=rows), times, is_open, heading)
        return Chart(spec, left_out) if spec else None
    series, others = _series(table, rows)
    if not series:
        return None
    return Chart(_lines(times, series, is_open, heading), (*left_out, *others))


def moment(value: Cell) -> int | None:
    """Return a date or time as it is written in milliseconds, whatever its zone: charts show the project's clock."""
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        return None
    return round(read.replace(tzinfo=UTC).timestamp() * 1000)


def _series(table: Table, rows: Sequence[Row]) -> tuple[list[_Curve], tuple[str, ...]]:
    """Return the largest series, those of the period before first, and what is left out."""
    columns = table.columns
    found = {at: tuple(amount(row[at]) for row in rows) for at in table.at(Role.VALUE, Role.PREVIOUS)}
    found = {at: values for at, values in found.items() if any(value is not None for value in values)}
    now = {at: values for at, values in found.items() if columns[at].role is Role.VALUE}
    sizes = {at: sum(abs(value or 0) for value in values) for at, values in now.items()}
    kept = sorted(sorted(sizes, key=lambda at: -sizes[at])[:MOST_SERIES])
    names = dict(zip(kept, labels([columns[at].name for at in kept]), strict=True))
    series = {at: _Curve(names[at], COLOURS[place], now[at]) for place, at in enumerate(kept)}
    by_key = {columns[at].series: one for at, one in series.items()}
    before = [
        replace(by_key[columns[at].series], values=values, earlier=True)
        for at, values in found.items()
        if columns[at].role is Role.PREVIOUS and columns[at].series in by_key
    ]
    others = (f"only the {len(kept)} largest of {len(now)} series",) if len(kept) < len(now) else ()
    return [*before, *series.values()], others


def _lines(times: Sequence[int], series: Sequence[_Curve], is_open: Sequence[bool], heading: Heading) -> dict[str, Any]:
    closed: DataRows = []
    pending: DataRows = []
    earlier: DataRows = []
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
    words = [*(["dashed: incomplete"] if open_points else []), *(["dotted: the period before"] if earlier else [])]
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


def _pieces(pending: DataRows, is_open: Sequence[bool], times: Sequence[int]) -> list[Layer]:
    """Return the dashed lines into and out of incomplete intervals, drawn separately."""
    around = [times[max(at - 1, 0) : at + 2] for at, one in enumerate(is_open) if one]
    pieces = [[point for point in pending if point["t"] in near] for near in around]
    mark = {"type": "line", "strokeDash": [6, 5], "strokeWidth": 2}
    return [_layer(points, mark) for points in pieces if points and len(times) > 1]


def _layer(rows: DataRows, mark: Layer) -> Layer:
    return {"data": {"values": rows}, "mark": mark}


def _lifecycle(table: Table, times: Sequence[int], is_open: Sequence[bool], heading: Heading) -> dict[str, Any] | None:
    """Return stacked bars, gained users above the line and lost ones below; incomplete intervals are pale."""
    places = table.at(Role.STATUS)
    statuses = labels([table.columns[place].name for place in places])
    data: DataRows = []
    for at, row in enumerate(table.rows):
        for order, (place, status) in enumerate(zip(places, statuses, strict=True)):
            value = amount(row[place])
            if value is not None:
                data.append({"t": times[at], "v": value, "s": status, "o": 0.4 if is_open[at] else 1, "p": order})
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
        legend="pale: incomplete" if any(is_open) else "",
        x=x,
        y={"field": "v", "type": "quantitative", "axis": axis, "stack": "zero"},
        color=colour(statuses, _STATUS_COLOURS),
    )


def _time_axis(times: Sequence[int]) -> dict[str, Any]:
    """Return an axis with ticks on moments of the data, at most as many as can be read."""
    every = -(-len(times) // _MOST_TICKS)
    shown = [at for place, at in enumerate(reversed(times)) if place % every == 0][::-1]
    span = times[-1] - times[0]
    if any(at % _DAY_MS for at in times):
        form = "%H:%M" if span < _DAY_MS else "%b %-d %H:%M"
    else:
        form = "%b %-d" if span < 320 * _DAY_MS else "%b %-d, %Y"
    axis = {"title": None, "values": shown, "format": form, "grid": False, "labelFlush": False}
    return {"field": "t", "type": "temporal", "axis": axis, "scale": {"type": "utc"}}
