"""How long the check of a HogQL statement takes before it is sent, warm, with the project's schema at hand."""

import statistics
import time

from maton_posthog.sandbox.hogql import describe_schema
from maton_posthog.tools.hogql_check import judge
from maton_posthog.tools.project_schema import read_schema

from .hogql import QUERIES

ROUNDS = 50
TARGET_MS = 2.0
_COLUMNS = 1150
WORST = f"select {', '.join(f'evnt{number}' for number in range(_COLUMNS))} from events"
"""The longest statement that is parsed here, every name in it wrong."""


def report() -> None:
    schema = read_schema(describe_schema())

    def measured(sql: str, rounds: int) -> list[float]:
        taken: list[float] = []
        for _ in range(rounds):
            began = time.perf_counter()
            judge(sql, {}, schema)
            taken.append(1000 * (time.perf_counter() - began))
        return taken

    for sql in QUERIES.values():
        judge(sql, {}, schema)
    each = [statistics.median(measured(sql, ROUNDS)) for sql in QUERIES.values()]
    print(
        f"\nChecking HogQL before it is sent: median {statistics.median(each):.2f} ms over {len(each)} queries, "
        f"the slowest {max(each):.2f} ms (target {TARGET_MS} ms); "
        f"{_COLUMNS} unknown columns {min(measured(WORST, 3)):.0f} ms"
    )
