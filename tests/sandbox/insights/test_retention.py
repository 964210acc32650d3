"""RetentionQuery: who comes back, in which rows and cells, in PostHog's shape."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from maton_posthog.sandbox.engine import Engine

from ..sandbox_client import Serving, Shared, serving
from .hand_made import Event, Group, Person, answer, at, open_engine, results

pytestmark = pytest.mark.anyio

A, B, C, D = (
    Person("a", properties={"plan": "pro", "seats": 5}),
    Person("b", properties={"plan": "free"}),
    Person("c"),
    Person("d"),
)
_WEEKLY = {
    A: ("06-10", "06-11", "06-17", "06-24", "07-04", "07-11"),
    B: ("06-10", "06-11", "06-17", "07-04", "07-11", "07-25"),
}
_PLAYED = (
    (A, "01T10:59", "Chrome", 1.0),
    (A, "02T10:01", "Chrome", 2.0),
    (A, "02T11:30", "Safari", 4.0),
    (A, "04T09:00", "Chrome", 8.0),
    (B, "02T12:00", "Safari", 16.0),
    (B, "03T12:00", "Safari", 32.0),
    (B, "03T13:00", "Safari", 64.0),
    (C, "03T12:00", "", 128.0),
    (D, "04T23:30", "Edge", 256.0),
)
_BOUGHT = (
    (A, "01T09:00", 10.0),
    (A, "01T12:00", 20.0),
    (A, "03T12:00", 40.0),
    (B, "02T13:00", 80.0),
    (C, "05T12:00", 160.0),
)


def _events() -> list[Event]:
    weekly = [Event(who, "$pageview", at(f"2020-{day}T12:00:00")) for who, days in _WEEKLY.items() for day in days]
    played = [
        Event(
            who,
            "played",
            at(f"2020-03-{moment}:00"),
            {"browser": browser, "price": price} if browser else {"price": price},
        )
        for who, moment, browser, price in _PLAYED
    ]
    bought = [Event(who, "bought", at(f"2020-03-{moment}:00"), {"price": price}) for who, moment, price in _BOUGHT]
    groups = [
        Event(who, "met", at(f"2020-03-{day}T12:00:00"), group=group)
        for who, day, group in (
            (A, "01", "acme"),
            (B, "01", "acme"),
            (C, "01", ""),
            (A, "02", "acme"),
            (D, "02", "beta"),
        )
    ]
    old = [
        Event(D, "tried", at("2019-12-01T12:00:00"), {"price": 1}),
        Event(C, "tried", at("2020-03-01T12:00:00"), {"price": 2}),
    ]
    again = [Event(D, "tried", at("2020-03-02T12:00:00"), {"price": 2}), Event(C, "tried", at("2020-03-03T12:00:00"))]
    return [*weekly, *played, *bought, *groups, *old, *again]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    groups = [Group("acme", at("2019-01-01T00:00:00"), {"size": "big"}), Group("beta", at("2019-01-01T00:00:00"))]
    with open_engine(tmp_path_factory.mktemp("retention") / "data", _events(), groups) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


def retention(
    target: Any = "played",
    returning: Any = None,
    *,
    since: str | None = "2020-03-01",
    until: str = "2020-03-05",
    **options: Any,
) -> dict[str, Any]:
    """A RetentionQuery; keys with a capital or an underscore in front are of the query, the others of its filter."""
    top = {name: options.pop(name) for name in list(options) if name in _OF_THE_QUERY}
    entities = [
        {"id": given, "type": "events"} if isinstance(given, str) else given for given in (target, returning or target)
    ]
    shown = {"targetEntity": entities[0], "returningEntity": entities[1], "totalIntervals": 5, **options}
    dates = {"date_from": since, "date_to": until} if since else {"date_to": until}
    return {"kind": "RetentionQuery", "dateRange": dates, "retentionFilter": shown, **top}


_OF_THE_QUERY = (
    "properties",
    "filterTestAccounts",
    "samplingFactor",
    "breakdownFilter",
    "aggregation_group_type_index",
)


def counts(rows: list[dict[str, Any]]) -> list[list[int]]:
    """The cells of every row, without the zeros at its end."""
    found = [[int(cell["count"]) for cell in row["values"]] for row in rows]
    for row in found:
        while row and row[-1] == 0:
            row.pop()
    return found


async def test_weeks_count_as_in_the_tests_of_posthog(sandbox: Serving) -> None:
    query = retention("$pageview", since=None, until="2020-07-20", period="Week", totalIntervals=7)

    rows = await results(sandbox, query)
    assert [row["date"] for row in rows][:2] == ["2020-06-08T00:00:00Z", "2020-06-15T00:00:00Z"]
    assert counts(rows) == [[2, 2, 1, 2, 2, 0, 1], [2, 1, 2, 2, 0, 1], [1, 1, 1], [2, 2, 0, 1], [2, 0, 1], [], [1]]
