"""Retention: a grid of cohorts and periods; with a breakdown a line per value."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..table import Role, Table
from .style import (
    COLOURS,
    INK,
    MOST_HEIGHT,
    MOST_SERIES,
    Chart,
    DataRows,
    Heading,
    Layer,
    amount,
    colour,
    labels,
    sheet,
    written,
)

MOST_COHORTS, MOST_PERIODS = 26, 32
_MOST_WITH_TEXT = 15
_SHADES = ["#eff6ff", "#93c5fd", "#2563eb", "#1e3a8a"]


def retention(table: Table, marks: Mapping[str, Any], heading: Heading) -> Chart | None:
    """Return the percentage of each cohort that came back, darker for more; incomplete periods are framed."""
    dimensions, sizes, periods = table.at(Role.DIMENSION), table.at(Role.COUNT), table.at(Role.VALUE)
    if not dimensions or not sizes:
        return None
    begun, size_of = dimensions[0], sizes[0]
    if len(dimensions) > 1:
        return _curves(table, marks, heading)
    rows = table.rows[-MOST_COHORTS:]
    shown = periods[:MOST_PERIODS]
    names = labels([f"{row[begun]}  ({written(amount(row[size_of]) or 0)})" for row in rows])
    heads = labels([table.columns[at].name for at in shown], 12)
    data: DataRows = []
    for line, (name, row) in enumerate(zip(names, rows, strict=True)):
        size = amount(row[size_of])
        known = [count for at in shown if (count := amount(row[at])) is not None]
        newer = len(rows) - 1 - line
        for at, count in enumerate(known):
            share = min(100.0, 100 * count / size) if size else 0.0
            is_open = "incomplete_last" in marks and at + 1 == len(known) and len(known) <= newer
            is_open = is_open or row[begun] == marks.get("incomplete_first")
            data.append({"c": name, "p": heads[at], "v": share, "w": f"{share:.0f}%", "open": is_open})
    if not data:
        return None
    return Chart(_grid(data, names, heads, heading), _cuts(len(rows), len(table.rows), len(shown), len(periods)))


def _grid(data: DataRows, names: Sequence[str], heads: Sequence[str], heading: Heading) -> dict[str, Any]:
    most = max(point["v"] for point in data) or 1
    wide, framed = len(heads) <= _MOST_WITH_TEXT, [point for point in data if point["open"]]
    row_height = max(18, min(34, 640 // len(names)))
    scale = {"domain": [0, most / 3, 2 * most / 3, most], "range": _SHADES}
    shade = {"field": "v", "type": "quantitative", "scale": scale, "legend": None}
    layers: list[Layer] = [
        {"data": {"values": data}, "mark": {"type": "rect", "stroke": "#ffffff"}, "encoding": {"color": shade}},
    ]
    if framed:
        frame = {"type": "rect", "filled": False, "stroke": "#6b7280", "strokeDash": [3, 3], "strokeWidth": 1.5}
        layers.append({"data": {"values": framed}, "mark": frame})
    if wide:
        size = min(13, row_height - 5)
        for ink, points in _inks(data, most):
            mark = {"type": "text", "fontSize": size, "color": ink}
            text = {"text": {"field": "w", "type": "nominal"}}
            layers.append({"data": {"values": points}, "mark": mark, "encoding": text})
    axis = {"title": None, "ticks": False, "domain": False, "grid": False}
    label_angle = 0 if len(heads) <= 10 else -45
    return sheet(
        heading,
        min(MOST_HEIGHT, 120 + len(names) * row_height),
        layers,
        legend="percent of the cohort that came back" + (", dashed frame: incomplete" if framed else ""),
        x={
            "field": "p",
            "type": "ordinal",
            "sort": None,
            "scale": {"domain": list(heads)},
            "axis": {**axis, "orient": "top", "labelAngle": label_angle, "labelOverlap": "greedy"},
        },
        y={"field": "c", "type": "ordinal", "sort": None, "scale": {"domain": list(names)}, "axis": axis},
    )


def _inks(data: DataRows, most: float) -> list[tuple[str, DataRows]]:
    """Return the points by the color of their text: white on dark cells, dark on pale ones."""
    dark = [point for point in data if point["v"] > 0.55 * most]
    pale = [point for point in data if point["v"] <= 0.55 * most]
    return [(ink, points) for ink, points in (("#ffffff", dark), (INK, pale)) if points]


def _curves(table: Table, marks: Mapping[str, Any], heading: Heading) -> Chart | None:
    """Return a line per breakdown value: the share that came back after each period, over the cohorts for which it is
    known and complete.
    """
    (split, begun, *_), (size_of, *_) = table.at(Role.DIMENSION), table.at(Role.COUNT)
    values = list(dict.fromkeys(row[split] for row in table.rows))
    kept = values[:MOST_SERIES]
    names = labels(kept)
    data: DataRows = []
    for name, value in zip(names, kept, strict=True):
        rows = [row for row in table.rows if row[split] == value]
        begins = [row[begun] for row in rows]
        since = begins.index(first) + 1 if (first := marks.get("incomplete_first")) in begins else 0
        for ahead, at in enumerate(table.at(Role.VALUE), start=1):
            diagonal = len(rows) - 1 - ahead if "incomplete_last" in marks else len(rows)
            whole = [row for line, row in enumerate(rows) if line >= since and line != diagonal]
            pairs = [(amount(row[size_of]), amount(row[at])) for row in whole]
            known = [(size, count) for size, count in pairs if size and count is not None]
            if known:
                share = 100 * sum(count for _, count in known) / sum(size for size, _ in known)
                data.append({"p": ahead, "v": min(100.0, share), "s": name})
    if not data:
        return None
    layer: Layer = {"data": {"values": data}, "mark": {"type": "line", "strokeWidth": 2.5, "point": {"size": 34}}}
    period = table.columns[begun].unit or "period"
    spec = sheet(
        heading,
        420,
        [layer],
        legend="percent that came back, all cohorts together",
        x={
            "field": "p",
            "type": "quantitative",
            "axis": {"title": f"{period}s after", "tickMinStep": 1, "grid": False, "format": "d"},
            "scale": {"zero": False, "nice": False},
        },
        y={"field": "v", "type": "quantitative", "axis": {"title": "%", "domain": False, "ticks": False}},
        color=colour(names, COLOURS),
    )
    return Chart(spec, (f"only the first {len(kept)} of {len(values)} values",) if len(kept) < len(values) else ())


def _cuts(cohorts: int, of_cohorts: int, periods: int, of_periods: int) -> tuple[str, ...]:
    cuts: list[str] = []
    if cohorts < of_cohorts:
        cuts.append(f"only the newest {cohorts} of {of_cohorts} cohorts")
    if periods < of_periods:
        cuts.append(f"only the first {periods} of {of_periods} periods")
    return tuple(cuts)
