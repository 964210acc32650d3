"""Large results: what run_hogql costs by the number of rows, what kept results weigh, and what small calls wait for.

The peer is the simplest server on the same SDK, which passes PostHog's bytes on as they are. It shows all rows, which
no host accepts; this server shows those that fit into 40 kB.
"""

import itertools
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from .process import Process, request

ROUNDS = 21
SIZES = (1_000, 10_000)
SMALL_CALLS = 400
KEPT, WIDE_ROWS = 5, 10_000
OURS, PROXY, GATEWAY = "maton_posthog.server", "bench.proxy", "bench.gateway"
_LONGEST_S = 300.0
_SMALL: Mapping[str, Any] = {"name": "list_flags", "arguments": {"limit": 1}}


def report() -> None:
    with ExitStack() as stack:
        gateway = stack.enter_context(Process(GATEWAY, longest_s=_LONGEST_S))
        url = gateway.read_line().decode().strip()
        settings = {
            "MATON_API_KEY": "bench-key",
            "MATON_GATEWAY_URL": url,
            "MATON_CONTROL_URL": url,
            "MATON_POSTHOG_BUDGETS": "off",
            "MATON_POSTHOG_LOG": "error",
        }
        ours = stack.enter_context(Process(OURS, variables=settings, longest_s=_LONGEST_S))
        peer = stack.enter_context(Process(PROXY, url, longest_s=_LONGEST_S))
        for server in (ours, peer):
            server.list_tools_at_once()
            server.call("list_flags", {"limit": 1})
        numbers = itertools.count(1)
        after_start = ours.memory_mb
        print(f"\nRows of a query, {ROUNDS} paired rounds: this server, and the simplest one that passes the bytes on.")
        for size in SIZES:
            _print_rows(ours, peer, size, numbers)
        print(
            f"memory: {after_start:.0f} MB after the first call, {ours.memory_mb:.0f} MB after these rows", flush=True
        )
        _print_kept(ours, numbers)
        _print_waits(ours, numbers)


def _print_rows(ours: Process, peer: Process, size: int, numbers: Iterator[int]) -> None:
    taken: dict[Process, list[float]] = {ours: [], peer: []}
    busy: dict[Process, list[float]] = {ours: [], peer: []}
    for round_number in range(ROUNDS + 1):
        for server in (ours, peer) if round_number % 2 else (peer, ours):
            began, computed = time.perf_counter(), server.loop_cpu_s
            server.call("run_hogql", _query(size, next(numbers)))
            if round_number:  # the first one warms up
                taken[server].append(1000 * (time.perf_counter() - began))
                busy[server].append(1000 * (server.loop_cpu_s - computed))
    low, ratio, high = statistics.quantiles(
        [mine / least for mine, least in zip(taken[ours], taken[peer], strict=True)], n=4
    )
    medians = [statistics.median(values) for values in (taken[ours], taken[peer], busy[ours], busy[peer])]
    print(
        f"{size:>7,} rows: {medians[0]:7.1f} ms, peer {medians[1]:7.1f} ms   {ratio:.2f}  ({low:.2f}-{high:.2f})    "
        f"<= 1.10  {'met' if ratio <= 1.1 else 'MISSED'}; "
        f"CPU of the event loop {medians[2]:.1f} ms, peer {medians[3]:.1f} ms",
        flush=True,
    )


def _print_waits(server: Process, numbers: Iterator[int]) -> None:
    """Print how long small calls take alone, and while large queries run one after the other."""
    alone = _small_calls(server, None, numbers)
    for what, wide in ((f"{SIZES[-1]:,} rows", False), ("15 MB", True)):
        beside = _small_calls(server, wide, numbers)
        ratio = _p99(beside) / _p99(alone)
        print(
            f"small calls beside {what}: p99 {_p99(beside):.1f} ms (median {statistics.median(beside):.1f}), alone "
            f"{_p99(alone):.1f} ms (median {statistics.median(alone):.1f})   {ratio:.2f}    <= 5.00  "
            f"{'met' if ratio <= 5 else 'MISSED'}",
            flush=True,
        )


def _small_calls(server: Process, wide: bool | None, numbers: Iterator[int]) -> list[float]:
    """Return the milliseconds of small calls, while one large query is running all the time; None for without."""
    taken: list[float] = []
    large = _send_large(server, wide, next(numbers)) if wide is not None else None
    for number in range(1_000, 1_000 + SMALL_CALLS):
        began = time.perf_counter()
        server.write(request(number, "tools/call", _SMALL))
        while (answered := server.answered()) != number:
            assert answered == large
            large = _send_large(server, wide is True, next(numbers))
        taken.append(1000 * (time.perf_counter() - began))
    if large is not None:
        assert server.answered() == large
    return taken


def _send_large(server: Process, wide: bool, number: int) -> int:
    arguments = _query(WIDE_ROWS if wide else SIZES[-1], number, wide=wide)
    server.write(request(100_000 + number, "tools/call", {"name": "run_hogql", "arguments": arguments}))
    return 100_000 + number


def _print_kept(ours: Process, numbers: Iterator[int]) -> None:
    before = ours.memory_mb
    for _ in range(KEPT):
        ours.call("run_hogql", _query(WIDE_ROWS, next(numbers), wide=True))
    print(f"memory: {before:.0f} MB before, {ours.memory_mb:.0f} MB with {KEPT} more kept results of 15 MB")


def _query(size: int, number: int, *, wide: bool = False) -> dict[str, Any]:
    """Return the arguments of a query that no other one equals, so that it is sent."""
    columns = f"{number}, 'wide'" if wide else str(number)
    return {"query": f"SELECT {columns}, event FROM events LIMIT {size}", "check": "off"}


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[-1]
