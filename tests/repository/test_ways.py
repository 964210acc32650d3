"""The way of a call from tools/call to the wire: few files, each entered once, and floors that only go down."""

from itertools import pairwise
from typing import Any

import pytest

from maton_posthog.tools.operation import Operation

from ..server.test_every_operation import ANSWERED, ARGUMENTS, served, text_of
from ..tracing import traced
from .test_floors import FLOORS

pytestmark = pytest.mark.anyio
MOST_FILES = 10
FILES_OF = {"describe_data": 12, "explain_change": 14}
"""Tools that look at several things."""


@ANSWERED
async def test_a_call_reaches_the_wire_through_few_files_and_never_climbs(operation: Operation[Any]) -> None:
    arguments = ARGUMENTS.get(operation.name, {})
    async with served() as (client, _):
        await client.call_tool("list_annotations", {})  # connection and project are known from here on
        with traced() as trace:
            result = await client.call_tool(operation.name, arguments)
    assert not result.is_error, text_of(result)
    assert trace.ways
    assert [way for way in trace.ways if climbs(way)] == []
    assert len({file for way in trace.ways for file in way}) <= FILES_OF.get(operation.name, MOST_FILES)


def climbs(way: tuple[str, ...]) -> bool:
    """Return whether a file is entered again after it called another one, or a floor calls one above it."""
    heights = [FLOORS.index(file.split("/")[0]) for file in way]
    return len(set(way)) < len(way) or any(above < below for above, below in pairwise(heights))


@pytest.mark.parametrize(
    "way",
    [
        ("server/app.py", "tools/flags.py", "gateway/call.py", "tools/flags.py", "gateway/client.py"),
        ("server/app.py", "gateway/call.py", "tools/flags.py"),
    ],
)
def test_a_way_back_up_is_found(way: tuple[str, ...]) -> None:
    assert climbs(way)
