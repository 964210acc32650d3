from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from maton_posthog.gateway.errors import Failed, Refused
from maton_posthog.gateway.projects import Project
from maton_posthog.schemas.surveys.objects import CreateSurvey, Question, UpdateSurvey
from maton_posthog.tools.surveys.operations import OPERATIONS

from ..posthog.fake import PROJECT_ID, FakeCall, Sent, answer, marked, page, run

pytestmark = pytest.mark.anyio

LIST, CREATE, GET, UPDATE = OPERATIONS
SURVEYS = "/api/projects/{project_id}/surveys/"
SURVEY = SURVEYS + "{survey_id}/"
ID = "0190bbbb-0000-7000-8000-000000000002"
ONE = f"/api/projects/{PROJECT_ID}/surveys/{ID}/"
NPS = {"type": "rating", "question": "How likely are you to recommend us?"}
BERLIN = Project(PROJECT_ID, "Default project", "Europe/Berlin")


def survey(**changes: Any) -> dict[str, Any]:
    return answer("survey", **changes)


def stored(sent: Sent) -> dict[str, Any]:
    return survey(**(sent.body or {}))


@pytest.mark.parametrize(
    ("start", "end", "status"),
    [(None, None, "draft"), ("2026-01-01T00:00:00Z", None, "running"), ("2026-01-01", "2026-02-01", "complete")],
)
async def test_list_derives_the_status_from_the_dates(start: str | None, end: str | None, status: str) -> None:
    api = FakeCall({f"GET {SURVEYS}": page(survey(start_date=start, end_date=end))})
    shown = await run(LIST, api, search="nps", archived=False)
    assert api.last.query == {"search": "nps", "archived": False, "limit": 20, "offset": 0}
    dates = {name: value for name, value in (("start_date", start), ("end_date", end)) if value}
    assert shown["surveys"] == [
        {
            "id": ID,
            "name": "NPS Survey",
            "type": "popover",
            **dates,
            "archived": False,
            "created_at": "2026-11-20T10:00:00.000000Z",
            "status": status,
        }
    ]


async def test_a_rating_scale_defaults_to_0_to_10_and_the_survey_to_a_draft() -> None:
    api = FakeCall({f"POST {SURVEYS}": stored})
    shown = await run(CREATE, api, name="NPS Survey", type="popover", questions=[NPS])
    assert api.last.body == {
        "name": "NPS Survey",
        "type": "popover",
        "questions": [{**NPS, "display": "number", "scale": 10}],
    }
    assert shown["status"] == "draft"
    assert "update_survey sets start_date" in shown["note"]


async def test_a_start_date_launches_the_survey() -> None:
    api = FakeCall({f"POST {SURVEYS}": stored}, project=BERLIN)
    shown = await run(CREATE, api, name="x", type="api", questions=[NPS], start_date="2026-02-23")
    assert api.last.body is not None
    assert api.last.body["start_date"] == "2026-02-23T00:00:00+01:00"
    assert shown["status"] == "running"
    assert "midnight in the project's timezone" in shown["note"]


DRAWN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"type": "rating", "display": "emoji"}, {"display": "emoji", "scale": 5}),
    ({"type": "rating", "display": "emoji", "scale": 3}, {"display": "emoji", "scale": 3}),
    ({"type": "rating", "display": "emoji", "scale": 2}, {"display": "emoji", "scale": 2}),
    ({"type": "rating", "scale": 7}, {"display": "number", "scale": 7}),
    ({"type": "open"}, {}),
    ({"type": "link", "link": "mailto:a@b.c"}, {}),
    ({"type": "single_choice", "choices": ["a", "b"], "hasOpenChoice": True}, {}),
    ({"type": "open", "id": "q", "branching": {"type": "end"}, "buttonText": "Go"}, {}),
    ({"type": "open", "translations": {"de": {"question": "Warum?"}}}, {}),
]


@pytest.mark.parametrize(("question", "added"), DRAWN)
def test_a_question_is_completed_so_that_it_can_be_drawn(question: dict[str, Any], added: dict[str, Any]) -> None:
    given_question = {"question": "Why?", **question}
    assert Question.model_validate(given_question).as_json() == given_question | added


REJECTED: list[tuple[dict[str, Any], str]] = [
    ({"type": "rating", "scale": 4}, "10"),
    ({"type": "rating", "scale": 3}, "`scale` must be 5, 7 or 10 with display number"),
    ({"type": "rating", "display": "emoji", "scale": 10}, "`scale` must be 2, 3 or 5 with display emoji"),
    ({"type": "open", "choices": ["a", "b"]}, "`choices` is only valid with"),
    ({"type": "open", "scale": 10}, "`scale` is only valid with type rating"),
    ({"type": "single_choice"}, "needs 2 to 20 `choices`"),
    ({"type": "multiple_choice", "choices": ["a"]}, "needs 2 to 20 `choices`"),
    ({"type": "multiple_choice", "choices": ["a", " "]}, "needs 2 to 20 `choices`"),
    ({"type": "link", "link": "javascript:alert(1)"}, "https"),
    ({"type": "link", "link": "http://x"}, "https"),
    ({"type": "nps"}, "rating"),
    ({"type": "open", "question": ""}, "at least 1"),
    ({"type": "open", "question": " "}, "the text of `question` is empty"),
    ({"type": "open", "button": "x"}, "Extra inputs"),
]


@pytest.mark.parametrize(("question", "message"), REJECTED)
def test_a_question_that_posthog_would_draw_incorrectly_is_rejected(question: dict[str, Any], message: str) -> None:
    arguments = {"name": "x", "type": "popover", "questions": [{"question": "Why?", **question}]}
    with pytest.raises(ValidationError, match=message):
        CreateSurvey.model_validate(arguments)


@given(st.lists(st.text(max_size=3), max_size=25))
def test_choices_are_valid_if_and_only_if_posthog_can_show_them(choices: list[str]) -> None:
    question = {"type": "single_choice", "question": "Which?", "choices": choices}
    if 2 <= len(choices) <= 20 and all(choice.strip() for choice in choices):
        assert Question.model_validate(question).as_json() == question
    else:
        with pytest.raises(ValidationError, match="needs 2 to 20 `choices`"):
            Question.model_validate(question)


async def test_questions_from_get_can_be_sent_back() -> None:
    api = FakeCall({f"GET {SURVEY}": survey(), f"PATCH {SURVEY}": stored})
    questions = (await run(GET, api, survey_id=ID))["questions"]
    await run(UPDATE, api, survey_id=ID, questions=[{**questions[0], "question": "New?"}])
    first, *others = marked(survey()["questions"])
    assert api.last.body == {"questions": [{**first, "question": "New?"}, *others]}


async def test_get_shows_linked_flags_and_full_shows_all_fields() -> None:
    flag: dict[str, Any] = {"id": 42, "key": "beta", "active": True, "filters": {}}
    api = FakeCall({f"GET {SURVEY}": survey(linked_flag=flag)})
    shown = await run(GET, api, survey_id=ID)
    assert api.last == Sent("GET", ONE)
    assert shown["linked_flag"] == {"id": 42, "key": "beta", "active": True}
    assert "iteration_start_dates" in await run(GET, api, survey_id=ID, full=True)


async def test_update_launches_stops_and_archives() -> None:
    api = FakeCall({f"GET {SURVEY}": survey(start_date=None), f"PATCH {SURVEY}": stored}, project=BERLIN)
    shown = await run(UPDATE, api, survey_id=ID, start_date="2026-02-23")
    assert api.last == Sent("PATCH", ONE, {}, {"start_date": "2026-02-23T00:00:00+01:00"})
    assert shown["status"] == "running"
    await run(UPDATE, api, survey_id=ID, end_date="2026-02-24T00:00:00Z")
    assert api.last.body == {"end_date": "2026-02-24T00:00:00+00:00"}
    archived = await run(UPDATE, api, survey_id=ID, archived=True)
    assert api.last.body == {"archived": True}
    assert archived["archived"] is True
    assert "note" not in archived


def test_no_tool_deletes_a_survey_and_an_update_without_changes_is_rejected() -> None:
    assert [operation.name for operation in OPERATIONS if "delete" in operation.name] == []
    with pytest.raises(ValidationError, match="nothing to change"):
        UpdateSurvey.model_validate({"survey_id": ID})
    with pytest.raises(ValidationError, match="Extra inputs"):
        UpdateSurvey.model_validate({"survey_id": ID, "deleted": True})


@pytest.mark.parametrize("field", [name for name in survey() if name != "id"])
async def test_older_servers_can_omit_any_field_but_the_id(field: str) -> None:
    old = {name: value for name, value in survey().items() if name != field}
    api = FakeCall({f"GET {SURVEY}": old, f"GET {SURVEYS}": page(old)})
    assert (await run(GET, api, survey_id=ID))["id"] == ID
    assert len((await run(LIST, api))["surveys"]) == 1


async def test_an_update_of_appearance_or_conditions_keeps_unnamed_fields() -> None:
    look = {"backgroundColor": "#fff", "thankYouMessageHeader": "Thanks", "position": "left"}
    when = {"url": "/pricing", "events": {"values": ["seen"], "repeatedActivation": True}}
    before = {"appearance": look, "conditions": when}
    api = FakeCall(
        {f"GET {SURVEY}": survey(**before), f"PATCH {SURVEY}": lambda sent: survey(**before | (sent.body or {}))}
    )
    await run(UPDATE, api, survey_id=ID, appearance={"position": "right", "thankYouMessageHeader": None})
    assert api.last.body == {"appearance": {"backgroundColor": "#fff", "position": "right"}}
    await run(UPDATE, api, survey_id=ID, conditions={"events": {"values": []}})
    assert api.last.body == {"conditions": {**when, "events": {"values": [], "repeatedActivation": True}}}


async def test_a_survey_that_cannot_be_read_is_not_changed() -> None:
    api = FakeCall({f"GET {SURVEY}": [], f"PATCH {SURVEY}": stored})
    with pytest.raises(Failed):
        await run(UPDATE, api, survey_id=ID, appearance={"position": "right"})
    assert [sent.method for sent in api.sent] == ["GET"]


RECURRING = {"schedule": "recurring", "iteration_count": 4, "iteration_frequency_days": 30}


async def test_a_schedule_and_translations_are_set() -> None:
    api = FakeCall({f"POST {SURVEYS}": stored})
    german = {"de": {"name": "Umfrage"}}
    await run(CREATE, api, name="x", type="popover", questions=[NPS], translations=german, **RECURRING)
    assert api.last.body is not None
    assert {name: api.last.body[name] for name in (*RECURRING, "translations")} == {**RECURRING, "translations": german}


async def test_translations_are_merged_by_language() -> None:
    both = {"de": {"name": "Umfrage"}, "fr": {"name": "Sondage"}}
    api = FakeCall({f"GET {SURVEY}": survey(translations=both), f"PATCH {SURVEY}": stored})
    await run(UPDATE, api, survey_id=ID, translations={"de": None, "it": {"name": "Sondaggio"}})
    assert api.last.body == {"translations": {"fr": {"name": "Sondage"}, "it": {"name": "Sondaggio"}}}


@pytest.mark.parametrize(
    ("before", "given", "sent"),
    [
        ({"schedule": "once"}, RECURRING, RECURRING),
        (RECURRING, {"iteration_count": 5}, {"iteration_count": 5}),
        (RECURRING, {"schedule": "once"}, {"schedule": "once", "iteration_count": 0, "iteration_frequency_days": 0}),
        ({"schedule": "once", "iteration_count": None}, {"schedule": "always"}, {"schedule": "always"}),
    ],
)
async def test_a_schedule_changes_whole(before: dict[str, Any], given: dict[str, Any], sent: dict[str, Any]) -> None:
    api = FakeCall(
        {f"GET {SURVEY}": survey(**before), f"PATCH {SURVEY}": lambda one: survey(**before | (one.body or {}))}
    )
    shown = await run(UPDATE, api, survey_id=ID, **given)
    assert api.last.body == sent
    undo = {name: value for name, value in shown["undo"]["arguments"].items() if name in RECURRING}
    assert undo == {name: before[name] for name in undo}
    assert undo.keys() >= given.keys() & before.keys()


@pytest.mark.parametrize(
    ("before", "given", "problem"),
    [
        ({"schedule": "once"}, {"schedule": "recurring"}, "recurring needs `iteration_count`"),
        ({"schedule": "once"}, {"iteration_count": 2}, "need `schedule` recurring"),
        (RECURRING, {"schedule": "always", "iteration_count": 2}, "need `schedule` recurring"),
    ],
)
async def test_a_schedule_that_would_not_repeat_as_it_says_is_rejected(
    before: dict[str, Any], given: dict[str, Any], problem: str
) -> None:
    api = FakeCall({f"GET {SURVEY}": survey(**before)})
    with pytest.raises(Refused, match=problem):
        await run(UPDATE, api, survey_id=ID, **given)
    if "iteration_count" not in before:
        with pytest.raises(ValidationError, match=problem):
            CreateSurvey.model_validate({"name": "x", "type": "api", "questions": [NPS], **given})
