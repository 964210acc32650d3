"""Links of results into PostHog's app, and pasted addresses in arguments."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from maton_posthog.schemas.links import insight_page, with_address
from maton_posthog.tools.operations import OPERATIONS
from tests.gateway.fake_gateway import Peer, Received, raw
from tests.server.test_every_operation import APP, ARGUMENTS, ERROR, PERSON, documented, served, text_of, upstream

pytestmark = pytest.mark.anyio

PROJECT = f"{APP}/project/136209"
LINKS = {
    "get_flag": "feature_flags/42", "create_flag": "feature_flags/42", "update_flag": "feature_flags/42",
    "get_dashboard": "dashboard/9", "create_dashboard": "dashboard/9", "update_dashboard": "dashboard/9",
    "get_insight": "insights/AaVQ8Ijw", "create_insight": "insights/AaVQ8Ijw", "update_insight": "insights/AaVQ8Ijw",
    "get_cohort": "cohorts/7", "create_cohort": "cohorts/7", "update_cohort": "cohorts/7",
    "get_action": "data-management/actions/3", "create_action": "data-management/actions/3",
    "update_action": "data-management/actions/3",
    "create_annotation": "data-management/annotations/5", "update_annotation": "data-management/annotations/5",
    "get_experiment": "experiments/11", "create_experiment": "experiments/11", "update_experiment": "experiments/11",
    "get_survey": "surveys/0190bbbb-0000-7000-8000-000000000002",
    "create_survey": "surveys/0190bbbb-0000-7000-8000-000000000002",
    "update_survey": "surveys/0190bbbb-0000-7000-8000-000000000002",
    "get_experiment_results": "experiments/11",
    "get_survey_stats": "surveys/0190bbbb-0000-7000-8000-000000000002",
    "get_person": f"persons/{PERSON}",
    "get_error": f"error_tracking/{ERROR}",
    "get_recording": "replay/019c8795-79e3-7a05-ac56-597b102f1960",
}  # fmt: skip
ROWS = {
    "list_flags": "feature_flags/{id}", "list_dashboards": "dashboard/{id}", "list_insights": "insights/{short_id}",
    "list_cohorts": "cohorts/{id}", "list_actions": "data-management/actions/{id}", "list_surveys": "surveys/{id}",
    "list_annotations": "data-management/annotations/{id}", "list_experiments": "experiments/{id}",
    "list_persons": "persons/{uuid}", "list_recordings": "replay/{id}",
    "list_errors": "error_tracking/{id}",
}  # fmt: skip


async def answered(tool: str, arguments: dict[str, Any], **flags: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the result of a call, and the paths of its requests."""
    async with served(**flags) as (client, fake):
        result = json.loads(text_of(await client.call_tool(tool, arguments)))
        return result, [request.path for request in fake.received]


@pytest.mark.parametrize("tool", LINKS)
async def test_an_object_has_the_address_of_its_page(tool: str) -> None:
    result, _ = await answered(tool, ARGUMENTS[tool])
    assert result["url"] == f"{PROJECT}/{LINKS[tool]}"


@pytest.mark.parametrize("tool", ROWS)
async def test_a_list_has_the_address_of_its_rows(tool: str) -> None:
    result, _ = await answered(tool, ARGUMENTS.get(tool, {}))
    assert result["row_url"] == f"{PROJECT}/{ROWS[tool]}"


async def test_the_recordings_of_an_error_have_the_address_of_theirs() -> None:
    result, _ = await answered("get_error", ARGUMENTS["get_error"])
    assert result["row_url"] == f"{PROJECT}/replay/{{id}}"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_no_other_result_has_a_link(operation: Any) -> None:
    if operation.name not in LINKS and operation.name not in ROWS and operation.name != "restore_deleted":
        result, _ = await answered(operation.name, ARGUMENTS.get(operation.name, {}))
        assert not {"url", "row_url"} & result.keys()


INSIGHT_TILE = {"id": 70, "insight": {"id": 31}, "url": "insights/AaVQ8Ijw"}


@pytest.mark.parametrize(
    ("tile", "project", "shown"),
    [
        (INSIGHT_TILE, PROJECT, {**INSIGHT_TILE, "url": f"{PROJECT}/insights/AaVQ8Ijw"}),
        (INSIGHT_TILE, None, {"id": 70, "insight": {"id": 31}}),
        ({"id": 71, "text": "x"}, PROJECT, {"id": 71, "text": "x"}),
        ({"id": 72, "url": "https://example.com"}, PROJECT, {"id": 72, "url": "https://example.com"}),
        ("odd", PROJECT, "odd"),
    ],
)
def test_a_tile_has_the_address_of_its_insight(tile: Any, project: str | None, shown: Any) -> None:
    assert with_address(tile, project) == shown


@pytest.mark.parametrize("short_id", ["../x y", "AaVQ8Ijw", None, ""])
def test_the_page_of_an_insight_is_one_segment(short_id: str | None) -> None:
    page = insight_page({"short_id": short_id})
    assert page == ({"url": f"insights/{quote(short_id, safe='')}"} if short_id else {})


def telling(address: str | None) -> Any:
    """Return a gateway whose list of definitions has this address of a next page."""

    async def respond(request: Received, peer: Peer) -> None:
        if "/event_definitions/" in request.path:
            await peer.send(raw(200, json.dumps({"count": 2, "next": address, "results": [{}]}).encode()))
        else:
            await documented(request, peer)

    return respond


@pytest.mark.parametrize(
    ("following", "url"),
    [
        (
            "https://eu.posthog.com/api/projects/1/event_definitions/?limit=1&offset=1",
            "https://eu.posthog.com/project/",
        ),
        ("http://127.0.0.1:8010/posthog/api/projects/1/x/", "http://127.0.0.1:8010/posthog/project/"),
        ("http://eu.posthog.com/api/projects/1/x/", None),
        ("https://user@evil.example/api/x/", None),
        ("javascript:alert(1)/api/", None),
        (None, None),
    ],
)
async def test_the_host_is_learned_from_posthog_once(following: str | None, url: str | None) -> None:
    async with served(learns_app=True) as (client, fake):
        fake.answers(telling(following))
        results = [json.loads(text_of(await client.call_tool("get_flag", {"flag": 42}))) for _ in range(3)]
        asked = [request.path for request in fake.received if "/event_definitions/" in request.path]
    assert len(asked) == 1
    for result in results:
        assert result.get("url", "").startswith(url) if url else "url" not in result


@pytest.mark.parametrize("status", [403, 404, 500])
async def test_a_host_that_cannot_be_learned_is_not_asked_for_by_each_call(status: int) -> None:
    async def respond(request: Received, peer: Peer) -> None:
        if "/event_definitions/" in request.path:
            await peer.send(raw(status, b"{}"))
        else:
            await peer.send(raw(200, json.dumps(upstream(request)).encode()))

    async with served(learns_app=True) as (client, fake):
        fake.answers(respond)
        first = await client.call_tool("get_flag", {"flag": 42})
        asked = len([request for request in fake.received if "/event_definitions/" in request.path])
        others = [await client.call_tool("get_flag", {"flag": 42}) for _ in range(2)]
        asked_in_all = len([request for request in fake.received if "/event_definitions/" in request.path])
    assert asked_in_all == asked >= 1
    for result in (first, *others):
        assert not result.is_error
        assert "url" not in json.loads(text_of(result))


async def test_an_address_in_an_argument_is_read_as_its_identifier() -> None:
    result, paths = await answered("get_flag", {"flag": f"{PROJECT}/feature_flags/42?tab=usage"})
    assert result["id"] == 42
    assert paths[-1].endswith("/feature_flags/42/")


INSIGHT_PAGE = f"{PROJECT}/insights/AaVQ8Ijw"


@pytest.mark.parametrize(
    ("tool", "arguments", "sent"),
    [
        (
            "create_annotation",
            {"content": "a", "scope": "insight", "insight_id": INSIGHT_PAGE},
            {"dashboard_item": 31},
        ),
        ("update_dashboard", {"dashboard_id": 9, "remove_insights": [INSIGHT_PAGE]}, {"dashboards": []}),
        ("update_insight", {"insight_id": INSIGHT_PAGE, "name": "New"}, {"name": "New"}),
    ],
)
async def test_an_insight_is_changed_by_the_address_of_its_page(
    tool: str, arguments: dict[str, Any], sent: dict[str, Any]
) -> None:
    async with served() as (client, fake):
        await client.call_tool(tool, arguments)
        bodies = [request.json for request in fake.received if request.method != "GET"]
    assert [body for body in bodies if isinstance(body, dict) and sent.keys() <= body.keys()], bodies


@pytest.mark.parametrize("tool", ["get_insight", "explain_change"])
async def test_an_insight_is_read_by_the_address_of_its_page(tool: str) -> None:
    _, paths = await answered(tool, {"insight_id": INSIGHT_PAGE})
    assert [path for path in paths if path.endswith("/insights/AaVQ8Ijw/")]


@pytest.mark.parametrize("tool", ["get_flag", "delete_flag"])
async def test_an_address_of_another_project_is_rejected_before_its_object_is_read(tool: str) -> None:
    result, paths = await answered(tool, {"flag": f"{APP}/project/7/feature_flags/42"})
    assert result["error"]["code"] == "invalid_argument"
    assert result["error"]["message"].startswith(
        "`flag`: this address belongs to project 7, and the call goes to 136209"
    )
    assert result["error"]["hint"] == "Pass project_id 7 to act there."
    assert not [path for path in paths if "feature_flags" in path]


async def test_an_address_of_another_kind_is_rejected_before_anything_is_sent() -> None:
    result, paths = await answered("get_flag", {"flag": f"{PROJECT}/dashboard/9"})
    assert result["error"]["message"] == "`flag`: must name a flag; this is the page of a dashboard."
    assert paths == []


async def test_a_project_is_named_by_the_address_of_any_of_its_pages() -> None:
    result, _ = await answered("get_flag", {"flag": 42, "project_id": f"{PROJECT}/settings"})
    assert result["project"]["id"] == 136209
