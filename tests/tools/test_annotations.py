from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from maton_posthog.gateway.projects import Project
from maton_posthog.schemas.annotations import CreateAnnotation, UpdateAnnotation
from maton_posthog.tools.annotations import OPERATIONS

from .posthog.fake import PROJECT_ID, FakeCall, Sent, answer, page, run

pytestmark = pytest.mark.anyio

LIST, CREATE, UPDATE, DELETE = OPERATIONS
ANNOTATIONS = "/api/projects/{project_id}/annotations/"
ANNOTATION = ANNOTATIONS + "{annotation_id}/"
ONE = f"/api/projects/{PROJECT_ID}/annotations/5/"
BERLIN = Project(PROJECT_ID, "Default project", "Europe/Berlin")


def annotation(**changes: Any) -> dict[str, Any]:
    return answer("annotation", **changes)


def stored(sent: Sent) -> dict[str, Any]:
    return annotation(**(sent.body or {}))


async def test_list_always_sends_a_limit_and_shows_dashboard_item_as_insight() -> None:
    row = annotation(scope="dashboard_item", dashboard_item=31, insight_name="DAU")
    api = FakeCall({f"GET {ANNOTATIONS}": page(row)})
    shown = await run(LIST, api, search="new", scope="insight")
    assert api.last.query == {"search": "new", "scope": "dashboard_item", "limit": 20, "offset": 0}
    assert shown["annotations"] == [
        {
            "id": 5,
            "content": "New feature launched",
            "date_marker": "2026-02-23T00:00:00Z",
            "scope": "insight",
            "insight_id": 31,
            "insight_name": "DAU",
            "created_by": "ann@example.com",
            "created_at": "2026-11-20T10:00:00.000000Z",
        }
    ]


async def test_a_date_range_covers_whole_days_in_the_projects_timezone() -> None:
    api = FakeCall({f"GET {ANNOTATIONS}": page()}, project=BERLIN)
    await run(LIST, api, date_from="2026-02-20", date_to="2026-02-23")
    assert api.last.query["date_from"] == "2026-02-20T00:00:00+01:00"
    assert api.last.query["date_to"] == "2026-02-23T23:59:59.999999+01:00"


async def test_create_marks_the_current_time_by_default() -> None:
    api = FakeCall({f"POST {ANNOTATIONS}": stored})
    shown = await run(CREATE, api, content="Deployed")
    assert api.last.body is not None
    assert api.last.body == {"content": "Deployed", "scope": "project", "date_marker": "2026-11-23T12:30:00+00:00"}
    assert shown["scope"] == "project"


async def test_a_date_alone_is_midnight_in_the_projects_timezone() -> None:
    api = FakeCall({f"POST {ANNOTATIONS}": stored}, project=BERLIN)
    await run(CREATE, api, content="x", date_marker="2026-02-23", scope="organization")
    assert api.last.body == {"content": "x", "date_marker": "2026-02-23T00:00:00+01:00", "scope": "organization"}


async def test_insights_and_dashboards_are_sent_under_posthogs_names() -> None:
    api = FakeCall({f"POST {ANNOTATIONS}": stored})
    when = "2026-02-23T00:00:00Z"
    shown = await run(CREATE, api, content="x", date_marker=when, scope="insight", insight_id=31)
    common = {"content": "x", "date_marker": "2026-02-23T00:00:00+00:00"}
    assert api.last.body == {**common, "scope": "dashboard_item", "dashboard_item": 31}
    assert (shown["scope"], shown["insight_id"]) == ("insight", 31)
    await run(CREATE, api, content="x", date_marker=when, scope="dashboard", dashboard_id=9)
    assert api.last.body == {**common, "scope": "dashboard", "dashboard_id": 9}


@given(
    st.sampled_from(["project", "organization", "dashboard", "insight"]),
    st.none() | st.just(31),
    st.none() | st.just(9),
)
def test_a_scope_is_valid_only_with_its_own_target(
    scope: str, insight_id: int | None, dashboard_id: int | None
) -> None:
    arguments = {"content": "x", "scope": scope, "insight_id": insight_id, "dashboard_id": dashboard_id}
    if (insight_id is not None) == (scope == "insight") and (dashboard_id is not None) == (scope == "dashboard"):
        assert CreateAnnotation.model_validate(arguments).scope == scope
    else:
        with pytest.raises(ValidationError, match=r"needs|only valid with"):
            CreateAnnotation.model_validate(arguments)


@pytest.mark.parametrize("marker", [1700000000, "yesterday", "-7d", "2026-02-30"])
def test_date_marker_accepts_only_iso_text(marker: object) -> None:
    with pytest.raises(ValidationError, match="ISO 8601"):
        CreateAnnotation.model_validate({"content": "x", "date_marker": marker})


async def test_update_sends_only_the_given_fields() -> None:
    api = FakeCall({f"GET {ANNOTATION}": annotation(), f"PATCH {ANNOTATION}": stored}, project=BERLIN)
    shown = await run(UPDATE, api, annotation_id=5, date_marker="2026-02-24")
    assert api.sent == [Sent("GET", ONE), Sent("PATCH", ONE, {}, {"date_marker": "2026-02-24T00:00:00+01:00"})]
    assert "note" not in shown
    with pytest.raises(ValidationError, match="nothing to change; set `content` or `date_marker`"):
        UpdateAnnotation.model_validate({"annotation_id": 5})


WRITTEN = (("GET", "before"), ("PATCH", "x"))


async def test_editing_an_organization_wide_annotation_reports_the_move() -> None:
    api = FakeCall(
        {f"{method} {ANNOTATION}": annotation(scope="organization", content=text) for method, text in WRITTEN}
    )
    assert "belongs to this one" in (await run(UPDATE, api, annotation_id=5, content="x"))["note"]


async def test_a_deleted_annotation_shows_its_undo() -> None:
    api = FakeCall({f"GET {ANNOTATION}": annotation(), f"PATCH {ANNOTATION}": annotation(deleted=True)})
    shown = await run(DELETE, api, annotation_id=5)
    assert api.last == Sent("PATCH", ONE, {}, {"deleted": True})
    assert shown["undo"]["arguments"] == {"resource": "annotation", "id": "5", "project_id": str(PROJECT_ID)}


@pytest.mark.parametrize("field", [name for name in annotation() if name != "id"])
async def test_older_servers_can_omit_any_field_but_the_id(field: str) -> None:
    old = {name: value for name, value in annotation().items() if name != field}
    assert len((await run(LIST, FakeCall({f"GET {ANNOTATIONS}": page(old)})))["annotations"]) == 1
