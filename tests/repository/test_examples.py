"""Every file in examples/ runs, and every host configuration starts the server."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from maton_posthog.server.settings import DECLARATIONS
from maton_posthog.server.tool_list import tool_list

from ..server.processes import environment
from ..snapshots.files import ROOT

EXAMPLES = ROOT / "examples"
SHOWN = {
    "ask_over_stdio": "browser\tusers\nChrome\t",
    "ask_over_http": '"name":"Sandbox (synthetic data)"',
    "embed_the_server": "  run_hogql\n",
    "judge_hogql": "unknown column `evnt` 7 ('event',)\n",
}
"""A part of what each program prints."""
HOSTS = sorted((EXAMPLES / "hosts").glob("*.json"))
PATIENCE_S = 300
"""Seconds for making the synthetic data on a busy machine."""
EVERY_HOST = pytest.mark.parametrize("path", HOSTS, ids=lambda path: path.stem)
_COMMAND = "/path/to/.venv/bin/maton-posthog-mcp"
_PLACEHOLDER = re.compile(r"your key|\$\{[\w:-]+\}")


@pytest.mark.parametrize("program", SHOWN)
def test_the_program_runs(program: str) -> None:
    done = _run(sys.executable, f"examples/{program}.py")
    assert done.returncode == 0, done.stderr
    assert SHOWN[program] in done.stdout


def test_the_tests_with_the_sandbox_pass() -> None:
    done = _run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/test_with_the_sandbox.py")
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_the_queries_have_no_findings() -> None:
    _needs("hogql_lang")
    queries = sorted(map(str, (EXAMPLES / "lint_hogql" / "queries").glob("*.sql")))
    done = _run(str(Path(sys.executable).parent / "hogql-lint"), *queries)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.anyio
@EVERY_HOST
async def test_the_host_configuration_starts_the_server(path: Path) -> None:
    server = _server(path)
    if "url" in server:
        assert server["url"].endswith("/mcp")
        assert server["headers"] == {"Authorization": "Bearer ${MATON_POSTHOG_TOKEN}"}
        return
    assert server["command"] == _COMMAND
    assert set(server.get("env", {})) <= {declaration.variable for declaration in DECLARATIONS.values()}
    given = {name: _PLACEHOLDER.sub("mtk_example_key", value) for name, value in server.get("env", {}).items()}
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-P", "-m", "maton_posthog.server", *server.get("args", [])],
        env=environment(**given),
    )
    async with Client(parameters) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
    if path.stem == "cursor_read_only":
        assert {"run_hogql", "query_trends"} < listed < set(tool_list())
        assert not any(tool_list()[name].effect.writes for name in listed)
    else:
        assert listed == set(tool_list())


def test_the_readme_shows_these_configurations() -> None:
    blocks = re.findall(r"```json\n(.+?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    shown = [value for value in map(json.loads, blocks) if value.keys() & {"mcpServers", "servers"}]
    stored = [json.loads(path.read_text("utf-8")) for path in HOSTS]
    assert shown
    assert all(value in stored for value in shown)


def test_every_example_is_in_the_list_of_examples() -> None:
    text = (EXAMPLES / "README.md").read_text("utf-8")
    files = [path for path in EXAMPLES.rglob("*") if path.suffix in (".py", ".json", ".yml")]
    missing = [path.name for path in files if path.name != "conftest.py" and f"{path.name})" not in text]
    assert missing == []


def _needs(module: str) -> None:
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        pytest.skip(f"{module} is not there yet")


def _server(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text("utf-8"))
    servers = value.get("mcpServers") or value["servers"]
    return servers["posthog"]


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
