from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from maton_posthog.gateway.errors import Refused, Rejected
from maton_posthog.gateway.projects import Project
from maton_posthog.schemas.experiments.objects import CreateExperiment, UpdateExperiment
from maton_posthog.tools.experiments.operations import OPERATIONS
from tests.oracle import WHOLES

from ..posthog.fake import PROJECT_ID, FakeCall, Sent, answer, page, run

pytestmark = pytest.mark.anyio

LIST, CREATE, GET, UPDATE, DELETE = OPERATIONS
EXPERIMENTS = "/api/projects/{project_id}/experiments/"
EXPERIMENT = EXPERIMENTS + "{experiment_id}/"
FLAGS = "/api/projects/{project_id}/feature_flags/"
ONE = f"/api/projects/{PROJECT_ID}/experiments/11/"
KEY = "button-color-test"
HALVES = [
    {"key": "control", "name": "Control Group", "rollout_percentage": 50},
    {"key": "test", "name": "Test Variant", "rollout_percentage": 50},
]


def experiment(**changes: Any) -> dict[str, Any]:
    return answer("experiment", **changes)


def api_with(*flags: Any, made: Any = None) -> FakeCall:
    return FakeCall({f"GET {FLAGS}": page(*flags), f"POST {EXPERIMENTS}": made or experiment()})


@pytest.mark.parametrize(
    ("dates", "status"),
    [
        ({}, "draft"),
        ({"start_date": "2026-01-01T00:00:00Z"}, "running"),
        ({"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-02-01T00:00:00Z"}, "stopped"),
        ({"status": "paused"}, "paused"),
    ],
)
async def test_list_shows_the_status_even_if_the_server_sends_none(dates: dict[str, str], status: str) -> None:
    api = FakeCall({f"GET {EXPERIMENTS}": page(experiment(**dates))})
    shown = await run(LIST, api, status="running", search="color")
    assert api.last.query == {"search": "color", "status": "running", "limit": 20, "offset": 0}
    (row,) = shown["experiments"]
    assert (row["id"], row["name"], row["feature_flag_key"]) == (11, "Button Color Test", KEY)
    assert row["status"] == status


async def test_create_makes_a_draft_and_reports_the_new_flag() -> None:
    api = api_with(answer("feature_flag", key=KEY + "-2"))
    shown = await run(CREATE, api, name="Button Color Test", feature_flag_key=KEY)
    assert [sent.method for sent in api.sent] == ["GET", "POST"]
    assert api.last.body == {"name": "Button Color Test", "feature_flag_key": KEY}
    assert shown["flag"] == "created"
    assert shown["status"] == "draft"
    assert "update_experiment sets start_date" in shown["note"]
    assert shown["variants"] == HALVES
    assert shown["feature_flag"] == {"id": 42, "key": KEY, "active": False}


PAID = {"kind": "EventsNode", "event": "purchase"}


async def test_variants_are_sent_as_parameters() -> None:
    api = api_with()
    metrics = [{"kind": "ExperimentMetric", "metric_type": "mean", "source": PAID}]
    shown = await run(CREATE, api, name="x", feature_flag_key=KEY, variants=HALVES, metrics=metrics, type="web")
    assert api.last.body == {
        "name": "x",
        "feature_flag_key": KEY,
        "parameters": {"feature_flag_variants": HALVES},
        "metrics": metrics,
        "type": "web",
    }
    assert "its variants apply" not in shown["note"]


async def test_a_reused_flag_with_other_variants_is_reported() -> None:
    asked = [{"key": "control", "rollout_percentage": 10}, {"key": "blue", "rollout_percentage": 90}]
    api = api_with(answer("feature_flag", key=KEY))
    shown = await run(CREATE, api, name="x", feature_flag_key=KEY, variants=asked)
    assert shown["flag"] == "reused"
    assert shown["note"].startswith("The flag already existed")
    assert shown["variants"] == HALVES


async def test_a_connection_without_permission_to_read_flags_can_still_create() -> None:
    denied = Rejected("permission_denied", "PostHog does not permit this.")
    api = FakeCall({f"GET {FLAGS}": denied, f"POST {EXPERIMENTS}": experiment()})
    shown = await run(CREATE, api, name="x", feature_flag_key=KEY)
    assert "flag" not in shown
    broken = FakeCall({f"GET {FLAGS}": Rejected("rate_limited", "wait"), f"POST {EXPERIMENTS}": experiment()})
    with pytest.raises(Rejected, match="wait"):
        await run(CREATE, broken, name="x", feature_flag_key=KEY)


REFUSED: list[tuple[Any, str]] = [
    ([], "at least two"),
    ([{"key": "control", "rollout_percentage": 100}], "at least two"),
    ([{"key": "a", "rollout_percentage": 50}, {"key": "b", "rollout_percentage": 50}], "key control"),
    ([{"key": "control", "rollout_percentage": 50}, {"key": "b", "rollout_percentage": 49}], "add up to 100"),
    ([{"key": "control", "rollout_percentage": 50}] * 2, "unique key"),
    ([{"key": "control", "split": 50}, {"key": "b", "split": 50}], "Extra inputs"),
]


@pytest.mark.parametrize(("variants", "says"), REFUSED)
def test_variants_that_do_not_make_an_experiment_are_rejected(variants: Any, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        CreateExperiment.model_validate({"name": "x", "feature_flag_key": KEY, "variants": variants})


@given(st.lists(st.integers(0, 100), min_size=1, max_size=5) | WHOLES, st.booleans())
def test_variants_are_valid_only_with_a_control_and_100_percent(shares: list[int], control: bool) -> None:
    keys = ["control" if control and not at else f"v{at}" for at in range(len(shares))]
    variants = [{"key": key, "rollout_percentage": share} for key, share in zip(keys, shares, strict=True)]
    arguments = {"name": "x", "feature_flag_key": KEY, "variants": variants}
    if control and len(shares) > 1 and sum(shares) == 100:
        assert CreateExperiment.model_validate(arguments).variants is not None
    else:
        with pytest.raises(ValidationError, match=r"variant"):
            CreateExperiment.model_validate(arguments)


async def test_get_shows_variants_wherever_the_server_keeps_them() -> None:
    old = experiment(feature_flag=None, parameters={"feature_flag_variants": HALVES})
    for stored in (experiment(), old):
        api = FakeCall({f"GET {EXPERIMENT}": stored})
        shown = await run(GET, api, experiment_id=11)
        assert api.last == Sent("GET", ONE)
        assert shown["variants"] == HALVES
        assert shown["exposure_criteria"] == {"filterTestAccounts": True}
    assert (await run(GET, api, experiment_id=11, full=True))["stats_config"]["method"] == "bayesian"


async def test_update_launches_and_ends() -> None:
    def stored(sent: Sent) -> dict[str, Any]:
        return experiment(**(sent.body or {}))

    berlin = Project(PROJECT_ID, "Default project", "Europe/Berlin")
    api = FakeCall({f"GET {EXPERIMENT}": experiment(start_date=None), f"PATCH {EXPERIMENT}": stored}, project=berlin)
    shown = await run(UPDATE, api, experiment_id=11, start_date="2026-02-23")
    assert api.last == Sent("PATCH", ONE, {}, {"start_date": "2026-02-23T00:00:00+01:00"})
    assert shown["status"] == "running"
    assert "midnight in the project's timezone" in shown["note"]
    await run(UPDATE, api, experiment_id=11, end_date="2026-03-01T00:00:00Z", conclusion="won")
    assert api.last.body == {"end_date": "2026-03-01T00:00:00+00:00", "conclusion": "won"}
    with pytest.raises(ValidationError, match="nothing to change"):
        UpdateExperiment.model_validate({"experiment_id": 11})


async def test_a_deleted_experiment_shows_its_undo() -> None:
    api = FakeCall({f"GET {EXPERIMENT}": experiment(), f"PATCH {EXPERIMENT}": experiment(deleted=True)})
    shown = await run(DELETE, api, experiment_id=11)
    assert api.last == Sent("PATCH", ONE, {}, {"deleted": True})
    assert shown["undo"]["arguments"] == {"resource": "experiment", "id": "11", "project_id": str(PROJECT_ID)}


@pytest.mark.parametrize("field", [name for name in experiment() if name != "id"])
async def test_older_servers_can_omit_any_field_but_the_id(field: str) -> None:
    old = {name: value for name, value in experiment().items() if name != field}
    api = FakeCall({f"GET {EXPERIMENT}": old, f"GET {EXPERIMENTS}": page(old)})
    assert (await run(GET, api, experiment_id=11))["id"] == 11
    assert len((await run(LIST, api))["experiments"]) == 1


MEAN: dict[str, Any] = {"kind": "ExperimentMetric", "uuid": "u-1", "metric_type": "mean", "source": PAID}


def test_a_metric_that_posthogs_models_reject_is_not_sent() -> None:
    wrong = {**MEAN, "source": {**PAID, "maths": "sum"}}
    arguments = {"name": "x", "feature_flag_key": KEY, "metrics": [MEAN, wrong]}
    with pytest.raises(ValidationError, match=r"`1.source.maths` is not a field of EventsNode \(did you mean math\?\)"):
        CREATE.input.model_validate(arguments)


async def test_a_change_of_a_metric_is_checked_as_a_whole() -> None:
    newer = {**MEAN, "newer_field": 1}
    stored = experiment(metrics=[newer])
    api = FakeCall({f"GET {EXPERIMENT}": stored, f"PATCH {EXPERIMENT}": lambda sent: {**stored, **(sent.body or {})}})
    await run(UPDATE, api, experiment_id=11, metrics=[{"uuid": "u-1", "goal": "decrease"}])
    assert api.last.body == {"metrics": [{**newer, "goal": "decrease"}]}
    with pytest.raises(Refused, match=r"metrics: `0.goal` must be one of increase, decrease"):
        await run(UPDATE, api, experiment_id=11, metrics=[{"uuid": "u-1", "goal": "down"}])


PAYMENTS = {"kind": "ExperimentMetric", "metric_type": "mean", "source": PAID}
PLAN = {"minimum_detectable_effect": 20, "recommended_sample_size": 4000, "recommended_running_time": 14}
SHARED = {"id": 90, "saved_metric": 5, "metadata": {"type": "secondary"}, "name": "Revenue", "query": PAYMENTS}


async def test_secondary_and_shared_metrics_and_the_plan_are_sent() -> None:
    api = api_with()
    shared = ["5", {"id": 6, "type": "secondary"}]
    asked = {"secondary_metrics": [PAYMENTS], "saved_metrics": shared, "running_time_calculation": PLAN}
    await run(CREATE, api, name="x", feature_flag_key=KEY, **asked)
    assert api.last.body == {
        "name": "x",
        "feature_flag_key": KEY,
        "metrics_secondary": [PAYMENTS],
        "saved_metrics_ids": [
            {"id": 5, "metadata": {"type": "primary"}},
            {"id": 6, "metadata": {"type": "secondary"}},
        ],
        "running_time_calculation": PLAN,
    }


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({"secondary_metrics": [PAYMENTS]}, {"metrics_secondary": [{**PAYMENTS, "uuid": "s-1"}, PAYMENTS]}),
        ({"remove_metrics": ["s-1"]}, {"metrics_secondary": []}),
        (
            {"saved_metrics": [6]},
            {
                "saved_metrics_ids": [
                    {"id": 5, "metadata": {"type": "secondary"}},
                    {"id": 6, "metadata": {"type": "primary"}},
                ]
            },
        ),
        ({"saved_metrics": ["5"]}, {"saved_metrics_ids": [{"id": 5, "metadata": {"type": "primary"}}]}),
        ({"remove_metrics": ["5"]}, {"saved_metrics_ids": []}),
        (
            {"running_time_calculation": {"recommended_running_time": 21}},
            {"running_time_calculation": {**PLAN, "recommended_running_time": 21}},
        ),
    ],
)
async def test_an_update_keeps_the_metrics_and_the_plan_that_it_does_not_name(
    given: dict[str, Any], body: dict[str, Any]
) -> None:
    stored = experiment(
        metrics=[{**PAYMENTS, "uuid": "p-1"}],
        metrics_secondary=[{**PAYMENTS, "uuid": "s-1"}],
        saved_metrics=[SHARED],
        running_time_calculation=PLAN,
    )

    def changed(sent: Sent) -> dict[str, Any]:
        fields = dict(sent.body or {})
        links = fields.pop("saved_metrics_ids", None)
        if links is not None:
            fields["saved_metrics"] = [
                {**SHARED, "saved_metric": link["id"], "metadata": link["metadata"]} for link in links
            ]
        if "metrics_secondary" in fields:
            fields["metrics_secondary"] = [{"uuid": "new", **metric} for metric in fields["metrics_secondary"]]
        return {**stored, **fields}

    api = FakeCall({f"GET {EXPERIMENT}": stored, f"PATCH {EXPERIMENT}": changed})
    shown = await run(UPDATE, api, experiment_id=11, **given)
    assert api.last.body == body
    assert shown["changed"].keys() == body.keys() or all(name.partition(".")[0] in body for name in shown["changed"])
    assert "also_changed" not in shown
    assert shown["undo"]["tool"] == "update_experiment"


async def test_removing_an_unknown_metric_is_rejected() -> None:
    api = FakeCall({f"GET {EXPERIMENT}": experiment(metrics=[{**PAYMENTS, "uuid": "p-1"}])})
    with pytest.raises(Refused, match="the experiment has no metric p-2"):
        await run(UPDATE, api, experiment_id=11, remove_metrics=["p-2"])


@pytest.mark.parametrize(
    "plan", [{"sample_size": 5}, {"recommended_sample_size": "many"}, {"recommended_running_time": 0}]
)
def test_a_plan_of_something_else_is_rejected(plan: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="running_time_calculation"):
        CreateExperiment.model_validate({"name": "x", "feature_flag_key": KEY, "running_time_calculation": plan})
