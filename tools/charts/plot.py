"""Rows of a query as the table of a chart: one column for x, one for y, and one that splits into series."""

from collections.abc import Sequence
from typing import Any

from ...schemas.query import Plot
from ...schemas.text import named
from ..table import Cell, Table, dimension, series_columns
from .time import moment

_MOST_ROWS = 10_000


def plotted(plot: Plot, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table | str:
    """Return the table, or the reason why the columns do not make one."""
    for name in (plot.x, plot.y, *([plot.series] if plot.series else [])):
        if name not in columns:
            return f"not drawn: there is no column {named(name)}; columns are {', '.join(map(named, columns[:20]))}"
    across, up = columns.index(plot.x), columns.index(plot.y)
    split = columns.index(plot.series) if plot.series else None
    cells: dict[Cell, dict[str, Cell]] = {}
    for row in rows[:_MOST_ROWS]:
        name = plot.y if split is None else str(_cell(row[split]))
        cells.setdefault(_cell(row[across]), {}).setdefault(name, _number(row[up]))
    series = list(dict.fromkeys(name for values in cells.values() for name in values))
    places = list(cells)
    over_time = bool(places) and all(moment(place) is not None for place in places)
    if over_time:
        places.sort(key=lambda place: moment(place) or 0)
    made = tuple((place, *(cells[place].get(name) for name in series)) for place in places)
    return Table("time" if over_time else "bars", (dimension(plot.x), *series_columns(series)), made)


def _cell(value: Any) -> Cell:
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def _number(value: Any) -> Cell:
    """Return the number of a cell; PostHog sends decimals as text."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return _cell(value)
