"""Planted causes: the answer names them first, and finds nothing where nothing was planted."""

import os
import random
import subprocess
import sys
from collections.abc import Generator, Sequence
from statistics import median
from typing import Any

import pytest

from maton_posthog.gateway.call import Call
from maton_posthog.tools.analytics.changes import queries
from tests.oracle import WHOLE
from tests.tools.posthog.live import LiveSandbox

from .planting import Case, cases

pytestmark = [pytest.mark.anyio, pytest.mark.oracle]

SEED = int(os.environ.get("PLANTED_SEED", "1"))
SAMPLE = {
    "drop": 1,
    "rise": 1,
    "pair": 1,
    "mix": 1,
    "paradox": 1,
    "missing": 1,
    "bots": 1,
    "everybody": 1,
    "nothing": 3,
}


def chosen() -> Sequence[Case]:
    """Return all cases, or eight with a cause and three without."""
    if WHOLE:
        return cases(SEED)
    left = dict(SAMPLE)
    found: list[Case] = []
    for case in random.Random(SEED).sample(cases(SEED), 70):
        if left.get(case.kind):
            left[case.kind] -= 1
            found.append(case)
    return found


@pytest.fixture(scope="module")
def planted() -> Generator[LiveSandbox]:
    """Serve the cases by a separate process."""
    numbers = [str(case.number) for case in chosen()]
    command = [sys.executable, "-m", f"{__package__}.serving", str(SEED), *numbers]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield LiveSandbox(process.stdout.readline().strip())
        finally:
            process.stdin.close()
            process.wait()


def named_first(case: Case, shown: dict[str, Any]) -> bool:
    """Return whether the planted cause is the first that is shown."""
    found: Sequence[dict[str, Any]] = shown.get("explained_by") or shown.get("changed_parts") or ()
    if not found:
        return False
    if case.kind == "everybody":
        return "where" not in found[0]
    return dict(case.where) in (found[0].get("where"), *found[0].get("same_numbers", ()))


async def test_the_planted_cause_is_named_first_and_nothing_where_there_is_none(planted: LiveSandbox) -> None:
    missed: list[str] = []
    invented: list[str] = []
    with_cause = 0
    for case in chosen():
        shown = await planted.call("explain_change", **case.arguments)
        if case.kind != "nothing":
            with_cause += 1
            missed += [] if named_first(case, shown) else [f"{case}: {shown}"]
        elif shown["real"] or "changed_parts" in shown:
            invented.append(f"{case}: {shown}")
    assert invented == []
    assert len(missed) <= with_cause // 10, "\n".join(missed)


async def test_no_change_usually_costs_one_query_and_a_change_at_most_three(
    planted: LiveSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    ask = queries.ask_rows

    async def counted(api: Call, sql: str, *given: Any) -> list[list[Any]]:
        asked.append(sql)
        return await ask(api, sql, *given)

    monkeypatch.setattr(queries, "ask_rows", counted)
    costs: dict[str, list[int]] = {"nothing": [], "pair": []}
    for case in chosen():
        if case.kind in costs:
            asked.clear()
            await planted.call("explain_change", **case.arguments)
            costs[case.kind].append(len(asked))
    assert median(costs["nothing"]) == 1
    assert max(costs["nothing"]) <= 2, "the second looks for combinations that cancel out"
    assert set(costs["pair"]) == {3}
