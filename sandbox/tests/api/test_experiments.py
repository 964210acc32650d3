"""Experiments: their flags, their life cycle, and the requests that PostHog rejects."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from posthog_sandbox.api.experiments.resource import ROUTES
from posthog_sandbox.api.experiments.saved_metrics import ROUTES as SAVED_METRICS
from posthog_sandbox.api.flags.resource import FLAGS
from posthog_sandbox.http.resource import routes

from .resource_calls import NOW, KnownEvents, Resources

pytestmark = pytest.mark.anyio

NOW_TEXT = "2026-11-23T06:00:00Z"
TOO_FEW = "Feature flag must have at least 2 variants (control and at least one test variant)"


def variants(*keys: str, field: str = "rollout_percentage") -> list[dict[str, Any]]:
    """Return variants with equal shares."""
    return [{"key": key, field: 100 / len(keys)} for key in keys]


def metric(**fields: Any) -> dict[str, Any]:
    """Return a metric that counts an event."""
    source = {"kind": "EventsNode", "event": "purchase_completed"}
    return {"kind": "ExperimentMetric", "metric_type": "mean", "source": source, **fields}


@pytest.fixture
def api() -> Iterator[Resources]:
    with closing(Resources((*ROUTES, *SAVED_METRICS, *routes(FLAGS)), KnownEvents("purchase_completed"))) as opened:
        yield opened


async def draft(api: Resources, **body: Any) -> dict[str, Any]:
    """Create an experiment."""
    return await api.make("experiments/", **{"name": "Button", "feature_flag_key": "button", **body})


async def make_flag(api: Resources, *keys: str, key: str = "button") -> dict[str, Any]:
    """Create a flag with these variants."""
    filters: dict[str, Any] = {"groups": [{"properties": [], "rollout_percentage": 100}]}
    if keys:
        filters["multivariate"] = {"variants": variants(*keys)}
    return await api.make("feature_flags/", key=key, filters=filters, _should_create_usage_dashboard=False)


async def test_a_draft_creates_an_inactive_flag_with_two_variants(api: Resources) -> None:
    made = await draft(api)

    assert made["status"] == "draft"
    assert made["feature_flag_key"] == "button"
    flag = await api.get(f"feature_flags/{made['feature_flag']['id']}/")
    assert flag["active"] is False
    assert flag["name"] == "Feature Flag for Experiment Button"
    assert flag["experiment_set"] == [made["id"]]
    shares = {item["key"]: item["rollout_percentage"] for item in flag["filters"]["multivariate"]["variants"]}
    assert shares == {"control": 50, "test": 50}


async def test_an_experiment_has_posthogs_fields_and_no_others(api: Resources) -> None:
    assert (await draft(api)).keys() == {
        *("id", "name", "description", "start_date", "end_date", "feature_flag_key", "feature_flag", "holdout"),
        *("holdout_id", "exposure_cohort", "parameters", "secondary_metrics", "saved_metrics", "saved_metrics_ids"),
        "running_time_calculation",
        *("filters", "archived", "deleted", "created_by", "created_at", "updated_at", "type", "exposure_criteria"),
        *("metrics", "metrics_secondary", "stats_config", "scheduling_config", "conclusion", "conclusion_comment"),
        *("primary_metrics_ordered_uuids", "secondary_metrics_ordered_uuids", "user_access_level", "status"),
    }


async def test_variants_and_rollout_are_copied_to_the_flag(api: Resources) -> None:
    given = {"feature_flag_variants": variants("Control", "a", field="split_percent"), "rollout_percentage": 20}

    made = await draft(api, parameters=given)

    filters = made["feature_flag"]["filters"]
    assert [item["key"] for item in filters["multivariate"]["variants"]] == ["control", "a"]
    assert filters["groups"][0]["rollout_percentage"] == 20
    assert made["parameters"]["feature_flag_variants"][1] == {"key": "a", "rollout_percentage": 50}


async def test_a_start_date_launches_at_once(api: Resources) -> None:
    made = await draft(api, start_date="2026-11-20T00:00:00Z")

    assert made["status"] == "running"
    assert made["feature_flag"]["active"] is True


async def test_a_suitable_flag_is_used_unchanged(api: Resources) -> None:
    flag = await make_flag(api, "control", "red", "blue")

    made = await draft(api, parameters={"feature_flag_variants": variants("control", "x")})

    assert made["feature_flag"]["id"] == flag["id"]
    assert made["feature_flag"]["active"] is True
    assert len(made["feature_flag"]["filters"]["multivariate"]["variants"]) == 3


@pytest.mark.parametrize(
    ("keys", "detail"),
    [((), TOO_FEW), (("a", "b"), "Feature flag must have a variant with key 'control'")],
)
async def test_an_unsuitable_flag_is_400(api: Resources, keys: tuple[str, ...], detail: str) -> None:
    await make_flag(api, *keys)

    rejected = await api.send("POST", "experiments/", {"name": "Button", "feature_flag_key": "button"})

    assert (rejected.status, rejected.detail, rejected.body["attr"]) == (400, detail, None)
    assert (await api.get("experiments/"))["count"] == 0


@pytest.mark.parametrize(
    ("body", "attr", "detail"),
    [
        ({"name": None}, "name", "This field may not be null."),
        ({"name": ""}, "name", "This field may not be blank."),
        ({"feature_flag_key": "no spaces"}, "key", "Only letters, numbers, hyphens (-) & underscores (_) are allowed."),
        ({"description": "x" * 3001}, "description", "Ensure this field has no more than 3000 characters."),
        ({"type": "mobile"}, "type", '"mobile" is not a valid choice.'),
        ({"holdout_id": 3}, "holdout_id", 'Invalid pk "3" - object does not exist.'),
        ({"stats_config": {"method": "x"}}, "stats_config", "Invalid stats method: 'x'. Must be one of: bayesian, "),
        ({"start_date": NOW_TEXT, "end_date": NOW_TEXT}, None, "End date must be after start date"),
        ({"parameters": {"feature_flag_variants": variants("control")}}, "parameters", TOO_FEW),
        ({"parameters": {"feature_flag_variants": ["control"]}}, "parameters", "Feature flag variant at index 0 must"),
        ({"parameters": {"feature_flag_variants": variants("a", "b")}}, "parameters", "Feature flag variants must con"),
        (
            {"parameters": {"feature_flag_variants": [{"key": "control"}, {"key": "b"}]}},
            "parameters",
            "Each variant must include split_percent",
        ),
        (
            {"parameters": {"feature_flag_variants": [*variants("control", "b"), *variants("c")]}},
            "filters",
            "Invalid variant definitions: Variant rollout percentages must sum to 100.",
        ),
        ({"metrics": {}}, "metrics", "Metrics must be a list"),
        ({"metrics": [{"kind": "TrendsQuery"}]}, "metrics", "Invalid metric at index 0: metric kind must be"),
        ({"metrics": [{"kind": ["x"]}]}, "metrics", "Invalid metric at index 0: metric kind must be"),
        ({"metrics": [metric(metric_type="sum")]}, "metrics", "Invalid metric at index 0: metric_type must be one"),
        ({"metrics": [metric(metric_type="ratio")]}, "metrics", "Invalid metric at index 0: numerator is required"),
        (
            {"metrics": [metric(source={"kind": "ActionsNode", "id": 9})]},
            None,
            "Action(s) with ID 9 not found or deleted.",
        ),
        ({"saved_metrics_ids": [{"id": 1}]}, "saved_metrics_ids", "Saved metric does not exist"),
        ({"saved_metrics_ids": ["1"]}, "saved_metrics_ids", "Saved metric must be an object"),
        ({"saved_metrics_ids": [{"id": 1, "metadata": {}}]}, "saved_metrics_ids", "Metadata must have a type key"),
        ({"exposure_criteria": {"filterTestAccounts": "no"}}, "exposure_criteria", "exposure_criteria.filterTest"),
    ],
)
async def test_an_invalid_value_is_400_and_creates_nothing(
    api: Resources, body: dict[str, Any], attr: str | None, detail: str
) -> None:
    rejected = await api.send("POST", "experiments/", {"name": "Button", "feature_flag_key": "button", **body})

    assert rejected.status == 400
    assert rejected.detail.startswith(detail)
    assert rejected.body["attr"] == attr
    assert (await api.get("experiments/"))["count"] == (await api.get("feature_flags/"))["count"] == 0


async def test_name_and_key_are_required(api: Resources) -> None:
    for body, missing in (({"feature_flag_key": "a"}, "name"), ({"name": "A"}, "feature_flag_key")):
        rejected = await api.send("POST", "experiments/", body)
        assert (rejected.status, rejected.body["code"], rejected.body["attr"]) == (400, "required", missing)


async def test_metrics_on_unknown_events_are_rejected_unless_allowed(api: Resources) -> None:
    unseen = metric(source={"kind": "EventsNode", "event": "refund"})
    body = {"name": "Button", "feature_flag_key": "button", "metrics": [metric(), unseen]}

    rejected = await api.send("POST", "experiments/", body)
    assert rejected.status == 400
    assert rejected.detail.startswith("Event(s) 'refund' not found.")

    made = await draft(api, metrics=[metric(), unseen], allow_unknown_events=True)
    assert made["primary_metrics_ordered_uuids"] == [item["uuid"] for item in made["metrics"]]


async def test_an_experiment_can_be_launched_paused_ended_and_archived(api: Resources) -> None:
    path = f"experiments/{(await draft(api))['id']}/"

    async def step(name: str, **body: Any) -> tuple[str, bool]:
        returned = await api.send("POST", f"{path}{name}/", body)
        assert returned.status == 200, returned.body
        return returned.body["status"], returned.body["feature_flag"]["active"]

    assert await step("launch") == ("running", True)
    assert (await api.get(path))["start_date"] == NOW_TEXT
    assert await step("pause") == ("paused", False)
    assert await step("resume") == ("running", True)
    api.now = NOW + timedelta(days=7)
    assert await step("end", conclusion="won", conclusion_comment="Blue it is.") == ("stopped", True)
    ended = await api.get(path)
    assert (ended["end_date"], ended["conclusion"]) == ("2026-11-30T06:00:00Z", "won")
    assert await step("archive") == ("stopped", True)
    assert (await api.get("experiments/"))["count"] == 0
    assert (await api.get("experiments/", archived="true"))["count"] == 1
    assert await step("unarchive") == ("stopped", True)
    assert await step("reset") == ("draft", True)
    assert (await api.get(path))["conclusion"] is None


@pytest.mark.parametrize(
    ("steps", "detail"),
    [
        (("pause",), "Experiment has not been launched yet."),
        (("resume",), "Experiment has not been launched yet."),
        (("end",), "Experiment has not been launched yet."),
        (("archive",), "Experiment must be ended before it can be archived."),
        (("unarchive",), "Experiment is not archived."),
        (("reset",), "Experiment is already in draft state."),
        (("launch", "launch"), "Experiment has already been launched."),
        (("launch", "resume"), "Experiment is not paused."),
        (("launch", "pause", "pause"), "Experiment is already paused."),
        (("launch", "end", "pause"), "Experiment has already ended."),
        (("launch", "end", "end"), "Experiment has already ended."),
        (("launch", "end", "archive", "archive"), "Experiment is already archived."),
    ],
)
async def test_an_action_in_the_wrong_state_is_400(api: Resources, steps: tuple[str, ...], detail: str) -> None:
    path = f"experiments/{(await draft(api))['id']}/"
    for name in steps[:-1]:
        assert (await api.send("POST", f"{path}{name}/")).status == 200

    rejected = await api.send("POST", f"{path}{steps[-1]}/")

    assert (rejected.status, rejected.detail) == (400, detail)


async def test_shipping_a_variant_ends_the_experiment_and_serves_it_to_all(api: Resources) -> None:
    path = f"experiments/{(await draft(api))['id']}/"
    assert (await api.send("POST", f"{path}launch/")).status == 200

    unknown = await api.send("POST", f"{path}ship_variant/", {"variant_key": "blue"})
    assert unknown.detail == "Variant 'blue' not found on feature flag."
    shipped = (await api.send("POST", f"{path}ship_variant/", {"variant_key": "test", "conclusion": "won"})).body

    assert shipped["status"] == "stopped"
    assert shipped["conclusion"] == "won"
    shares = [item["rollout_percentage"] for item in shipped["feature_flag"]["filters"]["multivariate"]["variants"]]
    assert shares == [0, 100]


async def test_a_start_date_in_patch_launches_a_draft(api: Resources) -> None:
    made = await draft(api)

    changed = await api.patch(f"experiments/{made['id']}/", start_date="2026-11-22T00:00:00Z")

    assert changed["status"] == "running"
    assert changed["feature_flag"]["active"] is True


async def test_parameters_are_copied_only_to_the_flag_of_a_draft(api: Resources) -> None:
    path = f"experiments/{(await draft(api))['id']}/"

    changed = await api.patch(path, parameters={"feature_flag_variants": variants("control", "x", "y", "z")})
    assert len(changed["feature_flag"]["filters"]["multivariate"]["variants"]) == 4

    await api.patch(path, start_date=NOW_TEXT)
    other = {"parameters": {"feature_flag_variants": variants("control", "q")}}
    assert (await api.send("PATCH", path, other)).detail == "Can't update feature_flag_variants on Experiment"
    kept = await api.patch(path, parameters={"rollout_percentage": 10})
    assert kept["feature_flag"]["filters"]["groups"][0]["rollout_percentage"] == 100
    same = {"feature_flag_variants": variants("control", "x", "y", "z"), "rollout_percentage": 10}
    synced = await api.patch(path, parameters=same, update_feature_flag_params=True)
    assert synced["feature_flag"]["filters"]["groups"][0]["rollout_percentage"] == 10


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"feature_flag_key": "other"}, "Can't update keys: get_feature_flag_key on Experiment"),
        ({"type": "web"}, "Can't update keys: type on Experiment"),
        ({"filters": {"properties": [{"key": "plan"}]}}, "Experiments do not support global filter properties"),
        ({"start_date": NOW_TEXT, "end_date": "2026-11-01T00:00:00Z"}, "End date must be after start date"),
    ],
)
async def test_an_invalid_update_is_400(api: Resources, body: dict[str, Any], detail: str) -> None:
    made = await draft(api)

    rejected = await api.send("PATCH", f"experiments/{made['id']}/", body)

    assert (rejected.status, rejected.detail) == (400, detail)
    assert await api.get(f"experiments/{made['id']}/") == made


async def test_deletion_is_soft_and_reverted_by_patch(api: Resources) -> None:
    made = await draft(api)
    path = f"experiments/{made['id']}/"

    forbidden = await api.send("DELETE", path)
    assert (forbidden.status, forbidden.body) == (405, None)
    assert (await api.patch(path, deleted=True))["deleted"] is True
    assert (await api.send("GET", path)).status == 404
    assert (await api.send("POST", f"{path}launch/")).status == 404
    assert (await api.get("experiments/"))["count"] == 0
    assert (await api.patch(path, deleted=False))["deleted"] is False

    await api.patch(path, deleted=True)
    await api.patch(f"feature_flags/{made['feature_flag']['id']}/", deleted=True)
    rejected = await api.send("PATCH", path, {"deleted": False})
    assert rejected.detail.startswith("Cannot restore experiment: the linked feature flag has been deleted.")


async def test_a_deleted_flag_cannot_launch(api: Resources) -> None:
    made = await draft(api)
    await api.patch(f"feature_flags/{made['feature_flag']['id']}/", deleted=True)

    for method, path, body in (("POST", "launch/", {}), ("PATCH", "", {"start_date": NOW_TEXT})):
        rejected = await api.send(method, f"experiments/{made['id']}/{path}", body)
        assert rejected.detail == "Experiment cannot be launched because its feature flag has been deleted."


async def test_an_experiment_survives_the_deletion_of_its_flag(api: Resources) -> None:
    made = await draft(api)
    path = f"experiments/{made['id']}/"
    flag = f"feature_flags/{made['feature_flag']['id']}/"
    await api.patch(path, deleted=True)
    await api.patch(flag, deleted=True)
    await make_flag(api, "control", "test")

    assert (await api.send("PATCH", path, {"deleted": False})).status == 400
    assert (await api.send("GET", flag)).status == 404


async def test_lists_are_filtered_by_status_and_flag(api: Resources) -> None:
    for status in ("draft", "running", "paused", "stopped"):
        path = f"experiments/{(await draft(api, name=status, feature_flag_key=status))['id']}/"
        steps = {"draft": (), "running": ("launch",), "paused": ("launch", "pause"), "stopped": ("launch", "end")}
        for step in steps[status]:
            assert (await api.send("POST", f"{path}{step}/")).status == 200

    for status in ("draft", "running", "paused", "stopped"):
        assert (await api.send("GET", "experiments/", status=status)).names == [status]
    assert (await api.send("GET", "experiments/", status="complete")).names == ["stopped"]
    assert (await api.send("GET", "experiments/", status="all")).names == ["stopped", "paused", "running", "draft"]
    assert (await api.send("GET", "experiments/", search="aus")).names == ["paused"]
    flag = (await api.get("experiments/", status="draft"))["results"][0]["feature_flag"]["id"]
    assert (await api.send("GET", "experiments/", feature_flag_id=flag)).names == ["draft"]
    by_status = (await api.send("GET", "experiments/", order="status")).names
    assert by_status == ["draft", "running", "paused", "stopped"]


async def test_lists_are_ordered_by_the_duration_of_experiments(api: Resources) -> None:
    days = {"short": ("2026-11-01", "2026-11-03"), "long": ("2026-11-01", None), "middle": ("2026-11-01", "2026-11-12")}
    for name, (start, end) in days.items():
        dates = {"start_date": f"{start}T00:00:00Z", "end_date": end and f"{end}T00:00:00Z"}
        await draft(api, name=name, feature_flag_key=name, **dates)

    assert (await api.send("GET", "experiments/", order="-duration")).names == ["long", "middle", "short"]


async def test_an_experiment_of_another_project_is_404(api: Resources) -> None:
    made = await draft(api)

    assert (await api.send("GET", f"/2/experiments/{made['id']}/")).status == 404
    assert (await api.send("POST", f"/2/experiments/{made['id']}/launch/")).status == 404


async def test_a_shared_metric_is_linked_with_its_place_and_a_change_replaces_all_links(api: Resources) -> None:
    shared = await api.make("experiment_saved_metrics/", name="Purchases", query=metric())
    link = {"id": shared["id"], "metadata": {"type": "secondary"}}

    made = await draft(api, saved_metrics_ids=[link])

    (shown,) = made["saved_metrics"]
    assert (shown["saved_metric"], shown["name"], shown["query"]) == (shared["id"], "Purchases", metric())
    assert shown["metadata"] == {"type": "secondary"}
    assert made["saved_metrics_ids"] is None
    path = f"experiments/{made['id']}/"
    assert len((await api.patch(path, name="Renamed"))["saved_metrics"]) == 1
    assert (await api.patch(path, saved_metrics_ids=[]))["saved_metrics"] == []


async def test_a_shared_metric_needs_a_query_of_a_metric(api: Resources) -> None:
    rejected = await api.send("POST", "experiment_saved_metrics/", {"name": "x", "query": {"kind": "TrendsQuery"}})
    assert rejected.status == 400
    assert rejected.detail.startswith("Metric query kind must be")
