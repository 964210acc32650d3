"""Errors against the sandbox, recounted from the exceptions in Python."""

import json
from collections import defaultdict
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.tools.posthog.live import NOW, LiveSandbox, running_sandbox

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def sandbox() -> Generator[LiveSandbox]:
    with running_sandbox() as running:
        yield running


async def exceptions(sandbox: LiveSandbox) -> dict[str, list[dict[str, Any]]]:
    """Return all exceptions by their issue, oldest first."""
    rows = await sandbox.rows(
        "SELECT properties, toString(person_id), $session_id, toString(timestamp) FROM events "
        "WHERE event = '$exception' ORDER BY timestamp"
    )
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for text, person, session, time in rows:
        properties = json.loads(text)
        at = datetime.fromisoformat(time).replace(tzinfo=UTC)
        found[properties["$exception_issue_id"]].append({**properties, "person": person, "session": session, "at": at})
    return found


async def test_a_list_says_what_a_recount_of_the_events_says(sandbox: LiveSandbox) -> None:
    since = datetime(2026, 10, 24, tzinfo=UTC)
    before = since - (NOW - since)
    expected: dict[str, dict[str, Any]] = {}
    for id, events in (await exceptions(sandbox)).items():
        inside = [one for one in events if since <= one["at"] <= NOW]
        if not inside:
            continue
        previous = sum(before <= one["at"] < since for one in events)
        expected[id] = {
            "occurrences": len(inside),
            "users": len({one["person"] for one in inside}),
            "sessions": len({one["session"] for one in inside if one["session"]}),
            "first_seen": f"{events[0]['at']:%Y-%m-%dT%H:%M:%SZ}",
            "last_seen": f"{inside[-1]['at']:%Y-%m-%dT%H:%M:%SZ}",
            "release": inside[-1]["app_version"],
            "vs_previous_from": previous,
            "name": events[0]["$exception_types"][0],
            "message": events[0]["$exception_values"][0],
        }

    shown = await sandbox.call("list_errors", date_from="-30d")

    assert len(expected) >= 4
    rows = {row["id"]: row for row in shown["errors"]}
    assert {id: {name: rows[id].get(name) for name in fields} for id, fields in expected.items()} == expected
    assert rows.keys() == expected.keys()
    counts = [row["occurrences"] for row in shown["errors"]]
    assert counts == sorted(counts, reverse=True)


async def test_one_error_shows_its_stack_pages_and_recordings(sandbox: LiveSandbox) -> None:
    (row,) = (await sandbox.call("list_errors", date_from="-30d", search="wallet.session"))["errors"]

    shown = await sandbox.call("get_error", error_id=row["id"], date_from="-30d")

    events = [one for one in (await exceptions(sandbox))[row["id"]] if one["at"] > NOW - timedelta(days=30)]
    assert shown["first_event"]["stack"] == ["checkout/wallet.ts:118 beginPayment"]
    assert shown["occurrences"] == row["occurrences"] == len(events)
    for part, name in (("pages", "$pathname"), ("browsers", "$browser"), ("releases", "app_version")):
        counted: dict[str, set[str]] = defaultdict(set)
        times: dict[str, int] = defaultdict(int)
        for one in events:
            times[one[name]] += 1
            counted[one[name]].add(one["person"])
        most = sorted(times, key=lambda value: (-times[value], value))[:5]
        assert shown[part] == [[value, times[value], len(counted[value])] for value in most]
    recorded = {recording["id"] for recording in shown["recordings"]}
    assert set[str]() < recorded <= {one["session"] for one in events}


async def test_recordings_of_an_error_are_those_of_its_sessions(sandbox: LiveSandbox) -> None:
    (row,) = (await sandbox.call("list_errors", date_from="-30d", search="ChunkLoadError"))["errors"]
    everything = {one["id"] for one in await recordings(sandbox)}
    sessions = {id: {one["session"] for one in events} for id, events in (await exceptions(sandbox)).items()}

    by_id, by_text = [
        {one["id"] for one in await recordings(sandbox, error=error)} for error in (row["id"], "loading CHUNK 417")
    ]

    assert by_id == by_text == everything & sessions[row["id"]]
    assert by_id
    every = {one["id"] for one in await recordings(sandbox, error="any")}
    assert every == everything & set[str]().union(*sessions.values())
    assert every == {one["id"] for one in await recordings(sandbox, events=["$exception"])}
    long = await recordings(sandbox, error="any", min_duration_s=200)
    assert {one["id"] for one in long} == {
        one["id"] for one in await recordings(sandbox, error="any") if one["recording_duration"] >= 200
    }


async def recordings(sandbox: LiveSandbox, **arguments: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    offset: int | None = 0
    while offset is not None:
        shown = await sandbox.call("list_recordings", date_from="-90d", limit=100, offset=offset, **arguments)
        found += shown["recordings"]
        offset = shown.get("next_offset")
    return found
