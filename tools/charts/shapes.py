"""Tables as charts: Vega-Lite specifications that are complete in themselves."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from ..table import Table
from .bars import bars, histogram
from .funnel import funnel
from .paths import paths
from .retention import retention
from .style import Chart, Heading
from .time import over_time

type Marks = Mapping[str, Any]

_SHAPES: Mapping[str, Callable[[Table, Marks, Heading], Chart | None]] = {
    "time": over_time,
    "bars": bars,
    "histogram": histogram,
    "funnel": funnel,
    "retention": retention,
    "paths": paths,
}


def chart_of(table: Table, marks: Marks, title: str) -> Chart | None:
    """Return the chart of a table; None without a number to draw. `marks` are the `range` that was counted, and which
    intervals are incomplete.
    """
    if not table.rows:
        return None
    counted = cast("list[str]", marks.get("range", []))
    heading = Heading(title, " to ".join(counted))
    return _SHAPES[table.shape](table, marks, heading)
