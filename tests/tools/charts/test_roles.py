"""Charts read the role of a column; names come from events and property values and have no meaning."""

from typing import Any

import pytest

from maton_posthog.schemas.query import Plot
from maton_posthog.tools.charts.plot import plotted
from maton_posthog.tools.charts.shapes import chart_of
from maton_posthog.tools.charts.style import Chart
from maton_posthog.tools.table import Column, Role, Row, Table, dimension, series_columns

from .tables import DAYS

STATUSES = ("new", "returning", "resurrecting", "dormant")
TRAPS = ("before", "a before", "value", "size", "began", "share", "change_percent", "step", "from_s", *STATUSES)
"""Names that events, property values and columns of SQL can have."""


def drawn(table: Table) -> Chart:
    chart = chart_of(table, {}, "Title")
    assert chart is not None
    return chart


def names(chart: Chart) -> list[str]:
    """Return the series in the legend."""
    return chart.spec["encoding"]["color"]["scale"]["domain"]


def values(chart: Chart, layer: int) -> list[Any]:
    return chart.spec["layer"][layer]["data"]["values"]


def test_a_series_called_before_is_drawn_as_a_series() -> None:
    table = Table("time", (dimension("day"), *series_columns(["a", "a before"])), tuple((day, 1, 2) for day in DAYS))
    chart = drawn(table)
    assert names(chart) == ["a", "a before"]
    assert "the period before" not in chart.spec["title"]["subtitle"]


def test_the_previous_period_is_drawn_as_such_under_any_name() -> None:
    columns = (dimension("day"), *series_columns(["a", "b"]), Column("x", Role.PREVIOUS, 1))
    chart = drawn(Table("time", columns, tuple((day, 1, 2, 3) for day in DAYS)))
    assert names(chart) == ["a", "b"]
    assert "dotted: the period before" in chart.spec["title"]["subtitle"]
    assert {point["s"] for point in values(chart, 0)} == {"b"}


def test_sql_with_the_names_of_the_statuses_is_not_a_lifecycle() -> None:
    rows = [[day, status, at] for day in DAYS for at, status in enumerate(STATUSES, start=1)]
    table = plotted(Plot(x="day", y="n", series="status"), ["day", "status", "n"], rows)
    assert isinstance(table, Table)
    chart = drawn(table)
    assert {layer["mark"]["type"] for layer in chart.spec["layer"]} == {"line", "point"}
    assert names(chart) == list(STATUSES)


def test_statuses_are_stacked_under_any_name() -> None:
    columns = (dimension("day"), *(Column(name, Role.STATUS) for name in "abcd"))
    chart = drawn(Table("time", columns, tuple((day, 1, 2, 3, -4) for day in DAYS)))
    assert chart.spec["encoding"]["y"]["stack"] == "zero"
    assert names(chart) == list("abcd")


@pytest.mark.parametrize("trap", TRAPS)
def test_bars_of_sql_do_not_depend_on_the_names_of_columns(trap: str) -> None:
    def bars(*called: str) -> list[Any]:
        rows: list[Row] = [("x", 1, 2), ("y", 3, 4)]
        chart = drawn(Table("bars", (dimension("k"), *series_columns(called)), tuple(rows)))
        return [(point["n"], point["v"]) for point in values(chart, 0)]

    assert bars(trap, "b") == bars("a", "b") == [("x", 1), ("x", 2), ("y", 3), ("y", 4)]
    assert bars("a", trap) == bars("a", "b")


@pytest.mark.parametrize("trap", TRAPS)
def test_a_breakdown_by_a_property_of_any_name_splits(trap: str) -> None:
    counts = (Column("persons", Role.COUNT), Column("average_s", Role.DURATION))
    steps = (("A", "x", 9, None), ("A", "y", 3, 5), ("B", "x", 4, None), ("B", "y", 4, 5))
    funnel = drawn(Table("funnel", (dimension(trap), dimension("step"), *counts), steps))
    assert names(funnel) == ["A", "B"]
    cohorts = (("A", DAYS[0], 90, 40), ("B", DAYS[0], 9, 1))
    grid = (dimension(trap), dimension("began", "week"), Column("size", Role.COUNT), *series_columns(["Week 1"]))
    retention = drawn(Table("retention", grid, cohorts))
    assert names(retention) == ["A", "B"]
    assert retention.spec["encoding"]["x"]["axis"]["title"] == "weeks after"
    totals = (dimension(trap), Column("value", Role.VALUE), Column("x", Role.PREVIOUS))
    bars = drawn(Table("bars", totals, (("A", 5, 4), ("B", 3, 2))))
    assert bars.spec["title"]["subtitle"] == "grey: the period before"


@pytest.mark.parametrize("trap", TRAPS)
def test_edges_are_a_time_only_when_they_are_seconds(trap: str) -> None:
    def unit(edge: Column) -> str:
        table = Table("histogram", (edge, Column("persons", Role.COUNT)), ((0, 3), (7200, 2), (14_400, 1)))
        return drawn(table).spec["encoding"]["x"]["axis"]["title"]

    assert unit(dimension(trap)) == trap
    assert unit(Column(trap, Role.DURATION)) == "hours"
