"""Charts: the specification of a table, and its rendering."""

import io
import json
import math
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maton_posthog.schemas.query import Plot
from maton_posthog.tools.charts import drawing as charts_drawing
from maton_posthog.tools.charts import renderer
from maton_posthog.tools.charts.drawing import MOST_BYTES, illustrated
from maton_posthog.tools.charts.plot import plotted
from maton_posthog.tools.charts.renderer import is_plain
from maton_posthog.tools.charts.shapes import chart_of
from maton_posthog.tools.charts.style import Chart, label, labels
from maton_posthog.tools.operation import Picture, Reply
from maton_posthog.tools.table import Column, Role, Shape, Table, dimension, series_columns
from tests.browser import serving
from tests.oracle import examples

from .tables import DAYS, HOSTILE, TABLES

EVERY = pytest.mark.parametrize("name", TABLES)
PATIENCE_S = 600.0
"""Seconds for a picture on a busy machine."""
ACTIVE = {"expr", "signal", "url", "href", "transform", "params", "labelExpr", "calculate", "lookup", "usermeta"}
"""Keys of Vega-Lite that compute or load something."""
CELLS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=60), st.sampled_from([*DAYS, HOSTILE, "a"])
)

COLUMNS = st.builds(Column, st.text(max_size=12), st.sampled_from(Role), st.none() | st.integers(0, 3))


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charts_drawing, "MOST_SECONDS", PATIENCE_S)


def made(name: str) -> Chart:
    table, marks = TABLES[name]
    chart = chart_of(table, marks, "Title")
    assert chart is not None
    return chart


def keys(node: Any) -> set[str]:
    """Return all keys of a specification outside its data."""
    if isinstance(node, list):
        return {key for item in cast("list[Any]", node) for key in keys(item)}
    if not isinstance(node, dict):
        return set()
    fields = cast("dict[str, Any]", node)
    return set(fields) | {key for name, item in fields.items() if name != "values" for key in keys(item)}


def points(chart: Chart, layer: int = 0) -> list[dict[str, Any]]:
    return chart.spec["layer"][layer].get("data", chart.spec.get("data"))["values"]


def pixels(png: bytes) -> tuple[int, int, int]:
    """Return width, height, and the number of different bytes in its rows; a blank picture has very few."""
    width, height = struct.unpack(">II", png[16:24])
    at = 8
    packed = b""
    while at < len(png):
        (size,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        assert zlib.crc32(kind + data) == struct.unpack(">I", png[at + 8 + size : at + 12 + size])[0]
        packed += data if kind == b"IDAT" else b""
        at += 12 + size
    raw = zlib.decompress(packed)
    assert len(raw) == height * (1 + 4 * width)
    return width, height, len(set(raw))


@pytest.fixture
def one_renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw in this process, where only the first picture takes a second."""

    async def run(command: list[str], *, input: bytes, **_: object) -> "subprocess.CompletedProcess[bytes]":
        output = io.BytesIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(input)))
            patch.setattr(sys, "stdout", io.TextIOWrapper(output))
            code = renderer.main()
            return subprocess.CompletedProcess(command, code, output.getvalue())

    monkeypatch.setattr(anyio, "run_process", run)


@EVERY
def test_a_specification_is_plain_data_that_computes_and_loads_nothing(name: str) -> None:
    spec = made(name).spec
    json.dumps(spec, allow_nan=False)
    assert spec["width"] == 800
    assert 100 <= spec["height"] <= 800
    assert keys(spec) & ACTIVE == set()


@pytest.mark.anyio
@pytest.mark.usefixtures("one_renderer")
@EVERY
async def test_every_kind_is_drawn_at_its_size_and_is_not_blank(name: str) -> None:
    table, marks = TABLES[name]
    reply = await illustrated({"rows": 1}, table, marks, "Title", within_s=PATIENCE_S)
    assert isinstance(reply, Reply)
    assert reply.result == {"rows": 1}
    (picture,) = reply.attachments
    assert isinstance(picture, Picture)
    assert len(picture.png) <= MOST_BYTES
    width, height, different = pixels(picture.png)
    assert (width, height) == (800, made(name).spec["height"])
    assert different > 20


def test_the_incomplete_interval_is_separate_from_the_line() -> None:
    chart = made("line")
    dashed, solid, hollow = (points(chart, layer) for layer in range(3))
    assert [point["v"] for point in hollow] == [dashed[-1]["v"]]
    assert dashed[0] == solid[-1]
    assert len(solid) == len(DAYS) - 1
    assert "dashed: incomplete" in chart.spec["title"]["subtitle"]


def test_dormant_users_are_below_the_line_and_the_open_interval_is_pale() -> None:
    data = points(made("lifecycle"))
    assert all(point["v"] < 0 for point in data if point["s"] == "dormant")
    assert {point["o"] for point in data if point["t"] == data[-1]["t"]} == {0.4}


def test_a_retention_grid_has_percentages_and_frames_incomplete_periods() -> None:
    chart = made("retention")
    assert [point["w"] for point in points(chart)] == ["44%", "22%", "38%"]
    assert [(point["p"], point["open"]) for point in points(chart, 1)] == [("Day 2", True), ("Day 1", True)]


def test_bins_of_a_histogram_have_a_readable_unit() -> None:
    chart = made("histogram")
    assert chart.spec["encoding"]["x"]["axis"]["title"] == "hours"
    assert points(chart)[1] == {"a": 1.5, "b": 3.0, "v": 59}


def test_bands_of_paths_are_as_wide_as_their_counts() -> None:
    bands = points(made("paths"))
    heights = {point["e"]: point["y"] - point["y2"] for point in bands}
    assert math.isclose(heights[0] / heights[1], 40 / 9)


def test_data_left_out_of_a_chart_is_reported() -> None:
    many = Table(
        "time",
        (dimension("day"), *series_columns([f"s{at}" for at in range(30)])),
        (("2026-11-01", *range(30)), ("2026-11-02", *range(30))),
    )
    long = Table("bars", (dimension("x"), Column("value", Role.VALUE)), tuple((f"x{at}", at) for at in range(99)))
    shown = [chart_of(table, {}, "") for table in (many, long)]
    assert [chart.left_out for chart in shown if chart] == [
        ("only the 10 largest of 30 series",),
        ("only the first 24 of 99 bars",),
    ]


@pytest.mark.parametrize("value", [2.2e-309, 1e-16, 1e15, 1e308, math.inf, math.nan])
@pytest.mark.parametrize("kind", ["time", "bars", "histogram", "funnel", "retention", "paths"])
def test_extreme_numbers_are_drawn_correctly(kind: Shape, value: float) -> None:
    rows = ((1, value, value, value, 1), (1, 2, 3, 4, value))
    columns = (dimension("x"), dimension("began"), Column("size", Role.COUNT), *series_columns("ab"))
    for used in (columns, (columns[0], *columns[2:])):
        chart = chart_of(Table(kind, used, rows), {}, "")
        json.dumps(chart and chart.spec, allow_nan=False)


@settings(max_examples=examples(30, 1000), deadline=None)
@given(
    kind=st.sampled_from(["time", "bars", "histogram", "funnel", "retention", "paths"]),
    rows=st.lists(st.lists(CELLS, min_size=7, max_size=7), max_size=12),
    columns=st.lists(COLUMNS, min_size=7, max_size=7),
    usual=st.booleans(),
)
def test_any_table_makes_a_plain_specification_or_none(
    kind: Shape, rows: list[list[Any]], columns: list[Column], usual: bool
) -> None:
    head = (*map(dimension, "xyz"), Column("n", Role.COUNT), *series_columns("v")) if usual else ()
    table = Table(kind, (*head, *columns)[:7], tuple(map(tuple, rows)))
    chart = chart_of(table, {"incomplete_last": DAYS[0]}, HOSTILE)
    if chart is not None:
        json.dumps(chart.spec, allow_nan=False)
        assert keys(chart.spec) & ACTIVE == set()
        assert chart.spec["height"] <= 800


@pytest.mark.anyio
async def test_hostile_names_are_only_text_in_the_picture() -> None:
    table = Table(
        "time", (dimension("day"), *series_columns([HOSTILE, f"{HOSTILE}2"])), ((DAYS[0], 1, 2), (DAYS[1], 2, 3))
    )
    reply = await illustrated({}, table, {}, HOSTILE, within_s=PATIENCE_S)
    assert isinstance(reply, Reply)
    bars = Table("bars", (dimension(HOSTILE), *series_columns([HOSTILE])), ((HOSTILE, 1), (HOSTILE + "z", 2)))
    assert isinstance(await illustrated({}, bars, {}, HOSTILE, within_s=PATIENCE_S), Reply)


def test_names_are_truncated_in_the_middle_and_stay_distinct() -> None:
    assert label("https://a.test/" + "x" * 90 + "/end", 20) == "https://a…xxxxxx/end"
    assert len(set(labels(["a" * 99, "a" * 98, "a" * 99 + "b"]))) == 3
    assert not {"\u202e", "\x1b"} & set(label(HOSTILE))
    assert label(None) == "(empty)"


@pytest.mark.anyio
async def test_without_the_renderer_the_numbers_are_returned_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_: str) -> None:
        return None

    monkeypatch.setattr(charts_drawing, "find_spec", nothing)
    table, marks = TABLES["line"]
    shown = await illustrated({"rows": [1]}, table, marks, "Title", within_s=PATIENCE_S)
    assert not isinstance(shown, Reply)
    assert shown["rows"] == [1]
    assert "maton-posthog-mcp[charts]" in shown["chart"]


@pytest.mark.anyio
async def test_a_renderer_that_fails_or_times_out_only_loses_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    table, marks = TABLES["line"]
    late = await illustrated({"rows": [1]}, table, marks, "Title", within_s=0.0)
    monkeypatch.setattr(charts_drawing, "__package__", "no.such.package")
    failed = await illustrated({"rows": [1]}, table, marks, "Title", within_s=PATIENCE_S)
    empty = await illustrated(
        {"rows": []}, Table("bars", (dimension("a"), *series_columns(["b"])), ()), {}, "Title", within_s=PATIENCE_S
    )
    assert not isinstance(late, Reply)
    assert not isinstance(failed, Reply)
    assert not isinstance(empty, Reply)
    assert late == {"rows": [1], "chart": "not drawn: it took too long; request fewer rows"}
    assert failed == {"rows": [1], "chart": "not drawn: the renderer failed"}
    assert empty["chart"] == "not drawn: there are no numbers to draw"


@pytest.mark.anyio
async def test_the_renderer_gets_neither_the_key_nor_the_settings_of_the_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen, python = tmp_path / "seen", tmp_path / "python"
    python.write_text(f"#!/bin/sh\nenv > '{seen}'\nexit 1\n")
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    for name in ("MATON_API_KEY", "MATON_POSTHOG_TOKEN", "POSTHOG_PROJECT_ID"):
        monkeypatch.setenv(name, "mtk_CANARY_7f3a")
    monkeypatch.setenv("LANG_OF_THE_TEST", "kept")
    table, marks = TABLES["line"]
    await illustrated({"rows": [1]}, table, marks, "Title", within_s=PATIENCE_S)
    assert "LANG_OF_THE_TEST=kept" in seen.read_text()
    assert "CANARY" not in seen.read_text()


def test_rows_of_a_query_become_series_in_time_order() -> None:
    rows = [["2026-11-02", "a", 2], ["2026-11-01", "a", "1.5"], ["2026-11-02", "b", None]]
    table = plotted(Plot(x="day", y="n", series="who"), ["day", "who", "n"], rows)
    assert table == Table(
        "time", (dimension("day"), *series_columns("ab")), (("2026-11-01", 1.5, None), ("2026-11-02", 2, None))
    )
    bars = plotted(Plot(x="who", y="n"), ["day", "who", "n"], rows)
    assert bars == Table("bars", (dimension("who"), *series_columns("n")), (("a", 2), ("b", None)))


def test_a_missing_column_is_named_with_the_available_ones() -> None:
    assert plotted(Plot(x="dya", y="n"), ["day", "n"], []) == "not drawn: there is no column dya; columns are day, n"


@pytest.mark.parametrize(
    "spec",
    [
        {"mark": "image"},
        {"mark": {"type": "image"}},
        {"layer": [{"mark": "point"}, {"mark": {"type": "image"}}]},
        {"data": {"url": "x"}},
        {"encoding": {"url": {"field": "a"}}},
        {"encoding": {"x": {"axis": {"labelExpr": "1"}}}},
    ],
)
def test_a_specification_that_loads_or_computes_is_not_plain(spec: dict[str, Any]) -> None:
    assert not is_plain(spec)
    assert is_plain({"data": {"values": [spec]}, "mark": "point"})


def test_a_specification_that_is_not_plain_never_reaches_the_renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = {"data": {"url": "http://127.0.0.1:9/"}, "mark": "point"}
    written = io.TextIOWrapper(io.BytesIO(json.dumps(spec).encode()))
    monkeypatch.setattr(sys, "stdin", written)
    monkeypatch.setattr(renderer, "import_module", pytest.fail)
    assert renderer.main() == 1


@pytest.mark.parametrize("address", ["{url}data.json", "file:///etc/passwd", "{url}picture.png"])
def test_the_renderer_loads_nothing_from_network_or_files(address: str) -> None:
    with serving("[]", headers={}) as (url, asked):
        there = address.format(url=url)
        if there.endswith(".png"):
            image = {"mark": {"type": "image", "url": there, "width": 20, "height": 20}}
            spec: dict[str, Any] = {"data": {"values": [{"a": 1}]}, "width": 50, "height": 50, **image}
        else:
            spec = {"data": {"url": there}, "mark": "point", "encoding": {"x": {"field": "a", "type": "nominal"}}}
        command = [sys.executable, "-I", "-m", "maton_posthog.tools.charts.renderer"]
        ended = subprocess.run(command, input=json.dumps(spec).encode(), capture_output=True, timeout=60, check=False)
        assert asked == []
    assert (ended.returncode, ended.stdout) == (1, b"")
