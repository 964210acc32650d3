"""The command line in real processes."""

import ast
import errno
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from maton_posthog.server.starting.listening import PortError, listen
from tests.server.processes import COMMAND, DEADLINE_S, EVERYWHERE, ServerProcess, environment

CANARY = "mtk_CANARY_7f3a"
OPEN = ("--allowed-host", "mcp.example.com", "--host")


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
        env=environment(**variables),
    )


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("serve", "--help")])
def test_help_is_for_people_and_offers_no_flag_for_a_secret(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 0
    assert "MATON_API_KEY" in done.stdout
    flags = {word.rstrip(",") for word in done.stdout.split() if word.startswith("--")}
    assert not {flag for flag in flags if "key" in flag or "token" in flag}


def test_help_names_every_command() -> None:
    shown = run("--help").stdout
    assert all(f"\n  {command} " in shown for command in ("serve", "sandbox", "demo"))


def test_the_version_is_printed() -> None:
    assert run("--version").stdout == "maton-posthog-mcp 0.1.0\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("--api-key", CANARY),
        (f"--api-key={CANARY}",),
        ("serve", "--api-key", CANARY),
        ("serve", f"--token={CANARY}"),
        ("-k", CANARY),
        (CANARY,),
        ("serve", CANARY),
        ("demo", CANARY),
        ("--connection", f"{CANARY}!"),
        ("--project", CANARY),
    ],
)
def test_a_key_on_the_command_line_is_rejected_and_not_repeated(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert CANARY not in done.stdout + done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_a_flag_for_the_key_is_rejected_with_the_variable_to_use() -> None:
    assert "MATON_API_KEY" in run("--api-key", "x").stderr


@pytest.mark.parametrize(
    ("arguments", "variables", "says"),
    [
        ((), {"MATON_CONNECTION_ID": "not an id"}, "MATON_CONNECTION_ID"),
        ((), {"MATON_GATEWAY_URL": "http://gateway.maton.ai"}, "MATON_GATEWAY_URL"),
        (("--transport", "http", "--host", EVERYWHERE), {}, "MATON_POSTHOG_TOKEN"),
        (("--transport", "sse", "--host", EVERYWHERE), {"MATON_POSTHOG_TOKEN": "t"}, "--allowed-host"),
        (("--transport", "http", *OPEN, "192.0.2.1"), {"MATON_POSTHOG_TOKEN": "t"}, "--host"),
        (("--transport", "carrier-pigeon"), {}, "--transport"),
        (("--log-level", "loud"), {}, "--log-level"),
    ],
)
def test_a_server_that_cannot_start_gives_the_reason_in_one_line(
    arguments: tuple[str, ...], variables: dict[str, str], says: str
) -> None:
    done = run(*arguments, **variables)
    assert done.returncode == 2
    assert done.stdout == ""
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_busy_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--transport", "http", "--port", str(port))
    assert done.returncode == 2
    assert done.stderr == (
        f"maton-posthog-mcp: --port {port} is already in use on 127.0.0.1; "
        "choose another one, or 0 for any free port.\n"
    )


def test_an_address_of_another_machine_is_one_line() -> None:
    with pytest.raises(PortError, match=r"^--host 192\.0\.2\.1 is not an address of this machine\.$"):
        listen("192.0.2.1", 0)
    with pytest.raises(PortError, match="--host"):
        listen("a..b", 0)


def test_a_port_that_needs_more_privileges_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> socket.socket:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(PortError, match="--port 80 needs more privileges"):
        listen("127.0.0.1", 80)


def test_the_sandbox_command_is_the_sandbox() -> None:
    assert "--events" in run("sandbox", "--help").stdout
    with ServerProcess("sandbox", "--json", "--exit-on-eof", "--events", "10") as sandbox:
        addresses = sandbox.receive()
        assert addresses["key"] == "sandbox"
        assert addresses["gateway_url"].startswith("http://127.0.0.1:")
        sandbox.close_input()
        assert sandbox.exit_code() == 0


def test_a_bad_option_of_the_sandbox_is_its_own_error() -> None:
    done = run("sandbox", "--port", "x")
    assert done.returncode == 2
    assert "--port" in done.stderr
    assert "maton-posthog-mcp sandbox: error: " in done.stderr


def test_a_sandbox_that_is_not_installed_is_one_line_that_names_the_extra(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['posthog_sandbox'] = None\n")
    done = run("sandbox", "--json", PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert "pip install 'maton-posthog-mcp[sandbox]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_old_python_gets_one_line_with_the_reason() -> None:
    program = "import sys; sys.version_info = (3, 9, 18); from maton_posthog.server.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "maton-posthog-mcp needs Python 3.12 or newer; this is 3.9. Use python3.12.\n"


@pytest.mark.parametrize("file", ["__init__.py", "__main__.py"])
def test_an_old_python_can_parse_up_to_that_check(file: str) -> None:
    source = Path(__file__).parents[3] / "server" / file
    ast.parse(source.read_text("utf-8"), feature_version=(3, 7))


def test_the_command_without_a_word_takes_the_options_of_serve() -> None:
    with ServerProcess("--read-only", "--toolsets", "flags") as server:
        server.initialize()
        tools = {tool["name"] for tool in server.ask("tools/list")["result"]["tools"]}
        assert tools == {"list_flags", "get_flag"}


def test_the_key_is_nowhere_in_the_output_of_the_process() -> None:
    with ServerProcess("--log-level", "debug", MATON_API_KEY=CANARY, MATON_GATEWAY_URL="http://127.0.0.1:9") as server:
        server.initialize()
        failed = server.ask("tools/call", {"name": "list_flags", "arguments": {"project_id": 1}})
        assert failed["result"]["isError"] is True
        server.close_input()
        assert server.exit_code() == 0
        assert CANARY not in "\n".join(server.errors + server.lines)


@pytest.mark.parametrize("variable", ["MATON_API_KEY", "MATON_POSTHOG_TOKEN"])
def test_a_secret_is_redacted_everywhere_in_the_log(variable: str) -> None:
    secret = "127.0.0.1"  # the log names the address that the server listens on
    variables: dict[str, Any] = {variable: secret}
    with ServerProcess("serve", "--transport", "http", "--port", "0", **variables) as server:
        line = server.wait_for_error_line("Serving MCP at")
    assert "[redacted]" in line
    assert secret not in line


def test_a_missing_key_is_an_error_that_names_the_remedy_and_not_a_sandbox() -> None:
    with ServerProcess() as server:
        server.initialize()
        answer = server.ask("tools/call", {"name": "list_flags", "arguments": {}})["result"]
        told = json.loads(answer["content"][0]["text"])["error"]
    assert told["code"] == "missing_api_key"
    assert "MATON_API_KEY" in told["message"]
    assert told["outcome"] == "not_sent"


def test_with_the_sandbox_a_key_is_ignored_with_a_warning() -> None:
    with ServerProcess("--sandbox", MATON_API_KEY=CANARY) as server:
        server.initialize()
        said = server.wait_for_error_line("--sandbox ignores")
    assert "MATON_API_KEY" in said
    assert CANARY not in said


def test_log_json_writes_one_object_per_line() -> None:
    with ServerProcess("--sandbox", "--log-json", MATON_API_KEY=CANARY) as server:
        server.initialize()
        server.close_input()
        assert server.exit_code() == 0
        entries = [json.loads(line) for line in server.errors]
    assert entries
    assert all({"time", "level", "logger", "message"} <= entry.keys() for entry in entries)
