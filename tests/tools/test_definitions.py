from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from maton_posthog.schemas.definitions import ListPropertyDefinitions
from maton_posthog.tools.definitions import OPERATIONS

from .posthog.fake import FakeCall, answer, page, run

pytestmark = pytest.mark.anyio

EVENTS, PROPERTIES = OPERATIONS
EVENT_DEFINITIONS = "/api/projects/{project_id}/event_definitions/"
PROPERTY_DEFINITIONS = "/api/projects/{project_id}/property_definitions/"


async def test_events_are_listed_with_their_last_seen_time() -> None:
    api = FakeCall({f"GET {EVENT_DEFINITIONS}": page(answer("event_definition"), count=40, next_offset=20)})
    shown = await run(EVENTS, api, search="page", event_type="event_posthog")
    assert api.last.query == {"search": "page", "event_type": "event_posthog", "limit": 20, "offset": 0}
    assert shown == {
        "definitions": [
            {
                "name": "$pageview",
                "last_seen_at": "2026-11-20T10:00:00.000000Z",
                "created_at": "2026-11-20T10:00:00.000000Z",
            }
        ],
        "count": 40,
        "next_offset": 20,
    }


async def test_properties_are_listed_with_their_type() -> None:
    rows = [answer("property_definition"), answer("property_definition", id="$builtin_x", name="$virt_x", virtual=True)]
    api = FakeCall({f"GET {PROPERTY_DEFINITIONS}": page(*rows)})
    shown = await run(PROPERTIES, api, type="person")
    assert api.last.query == {"type": "person", "limit": 20, "offset": 0}
    assert shown["definitions"] == [
        {"name": "$browser", "property_type": "String"},
        {"name": "$virt_x", "property_type": "String", "virtual": True},
    ]


async def test_event_names_limit_the_properties() -> None:
    api = FakeCall({f"GET {PROPERTY_DEFINITIONS}": page()})
    await run(PROPERTIES, api, event_names=["$pageview"])
    assert api.last.query["event_names"] == ["$pageview"]
    assert api.last.query["filter_by_event_names"] is True


@given(
    st.sampled_from(["event", "person", "group", "session"]), st.none() | st.just(["x"]), st.none() | st.integers(0, 4)
)
def test_arguments_are_valid_only_with_their_type(
    kind: str, event_names: list[str] | None, group_type_index: int | None
) -> None:
    arguments: dict[str, Any] = {"type": kind, "event_names": event_names, "group_type_index": group_type_index}
    fits = (event_names is None or kind == "event") and (group_type_index is not None) == (kind == "group")
    if fits:
        assert ListPropertyDefinitions.model_validate(arguments).type == kind
    else:
        with pytest.raises(ValidationError, match=r"only valid with type|required with type"):
            ListPropertyDefinitions.model_validate(arguments)


@pytest.mark.parametrize("row", ["event_definition", "property_definition"])
async def test_projects_without_the_paid_add_on_show_fewer_fields(row: str) -> None:
    bare = {"id": "x", "name": "paid"}
    api = FakeCall({f"GET {EVENT_DEFINITIONS}": page(bare), f"GET {PROPERTY_DEFINITIONS}": page(bare)})
    tool = EVENTS if row == "event_definition" else PROPERTIES
    assert (await run(tool, api))["definitions"] == [{"name": "paid"}]
