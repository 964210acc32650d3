"""Run one cell of the matrix: a client as a process with a time limit, and the server that it used."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from .clients.cell import Cell, Shown, ToolCall, Transport
from .environments import ROOT, UnavailableError, find_node, node_environment, python_environment
from .matrix import Client
from .servers import EVENTS, SERVER, HttpServer, Left, http_server, left, tapped

CLIENTS = ROOT / "hosts" / "clients"
GOOD = ToolCall("run_hogql", {"query": "select count() as events from events"})
ANSWER = f'"rows":[[{EVENTS}]]'
MISTAKE = ToolCall("run_hogql", {"query": "select evnt from events"})
ERROR = "unknown column `evnt`"
_KEPT = ("PATH", "LANG", "SSL_CERT_FILE")
"""Variables that a client inherits: none that configures it, or that holds a key."""
_QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "FASTMCP_CHECK_FOR_UPDATES": "off",
    "HF_HUB_OFFLINE": "1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "NO_COLOR": "1",
    "NO_GCE_CHECK": "true",
}
"""Variables against requests to anything but the server."""

type Status = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a cell."""

    client: str
    transport: Transport
    status: Status
    faults: tuple[str, ...] = ()
    """Why it failed or was skipped."""
    tools: int | None = None
    protocol: str = ""
    error_as: str = ""
    notes: tuple[str, ...] = ()


def run(client: Client, transport: Transport, variables: Mapping[str, str], tools: Sequence[str]) -> Outcome:
    """Run a client against the server, whose gateway is in the variables, and compare with the names of its tools."""
    try:
        command, cell = prepared(client, transport)
    except UnavailableError as error:
        return Outcome(client.name, transport, "skipped", (str(error),))
    return run_command(client, command, cell, variables, tools)


def prepared(client: Client, transport: Transport) -> tuple[list[str], Cell]:
    """Return the command of a client, and its cell without a server. Raises UnavailableError."""
    program = CLIENTS / client.program
    cell = Cell(transport, GOOD, MISTAKE)
    if client.kind == "python":
        return [str(python_environment(client.name)), str(program)], cell
    packages, node = node_environment(client.name), find_node().program
    cell = replace(cell, packages=str(packages), node=node)
    if client.kind == "command":
        return [sys.executable, str(program)], cell
    for path in CLIENTS.glob("*.mjs"):
        shutil.copyfile(path, packages / path.name)  # Node looks for packages beside the file
    return [node, str(packages / program.name)], cell


def run_command(
    client: Client,
    command: Sequence[str],
    cell: Cell,
    variables: Mapping[str, str],
    tools: Sequence[str],
    server: Sequence[str] = SERVER,
) -> Outcome:
    """Start a server or offer a command that starts one, run the client, and judge both."""
    with tempfile.TemporaryDirectory(prefix="hosts-") as folder, ExitStack() as running:
        home, records = Path(folder, "home"), Path(folder, "records")
        home.mkdir()
        records.mkdir()
        served = HttpServer()
        if cell.transport == "stdio":
            program, *arguments = tapped(records, server)
            cell = replace(cell, command=program, args=tuple(arguments), env=dict(variables))
        else:
            served = running.enter_context(http_server(variables, server))
            cell = replace(cell, url=served.url)
        done = finished(command, cell, home, client.seconds)
        running.close()
        after = left(records)
    problems = [fault for fault in served.faults if not client.provokes or client.provokes not in fault]
    if cell.transport == "stdio" and not after.starts:
        problems.append("the client started no server")
    return outcome(client, cell.transport, done, after, tools, problems)


def outcome(
    client: Client, transport: Transport, done: "Finished", after: Left, tools: Sequence[str], problems: Sequence[str]
) -> Outcome:
    """Judge what a client showed and what it left; `problems` are those of its server so far."""
    shown, faults = read(done)
    if shown is not None:
        faults += judged(client, shown, tools)
    faults += [*problems, *after.faults]
    shown = shown or Shown()
    return Outcome(
        client.name,
        transport,
        "failed" if faults else "passed",
        tuple(faults),
        None if shown.tools is None else len(shown.tools),
        after.protocol,
        shown.error_as,
        (*shown.notes, *ending_notes(after.endings)),
    )


def ending_notes(endings: Sequence[str]) -> Iterator[str]:
    """Yield how a client ends its servers, unless it closes stdin."""
    which = "some servers" if "stdin closed" in endings else "the server"
    for ending in endings:
        if ending == "killed":
            yield f"It kills {which}."
        elif ending != "stdin closed":
            yield f"It ends {which} with {ending}."


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a client's process."""

    status: int | None
    """None: it did not end in time, and was killed."""
    seconds: float
    output: str
    errors: str


def finished(command: Sequence[str], cell: Cell, home: Path, seconds: float) -> Finished:
    """Run a client in a new home directory until it exits or its time is up."""
    variables = {name: os.environ[name] for name in _KEPT if name in os.environ}
    with (home / "stdout").open("w+") as output, (home / "stderr").open("w+") as errors:
        process = subprocess.Popen(
            [*command, json.dumps(asdict(cell))],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd=home,
            env={**variables, **_QUIET, "HOME": str(home)},
            start_new_session=True,
        )
        status = None
        with suppress(subprocess.TimeoutExpired):
            status = process.wait(seconds)
        with suppress(ProcessLookupError):  # what it started ends with it
            if status is None:
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        output.seek(0)
        errors.seek(0)
        return Finished(status, seconds, output.read(), errors.read())


def read(done: Finished) -> tuple[Shown | None, list[str]]:
    """Return what a client showed, or why it showed nothing."""
    last = ([line for line in done.errors.splitlines() if line.strip()] or ["it printed no error"])[-1].strip()
    if done.status is None:
        return None, [f"the client did not end within {done.seconds:.0f} s"]
    if done.status:
        return None, [f"the client exited with {done.status}: {last}"]
    try:
        return Shown(**json.loads(done.output.splitlines()[-1])), []
    except (IndexError, ValueError, TypeError):
        return None, [f"the client printed no result: {last}"]


def judged(client: Client, shown: Shown, tools: Sequence[str]) -> list[str]:
    """Return what is wrong with what a client showed."""
    faults: list[str] = []
    if "list" in client.shows and sorted(shown.tools or ()) != sorted(tools):
        missing = sorted(set(tools) - set(shown.tools or ()))
        faults.append(f"{len(shown.tools or ())} of {len(tools)} tools are listed; missing: {', '.join(missing[:5])}")
    if "call" in client.shows and ANSWER not in "".join((shown.answer or "").split()).replace("\\", ""):
        faults.append(f"the call returned: {(shown.answer or 'nothing')[:300]}")
    if "error" in client.shows and ERROR not in (shown.error or ""):
        faults.append(f"the error is shown as: {(shown.error or 'nothing')[:300]}")
    return faults
