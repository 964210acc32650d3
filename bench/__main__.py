"""Medians of paired rounds, alternating within one run, so that a busy machine slows both sides equally.

Budgets are on. A server allows 480 requests a minute; the rounds stay below that, so none of them waits.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from . import checking, hogql, http, insights, ready, rows
from .process import Process

ROUNDS = 13
CALLS = 30
"""The number of sequential calls in each round."""
AT_ONCE = 32
EVENTS = 100_000
SANDBOX_ROUNDS, SANDBOX_ROUNDS_OF_MANY = 15, 3
OURS, NOOP, PROXY, GATEWAY = "maton_posthog.server", "bench.noop", "bench.proxy", "bench.gateway"
TOOL = "list_flags"
ARGUMENTS: Mapping[str, Any] = {"limit": 1}


@dataclass(frozen=True, slots=True)
class Rounds:
    """The seconds of both sides in each round."""

    ours: Sequence[float]
    least: Sequence[float]

    @property
    def ratios(self) -> list[float]:
        return [ours / least for ours, least in zip(self.ours, self.least, strict=True)]

    def inverted(self) -> "Rounds":
        """Return the rounds as rates per second."""
        return Rounds([1 / value for value in self.ours], [1 / value for value in self.least])

    def scaled(self, factor: float) -> "Rounds":
        return Rounds([value * factor for value in self.ours], [value * factor for value in self.least])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parts = ("server", "http", "rows", "check", "ready", "hogql", "insights")
    parser.add_argument("--only", choices=parts, help="run only one part")
    parser.add_argument(
        "--events", type=int, default=EVENTS, help="number of events in the sandbox (default %(default)s)"
    )
    options = parser.parse_args()
    rounds = SANDBOX_ROUNDS if options.events <= EVENTS else SANDBOX_ROUNDS_OF_MANY
    if options.only in (None, "server"):
        server()
    if options.only in (None, "http"):
        streamable_http()
    if options.only in (None, "rows"):
        rows.report()
    if options.only in (None, "check"):
        checking.report()
    if options.only in (None, "ready"):
        ready.report(options.events)
    if options.only in (None, "hogql"):
        hogql.report(options.events, rounds)
    if options.only in (None, "insights"):
        insights.report(options.events, rounds)


def server() -> None:
    """Compare the MCP server with the simplest one on the same SDK."""
    print(f"{ROUNDS} paired rounds each: this server, and the simplest server on the same SDK that does the same.")
    print(f"{'':34} {'ours':>10} {'simplest':>10}   ratio (quartiles)     target")
    print(", ".join(f"{name} {version(name)}" for name in ("mcp", "httpx2", "httpcore2", "pydantic", "uvloop")))
    show("start to the first tools/list", starts().scaled(1000), "ms", at_most=0.15)
    with Process(GATEWAY, longest_s=600) as gateway:
        url = gateway.read_line().decode().strip()
        show("start to the first proxied call", first_calls(url).scaled(1000), "ms", at_most=1.05)
        show("a small proxied call", calls(url, CALLS, 1).scaled(1000), "ms", at_most=0.55)
        show(f"{AT_ONCE} concurrent calls", calls(url, 1, AT_ONCE).inverted(), "/s", at_least=1.9)
        print_costs(url)


def version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def streamable_http() -> None:
    """Compare the server with the simplest one over Streamable HTTP, 2026-07-28."""
    print(f"\nStreamable HTTP {http.VERSION}, uvicorn {version('uvicorn')}; the simplest server is the SDK's own app.")
    with ExitStack() as stack:
        gateway = stack.enter_context(Process(GATEWAY, longest_s=600))
        url = gateway.read_line().decode().strip()
        ours, least = http.peers(stack, url, {**_settings(url), "MATON_POSTHOG_BUDGETS": "off"})
        for what, one_by_one, at_once in (
            ("a small call over HTTP", CALLS, 1),
            (f"{AT_ONCE} at once over HTTP", 2, AT_ONCE),
        ):
            show(what, http_calls(ours, least, one_by_one, at_once).scaled(1000), "ms", at_most=0.9)
        print(
            f"memory: {ours.process.memory_mb:.0f} MB, the simplest server {least.process.memory_mb:.0f} MB", flush=True
        )


def http_calls(ours: http.HttpPeer, least: http.HttpPeer, one_by_one: int, at_once: int) -> Rounds:
    """Return seconds per call."""

    def call(peer: http.HttpPeer) -> float:
        began = time.perf_counter()
        for _ in range(one_by_one):
            peer.call(ARGUMENTS, at_once)
        return (time.perf_counter() - began) / (one_by_one * at_once)

    return warmed(lambda: call(ours), lambda: call(least))


def starts() -> Rounds:
    """Measure from process start to the tool list."""

    def start(module: str) -> float:
        began = time.perf_counter()
        with Process(module) as server:
            server.list_tools_at_once()
            return time.perf_counter() - began

    return warmed(lambda: start(OURS), lambda: start(NOOP))


def first_calls(gateway_url: str) -> Rounds:
    """Measure from process start to the response to a call that is sent with the handshake."""

    def start(module: str, *arguments: str) -> float:
        began = time.perf_counter()
        with Process(module, *arguments, variables=_settings(gateway_url)) as server:
            server.call_at_once(TOOL, ARGUMENTS)
            return time.perf_counter() - began

    return warmed(lambda: start(OURS), lambda: start(PROXY, gateway_url))


def warmed(ours: Callable[[], float], least: Callable[[], float]) -> Rounds:
    """Run both sides once to warm the disk cache, and then in pairs."""
    ours()
    least()
    return paired(ours, least)


def _settings(gateway_url: str) -> dict[str, str]:
    return {
        "MATON_API_KEY": "bench-key",
        "MATON_GATEWAY_URL": gateway_url,
        "MATON_CONTROL_URL": gateway_url,
        "MATON_POSTHOG_LOG": "error",
    }


def calls(gateway_url: str, one_by_one: int, at_once: int) -> Rounds:
    """Return seconds per call, with servers that are already warm."""

    def call(server: Process) -> float:
        began = time.perf_counter()
        for _ in range(one_by_one):
            server.call(TOOL, ARGUMENTS, at_once=at_once)
        return (time.perf_counter() - began) / (one_by_one * at_once)

    with ExitStack() as stack:
        ours = stack.enter_context(Process(OURS, variables=_settings(gateway_url)))
        least = stack.enter_context(Process(PROXY, gateway_url))
        for server in (ours, least):
            server.list_tools_at_once()
            call(server)
        return paired(lambda: call(ours), lambda: call(least))


def print_costs(gateway_url: str) -> None:
    """Print what does not depend on how busy the machine is: CPU of all threads, and memory."""
    with ExitStack() as stack:
        ours = stack.enter_context(Process(OURS, variables={**_settings(gateway_url), "MATON_POSTHOG_BUDGETS": "off"}))
        least = stack.enter_context(Process(PROXY, gateway_url))
        for server in (ours, least):
            server.list_tools_at_once()
        after_start = [server.memory_mb for server in (ours, least)]
        used: list[list[float]] = [[], []]
        for number in range(ROUNDS + 1):
            for position, server in enumerate((ours, least)):
                before = server.cpu_s
                for _ in range(CALLS):
                    server.call(TOOL, ARGUMENTS)
                if number:
                    used[position].append((server.cpu_s - before) * 1000 / CALLS)
        cpu = Rounds(*used)
        show("CPU of a small call, all threads", cpu, "ms", at_most=0.55)
        print(
            f"memory after the start: {after_start[0]:.0f} MB, the simplest server {after_start[1]:.0f} MB; "
            f"after {ROUNDS * CALLS} calls: {ours.memory_mb:.0f} MB, {least.memory_mb:.0f} MB",
            flush=True,
        )


def paired(ours: Callable[[], float], least: Callable[[], float]) -> Rounds:
    """Run both sides alternately; the side that runs first changes every round."""
    taken: list[tuple[float, float]] = []
    for number in range(ROUNDS):
        if number % 2:
            second = least()
            taken.append((ours(), second))
        else:
            taken.append((ours(), least()))
    return Rounds([pair[0] for pair in taken], [pair[1] for pair in taken])


def show(what: str, rounds: Rounds, unit: str, *, at_most: float | None = None, at_least: float | None = None) -> None:
    """Print one line: the medians of both sides, the median of the rounds' ratios, the target and the verdict."""
    low, ratio, high = statistics.quantiles(rounds.ratios, n=4)
    met = (at_most is None or ratio <= at_most) and (at_least is None or ratio >= at_least)
    target = f"<= {at_most:.2f}" if at_most is not None else f">= {at_least:.2f}"
    ours, least = (f"{statistics.median(side):,.1f} {unit}" for side in (rounds.ours, rounds.least))
    verdict = "met" if met else "MISSED"
    print(f"{what:34} {ours:>10} {least:>10}   {ratio:.2f}  ({low:.2f}-{high:.2f})    {target}  {verdict}", flush=True)


if __name__ == "__main__":
    main()
