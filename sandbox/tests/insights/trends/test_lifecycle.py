"""LifecycleQuery: new, returning, resurrecting and dormant persons and groups."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from posthog_sandbox.storage.engine import Engine

from ...sandbox_client import Serving, Shared, serving
from ..hand_made import Event, Group, Person, at, open_engine, results, run_query
from ..vectors import insight, node

pytestmark = pytest.mark.anyio

OLD = Person("old", at("2019-06-01T00:00:00"))
NEW = Person("new", at("2020-01-10T08:00:00"))
DAYS = (9, 11, 12, 13, 15, 17, 18, 19)


def _events() -> list[Event]:
    acme = [Event(OLD, "$pageview", at(f"2020-01-{day:02}T12:00:00"), group="acme") for day in DAYS]
    nobody = Event(OLD, "hidden", at("2020-01-10T12:00:00"), {"$process_person_profile": False})
    return [
        *acme,
        *(Event(NEW, "played", at(f"2020-01-{day}T09:00:00")) for day in (10, 11, 13, 28)),
        Event(OLD, "played", at("2020-01-12T09:00:00")),
        nobody,
    ]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    groups = [Group("acme", at("2020-01-09T01:00:00"))]
    with open_engine(tmp_path_factory.mktemp("lifecycle") / "data", _events(), groups) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


def lifecycle(*series: dict[str, Any], **more: Any) -> dict[str, Any]:
    return insight("LifecycleQuery", *series, **more)


def days_of(result: dict[str, Any]) -> list[int]:
    """Return the days of the month that have a number."""
    return [int(day[8:10]) for day, value in zip(result["days"], result["data"], strict=True) if value]


async def test_a_group_is_new_where_it_was_created_and_dormant_after_its_last_day(sandbox: Serving) -> None:
    sent = await run_query(sandbox, lifecycle(aggregation_group_type_index=0))

    new, returning, resurrecting, dormant = sent["results"]
    assert [row["status"] for row in sent["results"]] == ["new", "returning", "resurrecting", "dormant"]
    assert [days_of(row) for row in sent["results"]] == [[9], [12, 13, 18, 19], [11, 15, 17], [10, 14, 16]]
    assert [row["count"] for row in (new, returning, resurrecting, dormant)] == [1, 4, 3, -3]
    assert dormant["data"][1] == -1
    assert new["label"] == "$pageview - new"
    assert new["labels"][0] == "9-Jan-2020"
    assert new["action"] == {"id": "$pageview", "name": "$pageview", "type": "events", "order": 0, "math": "total"}
    assert all(isinstance(value, float) for row in sent["results"] for value in row["data"])
    assert sent["resolved_date_range"]["date_from"] == "2020-01-09T00:00:00Z"


async def test_a_person_created_before_the_range_is_resurrecting_at_the_first_event(sandbox: Serving) -> None:
    found = await results(sandbox, lifecycle(node("played")))

    assert [days_of(row) for row in found] == [[10], [11], [12, 13], [12, 13, 14]]
    assert found[3]["data"][3] == -1


async def test_the_interval_before_the_range_decides_who_is_returning(sandbox: Serving) -> None:
    found = await results(sandbox, lifecycle(node("played"), since="2020-01-11"))

    assert [days_of(row) for row in found] == [[], [11], [12, 13], [12, 13, 14]]


async def test_months_are_read_as_a_whole(sandbox: Serving) -> None:
    found = await results(sandbox, lifecycle(node("played"), interval="month", since="2020-01-15", until="2020-02-03"))

    assert [row["data"] for row in found] == [[1, 0], [0, 0], [1, 0], [0, -2]]
    assert found[0]["labels"] == ["Jan 2020", "Feb 2020"]


async def test_events_without_a_person_profile_are_excluded(sandbox: Serving) -> None:
    found = await results(sandbox, lifecycle(node("hidden")))

    assert [row["count"] for row in found] == [0, 0, 0, 0]


async def test_an_action_is_named_and_an_unknown_one_is_rejected(sandbox: Serving) -> None:
    action = await sandbox.make("actions/", {"name": "Played", "steps": [{"event": "played"}]})
    found = await results(sandbox, lifecycle({"kind": "ActionsNode", "id": action["id"]}))
    rejected = await sandbox.rejection("POST", "query/", {"query": lifecycle({"kind": "ActionsNode", "id": 987_654})})

    assert found[0]["label"] == "Played - new"
    assert found[0]["action"]["id"] == str(action["id"])
    assert found[0]["action"]["type"] == "actions"
    assert rejected[:3] == (400, "invalid_input", "Action ID 987654 does not exist!")


async def test_a_query_without_series_is_rejected(sandbox: Serving) -> None:
    rejected = await sandbox.rejection("POST", "query/", {"query": {"kind": "LifecycleQuery", "series": []}})

    assert rejected[:3] == (
        400,
        "insight_requires_at_least_one_series",
        "Lifecycle insights require at least one series.",
    )
