"""Tables as charts: Vega-Lite specifications, pure and complete in themselves."""

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

_KINDS: Mapping[str, Callable[[Table, Marks, Heading], Chart | None]] = {
    "time": over_time,
    "bars": bars,
    "histogram": histogram,
    "funnel": funnel,
    "retention": retention,
    "paths": paths,
}


def chart_of(table: Table, marks: Marks, title: str) -> Chart | None:
    """The chart of a table; None where there is no number to draw. `marks` are those of the answer: its `range`, and
    which intervals are incomplete.
    """
    if not table.rows:
        return None
    counted = cast("list[str]", marks.get("range", []))
    heading = Heading(title, " to ".join(counted))
    return _KINDS[table.kind](table, marks, heading)
