"""Bars for one number per category, and histograms."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..table import Role, Table
from .style import (
    COLOURS,
    MOST_HEIGHT,
    MOST_SERIES,
    Chart,
    DataRows,
    Heading,
    Layer,
    amount,
    colour,
    label,
    labels,
    sheet,
    value_axis,
    written,
)

MOST_BARS = 24
MOST_GROUPS = 60
_UNITS = ((2 * 86_400, 86_400, "days"), (2 * 3600, 3600, "hours"), (2 * 60, 60, "minutes"), (0, 1, "seconds"))


def bars(table: Table, marks: Mapping[str, Any], heading: Heading) -> Chart | None:
    """Return horizontal bars of named values; vertical ones when the dimension is a number, as the active days of
    stickiness, or when there are several series.
    """
    dimensions, series = table.at(Role.DIMENSION), table.at(Role.VALUE, Role.STATUS)
    if not dimensions or not series:
        return None
    across, up = dimensions[0], series[0]
    numbered = all(amount(row[across]) is not None for row in table.rows)
    if numbered or len(series) > 1:
        return _standing(table, across, heading)
    return _lying(table, across, up, heading)


def _lying(table: Table, across: int, up: int, heading: Heading) -> Chart | None:
    at = next(iter(table.at(Role.PREVIOUS)), None)
    counted = table.columns[up]
    rows = [row for row in table.rows if amount(row[up]) is not None]
    shown = rows[:MOST_BARS]
    if not shown:
        return None
    names = labels([row[across] for row in shown])
    now: DataRows = []
    before: DataRows = []
    for name, row in zip(names, shown, strict=True):
        value = amount(row[up]) or 0
        now.append({"n": name, "v": value, "w": written(value), "s": label(counted.name)})
        if at is not None and (earlier := amount(row[at])) is not None:
            before.append({"n": name, "v": earlier})
    values = [point["v"] for point in now + before]
    thick = max(10, min(26, 560 // len(shown)))
    layers: list[Layer] = []
    if before:
        layers.append({"data": {"values": before}, "mark": {"type": "bar", "color": "#cbd5e1", "size": thick + 6}})
    layers.append(
        {"data": {"values": now}, "mark": {"type": "bar", "color": COLOURS[0], "size": thick - 6 if before else thick}}
    )
    text = {"type": "text", "align": "left", "dx": 6, "baseline": "middle", "fontWeight": "bold"}
    layers.append({"data": {"values": now}, "mark": text, "encoding": {"text": {"field": "w", "type": "nominal"}}})
    spec = sheet(
        heading,
        min(MOST_HEIGHT, 110 + len(shown) * (thick + 10)),
        layers,
        legend="grey: the period before" if before else "",
        y={"field": "n", "type": "nominal", "sort": None, "axis": {"title": None, "ticks": False, "domain": False}},
        x={
            "field": "v",
            "type": "quantitative",
            "axis": value_axis(values, None if counted.series is None else label(counted.name)),
            "scale": {"domain": _room(values), "nice": False},
        },
    )
    return Chart(spec, _others(len(shown), len(rows), "bars"))


def _standing(table: Table, across: int, heading: Heading) -> Chart | None:
    kept = table.rows[:MOST_GROUPS]
    names = labels([row[across] for row in kept], 24)
    numbers = table.at(Role.VALUE, Role.STATUS, Role.PREVIOUS)
    columns = [at for at in numbers if any(amount(row[at]) is not None for row in kept)]
    drawn = columns[:MOST_SERIES]
    series = labels([table.columns[at].name for at in drawn])
    data: DataRows = [
        {"n": name, "v": value, "s": one, "w": written(value)}
        for name, row in zip(names, kept, strict=True)
        for one, at in zip(series, drawn, strict=True)
        if (value := amount(row[at])) is not None
    ]
    if not data:
        return None
    layer: Layer = {"data": {"values": data}, "mark": {"type": "bar"}}
    layers = [layer]
    if len(data) <= 16:
        text = {"type": "text", "baseline": "bottom", "dy": -4}
        layers.append({"data": {"values": data}, "mark": text, "encoding": {"text": {"field": "w", "type": "nominal"}}})
    angle = -35 if max(map(len, names)) * len(names) > 80 else 0
    counted = table.columns[across].name.replace("_", " ")
    spec = sheet(
        heading,
        420,
        layers,
        x={
            "field": "n",
            "type": "ordinal",
            "sort": None,
            "axis": {"title": label(counted), "labelAngle": angle, "labelOverlap": "greedy"},
        },
        xOffset={"field": "s", "type": "nominal", "sort": series},
        y={
            "field": "v",
            "type": "quantitative",
            "axis": value_axis([point["v"] for point in data], series[0] if len(series) == 1 else None),
        },
        color=colour(series),
    )
    return Chart(
        spec,
        (*_others(len(kept), len(table.rows), "groups"), *_others(len(drawn), len(columns), "series")),
    )


def histogram(table: Table, marks: Mapping[str, Any], heading: Heading) -> Chart | None:
    """Return bins from their lower edges, in a readable unit; the last bin is as wide as the one before it."""
    lower, counts_of = table.at(Role.DURATION, Role.DIMENSION), table.at(Role.COUNT, Role.VALUE)
    if not lower or not counts_of:
        return None
    edge_of, counted = table.columns[lower[0]], table.columns[counts_of[0]]
    edges = [(amount(row[lower[0]]), amount(row[counts_of[0]])) for row in table.rows]
    known = [(edge, count) for edge, count in edges if edge is not None and count is not None]
    if not known:
        return None
    most = known[-1][0]
    size, unit = next((size, unit) for least, size, unit in _UNITS if most >= least or not least)
    if edge_of.role is not Role.DURATION:
        size, unit = 1, label(edge_of.name)
    width = known[-1][0] - known[-2][0] if len(known) > 1 else max(size, 1)
    ends = [edge for edge, _ in known[1:]] + [most + width]
    data: DataRows = [
        {"a": edge / size, "b": end / size, "v": count} for (edge, count), end in zip(known, ends, strict=True)
    ]
    layer: Layer = {"data": {"values": data}, "mark": {"type": "bar", "color": COLOURS[0], "stroke": "#ffffff"}}
    axis = {**value_axis([point["a"] for point in data], unit), "grid": False, "domain": True}
    axis.pop("tickMinStep", None)
    counts = value_axis([point["v"] for point in data], label(counted.name))
    spec = sheet(
        heading,
        400,
        [layer],
        x={"field": "a", "type": "quantitative", "axis": axis, "scale": {"zero": False, "nice": False}},
        x2={"field": "b"},
        y={"field": "v", "type": "quantitative", "axis": counts, "scale": {"zero": True}},
        y2={"datum": 0},
    )
    return Chart(spec)


def _room(values: Sequence[float]) -> list[float]:
    """Return a domain from 0, with room for the numbers at the ends."""
    least, most = min(*values, 0), max(*values, 0)
    span = (most - least) or 1
    return [least - 0.12 * span if least < 0 else 0, most + 0.12 * span]


def _others(shown: int, of: int, what: str) -> tuple[str, ...]:
    return (f"only the first {shown} of {of} {what}",) if shown < of else ()
