"""Odd values in any field of any response are upstream's fault, never this server's, and never the caller's."""

import json
import math
from collections.abc import Iterator
from typing import Any, cast

import pytest
from mcp.types import TextContent

from maton_posthog.gateway.waits import human
from maton_posthog.tools.operation import Operation
from tests.oracle import WHOLE, examples

from ...gateway.fake_gateway import CONNECTION, Peer, Received, raw, reply
from ...tools.posthog.fake import page
from ..test_every_operation import ANSWERED, ARGUMENTS, served, text_of, upstream

pytestmark = pytest.mark.anyio

ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 1.5, 10**400, 1e308, -1e308),
    *("", "x", "nan", "1" * 400, "2026-13-45", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
    *([], {}, [[]], [None], ["x"], [{}], {"a": None}),
)
_TYPED = ("query_", "get_experiment_results", "get_survey_stats")
"""Tools that compute with what they get: they meet more of the values in each field."""

_PLACES, _TYPED_PLACES = len(ODD), 2 * len(ODD)
"""The number of places of a sample, at least."""

type Place = tuple[str | int, ...]


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Yield where the fields and the first items of lists are."""
    if place:
        yield place
    if isinstance(value, dict):
        for name, item in cast("dict[str, Any]", value).items():
            yield from places(item, (*place, name))
    elif isinstance(value, list):
        for number, item in enumerate(cast("list[Any]", value)[:2]):
            yield from places(item, (*place, number))


def replaced(value: Any, place: Place, odd: Any) -> Any:
    """Return a response with the odd value at a place."""
    changed = json.loads(json.dumps(value))
    inner = changed
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = odd
    return changed


def chosen(name: str, found: dict[tuple[str, str], Any]) -> Iterator[tuple[tuple[str, str], Place, Any]]:
    """Yield requests, places and odd values: a sample that begins with another value at each place, so that all occur.

    With ORACLE_SEEDS, all places meet two values, and numbers to compute with meet all. Without, tools with many places
    meet an odd value at a part of them, spread over the response.
    """
    everywhere = [(one, at) for one, answer in found.items() for at in places(answer)]
    spread = 1 if WHOLE else max(1, len(everywhere) // (_TYPED_PLACES if name.startswith(_TYPED) else _PLACES))
    for number, (request, place) in enumerate(everywhere[::spread]):
        computed = name.startswith(_TYPED) and (request[1].endswith(("/query/", "/stats/")))
        step = examples(7, 1) if computed else examples(len(ODD), 11)
        for odd in ODD[number % step :: step]:
            yield request, place, odd


@pytest.mark.oracle
@ANSWERED
async def test_an_odd_value_anywhere_is_never_an_internal_error(operation: Operation[Any]) -> None:
    arguments = ARGUMENTS.get(operation.name, {})
    found: dict[tuple[str, str], Any] = {}

    async with served(connection_id=CONNECTION, project_id=136209) as (client, fake):

        async def usual(request: Received, peer: Peer) -> None:
            found[request.method, request.path] = answer = upstream(request)
            await peer.send(raw(200, json.dumps(answer).encode()))

        fake.answers(usual)
        await client.call_tool(operation.name, arguments)
        for where, place, odd in chosen(operation.name, dict(found)):

            async def strange(
                request: Received, peer: Peer, where: Any = where, place: Place = place, odd: Any = odd
            ) -> None:
                answer = upstream(request)
                if (request.method, request.path) == where and place in set(places(answer)):
                    answer = replaced(answer, place, odd)
                await peer.send(raw(200, json.dumps(answer).encode()))

            fake.answers(strange)
            result = await client.call_tool(operation.name, arguments)
            content = result.content[0]
            assert isinstance(content, TextContent)
            shown = json.loads(content.text, parse_constant=pytest.fail)
            code = shown.get("error", {}).get("code")
            assert code not in ("internal_error", "invalid_argument"), (where, place, odd)


@pytest.mark.parametrize("number", ["1" * 400, "0", "20", "-5", "x", ""])
async def test_a_page_that_does_not_lead_on_is_counted_here(number: str) -> None:
    async with served() as (client, fake):
        rows = page({"id": 1, "key": "a"}) | {"next": f"https://us.posthog.com/?offset={number}"}
        fake.on("GET", "/posthog/api/projects/136209/feature_flags/", reply(200, rows))
        shown = json.loads(text_of(await client.call_tool("list_flags", {"offset": 40})))
    assert shown["next_offset"] == 41


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 s"),
        (40, "40 s"),
        (60, "1 minute"),
        (61, "61 s"),
        (121, "3 minutes"),
        (3480, "58 minutes"),
        (3600, "1 hour"),
        (86_400, "1 day"),
        (10 * 86_400, "10 days"),
        (math.nextafter(7200, math.inf), "3 hours"),
    ],
)
def test_a_wait_has_the_unit_that_people_use(seconds: float, text: str) -> None:
    assert human(seconds) == text


async def test_an_absurd_wait_is_shown_as_a_day() -> None:
    async with served() as (client, fake):
        slow = reply(429, {"detail": "Request was throttled."}, retry_after="999999999")
        fake.on("GET", "/posthog/api/projects/136209/feature_flags/", slow)
        error = json.loads(text_of(await client.call_tool("list_flags", {})))["error"]
    assert (error["retry_after_s"], "Wait 1 day," in error["hint"]) == (86_400, True)
