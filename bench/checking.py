"""The time to check a HogQL statement before it is sent: warm, with schema and names cached."""

import re
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio

from hogql_lang import parse
from maton_posthog.gateway.budget import Budget
from maton_posthog.gateway.call import Call
from maton_posthog.gateway.client import Gateway, GatewayConfig
from maton_posthog.gateway.directory import Directory
from maton_posthog.gateway.errors import Refused
from maton_posthog.gateway.projects import Project
from maton_posthog.gateway.queries.lanes import ReportPlace
from maton_posthog.gateway.target import Target
from maton_posthog.tools.query.check import checked
from maton_posthog.tools.query.verdict import statement_of
from posthog_sandbox.hogql import describe_schema

from .hogql import QUERIES

ROUNDS = 30
TARGET_MS = 2.0
CORPUS = Path(__file__).parents[1] / "sandbox" / "tests" / "hogql" / "corpus.sql"
_COLUMNS = 950
WORST = f"select {', '.join(f'evnt{number}' for number in range(_COLUMNS))} from events"
"""The longest statement that is parsed here, with only unknown names."""
AT_THE_BOUND: Mapping[str, str] = {
    "operands": "select " + " + ".join(["1"] * 131),
    "conditions": "select 1 where " + " or ".join(["(a = 1 and b = 2)"] * 31),
    "lists": "select 1 where " + " or ".join(["a in (1, 2, 3, 4, 5, 6)"] * 18),
    "intervals": "select " + "interval - day - " * 9 + "1",
    "cases": "select " + "case - end - " * 9 + "1",
    "joins": "select 1 from " + ", ".join(["a"] * 30),
}
"""Statements that take the parser longest, as large as they are still parsed in this process."""
MOST_RATIO = 100.0
"""Longest parsing time of one of them, in that of the usual query: about 50 ms."""


class Answered(Call):
    """A call whose requests about the project return immediately, with every name of the statements known."""

    def __init__(self, gateway: Gateway, statements: str) -> None:
        super().__init__(
            gateway.send,
            Directory(gateway.config, gateway.ledger),
            budget=Budget.QUERY,
            writes=False,
            target=Target(project=Project(1, "Bench")),
        )
        self._known = {*re.findall(r"'([^']*)'", statements), *re.findall(r"properties\.(\$?\w+)", statements)}

    def counted_as(self, budget: Budget) -> Call:
        return self

    async def get(self, path: str, query: Mapping[str, Any] | None = None, **identifiers: object) -> Any:
        return {"results": [{"name": name} for name in sorted(self._known)], "next": None}

    async def query(
        self,
        body: Mapping[str, Any],
        *,
        rows: bool = False,
        report: ReportPlace | None = None,
        finish: Callable[[Any], Awaitable[Any]] | None = None,
    ) -> Any:
        return describe_schema(("organization",))


def report() -> None:
    anyio.run(_report)
    usual = statistics.median([_parsed(sql) for sql in QUERIES.values()])
    ratio, name = max((_parsed(sql) / usual, name) for name, sql in AT_THE_BOUND.items())
    verdict = "met" if ratio <= MOST_RATIO else "MISSED"
    print(
        f"Parsing at the bound: at most {ratio:.0f} times a usual query ({name}; {usual:.2f} ms)    "
        f"<= {MOST_RATIO:.0f}  {verdict}"
    )


def _parsed(sql: str) -> float:
    """Return the milliseconds of CPU to parse a statement, the best of three."""
    times: list[float] = []
    for _ in range(3):
        began = time.process_time()
        parse(sql)
        times.append(1000 * (time.process_time() - began))
    return min(times)


async def _report() -> None:
    corpus = CORPUS.read_text(encoding="utf-8")
    statements = [*QUERIES.values(), *(text.strip() for text in corpus.split("\n\n") if text.strip())]
    gateway = Gateway(GatewayConfig(api_key="bench", gateway_urls=("http://127.0.0.1:1",), control_urls=()))
    try:
        call = Answered(gateway, "\n".join(statements))
        right = [sql for sql in statements if await _is_right(call, sql)]
        each = sorted([statistics.median([await _measured(call, sql) for _ in range(ROUNDS)]) for sql in right])
        worst = min([await _measured(call, WORST) for _ in range(3)])
    finally:
        await gateway.aclose()
    median, slow = statistics.median(each), statistics.quantiles(each, n=20)[-1]
    verdict = "met" if median <= TARGET_MS else "MISSED"
    print(
        f"\nChecking HogQL before it is sent, {len(each)} valid queries of {len(statements)}: median {median:.2f} ms "
        f"(95% within {slow:.2f} ms, slowest {each[-1]:.2f} ms)    <= {TARGET_MS:.2f} ms  {verdict}; "
        f"{_COLUMNS} unknown columns {worst:.0f} ms"
    )


async def _is_right(call: Call, sql: str) -> bool:
    """Return whether the statement passes the check; a warning (mostly a missing time filter) does not reject it."""
    try:
        await checked(call, statement_of(sql), {})
    except Refused:
        return False
    return True


async def _measured(call: Call, sql: str) -> float:
    """Return the milliseconds of one check."""
    began = time.perf_counter()
    with suppress(Refused):
        await checked(call, statement_of(sql), {})
    return 1000 * (time.perf_counter() - began)
