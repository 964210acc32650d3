"""The style of charts: 800 pixels wide on a light card, which is readable on light and dark pages.

Foreign text (event names, property values) is only ever a value of the data or a literal title: no expression and no
address in a specification comes from it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...schemas.text import excerpt
from ..table import Cell

type Layer = dict[str, Any]
type DataRows = list[dict[str, Any]]

WIDTH = 800
"""The width of every picture in pixels."""
MOST_HEIGHT = 800
COLOURS = (
    "#2563eb", "#ea580c", "#059669", "#9333ea", "#dc2626", "#0891b2", "#ca8a04", "#db2777", "#65a30d", "#64748b",
)  # fmt: skip
MOST_SERIES = len(COLOURS)
INK, PALE_INK, GRID, PALE = "#1f2937", "#6b7280", "#e5e7eb", "#dbeafe"
_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
_MOST_LABEL = 44


@dataclass(frozen=True, slots=True)
class Chart:
    """A Vega-Lite specification with its data inside, and the parts of the table that it leaves out."""

    spec: Mapping[str, Any]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Heading:
    """The text above a chart."""

    title: str
    span: str = ""
    """The range that was counted."""


def sheet(heading: Heading, height: int, layers: Sequence[Layer], *, legend: str = "", **shared: Any) -> dict[str, Any]:
    """Return a whole specification. `legend` explains the marks in words; `shared` encodings apply to all layers."""
    parts = [part for part in (heading.span, legend) if part]
    return {
        "$schema": _SCHEMA,
        "width": WIDTH,
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "padding": {"left": 14, "top": 14, "right": 18, "bottom": 12},
        "background": "#ffffff",
        "title": {"text": label(heading.title, 80), "subtitle": label("  ·  ".join(parts), 110) if parts else ""},
        "config": _CONFIG,
        **({"encoding": shared} if shared else {}),
        "layer": list(layers),
    }


_CONFIG: dict[str, Any] = {
    "font": "Liberation Sans, Arial, Helvetica, DejaVu Sans, sans-serif",
    "view": {"stroke": None},
    "title": {
        "anchor": "start", "fontSize": 17, "color": INK, "subtitleFontSize": 13, "subtitleColor": PALE_INK,
        "offset": 14,
    },
    "axis": {
        "labelColor": INK, "titleColor": PALE_INK, "labelFontSize": 13, "titleFontSize": 13,
        "titleFontWeight": "normal",
        "gridColor": GRID, "domainColor": "#9ca3af", "tickColor": "#9ca3af", "labelPadding": 6, "labelLimit": 230,
    },
    "legend": {
        "orient": "bottom", "columns": 4, "labelColor": INK, "labelFontSize": 13, "labelLimit": 165, "title": None,
        "symbolStrokeWidth": 3, "symbolSize": 130, "offset": 12,
    },
    "text": {"fontSize": 13, "color": INK},
}  # fmt: skip


def label(value: Cell, most: int = _MOST_LABEL) -> str:
    """Return a text on one line without invisible characters, cut in the middle: URLs differ at their ends."""
    text = excerpt("" if value is None else str(value), 2000) or "(empty)"
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[head + 1 - most :]}"


def labels(values: Sequence[Cell], most: int = _MOST_LABEL) -> list[str]:
    """Return one unique label per value, even if truncation makes two equal."""
    seen: dict[str, int] = {}
    made: list[str] = []
    for value in values:
        text = label(value, most)
        while text in seen:
            seen[text] += 1
            text = f"{text} ({seen[text]})"
        seen[text] = 1
        made.append(text)
    return made


def amount(value: Cell) -> float | None:
    """Return a number that can be drawn. Values below 1e-15 are drawn as 0, because shares of them have no bounds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    if abs(value) < 1e-15:
        return 0
    return value if abs(value) < 1e15 else None


def written(value: float) -> str:
    """Return a number as it is written beside a mark: `1,234`, `0.25`, `12.5M`."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:,.4g}{unit}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}" if abs(value) >= 1 else f"{value:.3g}"


def number_format(values: Sequence[float]) -> str:
    """Return a d3 format for an axis of these numbers."""
    return "~s" if max(map(abs, values), default=0) >= 10_000 else ",.4~g"


def value_axis(values: Sequence[float], title: str | None = None) -> dict[str, Any]:
    """Return an axis of numbers, with whole ticks if all numbers are whole."""
    axis: dict[str, Any] = {"title": title, "format": number_format(values), "domain": False, "ticks": False}
    if all(float(value).is_integer() for value in values):
        axis["tickMinStep"] = 1
    return axis


def colour(domain: Sequence[str], colours: Sequence[str] = COLOURS) -> dict[str, Any]:
    """Return the encoding of the field `s`, with a legend if there are several values."""
    scale = {"domain": list(domain), "range": [colours[at % len(colours)] for at in range(len(domain))]}
    wanted: dict[str, Any] = {} if len(domain) > 1 else {"legend": None}
    return {"field": "s", "type": "nominal", "scale": scale, **wanted}


def plain(field: str, scale: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the encoding of a number that is drawn as it is, without axis or legend."""
    return {"field": field, "type": "quantitative", "axis": None, "scale": dict(scale or {})}
