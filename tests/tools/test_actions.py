from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from maton_posthog.gateway.errors import Failed
from maton_posthog.schemas.actions import CreateAction, UpdateAction
from maton_posthog.tools.actions import OPERATIONS

from .posthog.fake import PROJECT_ID, FakeCall, Sent, answer, run

pytestmark = pytest.mark.anyio

LIST, CREATE, GET, UPDATE, DELETE = OPERATIONS
ACTIONS = "/api/projects/{project_id}/actions/"
ACTION = ACTIONS + "{action_id}/"
ONE = f"/api/projects/{PROJECT_ID}/actions/3/"


def action(**changes: Any) -> dict[str, Any]:
    return answer("action", **changes)


def newer(number: int) -> Any:
    """Return the response of a server that paginates and counts."""

    def reply(sent: Sent) -> dict[str, Any]:
        everything = [action(id=position, name=f"Action {position}") for position in range(number)]
        start = sent.query["offset"]
        return {"count": number, "results": everything[start : start + sent.query["limit"]]}

    return reply


def older(number: int, *, counts: bool = False) -> dict[str, Any]:
    """Return the response of a server that ignores every parameter."""
    everything = [action(id=position, name=f"Action {position}") for position in range(number)]
    return {"results": everything} | ({"count": number} if counts else {})


async def pages(api: FakeCall, **arguments: Any) -> list[int]:
    """Return the ids of all pages, following next_offset."""
    ids: list[int] = []
    offset: int | None = 0
    while offset is not None:
        assert len(api.sent) < 20
        shown = await run(LIST, api, offset=offset, **arguments)
        ids += [row["id"] for row in shown["actions"]]
        offset = shown.get("next_offset")
    return ids


@pytest.mark.parametrize("number", [0, 1, 4, 5, 9, 10])
def stored(sent: Sent) -> dict[str, Any]:
    """Return the action with the fields of the body, as PostHog does."""
    return action(**(sent.body or {}))


async def test_pages_show_every_action_once_whether_or_not_the_server_paginates(number: int) -> None:
    for reply in (newer(number), older(number), older(number, counts=True)):
        assert await pages(FakeCall({f"GET {ACTIONS}": reply}), limit=5) == list(range(number))


async def test_rows_of_a_server_that_ignores_search_are_filtered() -> None:
    api = FakeCall({f"GET {ACTIONS}": {"results": [action(), action(id=4, name="Paid")]}})
    shown = await run(LIST, api, search="SIGN")
    assert api.last.query == {"search": "SIGN", "limit": 20, "offset": 0}
    assert shown == {
        "actions": [{"id": 3, "name": "Signed Up", "created_at": "2026-11-20T10:00:00.000000Z"}],
        "count": 1,
    }


async def test_an_offset_past_the_end_returns_an_empty_page() -> None:
    shown = await run(LIST, FakeCall({f"GET {ACTIONS}": newer(3)}), offset=10)
    assert shown == {"actions": [], "count": 3}


async def test_a_response_of_another_shape_is_an_upstream_error() -> None:
    with pytest.raises(Failed, match="does not match"):
        await run(LIST, FakeCall({f"GET {ACTIONS}": {"detail": "x"}}))


async def test_create_sends_the_given_conditions() -> None:
    api = FakeCall({f"POST {ACTIONS}": action()})
    shown = await run(CREATE, api, name="Signed Up", steps=[{"event": "$identify"}, {"url": "/up", "text": None}])
    assert api.last.body == {"name": "Signed Up", "steps": [{"event": "$identify"}, {"url": "/up"}]}
    assert shown["steps"] == [{"event": "$identify"}]


REJECTED: list[tuple[dict[str, Any], str]] = [
    ({"steps": []}, "at least 1"),
    ({"steps": [{}]}, "match every event"),
    ({"steps": [{"event": ""}]}, "match every event"),
    ({"steps": [{"event": "x", "url_matching": "exact"}]}, "needs `url`"),
    ({"steps": [{"url": "x", "url_matching": "starts"}]}, "contains"),
    ({"steps": [{"events": "x"}]}, "Extra inputs"),
    ({"steps": [{"event": "x", "properties": [{"value": 1}]}]}, "each must be an object"),
    ({"steps": [{"event": "x"}], "name": ""}, "at least 1 character"),
]


@pytest.mark.parametrize(("arguments", "message"), REJECTED)
def test_an_action_that_would_match_other_events_is_rejected(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CreateAction.model_validate({"name": "x", **arguments})


CONDITIONS = ("event", "url", "selector", "text", "href", "tag_name")


@given(st.dictionaries(st.sampled_from(CONDITIONS), st.text(max_size=3)))
def test_a_step_is_valid_if_and_only_if_it_has_a_condition(step: dict[str, str]) -> None:
    if any(step.values()):
        (read,) = CreateAction.model_validate({"name": "x", "steps": [step]}).steps
        assert read.model_dump(exclude_none=True) == {name: text for name, text in step.items() if text}
    else:
        with pytest.raises(ValidationError):
            CreateAction.model_validate({"name": "x", "steps": [step]})


async def test_steps_from_get_can_be_sent_back_with_their_matching() -> None:
    step = {"event": "$autocapture", "text": "Buy", "text_matching": "exact", "url": "/p", "url_matching": "regex"}
    full = {**action()["steps"][0], **step}
    api = FakeCall({f"GET {ACTION}": action(steps=[full]), f"PATCH {ACTION}": stored})
    steps = (await run(GET, api, action_id=3))["steps"]
    assert steps == [step]
    await run(UPDATE, api, action_id=3, steps=[{**step, "url": "/q"}])
    assert api.last == Sent("PATCH", ONE, {}, {"steps": [{**step, "url": "/q"}]})


def test_an_update_without_changes_is_rejected() -> None:
    with pytest.raises(ValidationError, match="nothing to change"):
        UpdateAction.model_validate({"action_id": 3})


async def test_a_deleted_action_shows_its_undo() -> None:
    api = FakeCall({f"GET {ACTION}": action(), f"PATCH {ACTION}": action(deleted=True)})
    shown = await run(DELETE, api, action_id=3)
    assert api.sent == [Sent("GET", ONE), Sent("PATCH", ONE, {}, {"deleted": True})]
    assert shown["changed"] == {"deleted": {"before": False, "after": True}}
    assert shown["undo"]["arguments"]["resource"] == "action"


@pytest.mark.parametrize("field", [name for name in action() if name != "id"])
async def test_older_servers_can_omit_any_field_but_the_id(field: str) -> None:
    old = {name: value for name, value in action().items() if name != field}
    api = FakeCall({f"GET {ACTION}": old, f"GET {ACTIONS}": {"results": [old]}})
    assert (await run(GET, api, action_id=3))["id"] == 3
    assert len((await run(LIST, api))["actions"]) == 1
