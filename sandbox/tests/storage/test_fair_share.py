"""One query cannot starve the others: in a real process, with endless queries."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from ..test_process import NOON, PATIENCE_S, running

QUERY = "/posthog/api/projects/1/query/"
ENDLESS = "select count() from numbers(1000000000000) where cityHash64(number) % 7 = 9"
GREEDY = "select groupArray(repeat(toString(number), 1000)) from numbers(100000000)"


@pytest.fixture(scope="module")
def client() -> Generator[httpx2.Client]:
    with running("--json") as process, process.client() as made:
        assert process.ready.wait(PATIENCE_S)
        made.post("/sandbox/clock", json=NOON).raise_for_status()
        yield made


def ask(client: httpx2.Client, text: str, **more: Any) -> httpx2.Response:
    return client.post(QUERY, json={"query": {"kind": "HogQLQuery", "query": text}, **more})


@contextmanager
def endless(client: httpx2.Client, count: int) -> Generator[None]:
    """Run this many queries until the end of the block, and wait until all are running."""
    names = [f"endless-{number}" for number in range(count)]
    for name in names:
        assert ask(client, ENDLESS, refresh="force_async", client_query_id=name).status_code == 202
    try:
        for name in names:
            while not progress(client, name):
                continue
        yield
    finally:
        for name in names:
            client.delete(f"{QUERY}{name}/").raise_for_status()


def progress(client: httpx2.Client, name: str) -> bool:
    """Return whether the engine works on the query, which must not have ended."""
    polled = client.get(f"{QUERY}{name}/", params={"show_progress": True})
    assert polled.status_code == 202, polled.text
    shown: dict[str, int] | None = polled.json()["query_status"]["query_progress"]
    return shown is not None and shown["rows_read"] > 0


@pytest.mark.parametrize("count", [1, 2])
def test_other_queries_run_next_to_an_endless_query(client: httpx2.Client, count: int) -> None:
    trends = {"kind": "TrendsQuery", "series": [{"kind": "EventsNode", "event": "$pageview"}]}
    with endless(client, count):
        counted = ask(client, "select count() from events").json()
        drawn = client.post(QUERY, json={"query": trends})

    assert counted["results"] == [[500]]
    assert drawn.status_code == 200
    assert drawn.json()["results"][0]["count"] > 0


def test_lists_rows_and_the_page_are_served_while_all_query_slots_are_taken(client: httpx2.Client) -> None:
    api = "/posthog/api/projects/1"
    flag: dict[str, Any] = {
        "key": "made-meanwhile",
        "filters": {"groups": [{}]},
        "_should_create_usage_dashboard": False,
    }
    with endless(client, 3):
        responses = [client.get(f"{api}/{area}/") for area in ("persons", "event_definitions", "insights")]
        responses.append(client.get(f"{api}/session_recordings/", params={"date_from": "-30d"}))
        made = client.post(f"{api}/feature_flags/", json=flag)
        page = client.get("/")

    assert [response.status_code for response in responses] == [200] * 4
    assert all(response.json()["results"] for response in responses)
    assert made.status_code == 201
    assert "made-meanwhile" in page.text
    assert ask(client, "select 1").json()["results"] == [[1]]


def test_a_query_that_takes_all_memory_fails_and_the_next_one_succeeds(client: httpx2.Client) -> None:
    greedy = ask(client, GREEDY)

    assert greedy.status_code >= 400
    assert greedy.json()["type"] in {"server_error", "validation_error"}
    assert ask(client, "select count() from events").json()["results"] == [[500]]
