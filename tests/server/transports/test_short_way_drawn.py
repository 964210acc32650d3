"""Drawn requests, valid and odd: the short way sends the same messages as the SDK."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maton_posthog.server.runtime import Runtime
from maton_posthog.server.settings import load
from maton_posthog.server.starting.ready import LISTS, MODERN
from tests.oracle import examples
from tests.server.processes import INITIALIZE
from tests.snapshots.ready import META

from .both_ways import ERAS, WAYS, at_once, messages, opening

pytestmark = pytest.mark.anyio

ODD: list[Any] = [
    {"limit": 0},
    {"limit": 10**30},
    {"search": "\ud800"},
    {"search": "é\u202e\x00"},
    {"limit": float("nan")},
    None,
    [],
    "x",
    {},
]
NAMES: list[Any] = ["list_flags", "list_flags", "create_flag", "query_paths", "nothing_like", 5, None, ""]
METAS: list[Any] = [
    {},
    {"progressToken": 7},
    {"progressToken": True},
    {"progressToken": 1.5},
    {"progressToken": None},
    {"vendor/x": [1], "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
    {"io.modelcontextprotocol/related-task": {"taskId": "1"}},
    META,
    {**META, "progressToken": "p", "vendor/x": 1},
    {**META, "io.modelcontextprotocol/logLevel": "debug"},
    {**META, "io.modelcontextprotocol/protocolVersion": "2031-01-01"},
    {**META, "io.modelcontextprotocol/clientInfo": {"name": 5}},
    {"io.modelcontextprotocol/protocolVersion": MODERN},
    None,
    3,
]
MORE: list[Mapping[str, Any]] = [{}, {}, {}, {"task": {"ttl": 5}}, {"inputResponses": {}}, {"unknown": 1}]


def drawn(name: Any, arguments: Any, meta: Any, more: Mapping[str, Any]) -> dict[str, Any]:
    return {"method": "tools/call", "params": {"name": name, "arguments": arguments, "_meta": meta, **more}}


CALLS = st.builds(
    drawn,
    st.sampled_from(NAMES),
    st.sampled_from(ODD),
    st.sampled_from(METAS),
    st.sampled_from(MORE),
)
OTHER: list[dict[str, Any]] = [
    {"method": "ping"},
    {"method": "tools/call"},
    {"method": "tools/call", "params": []},
    {"method": "tools/call", "params": {"name": "list_flags"}},
    {"method": "notifications/cancelled", "params": {"requestId": "none such"}},
    {"method": "notifications/cancelled", "params": {"requestId": []}},
    {"method": "notifications/initialized"},
    {"method": "initialize", "params": INITIALIZE},
    {"method": "server/discover", "params": {"_meta": META}},
    *({"method": name} for name in LISTS),
    *({"method": name, "params": {"_meta": META}} for name in LISTS),
    {"method": "prompts/get", "params": {"name": "x"}},
]


@given(st.lists(CALLS | st.sampled_from(OTHER), max_size=6), st.sampled_from([None, *ERAS[:4]]))
@settings(max_examples=examples(30, 600))
async def test_drawn_requests_get_the_same_messages(requests: list[dict[str, Any]], greeted: str | None) -> None:
    greeting = opening(greeted) if greeted else []
    numbered = [
        request if request["method"].startswith("notifications/") else {**request, "id": number}
        for number, request in enumerate(requests)
    ]
    if any(request["method"] == "server/discover" for request in numbered[:1]):
        numbered = numbered[1:]  # the SDK alone lets discovery decide the era
    found: list[list[bytes]] = []
    for way in WAYS:
        runtime = Runtime(load())
        try:
            found.append(sorted(await messages(way, runtime, at_once([*greeting, *numbered]))))
        finally:
            await runtime.aclose()
    assert found[0] == found[1]
