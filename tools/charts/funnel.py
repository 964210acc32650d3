"""Funnels: the share of the first step that is left at each step."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..table import Cell, Role, Row, Table, percent
from .style import (
    COLOURS,
    GRID,
    MOST_HEIGHT,
    PALE,
    Chart,
    DataRows,
    Heading,
    Layer,
    amount,
    colour,
    label,
    labels,
    sheet,
    written,
)

MOST_STEPS, MOST_VALUES = 20, 6


def funnel(table: Table, marks: Mapping[str, Any], heading: Heading) -> Chart | None:
    """Return a bar per step; with a breakdown, a bar per value in percent of its first step."""
    dimensions, counted = table.at(Role.DIMENSION), table.at(Role.COUNT)
    if not dimensions or not counted:
        return None
    first_of, count_of = dimensions[0], counted[0]
    if len(dimensions) > 1:
        return _split([(row[first_of], row[dimensions[1]], row[count_of]) for row in table.rows], heading)
    steps = [(row[first_of], count) for row in table.rows if (count := amount(row[count_of])) is not None]
    shown = steps[:MOST_STEPS]
    if not shown:
        return None
    names = _steps([step for step, _ in shown])
    first = max(count for _, count in shown) or 1
    data: DataRows = []
    for name, (_, count) in zip(names, shown, strict=True):
        share = percent(count, shown[0][1])
        words = written(count) if share is None else f"{written(count)}  ({share:g} %)"
        data.append({"n": name, "v": count, "w": words, "all": first})
    thick = max(14, min(36, 560 // len(data)))
    y = {"field": "n", "type": "nominal", "sort": None, "axis": {"title": None, "ticks": False, "domain": False}}
    x = {"type": "quantitative", "axis": None, "scale": {"domain": [0, 1.25 * first], "nice": False}}
    mark = {"type": "bar", "size": thick, "cornerRadiusEnd": 3}
    text = {"type": "text", "align": "left", "dx": 8, "fontWeight": "bold", "baseline": "middle"}
    layers: list[Layer] = [
        {"mark": {**mark, "color": PALE}, "encoding": {"x": {**x, "field": "all"}}},
        {"mark": {**mark, "color": COLOURS[0]}, "encoding": {"x": {**x, "field": "v"}}},
        {"mark": text, "encoding": {"x": {**x, "field": "all"}, "text": {"field": "w", "type": "nominal"}}},
    ]
    spec = sheet(heading, min(MOST_HEIGHT, 90 + len(data) * (thick + 16)), layers, y=y)
    spec["data"] = {"values": data}
    return Chart(spec, _cut(len(shown), len(table.rows), "steps"))


def _split(rows: Sequence[Row], heading: Heading) -> Chart | None:
    """Return the chart of rows of value, step and count; values in PostHog's order, its largest first."""
    values = list(dict.fromkeys(row[0] for row in rows))
    kept = values[:MOST_VALUES]
    names = dict(zip(kept, labels(kept), strict=True))
    groups = {value: [row for row in rows if row[0] is value or row[0] == value][:MOST_STEPS] for value in kept}
    longest = max(groups.values(), key=len)
    steps = _steps([row[1] for row in longest])
    data: DataRows = []
    for value, group in groups.items():
        first = amount(group[0][2]) or 0
        for step, row in zip(steps, group, strict=False):
            count = amount(row[2])
            if count is not None:
                share = 100 * count / first if first else 0.0
                data.append({"n": step, "s": names[value], "v": share, "w": f"{share:.1f} % of {written(first)}"})
    if not data:
        return None
    thin = max(12, min(24, 620 // (len(steps) * len(kept))))
    layers: list[Layer] = [
        {"mark": {"type": "bar", "cornerRadiusEnd": 2}},
        {
            "mark": {"type": "text", "align": "left", "dx": 6, "baseline": "middle", "fontSize": min(13, thin)},
            "encoding": {"text": {"field": "w", "type": "nominal"}, "color": {"value": "#1f2937"}},
        },
    ]
    spec = sheet(
        heading,
        min(MOST_HEIGHT, 130 + len(steps) * (thin * len(kept) + 14)),
        layers,
        y={
            "field": "n",
            "type": "nominal",
            "sort": None,
            "axis": {"title": None, "ticks": False, "domain": False},
            "scale": {"paddingInner": 0.2},
        },
        yOffset={"field": "s", "type": "nominal", "sort": list(names.values())},
        x={
            "field": "v",
            "type": "quantitative",
            "axis": {"title": "% of the first step", "gridColor": GRID, "domain": False, "ticks": False},
            "scale": {"domain": [0, 122], "nice": False},
        },
        color=colour(list(names.values())),
    )
    spec["encoding"]["x"]["axis"]["values"] = [0, 20, 40, 60, 80, 100]
    spec["data"] = {"values": data}
    return Chart(spec, (*_cut(len(kept), len(values), "values"), *_cut(len(steps), _most(rows), "steps")))


def _steps(names: Sequence[Cell]) -> list[str]:
    return [f"{at}. {label(name, 30)}" for at, name in enumerate(names, start=1)]


def _most(rows: Sequence[Row]) -> int:
    counts: dict[Cell, int] = {}
    for row in rows:
        counts[row[0]] = counts.get(row[0], 0) + 1
    return max(counts.values())


def _cut(shown: int, of: int, what: str) -> tuple[str, ...]:
    return (f"only the first {shown} of {of} {what}",) if shown < of else ()
