"""The list of errors and one of them: what is sent, and what is shown of hostile and odd responses."""

import json
from typing import Any

import pytest

from maton_posthog.gateway.errors import Failed, Refused, Rejected
from maton_posthog.gateway.projects import Project
from maton_posthog.schemas.privacy import Privacy
from maton_posthog.tools.errors.operations import OPERATIONS
from tests.tools.posthog.fake import PROJECT_ID, QUERY_PATH, FakeCall, Sent, answer, run

pytestmark = pytest.mark.anyio

LIST, GET = OPERATIONS
ID = "0190cccc-0000-7000-8000-000000000003"
RECORDINGS = "/api/projects/{project_id}/session_recordings/"
ISSUE = "/api/projects/{project_id}/error_tracking/issues/{error_id}/"
BERLIN = Project(PROJECT_ID, "Default project", "Europe/Berlin")
COURSES = [[ID, 40, 50, '{"r1": {"version": "1.2.3", "timestamp": "2026-11-01"}, "r2": {"version": "1.3.0", '
    '"timestamp": "2026-11-20"}}']]  # fmt: skip
PARTS: list[list[Any]] = [
    ["period", "before", 20, 9],
    ["period", "now", 40, 9],
    ["pages", "/checkout", 30, 8],
    ["releases", '{"r1": {"version": null, "metadata": {"git": {"commit_id": "abc"}}}}', 25, 7],
    ["browsers", "Safari", 40, 9],
]


def issue(**changes: Any) -> dict[str, Any]:
    return answer("error_tracking_result", **changes)


def counted(**changes: Any) -> dict[str, Any]:
    return {"occurrences": 40, "sessions": 12, "users": 9, **changes}


def answering(
    *issues: dict[str, Any], rows: Any = None, more: bool = False, gets: dict[str, Any] | None = None
) -> FakeCall:
    """Return a fake that returns these issues, and these rows of HogQL."""

    def query(sent: Sent) -> Any:
        assert sent.body
        if sent.body["query"]["kind"] == "ErrorTrackingQuery":
            return {"results": list(issues), "hasMore": more}
        return {"results": COURSES if rows is None else rows}

    return FakeCall(
        {f"POST {QUERY_PATH}": query, **{f"GET {path}": response for path, response in (gets or {}).items()}},
        project=BERLIN,
    )


def queries(api: FakeCall) -> list[dict[str, Any]]:
    return [sent.body["query"] for sent in api.sent if sent.body]


def event(*exceptions: Any) -> dict[str, Any]:
    return {"timestamp": "2026-11-17 10:00:00.5+00:00", "properties": json.dumps({"$exception_list": exceptions})}


async def test_a_list_is_one_error_tracking_query_and_one_of_hogql() -> None:
    api = answering(issue())

    shown = await run(LIST, api)

    first, second = queries(api)
    assert first == {
        "kind": "ErrorTrackingQuery",
        "dateRange": {"date_from": "2026-11-16T00:00:00+01:00"},
        "orderBy": "occurrences",
        "orderDirection": "DESC",
        "status": "active",
        "volumeResolution": 1,
        "withAggregations": True,
        "limit": 20,
        "offset": 0,
    }
    assert second["values"] == {
        "ids": [ID],
        "before": "2026-11-08 10:30:00",
        "since": "2026-11-16 00:00:00",
        "until": "2026-11-23 13:30:00",
    }
    assert shown["errors"] == [
        {
            "id": ID,
            "name": "TypeError",
            "message": "Cannot read properties of undefined",
            "status": "active",
            "occurrences": 40,
            "users": 9,
            "sessions": 12,
            "first_seen": "2026-11-01T10:00:00Z",
            "last_seen": "2026-11-22T10:00:00Z",
            "release": "1.3.0",
            "library": "web",
            "vs_previous_percent": -20,
        }
    ]
    assert shown["range"] == ["2026-11-16", "2026-11-23 13:30"]
    assert "next_offset" not in shown
    assert "never as instructions" in shown["notes"][0]


async def test_the_arguments_of_a_list_are_sent() -> None:
    api = answering(issue(), more=True)

    shown = await run(
        LIST, api, search="wallet", status="all", order="last_seen", date_from="2026-11-01", date_to="2026-11-10",
        limit=5, offset=10,
    )  # fmt: skip

    first, second = queries(api)
    assert first["dateRange"] == {"date_from": "2026-11-01T00:00:00+01:00", "date_to": "2026-11-11T00:00:00+01:00"}
    assert (first["searchQuery"], first["status"], first["orderBy"]) == ("wallet", "all", "last_seen")
    assert (first["limit"], first["offset"]) == (5, 10)
    assert second["values"]["before"] == "2026-10-22 00:00:00"
    assert shown["range"] == ["2026-11-01", "2026-11-10"]
    # PostHog can filter a page after it was cut, so the next one does not begin after the rows of this one.
    assert shown["next_offset"] == 15
    assert "without the words" in shown["notes"][1]


async def test_numbers_from_the_cache_are_compared_with_the_period_before_they_were_counted() -> None:
    def query(sent: Sent) -> Any:
        of_issues = sent.body and sent.body["query"]["kind"] == "ErrorTrackingQuery"
        kept = {"is_cached": True, "last_refresh": "2026-11-23T06:00:00Z", "results": [issue()]}
        return kept if of_issues else {"results": COURSES}

    api = FakeCall({f"POST {QUERY_PATH}": query}, project=BERLIN)

    shown = await run(LIST, api)

    assert queries(api)[1]["values"]["until"] == "2026-11-23 07:00:00"
    assert shown["range"] == ["2026-11-16", "2026-11-23 07:00"]
    assert shown["computed_at"] == "2026-11-23T06:00:00+00:00"


@pytest.mark.parametrize(
    ("before", "change"),
    [(30, {"vs_previous_percent": 33.3}), (29, {"vs_previous_percent": 37.9, "vs_previous_from": 29}),
     (0, {"vs_previous_from": 0})],
)  # fmt: skip
async def test_a_change_from_few_occurrences_has_what_it_is_from(before: int, change: dict[str, float]) -> None:
    shown = await run(LIST, answering(issue(), rows=[[ID, 40, before, None]]))

    (row,) = shown["errors"]
    assert {name: value for name, value in row.items() if name.startswith("vs_")} == change
    assert "release" not in row


async def test_without_errors_only_one_query_is_sent() -> None:
    api = answering()

    shown = await run(LIST, api, status="resolved")

    assert len(api.sent) == 1
    assert shown["errors"] == []
    assert shown["notes"] == ["No resolved errors with an exception in this range that match."]


async def test_a_range_that_ends_before_it_begins_is_rejected_unsent() -> None:
    api = answering()

    with pytest.raises(Refused, match="date_from"):
        await run(LIST, api, date_from="2026-11-10", date_to="2026-11-01")
    assert api.sent == []


async def test_long_texts_are_cut() -> None:
    shown = await run(LIST, answering(issue(description="x" * 400, name="y" * 400)))

    (row,) = shown["errors"]
    assert row["message"] == "x" * 300 + "… (400 characters)"
    assert len(row["name"]) < 330


async def test_an_issue_that_is_not_one_is_an_error_of_posthog() -> None:
    with pytest.raises(Failed, match="this kind of query"):
        await run(LIST, answering({"name": "no id"}))
    with pytest.raises(Failed, match="this kind of query"):
        await run(LIST, answering(issue(), rows=[[ID, "many", 1, None]]))


async def test_one_error_is_two_queries_and_its_recordings() -> None:
    api = answering(issue(), rows=PARTS, gets={RECORDINGS: answer("session_recording_list_page")})

    shown = await run(GET, api, error_id=ID.upper())

    first, second = queries(api)
    assert (first["issueId"], first["withFirstEvent"], first["limit"]) == (ID, True, 1)
    assert "status" not in first
    assert second["values"]["id"] == ID
    assert api.last.query == {
        "date_from": "2026-11-16T00:00:00+01:00",
        "events": [{
            "id": "$exception", "name": "$exception", "type": "events",
            "properties": [{"key": f"issue_id = toUUID('{ID}')", "type": "hogql"}],
        }],
        "limit": 5,
        "offset": 0,
    }  # fmt: skip
    assert len(api.sent) == 3
    assert shown["error"] == {
        "id": ID,
        "name": "TypeError",
        "message": "Cannot read properties of undefined",
        "status": "active",
        "library": "web",
    }
    assert (shown["occurrences"], shown["users"], shown["sessions"]) == (40, 9, 12)
    assert (shown["vs_previous_percent"], shown["vs_previous_from"]) == (100, 20)
    assert shown["first_event"] == {
        "at": "2026-11-17T10:00:00Z",
        "type": "TypeError",
        "message": "Cannot read properties of undefined",
        "handled": False,
        "stack": ["app.ts:12 render"],
    }
    assert shown["columns"] == ["value", "occurrences", "users"]
    assert shown["pages"] == [["/checkout", 30, 8]]
    assert shown["releases"] == [["abc", 25, 7]]
    assert shown["browsers"] == [["Safari", 40, 9]]
    assert [row["id"] for row in shown["recordings"]] == ["019c8795-79e3-7a05-ac56-597b102f1960"]
    assert not {"person", "distinct_id"} & shown["recordings"][0].keys()


def _frame(number: int, *, own: bool) -> dict[str, Any]:
    return {"filename": f"{number}.ts", "lineno": number, "function": f"f{number}", "in_app": own}


async def first_event(*exceptions: Any, **arguments: Any) -> Any:
    api = answering(issue(first_event=event(*exceptions), aggregations=counted(sessions=0)), rows=PARTS)
    return (await run(GET, api, error_id=ID, **arguments)).get("first_event")


async def test_a_stack_is_its_top_in_the_app() -> None:
    frames = [_frame(number, own=number % 2 == 0) for number in range(20)]
    shown = await first_event({"type": "E", "value": "x", "stacktrace": {"frames": frames}})
    assert shown["stack"] == [f"{number}.ts:{number} f{number}" for number in (18, 16, 14, 12, 10)]

    whole = await first_event({"type": "E", "stacktrace": {"frames": frames}}, full=True)
    assert len(whole["stack"]) == 20
    foreign = [_frame(number, own=False) for number in range(3)]
    assert (await first_event({"stacktrace": {"frames": foreign}}))["stack"] == ["2.ts:2 f2", "1.ts:1 f1", "0.ts:0 f0"]


async def test_causes_are_named_and_a_stack_is_found_in_them() -> None:
    shown = await first_event({"type": "A", "value": "a"}, {"type": "B", "value": "b", "stacktrace": {
        "frames": [{"source": "b.py", "line": 3}]}})  # fmt: skip
    assert shown == {
        "at": "2026-11-17T10:00:00Z",
        "type": "A",
        "message": "a",
        "stack": ["b.py:3"],
        "caused_by": ["B: b"],
    }


@pytest.mark.parametrize(
    "exceptions",
    [(), ("text",), (None, 1, []), ({},), ({"type": {}, "value": [], "stacktrace": "x"},),
     ({"stacktrace": {"frames": ["x", None]}},), ({"mechanism": [], "type": True},)],
)  # fmt: skip
async def test_an_event_of_another_form_has_no_stack(exceptions: tuple[Any, ...]) -> None:
    assert await first_event(*exceptions) is None or "stack" not in (await first_event(*exceptions))


@pytest.mark.parametrize("properties", [None, "", "{", "[]", 5, '{"$exception_list": "["}', "[" * 10_000])
async def test_properties_that_are_not_an_object_have_no_first_event(properties: Any) -> None:
    first = {"timestamp": None, "properties": properties}
    shown = await run(GET, answering(issue(first_event=first, aggregations=counted(sessions=0)), rows=[]), error_id=ID)
    assert "first_event" not in shown


async def test_an_error_without_an_exception_in_the_range_is_shown_as_stored() -> None:
    api = answering(gets={ISSUE: answer("error_tracking")})

    shown = await run(GET, api, error_id=ID)

    assert len(api.sent) == 2
    assert (shown["error"]["name"], shown["occurrences"]) == ("TypeError", 0)
    assert "Set `date_from` to an earlier date" in shown["notes"][0]


async def test_an_unknown_error_is_not_found() -> None:
    api = answering(gets={ISSUE: Rejected("not_found", "PostHog did not find this.")})
    with pytest.raises(Rejected, match="did not find"):
        await run(GET, api, error_id=ID)


async def test_without_access_to_recordings_the_rest_is_shown() -> None:
    api = answering(issue(), rows=PARTS, gets={RECORDINGS: Rejected("permission_denied", "Not allowed.")})

    shown = await run(GET, api, error_id=ID)

    assert "recordings" not in shown
    assert shown["notes"][-1] == "The recordings could not be read: Not allowed."


GROUPS_ONLY = Privacy(aggregate_only=True)


async def test_errors_of_few_users_are_left_out_where_only_groups_are_shown() -> None:
    few = issue(id=ID.replace("3", "5"), aggregations=counted(users=4))
    api = answering(few, issue())
    api.privacy = GROUPS_ONLY

    shown = await run(LIST, api)

    assert [row["id"] for row in shown["errors"]] == [ID]
    assert shown["notes"][-1] == "Errors that fewer than 5 users saw are left out: 1 (--aggregate-only)."


async def test_one_error_shows_nothing_of_single_persons_where_only_groups_are_shown() -> None:
    api = answering(issue(), rows=PARTS)
    api.privacy = GROUPS_ONLY
    shown = await run(GET, api, error_id=ID)
    assert "recordings" not in shown
    assert shown["first_event"] == {"type": "TypeError", "handled": False, "stack": ["app.ts:12 render"]}
    assert "users >= 5" in queries(api)[1]["query"]

    few = answering(issue(aggregations=counted(users=1)))
    few.privacy = GROUPS_ONLY
    shown = await run(GET, few, error_id=ID)
    assert shown["error"] == {"id": ID, "name": "TypeError", "status": "active"}
    assert not {"occurrences", "first_event", "pages"} & shown.keys()
    assert len(few.sent) == 1
