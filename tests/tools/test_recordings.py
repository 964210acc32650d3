from datetime import date
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from maton_posthog.gateway.budget import Budget
from maton_posthog.gateway.errors import Failed
from maton_posthog.gateway.projects import Project
from maton_posthog.schemas.recordings import ListRecordings
from maton_posthog.tools.recordings import OPERATIONS
from tests.oracle import accepting

from .posthog.fake import PROJECT_ID, FakeCall, answer, run

pytestmark = pytest.mark.anyio

LIST, GET = OPERATIONS
RECORDINGS = "/api/projects/{project_id}/session_recordings/"
RECORDING = RECORDINGS + "{recording_id}/"
ID = "019c8795-79e3-7a05-ac56-597b102f1960"
PERSON = "5d79eecb-93e6-5c8b-90f9-8510ba4040b8"
_SAYS = (
    "position(lower(concat(ifNull(toString(properties.$exception_types), ''), ' ', "
    "ifNull(toString(properties.$exception_values), ''))), lower('{}')) > 0"
)
BERLIN = Project(PROJECT_ID, "Default project", "Europe/Berlin")


async def test_list_shows_activity_and_next_offset() -> None:
    api = FakeCall({f"GET {RECORDINGS}": answer("session_recording_list_page")})
    shown = await run(LIST, api, limit=1, offset=2, person_id=PERSON, order="click_count")
    assert api.last.query == {
        "date_from": "-7d",
        "person_uuid": PERSON,
        "order": "click_count",
        "limit": 1,
        "offset": 2,
    }
    assert shown == {
        "recordings": [
            {
                "id": ID,
                "start_time": "2026-11-20T10:00:00.000000Z",
                "end_time": "2026-11-20T10:00:00.000000Z",
                "recording_duration": 1807,
                "active_seconds": 120,
                "click_count": 0,
                "keypress_count": 0,
                "console_error_count": 0,
                "start_url": "https://example.com/register",
                "distinct_id": "user-1",
                "viewed": False,
            }
        ],
        "date_from": "-7d",
        "next_offset": 3,
    }


async def test_filters_are_sent_in_posthogs_form() -> None:
    api = FakeCall({f"GET {RECORDINGS}": answer("session_recording_list_page")})
    on_pricing = {"key": "$current_url", "operator": "icontains", "value": "/pricing"}

    await run(
        LIST, api,
        events=["purchase", {"event": "*", "where": [on_pricing]}, {"action_id": 3}],
        properties=[on_pricing, {"type": "cohort", "value": 7}],
        error="any",
        min_duration_s=90,
    )  # fmt: skip

    sent = {**on_pricing, "type": "event"}
    assert {name: api.last.query[name] for name in ("events", "actions", "properties", "having_predicates")} == {
        "events": [
            {"id": "purchase", "name": "purchase", "type": "events"},
            {"id": None, "name": None, "type": "events", "properties": [sent]},
            {"id": "$exception", "name": "$exception", "type": "events"},
        ],
        "actions": [{"id": 3, "type": "actions"}],
        "properties": [sent, {"key": "id", "value": 7, "operator": "in", "type": "cohort"}],
        "having_predicates": [{"key": "duration", "type": "recording", "operator": "gte", "value": 90}],
    }


@pytest.mark.parametrize(
    ("error", "key"),
    [
        ("0190CCCC-0000-7000-8000-000000000003", "issue_id = toUUID('0190cccc-0000-7000-8000-000000000003')"),
        ("it's \\", _SAYS.format(r"it\'s \\")),
        ("x') OR 1=1 --", _SAYS.format(r"x\') OR 1=1 --")),
    ],
)
async def test_an_error_is_an_issue_or_its_words(error: str, key: str) -> None:
    api = FakeCall({f"GET {RECORDINGS}": answer("session_recording_list_page")})

    await run(LIST, api, error=error)

    assert api.last.query["events"][0]["properties"] == [{"key": key, "type": "hogql"}]


@pytest.mark.parametrize(
    "arguments",
    [
        {"error": " "},
        {"events": []},
        {"properties": [{"key": "plan"}]},
        {"min_duration_s": -1},
        {"events": [{"name": "x"}]},
    ],
)
def test_incomplete_filters_are_rejected(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ListRecordings.model_validate(arguments)


async def test_the_last_page_has_no_next_offset() -> None:
    page = "session_recording_list_page"
    for last in (answer(page, has_next=False), answer(page, results=[])):
        shown = await run(LIST, FakeCall({f"GET {RECORDINGS}": last}), distinct_id="user-1")
        assert "next_offset" not in shown


async def test_a_distinct_id_is_sent_as_a_list() -> None:
    api = FakeCall({f"GET {RECORDINGS}": answer("session_recording_list_page")})
    await run(LIST, api, distinct_id="user-1")
    assert api.last.query["distinct_ids"] == ["user-1"]


async def test_dates_cover_whole_days_in_the_projects_timezone() -> None:
    api = FakeCall({f"GET {RECORDINGS}": answer("session_recording_list_page")}, project=BERLIN)
    shown = await run(LIST, api, date_from="2026-02-20", date_to="2026-02-23")
    assert api.last.query["date_from"] == "2026-02-20T00:00:00+01:00"
    assert api.last.query["date_to"] == "2026-02-23T23:59:59.999999+01:00"
    assert (shown["date_from"], shown["date_to"]) == (api.last.query["date_from"], api.last.query["date_to"])


async def test_times_are_sent_as_given() -> None:
    api = FakeCall({f"GET {RECORDINGS}": answer("session_recording_list_page")}, project=BERLIN)
    await run(LIST, api, date_from="2026-02-20T08:00:00Z", date_to="2026-02-20T09:30")
    assert api.last.query["date_from"] == "2026-02-20T08:00:00+00:00"
    assert api.last.query["date_to"] == "2026-02-20T09:30:00+01:00"


@pytest.mark.parametrize(
    "relative", ["-24h", "-7d", "-2w", "-1m", "-1q", "-1y", "dStart", "-1dEnd", "mStart", "yStart"]
)
async def test_relative_dates_are_sent_unchanged(relative: str) -> None:
    api = FakeCall({f"GET {RECORDINGS}": answer("session_recording_list_page")})
    await run(LIST, api, date_from=relative, date_to=relative)
    assert api.last.query["date_from"] == api.last.query["date_to"] == relative


MISREAD = [
    "-7",
    "-30M",
    "week",
    "november",
    "01/02/2026",
    "tomorrow",
    "-1wStart",
    "yEnd",
    "all",
    " ",
    "20260223",
    "1700000000",
]
INVALID = ["2026-02-30", "2026-02-23T25:00", "2026-02-23T10", "2026-02-23T10:00+99:00", 1700000000, True]


@pytest.mark.parametrize("value", [*MISREAD, *INVALID])
def test_dates_that_posthog_would_misread_are_rejected(value: object) -> None:
    with pytest.raises(ValidationError, match="date_from"):
        ListRecordings.model_validate({"date_from": value})


@given(st.datetimes(timezones=st.none() | st.timezones(), allow_imaginary=False) | st.dates())
def test_iso_text_round_trips(value: Any) -> None:
    text = value.isoformat()
    try:
        read = ListRecordings.model_validate({"date_from": text}).date_from
    except ValidationError:
        assert text.count(":") > 3  # an offset with seconds, used before standard time
    else:
        assert isinstance(read, date)
        assert read.isoformat() == text


@accepting(20, ValidationError)
@given(st.text(max_size=8) | st.from_regex(r"-[1-9][0-9]?[hdwmy]", fullmatch=True))
def test_other_text_is_rejected(text: str) -> None:
    assume(text)  # an empty text means absent
    read = ListRecordings.model_validate({"date_from": text}).date_from
    assert isinstance(read, str)
    assert text[0] == "-" or text.endswith(("Start", "End"))


async def test_person_id_and_distinct_id_together_are_rejected() -> None:
    with pytest.raises(ValidationError, match="not both"):
        ListRecordings.model_validate({"person_id": PERSON, "distinct_id": "d"})


async def test_get_shows_the_person_and_full_adds_the_rest() -> None:
    api = FakeCall({f"GET {RECORDING}": answer("session_recording")})
    shown = await run(GET, api, recording_id=ID)
    assert api.last.path == f"/api/projects/{PROJECT_ID}/session_recordings/{ID}/"
    assert shown["person"] == {"uuid": PERSON, "name": "user@example.com"}
    assert (shown["inactive_seconds"], shown["activity_score"]) == (1687, 3.2)
    full = await run(GET, api, recording_id=ID, full=True)
    assert full["person"]["properties"] == {"email": "user@example.com"}


@pytest.mark.parametrize("recording_id", ["../persons", "a/b", "..", "a b", "%2e%2e", "x?y"])
async def test_an_id_cannot_escape_its_path_segment(recording_id: str) -> None:
    api = FakeCall({})
    with pytest.raises(ValidationError):
        await run(GET, api, recording_id=recording_id)
    assert api.sent == []


async def test_a_response_of_another_shape_is_an_upstream_error() -> None:
    with pytest.raises(Failed, match="does not match"):
        await run(LIST, FakeCall({f"GET {RECORDINGS}": {"error": "x"}}))


def test_recordings_use_the_analytics_budget() -> None:
    assert {operation.budget for operation in OPERATIONS} == {Budget.ANALYTICS}


@pytest.mark.parametrize("field", [name for name in answer("session_recording") if name != "id"])
async def test_older_servers_can_omit_any_field_but_the_id(field: str) -> None:
    old = {name: value for name, value in answer("session_recording").items() if name != field}
    api = FakeCall({f"GET {RECORDING}": old, f"GET {RECORDINGS}": {"results": [old]}})
    assert (await run(GET, api, recording_id=ID))["id"] == ID
    assert len((await run(LIST, api))["recordings"]) == 1
