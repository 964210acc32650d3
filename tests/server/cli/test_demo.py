"""The demo and its page."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp import Client
from mcp.types import CallToolResult, TextContent, Tool

from maton_posthog.server.cli.hosts import claude_desktop, claude_desktop_file, command_in_use
from maton_posthog.server.cli.page import Terminal, columns_of
from maton_posthog.server.cli.steps import Demo, count_tokens
from tests.oracle import examples
from tests.server.processes import COMMAND, environment

DEMO_S = 300
"""Seconds for making the synthetic data on a busy machine."""
STYLES = re.compile(r"\x1b\[\d+m")


@pytest.fixture(scope="module")
def demo() -> subprocess.CompletedProcess[str]:
    """Return the output of one run of the demo to a pipe."""
    return subprocess.run(
        [*COMMAND, "demo"],
        capture_output=True,
        text=True,
        timeout=DEMO_S,
        check=False,
        env=environment(MATON_API_KEY="mtk_CANARY_7f3a", MATON_POSTHOG_READ_ONLY="1", COLUMNS="90"),
    )


def test_the_demo_shows_every_step(demo: subprocess.CompletedProcess[str]) -> None:
    assert (demo.returncode, demo.stderr) == (0, "")
    for shown in (
        r"\d+ tools, \d,\d{3} tokens",
        r"event +events +persons",
        r"\$pageview +\d+ +\d+",
        r"project +Sandbox \(synthetic data\)",
        r"rollout +5% before, 25% now",
        r"undo +\{\"tool\": \"restore_deleted\"",
        r"restored +demo-new-checkout, id \d+, active: true",
        r"content +New checkout at 25%",
        r"code +invalid_argument",
        r"code +hogql_\w+_error",
    ):
        assert re.search(shown, demo.stdout), f"{shown} in:\n{demo.stdout}"


def test_the_demo_prints_a_valid_configuration(demo: subprocess.CompletedProcess[str]) -> None:
    blocks = [json.loads(block) for block in re.findall(r"^\{.*?^\}", demo.stdout, re.MULTILINE | re.DOTALL)]
    sandbox, real = [block["mcpServers"]["posthog"] for block in blocks]
    assert "--sandbox" in sandbox["args"]
    assert real["env"].keys() == {"MATON_API_KEY"}
    assert Path(sandbox["command"]).is_absolute()
    version = subprocess.run(
        [real["command"], *real.get("args", ()), "--version"], capture_output=True, text=True, check=True
    )
    assert version.stdout.startswith("maton-posthog-mcp ")


def test_a_pipe_gets_plain_text(demo: subprocess.CompletedProcess[str]) -> None:
    assert "\x1b" not in demo.stdout
    assert "\r" not in demo.stdout
    prose = [line for line in demo.stdout.splitlines() if "command" not in line]
    assert max(map(len, prose)) <= 90


def test_the_demo_uses_neither_the_key_nor_the_settings_of_its_user(demo: subprocess.CompletedProcess[str]) -> None:
    assert "CANARY" not in demo.stdout + demo.stderr


def test_a_failing_demo_gives_the_reason_in_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "sitecustomize.py"
    broken.write_text("import sys\nsys.modules['posthog_sandbox'] = None\n")
    done = subprocess.run(
        [*COMMAND, "demo"],
        capture_output=True,
        text=True,
        timeout=DEMO_S,
        check=False,
        env=environment(PYTHONPATH=os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])),
    )
    assert done.returncode == 1
    assert done.stderr.startswith("maton-posthog-mcp: the demo stopped: ")
    assert done.stderr.count("\n") == 1
    assert "The sandbox did not start" in done.stderr


@pytest.mark.anyio
async def test_the_demo_waits_for_a_query_that_outlives_its_call() -> None:
    running = {"status": "running", "query_id": "1f"}
    rows = {"columns": ["event"], "rows": [["$pageview"]], "project": {"name": "Sandbox"}}
    answers = [running, running, rows]
    called = list[str]()

    async def call_tool(name: str, _: dict[str, Any], *, progress_callback: object) -> CallToolResult:
        called.append(name)
        return CallToolResult(content=[TextContent(text=json.dumps(answers.pop(0)))])

    page, out = written()
    await Demo(Mock(spec=Client, call_tool=call_tool), page).numbers()
    assert called == ["run_hogql", "get_query_result", "get_query_result"]
    assert "$pageview" in out.getvalue()


def written(width: int = 60, *, styled: bool = False, live: bool = False) -> tuple[Terminal, io.StringIO]:
    out = io.StringIO()
    return Terminal(out, width=width, styled=styled, live=live), out


@settings(max_examples=examples(10, 1000))
@given(
    st.lists(st.lists(st.text(max_size=60) | st.integers() | st.none(), min_size=3, max_size=3)), st.integers(0, 120)
)
def test_a_table_never_leaves_the_page(rows: list[list[object]], width: int) -> None:
    page, out = written(width)
    page.table(["a", "b", "c"], rows)
    assert out.getvalue().count("\n") == len(out.getvalue().splitlines())
    first_column = max(columns_of(line[4:].split("  ")[0]) for line in out.getvalue().splitlines())
    limit = max(40, min(width, 100))
    assert all(columns_of(line) <= max(limit, first_column + 4) for line in out.getvalue().splitlines())


def test_columns_that_do_not_fit_are_counted() -> None:
    page, out = written(40)
    page.table(["x" * 20, "y" * 20, "z" * 20], [])
    assert "(and 2 more columns)" in out.getvalue()


def test_numbers_are_right_aligned() -> None:
    page, out = written()
    page.table(["event", "count"], [["a", 5], ["b", 1000], ["c", None]])
    assert out.getvalue().splitlines()[1] == "    a          5"


def test_upstream_text_cannot_control_the_terminal() -> None:
    page, out = written(styled=True)
    page.table(["name"], [["\x1b[2Jwiped\x1b]8;;http://evil\x07"]])
    page.facts([("name", "\x1b[31mred\nnew line")])
    assert "\x1b" not in STYLES.sub("", out.getvalue())


def test_styles_are_used_on_request_only() -> None:
    for styled in (False, True):
        page, out = written(styled=styled)
        page.heading("A heading")
        page.call("list_flags", "{}")
        assert bool(STYLES.search(out.getvalue())) is styled


def test_progress_is_one_line_that_is_redrawn_on_a_terminal() -> None:
    page, out = written(live=True)
    page.progress(0.25, "making events")
    page.progress(2.0, "made events")
    page.progress_done()
    assert "\n" not in out.getvalue()
    assert "25%  making events" in out.getvalue()
    assert "100%  made events" in out.getvalue()


def test_progress_is_a_line_for_each_quarter_elsewhere() -> None:
    page, out = written()
    for hundredth in range(0, 101, 5):
        page.progress(hundredth / 100, "making events")
    page.progress_done()
    assert [line.split()[0] for line in out.getvalue().splitlines()] == ["0%", "25%", "50%", "75%", "100%"]


def test_a_terminal_that_cannot_show_a_character_gets_another() -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Terminal(out).text("é")
    out.seek(0)
    assert out.read() == "?\n"


def test_the_terminal_decides_about_styles(monkeypatch: pytest.MonkeyPatch) -> None:
    class Console(io.StringIO):
        def isatty(self) -> bool:
            return True

    for no_color, styled in (("", True), ("1", False)):
        monkeypatch.setenv("NO_COLOR", no_color)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr("sys.stdout", out := Console())
        Terminal.for_terminal().heading("A heading")
        assert bool(STYLES.search(out.getvalue())) is styled


def test_tokens_are_counted_or_marked_as_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    tools = [Tool(name="get_flag", description="Show one flag.", input_schema={"type": "object", "properties": {}})]
    counted, how = count_tokens(tools)
    assert how == "(o200k_base)"
    assert 15 < counted["get_flag"] < 40
    monkeypatch.setitem(sys.modules, "rs_bpe.bpe", None)
    estimated, how = count_tokens(tools)
    assert "estimated" in how
    assert 15 < estimated["get_flag"] < 40


def test_a_host_gets_an_absolute_command() -> None:
    assert Path(command_in_use()[0]).is_absolute()
    server = json.loads(claude_desktop("--sandbox", A="b"))["mcpServers"]["posthog"]
    assert server["args"][-1] == "--sandbox"
    assert server["env"] == {"A": "b"}
    assert claude_desktop_file().endswith("claude_desktop_config.json")


def test_without_a_console_script_the_interpreter_is_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    assert command_in_use() == (str(tmp_path / "python"), "-P", "-m", "maton_posthog.server")
