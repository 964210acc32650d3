"""From the start of a server with the sandbox to its first result, by the contents of the cache of data."""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from .process import INITIALIZE, ROOT, Process, request

ROUNDS = 3
PATIENCE_S = 300.0
SERVER, SANDBOX = "maton_posthog.server", ("posthog_sandbox", "--json", "--exit-on-eof")
type Start = tuple[float, float, bool]
"""Seconds until the data are ready, CPU seconds, and whether the data were generated."""

SEED, OTHER_SEED = "42", "43"
STARTS = (("2026-11-16", SEED), ("2026-11-16", SEED), ("2026-11-23", SEED), ("2026-11-23", OTHER_SEED))
"""The last day and the seed of each start of a sandbox alone.

Its cache is empty, has this day, has another one with the same weekday, and has other data. The default seed is that of
the data that come with the package.
"""
COUNT = {"name": "run_hogql", "arguments": {"query": "SELECT count() FROM events"}, "_meta": {"progressToken": 1}}


def report(events: int) -> None:
    """Print medians. The server's sandbox always has 100,000 events; `events` is the number in the sandbox alone."""
    print(f"{ROUNDS} rounds each: a server with its sandbox, and a sandbox alone ({events:,} events).")
    print(f"{'':42} {'empty cache':>12} {'warm cache':>12} {'another day':>12} {'another seed':>12}")
    with tempfile.TemporaryDirectory() as path:
        _round(Path(path) / "compiled", 100)  # an installed program has its bytecode
        rounds = [_round(Path(path) / str(number), events) for number in range(ROUNDS)]
    _show("server: start to the first result", [answers for answers, _ in rounds])
    _show("sandbox: start to all events", [[taken for taken, _, _ in data] for _, data in rounds])
    _show("sandbox: CPU of that start", [[cpu for _, cpu, _ in data] for _, data in rounds])
    generated = [generated for _, _, generated in rounds[0][1]]
    origins = ["generated" if each else "not generated" for each in generated]
    print(f"{'sandbox: data':42} " + " ".join(f"{origin:>12}" for origin in origins))
    if not generated[0]:
        print("With an empty cache the data are those that were made when the package was built, moved to the day.")


def _show(name: str, rounds: Sequence[Sequence[float]]) -> None:
    """Print the medians of the rounds."""
    medians = [statistics.median(side) for side in zip(*rounds, strict=True)]
    print(f"{name:42} " + " ".join(f"{seconds:>10.2f} s" for seconds in medians), flush=True)


def _round(cache: Path, events: int) -> tuple[list[float], list[Start]]:
    """Return the seconds of a server with an empty and with a warm cache, and the starts of a sandbox."""
    answers = [_answer(cache / "server") for _ in range(2)]
    return answers, [_data(cache / "sandbox", events, today, seed) for today, seed in STARTS]


def _variables(cache: Path) -> dict[str, str]:
    """Return the environment: a cache of data for this side and round, and one of bytecode for all of them."""
    bytecode = str(cache.parent.parent / "bytecode")
    return {"POSTHOG_SANDBOX_CACHE": str(cache), "PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}


def _answer(cache: Path) -> float:
    """Return the seconds from the start of a server to the result of a query, requested at once and with progress."""
    began = time.perf_counter()
    variables = {**_variables(cache), "MATON_POSTHOG_LOG": "error"}
    with Process(SERVER, "--sandbox", variables=variables, longest_s=PATIENCE_S) as server:
        server.write(
            request(0, "initialize", INITIALIZE),
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            request(1, "tools/call", COUNT),
        )
        server.answer()
        server.answer()
        taken = time.perf_counter() - began
        server.end()
    return taken


def _data(cache: Path, events: int, today: str, seed: str) -> Start:
    """Return a start of a sandbox; the CPU seconds are those of its life."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *SANDBOX, "--events", str(events), "--today", today, "--seed", seed],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, **_variables(cache)},
    )
    assert process.stderr
    assert process.stdin
    generated = False
    while (line := json.loads(process.stderr.readline()))["progress"] < 1:
        generated = generated or line["message"].startswith("Generat")
    taken = time.perf_counter() - began
    process.stdin.close()
    process.wait()
    process.stderr.close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return taken, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, generated
