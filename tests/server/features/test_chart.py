"""The chart as an MCP App: how it is offered, and what the page does in a real browser with a host around it."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from mcp.types import ImageContent, TextContent, TextResourceContents

from maton_posthog.server.features.chart import CHART_URI, EXTENSION, MIME_TYPE
from maton_posthog.tools.analytics.kinds import KINDS
from maton_posthog.tools.table import TABLE_META, Column, Role, Table, dimension, series_columns
from tests.browser import chromium, needs_chromium, serving
from tests.server.test_every_operation import ARGUMENTS, ERAS, Era, served, text_of
from tests.tools.charts.tables import HOSTILE, TABLES

CHARTED = {"run_hogql", *(kind.tool for kind in KINDS)}
PAGE = Path(__file__).parents[3] / "server" / "features" / "chart.html"
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; media-src 'self' data:; connect-src 'none'"
)
"""The policy that a host uses for a page without a domain."""
HOST = """<body><script>
const views = VIEWS;
let view, told;
const tell = message => view.contentWindow.postMessage({jsonrpc: '2.0', ...message}, '*');
const open = () => {
  told = [];
  view = Object.assign(document.createElement('iframe'), {width: 800, height: 600, srcdoc: PAGE});
  document.body.append(view);
};
addEventListener('message', ({data, source}) => {
  if (source !== view.contentWindow) return;
  const {theme, arguments: given, result, clicks} = views[0];
  told.push(data.method ?? 'answer ' + data.id);
  if (data.method === 'ui/initialize')
    tell({id: data.id, result: {protocolVersion: '2026-01-26', hostContext: {theme}}});
  if (data.method === 'ui/notifications/initialized') {
    tell({method: 'ui/notifications/tool-input', params: {arguments: given}});
    tell({method: 'ui/notifications/tool-result', params: result});
    tell({id: 'end', method: 'ui/resource-teardown', params: {}});
  }
  if (data.id === 'end') {
    const page = view.contentDocument;
    clicks.forEach(choice => page.querySelector(choice).click());
    const shown = Object.assign(document.createElement('pre'), {textContent: page.documentElement.outerHTML});
    shown.dataset.told = told.join(' ');
    shown.dataset.background = getComputedStyle(page.body).backgroundColor;
    document.body.append(shown);
    view.remove();
    views.shift();
    if (views.length) open();
  }
});
open();
</script>"""


@dataclass(frozen=True, slots=True)
class View:
    """A result in the page, and what the host and its user do."""

    result: Mapping[str, Any]
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    clicks: Sequence[str] = ()
    theme: str = "light"


@dataclass(frozen=True, slots=True)
class Shown:
    """The page's document after a result and the clicks, and attributes with its messages and its background."""

    page: str
    noted: str


def hosted(profile: Path, *views: View) -> tuple[list[Shown], list[str]]:
    """Return what the page shows for each view, one after the other in one browser, and all requested paths."""
    policy = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    given = {
        "PAGE": PAGE.read_text("utf-8").replace("<head>", f"<head>{policy}"),
        "VIEWS": [asdict(view) for view in views],
    }
    values = {name: json.dumps(value).replace("<", "\\u003c") for name, value in given.items()}
    host = re.sub("|".join(given), lambda found: values[found[0]], HOST)
    with serving(host, headers={}) as (url, asked):
        dumped, said = chromium(url, profile, "--virtual-time-budget=15000", "--dump-dom")
    assert "Content Security Policy" not in said
    found = [part.partition(">") for part in dumped.split("<pre ")[1:]]
    assert len(found) == len(views), f"the page did not come to its end: {said[-2000:]}"
    return [Shown(page, noted) for noted, _, page in found], asked


def drawn(profile: Path, *views: View) -> list[str]:
    """Return the documents alone."""
    return [shown.page for shown in hosted(profile, *views)[0]]


def content(shown: dict[str, Any], *, is_error: bool = False) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": json.dumps(shown)}], "isError": is_error}


def of_kind(name: str) -> dict[str, Any]:
    table, marks = TABLES[name]
    return content({"project": {"id": 1, "name": "Acme"}, **table.as_json(), **marks}) | as_meta(table)


def as_meta(table: Table) -> dict[str, Any]:
    """Return the part of a result that tells the page what the columns are."""
    return {"_meta": {TABLE_META: table.as_meta()}}


@pytest.mark.anyio
@ERAS
async def test_the_tools_it_draws_name_the_page_and_the_page_declares_no_domain(era: Era) -> None:
    async with served(era) as (client, fake):
        tools = {tool.name: tool.meta for tool in (await client.list_tools()).tools}
        listed = [each for each in (await client.list_resources()).resources if each.uri == CHART_URI]
        (page,) = (await client.read_resource(CHART_URI)).contents
        extensions = client.server_capabilities.extensions if client.server_capabilities else None
        assert fake.received == []
    assert {name for name, meta in tools.items() if meta} == CHARTED
    assert all(tools[name] == {"ui": {"resourceUri": CHART_URI}} for name in CHARTED)
    assert isinstance(page, TextResourceContents)
    assert (page.mime_type, page.text) == (MIME_TYPE, PAGE.read_text("utf-8"))
    assert page.meta
    assert not any(page.meta["ui"]["csp"].values())
    assert [each.mime_type for each in listed] == [MIME_TYPE]
    # The older era has no field for it; there only the client declares whether it shows pages.
    assert EXTENSION in (extensions or {}) or era == "legacy"


def test_the_page_loads_nothing_and_never_turns_text_into_markup() -> None:
    page = PAGE.read_text("utf-8")
    assert len(page) < 40_000
    for reference in ("src=", "href=", "url(", "@import", "fetch(", "innerHTML", "eval(", "insertAdjacentHTML"):
        assert reference not in page


@pytest.mark.anyio
async def test_a_picture_is_returned_with_the_text_on_request() -> None:
    asked: dict[str, dict[str, Any]] = {
        "query_trends": {"events": ["$pageview"], "chart": True},
        "run_hogql": {"query": "select event, 1 as n from events limit 2", "plot": {"x": "event", "y": "event"}},
    }
    async with served() as (client, _):
        drawn, not_drawn = [await client.call_tool(name, arguments) for name, arguments in asked.items()]
    text, image = drawn.content
    assert isinstance(text, TextContent)
    assert isinstance(image, ImageContent)
    assert json.loads(text.text)["rows"] == [["2026-11-22", 1], ["2026-11-23", 2]]
    assert base64.b64decode(image.data).startswith(b"\x89PNG")
    assert json.loads(text_of(not_drawn))["chart"] == "not drawn: there are no numbers to draw"


KINDS_DRAWN = {
    "line": ("time", "circle"),
    "lifecycle": ("lifecycle", "rect"),
    "retention": ("retention", "rect"),
    "funnel": ("funnel", "rect"),
    "paths": ("paths", "rect"),
    "histogram": ("columns", "rect"),
    "bars_compared": ("bars", "rect"),
}
"""The kind of chart and its marks by the name of a table."""


@pytest.fixture(scope="module")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Shown], list[str]]:
    """Return what the page shows for each table, and all requested paths."""
    shown, asked = hosted(tmp_path_factory.mktemp("profile"), *(View(of_kind(name)) for name in KINDS_DRAWN))
    return dict(zip(KINDS_DRAWN, shown, strict=True)), asked


@needs_chromium
@pytest.mark.parametrize("name", KINDS_DRAWN)
def test_every_kind_is_drawn(every_kind: tuple[dict[str, Shown], list[str]], name: str) -> None:
    kind, marks = KINDS_DRAWN[name]
    shown = every_kind[0][name]
    assert f'data-kind="{kind}"' in shown.page
    assert shown.page.count(f"&lt;{marks} ") >= 2
    assert "NaN" not in shown.page
    assert "ui/initialize ui/notifications/" in shown.noted


@needs_chromium
def test_the_page_requests_nothing(every_kind: tuple[dict[str, Shown], list[str]]) -> None:
    assert set(every_kind[1]) <= {"/", "/favicon.ico"}


@needs_chromium
@pytest.mark.anyio
async def test_a_result_of_the_server_is_drawn_with_values_on_hover(tmp_path: Path) -> None:
    async with served() as (client, _):
        result = await client.call_tool("query_trends", {"events": ARGUMENTS["query_trends"]["events"]})
    [page] = drawn(tmp_path, View(result.model_dump(mode="json", by_alias=True, exclude_none=True)))
    assert result.meta
    assert result.meta[TABLE_META] == {"shape": "time", "roles": ["dimension", "value"], "series": [None, 0]}
    assert 'data-tip="2026-11-22' in page
    assert "$pageview: 1" in page


@needs_chromium
def test_names_have_no_meaning_and_the_previous_period_is_found_by_its_role(tmp_path: Path) -> None:
    days = ("2026-11-01", "2026-11-02")
    names = ("new", "new before", "step", "from_first_percent")
    columns = (dimension("day"), *series_columns(names))
    rows = tuple((day, *range(4)) for day in days)
    named = Table("time", columns, rows)
    compared = Table("time", (columns[0], columns[1], Column("x", Role.PREVIOUS, 0)), tuple(row[:3] for row in rows))
    rows_of_sql = content(
        {"columns": ["day", "new", "returning", "resurrecting", "dormant"], "rows": [["2026-11-01", 1, 2, 3, 4]]}
    )
    views = [View(content(table.as_json()) | as_meta(table)) for table in (named, compared)]
    first, second, third = drawn(tmp_path, *views, View(rows_of_sql))
    assert 'data-kind="time"' in first
    assert 'stroke-dasharray="1 5"' not in first
    assert 'stroke-dasharray="1 5"' in second
    assert 'data-kind="time"' in third


@needs_chromium
def test_series_are_switched_off_and_the_table_is_shown_on_a_click(tmp_path: Path) -> None:
    result = of_kind("lifecycle")
    switched, table = drawn(tmp_path, View(result, clicks=["#legend button"]), View(result, clicks=["#view"]))
    assert switched.count('&lt;button type="button" aria-pressed="false"') == 1
    assert 'id="table"&gt;&lt;table&gt;' in table
    assert "&lt;svg" not in table


@needs_chromium
def test_the_theme_is_that_of_the_host(tmp_path: Path) -> None:
    (light, dark), _asked = hosted(tmp_path, *(View(of_kind("line"), theme=theme) for theme in ("light", "dark")))
    assert "rgb(255, 255, 255)" in light.noted
    assert "rgb(24, 24, 27)" in dark.noted


@needs_chromium
def test_rows_of_a_query_are_drawn_as_the_plot_requests(tmp_path: Path) -> None:
    rows = [["2026-11-02", "b", 2], ["2026-11-01", "a", 1], ["2026-11-01", "b", 3]]
    shown = content({"columns": ["day", "who", "n"], "rows": rows})
    plot = {"x": "day", "y": "n", "series": "who"}
    [page] = drawn(tmp_path, View(shown, arguments={"plot": plot}))
    assert 'data-kind="time"' in page
    assert "2026-11-01\nb: 3\na: 1" in page


@needs_chromium
def test_large_integers_are_drawn_and_shown_with_all_their_digits(tmp_path: Path) -> None:
    rows = [[2**60 + 1, 2**60 + 3], [7, 1.2345678901234567], [-(2**70), None], [f'"{2**60 + 5}", {2**60 + 7}', 2**53]]
    shown = content({"columns": ["user", "bytes"], "rows": rows})
    page = unescape(*drawn(tmp_path, View(shown)))
    assert 'data-kind="bars"' in page
    for digits in ("1,152,921,504,606,846,979", "9,007,199,254,740,992", "1.23"):
        assert f'<td class="n">{digits}</td>' in page
        assert f">{digits}</text>" in page
    assert 'data-tip="1152921504606846977\n1,152,921,504,606,846,979"' in page
    assert "-1,180,591,620,717,411,303,424" in page
    assert f'<td>"{2**60 + 5}", {2**60 + 7}</td>' in page, "text stays as it is"


@needs_chromium
def test_the_text_of_a_result_is_drawn_before_its_structured_content(tmp_path: Path) -> None:
    """Only the text tells large integers from texts with many digits."""
    structured = {"structuredContent": {"columns": ["user", "bytes"], "rows": [["a", str(2**60 + 1)]]}}
    shown = content({"columns": ["user", "bytes"], "rows": [["a", 2**60 + 1]]}) | structured
    both, alone = drawn(tmp_path, View(shown), View(structured))
    assert ">1,152,921,504,606,846,977</text>" in unescape(both)
    assert f"<td>{2**60 + 1}</td>" in unescape(alone)


@needs_chromium
def test_hostile_names_are_drawn_as_text_and_errors_are_shown(tmp_path: Path) -> None:
    shown = {"columns": [HOSTILE, "value"], "rows": [["<img src=//elsewhere.example/x onerror=alert(1)>", 1]]}
    refused = content({"error": {"message": "No such event.", "hint": "Look it up."}}, is_error=True)
    (named, failed), asked = hosted(tmp_path, View(content(shown)), View(refused))
    assert "&lt;img" not in named.page
    assert "&amp;lt;img" in named.page
    assert "No such event." in failed.page
    assert set(asked) <= {"/", "/favicon.ico"}
