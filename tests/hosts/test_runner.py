"""The runner of `python -m hosts`: what it finds wrong with a client, and with the server that the client used."""

import fcntl
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hosts import __main__ as program
from hosts import environments, report, runner, servers
from hosts.clients.cell import Cell, Transport
from hosts.environments import REQUIREMENTS, UnavailableError, pins
from hosts.matrix import CLIENTS, Client
from hosts.runner import Outcome

from ..snapshots.files import ROOT, difference

TOOLS = ("get_flag", "run_hogql")
SHOWN: Mapping[str, Any] = {
    "tools": ["run_hogql", "get_flag"],
    "answer": f'{{"rows":[[{servers.EVENTS}]]}}',
    "error": f"query: {runner.ERROR}",
    "error_as": "text",
}
SERVER = """
import json, signal, sys

def log(level, message):
    print(json.dumps({"level": level, "message": message}), file=sys.stderr, flush=True)

if "--transport" in sys.argv:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    log("info", "Serving MCP at http://127.0.0.1:1/mcp")
    signal.pause()
for line in sys.stdin:
    print(json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": "2025-11-25"}}), flush=True)
"""
CLIENT = """
import json, subprocess, sys
cell = json.loads(sys.argv[1])
if cell["transport"] == "stdio":
    command = [cell["command"], *cell["args"]]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    server.stdin.write(b"{}\\n")
    server.stdin.flush()
    server.stdout.readline()
    server.stdin.close()
    server.wait()
"""


def ran(
    then: str = "",
    *,
    server: str = SERVER,
    client: str = CLIENT,
    shown: Mapping[str, Any] = SHOWN,
    transport: Transport = "stdio",
    **fields: Any,
) -> Outcome:
    """Run a client, with code that it runs before it prints what it showed."""
    program = f"{client}\n{then}\nprint('noise')\nprint({json.dumps(dict(shown))!r})"
    return runner.run_command(
        Client("tester", "python", "", "", **fields),
        [sys.executable, "-c", program],
        Cell(transport, runner.GOOD, runner.MISTAKE),
        {},
        TOOLS,
        [sys.executable, "-c", server],
    )


@pytest.mark.parametrize("transport", ["stdio", "http"])
def test_a_client_that_shows_everything_passes(transport: Transport) -> None:
    protocol = "2025-11-25" if transport == "stdio" else ""
    assert ran(transport=transport) == Outcome(
        "tester", transport, "passed", tools=len(TOOLS), protocol=protocol, error_as="text"
    )


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"tools": ["run_hogql"]}, "1 of 2 tools are listed; missing: get_flag"),
        ({"tools": None}, "0 of 2 tools are listed; missing: get_flag, run_hogql"),
        ({"answer": "rows"}, "the call returned: rows"),
        ({"answer": None}, "the call returned: nothing"),
        ({"error": "Tool failed"}, "the error is shown as: Tool failed"),
        ({"error": None}, "the error is shown as: nothing"),
    ],
)
def test_what_a_client_does_not_show_is_a_fault(changed: Mapping[str, Any], fault: str) -> None:
    assert ran(shown={**SHOWN, **changed}).faults == (fault,)


def test_a_client_without_a_way_to_show_something_passes_without_it() -> None:
    assert ran(shown={}, shows=()).status == "passed"


def test_a_client_that_hangs_is_ended() -> None:
    outcome = ran("import threading; threading.Event().wait()", seconds=1)
    assert outcome.status == "failed"
    assert outcome.faults[0] == "the client did not end within 1 s"


def test_a_client_that_exits_with_an_error_fails_with_its_last_line() -> None:
    assert ran("raise ValueError('no tools')").faults == ("the client exited with 1: ValueError: no tools",)


def test_a_client_that_prints_no_result_fails() -> None:
    assert ran("sys.exit()").faults == ("the client printed no result: it printed no error",)


def test_a_client_that_starts_no_server_fails() -> None:
    assert ran(client="").faults == ("the client started no server",)


def test_a_server_that_does_not_end_with_its_client_is_a_fault_and_is_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(servers, "LEAVE_S", 1.0)
    hold = f"\nimport fcntl; lock = open({str(tmp_path / 'lock')!r}, 'w'); fcntl.flock(lock, fcntl.LOCK_EX)"
    stays = SERVER.replace("for line", f"{hold}\nfor line") + "\nimport threading; threading.Event().wait()"
    leaves = CLIENT.replace("    server.wait()\n", "")
    assert ran(client=leaves, server=stays).faults == ("a server was still running 1 s after the client had gone",)
    with (tmp_path / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)


@pytest.mark.parametrize(
    ("ends", "fault"),
    [
        ("print('hello')", "stdout has a line that is no message: hello"),
        ("log('warning', 'x')", 'stderr has: {"level": "warning", "message": "x"}'),
        ("print('Traceback', file=sys.stderr)", "stderr has: Traceback"),
        ("sys.exit(3)", "the server exited 3 after its stdin was closed"),
    ],
)
def test_a_server_that_ends_badly_is_a_fault(ends: str, fault: str) -> None:
    assert ran(server=f"{SERVER}\n{ends}").faults == (fault,)


@pytest.mark.parametrize(
    ("ends", "note"),
    [("server.terminate()", "It ends the server with SIGTERM."), ("server.kill()", "It kills the server.")],
)
def test_how_a_client_ends_its_server_is_noted(ends: str, note: str) -> None:
    outcome = ran(client=CLIENT.replace("server.stdin.close()", ends))
    assert (outcome.faults, outcome.notes) == ((), (note,))


def test_an_http_server_that_exits_badly_after_sigterm_is_a_fault() -> None:
    outcome = ran(transport="http", server=SERVER.replace("sys.exit(0)", "(print('x'), sys.exit(3))"))
    assert outcome.faults == ("the server exited with 3 after SIGTERM", "the server printed on stdout: x\n")


def test_a_warning_that_the_client_provokes_is_no_fault() -> None:
    warns = SERVER.replace("    signal.pause()", "    log('warning', 'Invalid Host')\n    signal.pause()")
    assert ran(transport="http", server=warns, provokes="Invalid Host").faults == ()
    assert ran(transport="http", server=warns, provokes="another").status == "failed"


def test_a_client_inherits_no_key_and_no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATON_API_KEY", "k")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    checks = "import os; assert not os.environ.keys() & {'MATON_API_KEY', 'PYTHONPATH'}"
    assert ran(f"{checks}; assert os.getcwd() == os.environ['HOME']").faults == ()


def test_what_cannot_be_installed_is_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(name: str) -> Path:
        raise UnavailableError(f"{name}: no network")

    monkeypatch.setattr(runner, "python_environment", fails)
    monkeypatch.setattr(runner, "node_environment", fails)
    lines = [report.line(runner.run(client, "http", {}, TOOLS)) for client in CLIENTS]
    assert lines == [f"{client.name}, http: skipped: {client.name}: no network" for client in CLIENTS]


def test_a_missing_or_old_node_is_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def purelib(name: str) -> str:
        return str(tmp_path)

    monkeypatch.setattr(environments.sysconfig, "get_path", purelib)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="there is no Node with npm"):
        environments.find_node()
    for name in ("node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\necho v20.1.0\n", "utf-8")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(UnavailableError, match=r"Node 22 is needed, and .*node is v20\.1\.0"):
        environments.find_node()


@pytest.mark.parametrize("fails", ["venv", "pip"])
def test_an_installation_that_fails_is_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fails: str) -> None:
    python = tmp_path / "python"
    copies = 'mkdir -p "$3/bin"; cp "$0" "$3/bin/python"'  # what -m venv FOLDER does
    python.write_text(f"#!/bin/sh\n[ $2 = {fails} ] && echo no space >&2 && exit 1\n{copies}\n", "utf-8")
    python.chmod(0o755)
    (tmp_path / "broken.txt").write_text("broken==1.0\n", "utf-8")
    monkeypatch.setattr(environments, "REQUIREMENTS", tmp_path)
    monkeypatch.setattr(environments, "ENVIRONMENTS", tmp_path / "hosts")
    monkeypatch.setattr(environments.sys, "executable", str(python))
    for _ in range(2):
        with pytest.raises(UnavailableError, match=r"broken cannot be installed \(no space\)"):
            environments.python_environment("broken")


def test_the_program_fails_with_a_cell_and_counts_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = [Outcome("mcp", "stdio", "passed", tools=63), Outcome("mcp", "http", "failed", ("it hangs",))]

    def matrix(clients: list[Client]) -> list[Outcome]:
        assert [client.name for client in clients] == ["mcp"]
        return outcomes

    def prepare(names: Iterable[str]) -> None:
        assert list(names) == ["mcp"]

    monkeypatch.setattr(program, "matrix", matrix)
    monkeypatch.setattr(program, "prepare", prepare)
    monkeypatch.setattr(sys, "argv", ["hosts", "--only", "mcp"])
    assert program.main() == 1
    assert capsys.readouterr().out == "Cells: passed 1, failed 1, skipped 0\n"
    del outcomes[1]
    assert program.main() == 0


def test_every_client_has_a_program_pinned_versions_and_a_place_in_the_results() -> None:
    stored = {(one.client, one.transport): one for one in report.stored()}
    assert list(stored) == list(report.cells())
    programs = {client.program for client in CLIENTS}
    assert programs == {path.name for path in runner.CLIENTS.glob("with_*")}
    for client in CLIENTS:
        assert pins(client.name)


def test_no_requirement_names_a_place_or_a_range() -> None:
    for path in REQUIREMENTS.iterdir():
        text = path.read_text("utf-8")
        assert "://" not in text
        assert all(version[0].isdigit() for version in pins(path.stem).values())
        if path.suffix == ".txt":
            lines = [line for line in text.splitlines() if not line.startswith("#")]
            assert len(lines) == len(pins(path.stem)), path.name


def test_the_page_shows_the_stored_results_and_pinned_versions() -> None:
    page = report.PAGE.read_text("utf-8")
    assert difference(report.PAGE, report.with_table(page, report.stored())) == ""


def test_new_results_replace_those_of_the_same_cells_only(tmp_path: Path) -> None:
    page, results = tmp_path / "page.md", tmp_path / "results.json"
    page.write_text(f"before\n{report.BEGIN}old\n{report.END}after\n", "utf-8")
    first, second = (Outcome("mcp", transport, "passed", tools=63) for transport in ("stdio", "http"))
    report.store([first, second], results, page)
    worse = replace(second, status="failed", faults=("it | hangs",))
    report.store([worse], results, page)
    assert report.stored(results) == [first, worse]
    text = page.read_text("utf-8")
    assert text.startswith(f"before\n{report.BEGIN}| client |")
    assert text.endswith(f"{report.END}after\n")
    assert r"| 63 tools | **failed**: it \| hangs |" in text
