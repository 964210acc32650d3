"""Changes of stored objects: what is sent, what the answer says, and what is left alone."""

import json
from typing import Any

import pytest

from maton_posthog.gateway.approval import Aim, Approve, Proposal, approved
from maton_posthog.gateway.errors import Failed, Refused, Rejected
from maton_posthog.tools.operation import Operation
from maton_posthog.tools.operations import OPERATIONS

from ..posthog.fake import FakeCall, Sent, answer, page, run, unmarked

pytestmark = pytest.mark.anyio

TOOLS = {operation.name: operation for operation in OPERATIONS}
PROJECT = "/api/projects/{project_id}/"
SURVEY = "0190bbbb-0000-7000-8000-000000000002"
UPDATES: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "update_flag": ("feature_flags", "feature_flag", {"flag": 42}, {"name": "New"}),
    "update_cohort": ("cohorts", "cohort", {"cohort_id": 7}, {"name": "New"}),
    "update_action": ("actions", "action", {"action_id": 3}, {"name": "New"}),
    "update_annotation": ("annotations", "annotation", {"annotation_id": 5}, {"content": "New"}),
    "update_insight": ("insights", "insight", {"insight_id": 31}, {"name": "New"}),
    "update_dashboard": ("dashboards", "dashboard_retrieve", {"dashboard_id": 9}, {"name": "New"}),
    "update_survey": ("surveys", "survey", {"survey_id": SURVEY}, {"name": "New"}),
    "update_experiment": ("experiments", "experiment", {"experiment_id": 11}, {"name": "New"}),
}
"""Path, stored object, target and change of each update tool."""
EVERY_UPDATE = pytest.mark.parametrize("tool", UPDATES)


def posthog(tool: str, *, approve: Approve = approved, **side_effects: Any) -> tuple[FakeCall, dict[str, Any]]:
    """Return a PostHog with one object, which stores what is sent and changes some other fields with it."""
    resource, name, _, _ = UPDATES[tool]
    stored = answer(name)

    def store(sent: Sent) -> Any:
        body = unmarked(sent.body or {})
        stored.update({key: value for key, value in body.items() if key in stored}, **side_effects)
        return dict(stored)

    one = f"{PROJECT}{resource}/{{id}}/"
    return FakeCall({f"GET {one}": lambda _: dict(stored), f"PATCH {one}": store}, approve=approve), stored


def operation(tool: str) -> Operation[Any]:
    return TOOLS[tool]


def bodies(api: FakeCall) -> list[dict[str, Any]]:
    return [sent.body or {} for sent in api.sent if sent.method != "GET"]


def test_every_update_tool_is_tested_here() -> None:
    assert UPDATES.keys() == {name for name in TOOLS if name.startswith("update_")}


@EVERY_UPDATE
async def test_an_update_reads_first_and_sends_only_what_differs(tool: str) -> None:
    api, _ = posthog(tool)
    _, name, target, change = UPDATES[tool]
    (field, value), *_ = change.items()
    before = answer(name)[field]
    shown = await run(operation(tool), api, **target, **change)
    assert [sent.method for sent in api.sent] == ["GET", "PATCH"]
    assert bodies(api)[0].keys() - {"version", "original_flag"} == {field}
    assert shown["changed"] == {field: {"before": before, "after": value}}
    assert "also_changed" not in shown


@EVERY_UPDATE
async def test_a_change_that_is_stored_already_sends_nothing(tool: str) -> None:
    api, _ = posthog(tool)
    _, name, target, change = UPDATES[tool]
    (field,) = change
    shown = await run(operation(tool), api, **target, **{field: answer(name)[field]})
    assert bodies(api) == []
    assert shown["changed"] == {}
    assert "nothing was sent" in shown["note"]


@EVERY_UPDATE
async def test_the_undo_of_an_update_brings_back_what_was_there(tool: str) -> None:
    api, stored = posthog(tool)
    _, name, target, change = UPDATES[tool]
    shown = await run(operation(tool), api, **target, **change)
    assert shown["undo"]["tool"] == tool
    await run(operation(tool), api, **shown["undo"]["arguments"])
    assert stored == answer(name)


@EVERY_UPDATE
async def test_what_posthog_changes_with_it_is_said(tool: str) -> None:
    api, _ = posthog(tool, created_at="2020-01-01T00:00:00Z", updated_at="2026-11-23T00:00:00Z")
    shown = await run(operation(tool), api, **UPDATES[tool][2], **UPDATES[tool][3])
    assert list(shown["also_changed"]) == ["created_at"]
    assert shown["also_changed"]["created_at"]["after"].startswith("2020-01-01")


@EVERY_UPDATE
async def test_a_response_with_another_object_is_no_success(tool: str) -> None:
    api, _ = posthog(tool, id=99)
    with pytest.raises(Failed, match="another object") as caught:
        await run(operation(tool), api, **UPDATES[tool][2], **UPDATES[tool][3])
    assert caught.value.outcome == "unknown"


@EVERY_UPDATE
@pytest.mark.parametrize("identifiers", [{"id": 99, "key": "other", "short_id": "other"}, {"id": "../42"}], ids=str)
async def test_only_the_object_that_was_asked_for_is_changed(tool: str, identifiers: dict[str, Any]) -> None:
    api, stored = posthog(tool)
    stored.update({name: value for name, value in identifiers.items() if name in stored})
    with pytest.raises(Failed):
        await run(operation(tool), api, **UPDATES[tool][2], **UPDATES[tool][3])
    assert bodies(api) == []


@EVERY_UPDATE
async def test_a_field_that_posthog_ignores_is_no_success(tool: str) -> None:
    _, name, target, change = UPDATES[tool]
    (field,) = change
    api, _ = posthog(tool, **{field: answer(name)[field]})
    with pytest.raises(Failed, match=f"did not store `{field}`"):
        await run(operation(tool), api, **target, **change)


@EVERY_UPDATE
async def test_a_dry_run_of_an_update_shows_the_difference_and_only_reads(tool: str) -> None:
    api, _ = posthog(tool)
    _, name, target, change = UPDATES[tool]
    (field, value), *_ = change.items()
    shown = await run(operation(tool), api, **target, **change, dry_run=True)
    assert bodies(api) == []
    assert shown["dry_run"] is True
    assert shown["would_send"] == change
    assert shown["would_change"] == {field: {"before": answer(name)[field], "after": value}}


@EVERY_UPDATE
async def test_an_object_that_changed_while_a_person_looked_is_left_alone(tool: str) -> None:
    async def slow(_: Proposal, __: Aim) -> float:
        stored["description" if "description" in stored else "created_at"] = "changed in the meantime"
        return 5.0

    api, stored = posthog(tool, approve=slow)
    with pytest.raises(Refused) as caught:
        await run(operation(tool), api, **UPDATES[tool][2], **UPDATES[tool][3])
    assert caught.value.code == "conflict"
    assert bodies(api) == []


async def test_the_time_of_a_person_does_not_count_towards_the_deadline() -> None:
    async def slow(_: Proposal, __: Aim) -> float:
        return 600.0

    api, _ = posthog("update_flag", approve=slow)
    api.end_in(30)
    await run(operation("update_flag"), api, flag=42, name="New")
    assert api.left_s > 500


PAYLOADS = {"a": "1", "b": "2"}
VARIANTS = [{"key": "a", "rollout_percentage": 50, "name": "A"}, {"key": "b", "rollout_percentage": 50}]
STAFF = {"properties": [{"key": "email", "type": "person", "value": "@acme"}], "rollout_percentage": 100}
FILTERS: dict[str, Any] = {
    "groups": [STAFF, {"properties": [], "rollout_percentage": 20, "variant": "b"}],
    "multivariate": {"variants": VARIANTS},
    "payloads": PAYLOADS,
    "super_groups": [{"properties": []}],
    "aggregation_group_type_index": None,
}


def flags(**changes: Any) -> tuple[FakeCall, dict[str, Any]]:
    api, stored = posthog("update_flag")
    stored.update(filters=json.loads(json.dumps(FILTERS)), **changes)
    return api, stored


EDITS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"rollout_percentage": 60}, {"groups": [STAFF, {**FILTERS["groups"][1], "rollout_percentage": 60}]}),
    (
        {"rollout_percentage": 60, "condition": 1},
        {"groups": [{**STAFF, "rollout_percentage": 60}, FILTERS["groups"][1]]},
    ),
    ({"conditions": [{"condition": 1, "remove": True}]}, {"groups": FILTERS["groups"][1:]}),
    (
        {"conditions": [{"condition": 2, "variant": None}, {"rollout_percentage": 5}]},
        {
            "groups": [
                STAFF,
                {"properties": [], "rollout_percentage": 20},
                {"properties": [], "rollout_percentage": 5},
            ]
        },
    ),
    (
        {"variants": [{"key": "a", "rollout_percentage": 70}, {"key": "b", "rollout_percentage": 30}]},
        {
            "multivariate": {
                "variants": [{**VARIANTS[0], "rollout_percentage": 70}, {**VARIANTS[1], "rollout_percentage": 30}]
            }
        },
    ),
    (
        {"variants": [{"key": "a", "rollout_percentage": 100}], "remove_variants": ["b"]},
        {"multivariate": {"variants": [{**VARIANTS[0], "rollout_percentage": 100}]}, "payloads": {"a": "1"}},
    ),
    ({"payloads": {"a": "9"}}, {"payloads": {"a": "9", "b": "2"}}),
    ({"payloads": {"a": None}}, {"payloads": {"b": "2"}}),
    (
        {"serve_variant": "a"},
        {
            "groups": [{"properties": [], "rollout_percentage": 100}, *FILTERS["groups"]],
            "multivariate": {
                "variants": [{**VARIANTS[0], "rollout_percentage": 100}, {**VARIANTS[1], "rollout_percentage": 0}]
            },
        },
    ),
]


@pytest.mark.parametrize(("arguments", "changed"), EDITS, ids=lambda value: json.dumps(value)[:60])
async def test_an_edit_of_a_flag_keeps_all_that_it_does_not_name_and_can_be_undone(
    arguments: dict[str, Any], changed: dict[str, Any]
) -> None:
    api, stored = flags()
    shown = await run(operation("update_flag"), api, flag=42, **arguments)
    assert stored["filters"] == {**FILTERS, **changed}
    await run(operation("update_flag"), api, **shown["undo"]["arguments"])
    assert stored["filters"] == FILTERS


REJECTED: list[tuple[dict[str, Any], str]] = [
    ({"rollout_percentage": 60, "condition": 3}, "no number 3"),
    ({"conditions": [{"condition": 3, "rollout_percentage": 1}]}, "no number 3"),
    ({"conditions": [{"condition": 1, "remove": True}, {"condition": 2, "remove": True}]}, "no release condition"),
    ({"variants": [{"key": "c", "rollout_percentage": 10}]}, r"a 50, b 50, c 10"),
    ({"remove_variants": ["c"]}, "no variant c"),
    ({"payloads": {"c": "1"}}, "c is no value of this flag"),
    ({"serve_variant": "c"}, "no variant c"),
]


@pytest.mark.parametrize(("arguments", "message"), REJECTED, ids=lambda value: str(value)[:60])
async def test_an_edit_that_does_not_fit_the_flag_is_rejected(arguments: dict[str, Any], message: str) -> None:
    api, _ = flags()
    with pytest.raises(Refused, match=message):
        await run(operation("update_flag"), api, flag=42, **arguments)
    assert bodies(api) == []


async def test_an_undo_that_would_not_bring_everything_back_is_not_offered() -> None:
    api, stored = posthog("update_cohort")
    stored["name"] = ""  # the tool takes no empty name
    shown = await run(operation("update_cohort"), api, cohort_id=7, name="A", description="B")
    assert "impossible" in shown["undo"]


async def test_flag_id_is_the_former_name_of_flag() -> None:
    api, _ = flags()
    shown = await run(operation("update_flag"), api, flag_id="42", name="New")
    assert shown["changed"]["name"]["after"] == "New"


async def test_a_flag_to_change_can_be_named_by_its_key() -> None:
    api, stored = flags()
    api.respond({f"GET {PROJECT}feature_flags/": page(stored)})
    await run(operation("delete_flag"), api, flag="my-feature-flag", dry_run=True)
    await run(operation("update_flag"), api, flag="my-feature-flag", active=False)
    assert stored["active"] is False


async def test_the_flag_of_a_survey_is_changed_only_by_its_key() -> None:
    api, stored = flags(key="survey-targeting-x")
    with pytest.raises(Refused, match="decides who sees a survey"):
        await run(operation("update_flag"), api, flag=42, active=False)
    of_survey = page({"targeting_flag": {"id": 42, "key": "survey-targeting-x"}})
    api.respond({f"GET {PROJECT}feature_flags/": page(), f"GET {PROJECT}surveys/": of_survey})
    await run(operation("update_flag"), api, flag="survey-targeting-x", active=False)
    assert stored["active"] is False


QUESTIONS = [
    {"id": "q1", "type": "open", "question": "Why?", "translations": {"de": "Warum?"}},
    {"id": "q2", "type": "rating", "question": "How?", "display": "number", "scale": 10},
]


async def test_questions_keep_their_ids_and_all_that_is_not_named() -> None:
    api, stored = posthog("update_survey")
    stored["questions"] = json.loads(json.dumps(QUESTIONS))
    given = [{"id": "q1", "type": "open", "question": "Why not?"}, {"type": "open", "question": "Else?"}]
    shown = await run(operation("update_survey"), api, survey_id=SURVEY, questions=given)
    first, second = QUESTIONS
    assert stored["questions"] == [{**first, "question": "Why not?"}, second, {"type": "open", "question": "Else?"}]
    assert shown["undo"] == {"impossible": "No single call brings it back; `changed` shows what was stored before."}
    await run(operation("update_survey"), api, survey_id=SURVEY, remove_questions=["q1"])
    assert [question["question"] for question in stored["questions"]] == ["How?", "Else?"]
    stored["questions"] = [first]
    with pytest.raises(Refused, match="no question would be left"):
        await run(operation("update_survey"), api, survey_id=SURVEY, remove_questions=["q1"])


async def test_a_question_without_an_id_is_the_stored_one_with_its_text() -> None:
    api, stored = posthog("update_survey")
    stored["questions"] = json.loads(json.dumps(QUESTIONS))
    given = [{"type": "open", "question": "Why?", "optional": True}]
    await run(operation("update_survey"), api, survey_id=SURVEY, questions=given)
    assert stored["questions"] == [{**QUESTIONS[0], "optional": True}, QUESTIONS[1]]


async def test_metrics_are_merged_by_uuid() -> None:
    api, stored = posthog("update_experiment")
    stored["metrics"] = [{"uuid": "m1", "name": "A"}, {"uuid": "m2", "name": "B"}]
    views = {"kind": "EventsNode", "event": "$pageview"}
    change = [{"uuid": "m2", "goal": "increase"}, {"uuid": "m3", "metric_type": "mean", "source": views}]
    shown = await run(operation("update_experiment"), api, experiment_id=11, metrics=change)
    assert [metric["uuid"] for metric in stored["metrics"]] == ["m1", "m2", "m3"]
    assert stored["metrics"][1] == {"uuid": "m2", "name": "B", "goal": "increase"}
    assert shown["changed"]["metrics"]
    await run(operation("update_experiment"), api, experiment_id=11, remove_metrics=["m1", "m3"])
    assert [metric["uuid"] for metric in stored["metrics"]] == ["m2"]


@pytest.mark.parametrize("tool", [name for name in UPDATES if "remove_tags" in TOOLS[name].input.model_fields])
async def test_tags_are_added_and_removed_and_others_stay(tool: str) -> None:
    api, stored = posthog(tool)
    stored["tags"] = ["kept", "old"]
    shown = await run(operation(tool), api, **UPDATES[tool][2], tags=["new"], remove_tags=["old"])
    assert stored["tags"] == ["kept", "new"]
    await run(operation(tool), api, **shown["undo"]["arguments"])
    assert sorted(stored["tags"]) == ["kept", "old"]


@pytest.mark.parametrize("name", ["add_to_dashboards", "dashboards"])
async def test_an_insight_stays_on_dashboards_that_are_not_named(name: str) -> None:
    api, stored = posthog("update_insight")
    stored["dashboards"] = [1, 2]
    update = operation("update_insight")
    shown = await run(update, api, insight_id=31, **{name: [3]}, remove_from_dashboards=[1])
    assert stored["dashboards"] == [2, 3]
    await run(update, api, **shown["undo"]["arguments"])
    assert sorted(stored["dashboards"]) == [1, 2]


FUTURE = "2026-11-23T18:00:00Z"
"""Some hours after the clock of the fake gateway."""


@pytest.mark.parametrize("field", ["start_date", "end_date"])
@pytest.mark.parametrize("tool", ["update_survey", "update_experiment"])
async def test_a_date_in_the_future_is_rejected_because_it_would_count_at_once(tool: str, field: str) -> None:
    api, stored = posthog(tool)
    for value in (FUTURE, "2026-11-24", "2027-01-01T00:00:00+14:00"):
        with pytest.raises(Refused, match=f"`{field}`: .* is in the future"):
            await run(operation(tool), api, **UPDATES[tool][2], **{field: value})
    assert bodies(api) == []
    shown = await run(operation(tool), api, **UPDATES[tool][2], **{field: "now"})
    assert stored[field] == "2026-11-23T12:30:00+00:00"
    await run(operation(tool), api, **shown["undo"]["arguments"])
    assert stored[field] == answer(UPDATES[tool][1])[field]


async def test_a_new_survey_does_not_start_in_the_future() -> None:
    questions = [{"type": "open", "question": "Why?"}]
    arguments = {"name": "x", "type": "api", "questions": questions, "start_date": FUTURE}
    api = FakeCall({})
    with pytest.raises(Refused, match="in the future"):
        await run(operation("create_survey"), api, **arguments)
    assert api.sent == []


RUNNING = answer("experiment", start_date="2026-11-01T00:00:00Z", end_date=None)
ENDED = answer("experiment", start_date="2026-11-01T00:00:00Z", end_date="2026-11-10T00:00:00Z")
EXPERIMENTS: list[tuple[Any, str]] = [
    (RUNNING, "running experiment"),
    (ENDED, ""),
    (Rejected("not_found", "gone"), ""),
    (Rejected("permission_denied", "no scope"), "not all of them could be read"),
]


@pytest.mark.parametrize(("found", "reason"), EXPERIMENTS, ids=["running", "ended", "deleted", "unreadable"])
async def test_a_flag_of_an_experiment_is_changed_whatever_can_be_read_of_it(found: Any, reason: str) -> None:
    api, stored = posthog("update_flag")
    stored["experiment_set"] = [11]
    api.respond({f"GET {PROJECT}experiments/{{id}}/": found})
    shown = await run(operation("update_flag"), api, flag=42, name="New", dry_run=True)
    asks = " ".join(shown.get("asks_first", ()))
    assert (reason in asks) if reason else asks == ""
    await run(operation("update_flag"), api, flag=42, name="New")
    assert stored["name"] == "New"
