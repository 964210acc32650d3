"""Surveys: drafts and launches, their flags, deletion, and statistics."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import UUID

import pytest

from posthog_sandbox.api.flags.resource import FLAGS
from posthog_sandbox.api.surveys.resource import ROUTES
from posthog_sandbox.dataset.product import SURVEY_ID
from posthog_sandbox.http.resource import routes
from posthog_sandbox.storage.engine import Engine

from ..shared_data import open_shared
from .resource_calls import Resources

pytestmark = pytest.mark.anyio

NPS: dict[str, Any] = {
    "type": "rating",
    "question": "How likely are you to recommend us?",
    "display": "number",
    "scale": 10,
}
STARTED = "2026-11-20T00:00:00Z"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(10_000) as opened:
        yield opened


@pytest.fixture
def api(engine: Engine) -> Iterator[Resources]:
    with closing(Resources((*ROUTES, *routes(FLAGS)), engine)) as opened:
        yield opened


async def make(api: Resources, name: str = "NPS", **body: Any) -> dict[str, Any]:
    """Create a survey, a draft unless the body starts it."""
    return await api.make("surveys/", name=name, type="popover", questions=[NPS], **body)


async def flag_of(api: Resources, survey: dict[str, Any], name: str = "internal_targeting_flag") -> dict[str, Any]:
    """Return the current state of one of a survey's flags."""
    return await api.get(f"feature_flags/{survey[name]['id']}/")


async def test_computed_fields_are_only_in_responses_to_reads(api: Resources) -> None:
    computed = {"feature_flag_keys", "user_access_level", "linked_flag_id", "linked_insight_id"}
    made = await make(api)
    path = f"surveys/{made['id']}/"

    read = await api.get(path)

    UUID(made["id"])
    assert not computed & made.keys()
    assert not computed & (await api.patch(path, description="Ours")).keys()
    assert computed <= read.keys()
    assert computed <= (await api.get("surveys/"))["results"][0].keys()
    assert not [name for name in read if name.startswith("_")]
    keys = {item["key"]: item["value"] for item in read["feature_flag_keys"]}
    assert keys.pop("internal_targeting_flag_key") == made["internal_targeting_flag"]["key"]
    assert keys == {
        "linked_flag_key": None,
        "targeting_flag_key": None,
        "internal_response_sampling_flag_key": None,
    }


async def test_questions_get_ids_and_are_otherwise_unchanged(api: Resources) -> None:
    odd = {"type": "riddle", "question": "Why?", "scale": 99}

    made = await api.make("surveys/", name="Odd", type="api", questions=[NPS, odd, {**NPS, "id": "mine"}])

    assert [{**question, "id": ""} for question in made["questions"]] == [
        {**NPS, "id": ""},
        {**odd, "id": ""},
        {**NPS, "id": ""},
    ]
    UUID(made["questions"][0]["id"])
    assert made["questions"][2]["id"] == "mine"


@pytest.mark.parametrize(
    ("body", "attr", "detail"),
    [
        ({"name": ""}, "name", "This field may not be blank."),
        ({"name": "x" * 401}, "name", "Ensure this field has no more than 400 characters."),
        ({"type": "email"}, "type", '"email" is not a valid choice.'),
        ({"schedule": "daily"}, "schedule", "Schedule must be one of: once, recurring, always"),
        ({"questions": {}}, "questions", "Questions must be a list of objects"),
        ({"questions": ["Why?"]}, "questions", "Questions must be a list of objects"),
        ({"questions": [{"type": "open"}]}, "questions", "Question text is required"),
        ({"questions": [{"question": 5}]}, "questions", "Question text must be a string"),
        ({"questions": [{**NPS, "choices": "a"}]}, "questions", "Question choices must be a list of strings"),
        ({"questions": [{**NPS, "choices": [" "]}]}, "questions", "Question choices cannot be empty"),
        ({"questions": [{**NPS, "link": "http://x.example"}]}, "questions", "Link must be a URL with one of these"),
        ({"questions": [{**NPS, "link": "https://"}]}, "questions", "Invalid HTTPS URL."),
        ({"questions": [{**NPS, "link": "https://[x"}]}, "questions", "Invalid HTTPS URL."),
        ({"questions": [{**NPS, "link": "mailto:x"}]}, "questions", "Invalid mailto link."),
        ({"questions": [{**NPS, "validation": [{"type": "even"}]}]}, "questions", "Validation rule type must be one"),
        (
            {
                "questions": [
                    {**NPS, "validation": [{"type": "min_length", "value": 9}, {"type": "max_length", "value": 3}]}
                ]
            },
            "questions",
            "Minimum length cannot be greater than maximum length",
        ),
        ({"appearance": []}, "appearance", "Appearance must be an object"),
        ({"appearance": {"whiteLabel": True}}, "appearance", "You need to upgrade to PostHog Enterprise"),
        ({"conditions": "always"}, "conditions", "Conditions must be an object"),
        ({"conditions": {"linkedFlagVariant": "a"}}, None, "linkedFlagVariant can only be used when"),
        ({"linked_flag_id": 99}, None, "Feature Flag with this ID does not exist"),
        ({"linked_insight_id": 99}, None, "Insight with this ID does not exist"),
        ({"targeting_flag_id": 99}, None, "Targeting Feature Flag with this ID does not exist"),
        (
            {"targeting_flag_filters": {"groups": [{"rollout_percentage": 100}]}},
            None,
            "Invalid operation: User targeting rolls out to everyone.",
        ),
        (
            {"appearance": {"shuffleQuestions": True}, "questions": [{**NPS, "branching": {"type": "end"}}]},
            None,
            "Question shuffling and question branching cannot be used together.",
        ),
        (
            {"iteration_count": 9, "iteration_frequency_days": 365, "start_date": "9999-01-01T00:00:00Z"},
            "iteration_count",
            "The iterations go beyond the latest possible date.",
        ),
        ({"type": "external_survey", "conditions": {"url": "/"}}, "conditions", "The following condition fields are"),
    ],
)
async def test_an_invalid_value_is_400_and_creates_nothing(
    api: Resources, body: dict[str, Any], attr: str | None, detail: str
) -> None:
    rejected = await api.send("POST", "surveys/", {"name": "NPS", "type": "popover", **body})

    assert rejected.status == 400
    assert rejected.detail.startswith(detail)
    assert rejected.body["attr"] == attr
    assert (await api.get("surveys/"))["count"] == 0


async def test_name_and_type_are_required(api: Resources) -> None:
    for body, missing in (({"type": "api"}, "name"), ({"name": "A"}, "type")):
        rejected = await api.send("POST", "surveys/", body)
        assert (rejected.status, rejected.body["code"], rejected.body["attr"]) == (400, "required", missing)


async def test_a_name_is_unique_even_among_archived_surveys(api: Resources) -> None:
    first = await make(api, "NPS")
    other = await make(api, "Other")
    await api.patch(f"surveys/{first['id']}/", archived=True)

    again = await api.send("POST", "surveys/", {"name": "NPS", "type": "api"})
    renamed = await api.send("PATCH", f"surveys/{other['id']}/", {"name": "NPS"})

    assert (again.status, again.body["code"], again.detail) == (
        400,
        "unique",
        "There is already a survey with this name.",
    )
    assert renamed.detail == "There is already another survey with this name."
    assert (await api.patch(f"surveys/{first['id']}/", name="NPS"))["name"] == "NPS"


async def test_deleted_is_not_a_field_of_a_survey(api: Resources) -> None:
    made = await make(api)
    before = await api.get(f"surveys/{made['id']}/")

    changed = await api.patch(f"surveys/{made['id']}/", deleted=True)

    assert "deleted" not in changed
    assert await api.get(f"surveys/{made['id']}/") == before
    assert (await api.get("surveys/"))["count"] == 1


async def test_delete_is_permanent_and_deletes_the_flags(api: Resources) -> None:
    audience = {"groups": [{"properties": [{"key": "plan", "value": "pro", "operator": "exact", "type": "person"}]}]}
    made = await make(api, targeting_flag_filters=audience)

    deleted = await api.send("DELETE", f"surveys/{made['id']}/")

    assert (deleted.status, deleted.body) == (204, None)
    assert (await api.send("GET", f"surveys/{made['id']}/")).status == 404
    for name in ("targeting_flag", "internal_targeting_flag"):
        assert (await api.send("GET", f"feature_flags/{made[name]['id']}/")).status == 404


async def test_archived_surveys_are_listed_unless_filtered(api: Resources) -> None:
    made = await make(api, "Old")
    await make(api, "New", description="Second try")
    await api.patch(f"surveys/{made['id']}/", archived=True)

    assert set((await api.send("GET", "surveys/")).names) == {"Old", "New"}
    assert (await api.send("GET", "surveys/", archived="true")).names == ["Old"]
    assert (await api.send("GET", "surveys/", archived="false")).names == ["New"]
    assert (await api.send("GET", "surveys/", search="second")).names == ["New"]
    assert (await api.send("GET", "surveys/", ids=made["id"])).names == ["Old"]


async def test_the_internal_flag_follows_the_state_of_its_survey(api: Resources) -> None:
    made = await make(api)
    path = f"surveys/{made['id']}/"

    flag = await flag_of(api, made)
    assert flag["active"] is False
    assert flag["key"].startswith("survey-targeting-")
    assert flag["key"].endswith("-custom")
    properties = [item["key"] for item in flag["filters"]["groups"][0]["properties"]]
    assert properties == [f"$survey_dismissed/{made['id']}", f"$survey_responded/{made['id']}"]
    for body, active in (
        ({"start_date": STARTED}, True),
        ({"end_date": "2026-11-22T00:00:00Z"}, False),
        ({"end_date": None}, True),
        ({"archived": True}, False),
    ):
        await api.patch(path, **body)
        assert (await flag_of(api, made))["active"] is active


async def test_a_start_date_launches_at_once(api: Resources) -> None:
    made = await make(api, start_date="2026-11-20T02:00:00+02:00")

    assert made["start_date"] == STARTED
    assert (await flag_of(api, made))["active"] is True


async def test_flags_of_surveys_are_not_listed(api: Resources) -> None:
    made = await make(api, targeting_flag_filters={"groups": [{"properties": [], "rollout_percentage": 50}]})

    assert (await api.get("feature_flags/"))["count"] == 0
    assert (await flag_of(api, made, "targeting_flag"))["usage_dashboard"] is None


async def test_the_audience_can_be_changed_and_removed(api: Resources) -> None:
    half: dict[str, Any] = {"groups": [{"properties": [], "rollout_percentage": 50}]}
    made = await make(api, targeting_flag_filters=half)
    path = f"surveys/{made['id']}/"
    assert (await flag_of(api, made, "targeting_flag"))["active"] is False

    await api.patch(path, start_date=STARTED)
    tenth: dict[str, Any] = {"groups": [{"properties": [], "rollout_percentage": 10}]}
    changed = await api.patch(path, targeting_flag_filters=tenth)
    assert changed["targeting_flag"]["id"] == made["targeting_flag"]["id"]
    assert changed["targeting_flag"]["active"] is True
    assert changed["targeting_flag"]["filters"]["groups"][0]["rollout_percentage"] == 10

    removed = await api.patch(path, remove_targeting_flag=True)
    assert removed["targeting_flag"] is None
    assert (await api.send("GET", f"feature_flags/{made['targeting_flag']['id']}/")).status == 404


async def test_a_linked_flag_shows_on_both_sides(api: Resources) -> None:
    filters: dict[str, Any] = {
        "groups": [{"properties": [], "rollout_percentage": 100}],
        "multivariate": {"variants": [{"key": "a", "rollout_percentage": 100}]},
    }
    flag = await api.make("feature_flags/", key="beta", filters=filters, _should_create_usage_dashboard=False)

    made = await make(api, linked_flag_id=flag["id"], conditions={"linkedFlagVariant": "a"})

    assert made["linked_flag"]["key"] == "beta"
    assert (await api.get(f"surveys/{made['id']}/"))["linked_flag_id"] == flag["id"]
    assert (await api.get(f"feature_flags/{flag['id']}/"))["surveys"] == [{"id": made["id"], "name": "NPS"}]
    unknown = {"linked_flag_id": flag["id"], "conditions": {"linkedFlagVariant": "b"}}
    rejected = await api.send("PATCH", f"surveys/{made['id']}/", unknown)
    assert rejected.detail == "Feature flag variant 'b' does not exist. Available variants: a"


async def test_a_repeated_survey_has_its_iteration_dates(api: Resources) -> None:
    made = await make(api, schedule="recurring", iteration_count=3, iteration_frequency_days=7, start_date=STARTED)

    assert made["iteration_start_dates"] == [STARTED, "2026-11-27T00:00:00Z", "2026-12-04T00:00:00Z"]
    assert made["current_iteration"] == 1
    flag = await flag_of(api, made)
    assert flag["filters"]["groups"][0]["properties"][0]["key"] == f"$survey_dismissed/{made['id']}/1"


async def test_a_survey_waits_after_another_survey_was_seen(api: Resources) -> None:
    made = await make(api, conditions={"seenSurveyWaitPeriodInDays": 14})

    never, before = (await flag_of(api, made))["filters"]["groups"]
    assert never["properties"][-1]["operator"] == "is_not_set"
    assert before["properties"][-1]["value"] == "14d"


async def test_statistics_are_counted_from_the_events(api: Resources, engine: Engine) -> None:
    made = await make(api, start_date="2026-01-01T00:00:00Z")
    empty = await api.get(f"surveys/{made['id']}/stats/")
    assert empty["stats"]["survey shown"]["total_count"] == 0
    assert set(empty["rates"].values()) == {0.0}
    with api.store.transaction() as rows:
        stored = rows.get("surveys", made["id"])
        assert stored is not None
        rows.insert("surveys", 1, {**stored, "id": SURVEY_ID, "name": "Asked"})

    found = await api.get(f"surveys/{SURVEY_ID}/stats/")

    counted = engine.select("SELECT event, count() FROM posthog.events WHERE event LIKE 'survey %' GROUP BY event").rows
    totals: dict[str, Any] = {row[0]: row[1] for row in counted}
    stats = found["stats"]
    assert {event: stats[event]["total_count"] for event in stats} == totals
    assert found["survey_id"] == SURVEY_ID
    assert found["start_date"] == "2026-01-01T00:00:00Z"
    assert found["rates"]["response_rate"] == round(totals["survey sent"] / totals["survey shown"] * 100, 2)
    rest = totals["survey shown"] - totals["survey sent"] - totals["survey dismissed"]
    assert stats["survey shown"]["total_count_only_seen"] == rest
    assert (await api.get("surveys/stats/"))["stats"] == stats
    assert await api.get("surveys/responses_count/") == {SURVEY_ID: totals["survey sent"]}
    assert await api.get("surveys/responses_count/", survey_ids=made["id"]) == {}
    later = await api.get(f"surveys/{SURVEY_ID}/stats/", date_from="2026-11-23T00:00:00Z")
    assert later["stats"]["survey shown"]["total_count"] < totals["survey shown"]


async def test_statistics_reject_invalid_dates(api: Resources) -> None:
    made = await make(api)
    path = f"surveys/{made['id']}/stats/"

    assert (await api.send("GET", path, date_from="soon")).detail.startswith("Invalid date format.")
    inverted = await api.send("GET", path, date_from="2026-02-01T00:00:00Z", date_to="2026-01-01T00:00:00Z")
    assert inverted.detail == "date_from must be before date_to"
    assert (await api.send("GET", "surveys/nothing/stats/")).status == 404
    assert (await api.send("GET", f"/2/surveys/{made['id']}/stats/")).status == 404
