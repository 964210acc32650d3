"""The experiment of the examples: the results of its queries in PostHog's format, and rejected queries."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from posthog_sandbox.dataset import open_dataset, product
from posthog_sandbox.storage.engine import Engine

from ...sandbox_client import TODAY, Serving, Shared, serving
from ..hand_made import run_query

pytestmark = pytest.mark.anyio

BOUGHT = {"kind": "EventsNode", "event": "purchase_completed"}
PURCHASES = {"kind": "ExperimentMetric", "metric_type": "funnel", "series": [BOUGHT]}
REVENUE = {
    "kind": "ExperimentMetric",
    "metric_type": "mean",
    "source": {**BOUGHT, "math": "sum", "math_property": "revenue"},
}
CACHE = {
    "cache_key",
    "cache_target_age",
    "last_refresh",
    "next_allowed_client_refresh",
    "calculation_trigger",
    "is_cached",
    "timezone",
    "query_status",
}
NUMBERS = {
    "key",
    "number_of_samples",
    "sum",
    "sum_squares",
    "denominator_sum",
    "denominator_sum_squares",
    "numerator_denominator_sum_product",
    "covariate_sum",
    "covariate_sum_squares",
    "covariate_sum_product",
    "step_counts",
    "step_sessions",
    "validation_failures",
}
LEGACY = {
    "insight",
    "metric",
    "variants",
    "probability",
    "significant",
    "significance_code",
    "stats_version",
    "p_value",
    "credible_intervals",
    "breakdown_results",
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_dataset(None, events=60_000, seed=1, today=TODAY) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


async def running_experiment(sandbox: Serving) -> Any:
    (found,) = (await sandbox.get("experiments/", status="running"))["results"]
    return found


async def measured(sandbox: Serving, metric: dict[str, Any], **more: Any) -> Any:
    experiment = await running_experiment(sandbox)
    return await run_query(
        sandbox, {"kind": "ExperimentQuery", "experiment_id": experiment["id"], "metric": metric, **more}
    )


def exposure_query(experiment: Any, **more: Any) -> dict[str, Any]:
    names = ("feature_flag", "start_date", "end_date", "exposure_criteria", "holdout")
    fields = {name: experiment[name] for name in names}
    return {
        "kind": "ExperimentExposureQuery",
        "experiment_id": experiment["id"],
        "experiment_name": experiment["name"],
        **fields,
        **more,
    }


async def test_a_funnel_metric_has_posthogs_format(sandbox: Serving) -> None:
    sent = await measured(sandbox, PURCHASES)
    (test,) = sent["variant_results"]

    own = {"kind", "baseline", "variant_results", "is_precomputed", "hogql", "clickhouse_sql"}
    assert sent.keys() == CACHE | LEGACY | own
    assert sent["baseline"].keys() == NUMBERS
    assert test.keys() == NUMBERS | {"method", "significant", "chance_to_win", "credible_interval"}
    assert (sent["baseline"]["key"], test["key"], test["method"]) == ("control", "test", "bayesian")
    assert sent["baseline"]["step_counts"] == [sent["baseline"]["sum"]]
    assert sent["baseline"]["validation_failures"] == test["validation_failures"] == []
    assert all(sent[name] is None for name in LEGACY)


async def test_the_example_experiment_is_won_by_the_variant_that_sells_more(sandbox: Serving) -> None:
    sent = await measured(sandbox, PURCHASES)
    control, (test,) = sent["baseline"], sent["variant_results"]

    lift = (test["sum"] / test["number_of_samples"]) / (control["sum"] / control["number_of_samples"]) - 1
    low, high = test["credible_interval"]
    assert test["significant"] is True
    assert test["chance_to_win"] > 0.99
    assert 0 < low < lift < high
    assert lift == pytest.approx((low + high) / 2)


async def test_steps_list_sessions_of_users_who_stopped_there(sandbox: Serving) -> None:
    control = (await measured(sandbox, PURCHASES))["baseline"]
    only_exposed, bought = control["step_sessions"]

    assert len(only_exposed) == min(control["number_of_samples"] - control["sum"], 100)
    assert len(bought) == min(control["sum"], 100)
    assert bought[0].keys() == {"person_id", "session_id", "event_uuid", "timestamp"}
    query = "select distinct event from events where has({uuids}, toString(uuid))"
    uuids = [one["event_uuid"] for one in bought]
    found = await run_query(sandbox, {"kind": "HogQLQuery", "query": query, "values": {"uuids": uuids}})
    assert found["results"] == [["purchase_completed"]]


async def test_a_ratio_metric_has_the_sums_of_its_denominator(sandbox: Serving) -> None:
    viewed = {"kind": "EventsNode", "event": "$pageview"}
    metric = {**PURCHASES, "metric_type": "ratio", "numerator": REVENUE["source"], "denominator": viewed}
    sent = await measured(sandbox, metric)

    for one in (sent["baseline"], *sent["variant_results"]):
        assert one["denominator_sum"] > one["number_of_samples"]
        assert one["denominator_sum_squares"] >= one["denominator_sum"]
        assert one["numerator_denominator_sum_product"] > 0
        assert one["step_counts"] is one["step_sessions"] is None


async def test_a_retention_metric_is_judged_as_a_ratio(sandbox: Serving) -> None:
    viewed = {"kind": "EventsNode", "event": "$pageview"}
    window = {"retention_window_start": 1, "retention_window_end": 7, "retention_window_unit": "day"}
    metric = {"metric_type": "retention", "start_event": viewed, "completion_event": viewed, **window}
    sent = await measured(sandbox, {"kind": "ExperimentMetric", "start_handling": "first_seen", **metric})

    for one in (sent["baseline"], *sent["variant_results"]):
        assert one["denominator_sum"] == one["number_of_samples"] > one["sum"] > 0
        assert one["numerator_denominator_sum_product"] == one["sum"] == one["sum_squares"]
    assert 0 < sent["variant_results"][0]["chance_to_win"] < 1


async def test_a_frequentist_experiment_has_p_values(sandbox: Serving) -> None:
    experiment = await running_experiment(sandbox)
    await sandbox.patch(f"experiments/{experiment['id']}/", {"stats_config": {"method": "frequentist"}})
    (test,) = (await measured(sandbox, PURCHASES))["variant_results"]

    assert test.keys() == NUMBERS | {"method", "significant", "p_value", "confidence_interval"}
    assert test["method"] == "frequentist"
    assert (0 <= test["p_value"] < 0.05) is test["significant"] is True
    assert test["confidence_interval"][0] > 0


async def test_exposures_grow_from_the_start_day_until_today(sandbox: Serving) -> None:
    experiment = await running_experiment(sandbox)
    sent = await run_query(sandbox, exposure_query(experiment))
    control, test = sent["timeseries"]

    own = {"kind", "timeseries", "total_exposures", "date_range", "sample_ratio_mismatch", "bias_risk"}
    assert sent.keys() == CACHE | own
    assert (control["variant"], test["variant"]) == ("control", "test")
    assert (control["days"][0], control["days"][-1]) == (experiment["start_date"][:10], "2026-11-23")
    assert len(control["days"]) == len(control["exposure_counts"]) == 35
    assert control["exposure_counts"] == sorted(control["exposure_counts"])
    assert sent["total_exposures"] == {one["variant"]: one["exposure_counts"][-1] for one in (control, test)}
    start = experiment["start_date"].replace("Z", "+00:00")
    assert sent["date_range"] == {"date_from": start, "date_to": None, "explicitDate": True}
    samples = (await measured(sandbox, PURCHASES))["baseline"]["number_of_samples"]
    assert sent["total_exposures"]["control"] == samples


async def test_shares_are_compared_with_those_of_the_flag(sandbox: Serving) -> None:
    experiment = await running_experiment(sandbox)
    fair = (await run_query(sandbox, exposure_query(experiment)))["sample_ratio_mismatch"]
    variants = [{"key": "control", "rollout_percentage": 90}, {"key": "test", "rollout_percentage": 10}]
    uneven = {**experiment["feature_flag"], "filters": {"multivariate": {"variants": variants}}}
    sent = await run_query(sandbox, exposure_query(experiment, feature_flag=uneven))

    total = sum(sent["total_exposures"].values())
    assert fair["expected"] == {"control": total / 2, "test": total / 2}
    assert fair["p_value"] > 0.01
    assert sent["sample_ratio_mismatch"]["expected"]["control"] == pytest.approx(0.9 * total)
    assert sent["sample_ratio_mismatch"]["p_value"] < 1e-6


async def test_the_exposures_of_a_draft_are_empty(sandbox: Serving) -> None:
    (draft,) = (await sandbox.get("experiments/", status="draft"))["results"]
    sent = await run_query(sandbox, exposure_query(draft))

    assert sent["timeseries"] == []
    assert sent["total_exposures"] == {}
    assert sent["date_range"] == {"date_from": None, "date_to": None, "explicitDate": True}
    assert sent["sample_ratio_mismatch"] is sent["bias_risk"] is None


async def test_variants_without_exposures_have_zeros_and_no_verdict(sandbox: Serving) -> None:
    (ended,) = (await sandbox.get("experiments/", status="stopped"))["results"]
    query = {"kind": "ExperimentQuery", "experiment_id": ended["id"], "metric": PURCHASES}
    sent = await run_query(sandbox, query)

    assert sent["baseline"]["number_of_samples"] == sent["baseline"]["sum"] == 0
    assert "not-enough-exposures" in sent["baseline"]["validation_failures"]
    (test,) = sent["variant_results"]
    assert test["chance_to_win"] is test["credible_interval"] is test["significant"] is None


async def test_exposures_can_be_an_action_with_the_flag_property(sandbox: Serving) -> None:
    experiment = await running_experiment(sandbox)
    action = await sandbox.make("actions/", {"name": "Began", "steps": [{"event": "checkout_started"}]})
    samples: list[int] = []
    for number in (action["id"], 99_999):
        criteria = {"filterTestAccounts": False, "exposure_config": {"kind": "ActionsNode", "id": number}}
        await sandbox.patch(f"experiments/{experiment['id']}/", {"exposure_criteria": criteria})
        sent = await measured(sandbox, {**PURCHASES, "name": str(number)})
        samples.append(sum(one["number_of_samples"] for one in (sent["baseline"], *sent["variant_results"])))
    variant = f"properties.`$feature/{product.EXPERIMENT_FLAG}`"
    began = await sandbox.query(
        f"select uniqIf(person_id, variants = 1) from (select person_id, uniq({variant}) as variants from events where "
        f"event = 'checkout_started' and timestamp >= toDateTime('{experiment['start_date']}') and {variant} != '' "
        "group by person_id)"
    )

    assert samples == [began["results"][0][0], 0]
    assert samples[0] > 100


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"metric": PURCHASES}, "experiment_id is required"),
        ({"experiment_id": 4_000, "metric": PURCHASES}, "Experiment with id 4000 not found"),
        ({"experiment_id": "one", "metric": PURCHASES}, "query.experiment_id"),
        ({"experiment_id": 1}, "query.metric\n  Field required"),
        ({"experiment_id": 1, "metric": {"metric_type": "guess"}}, "query.metric.metric_type"),
        ({"experiment_id": 1, "metric": {"metric_type": "mean"}}, "query.metric.source\n  Field required"),
        ({"experiment_id": 1, "metric": {"metric_type": "funnel"}}, "query.metric.series\n  Field required"),
        ({"experiment_id": 1, "metric": {**PURCHASES, "series": [{"kind": "What"}]}}, "query.metric.series.0.kind"),
        ({"experiment_id": 1, "metric": {**REVENUE, "conversion_window": "long"}}, "query.metric.conversion_window"),
        ({"experiment_id": 1, "metric": {**REVENUE, "lower_bound_percentile": 5}}, "from 0 to 1"),
        (
            {"experiment_id": 1, "metric": {**REVENUE, "breakdownFilter": {"breakdowns": [{"property": "a"}] * 4}}},
            "Maximum of 3 breakdowns are supported for experiment metrics",
        ),
        ({"experiment_id": 1, "metric": {"metric_type": "retention"}}, "query.metric.retention_window_start"),
    ],
)
async def test_an_invalid_query_is_rejected(sandbox: Serving, query: dict[str, Any], expected: str) -> None:
    status, _, detail, _ = await sandbox.rejection("POST", "query/", {"query": {"kind": "ExperimentQuery", **query}})

    assert status == 400
    assert expected in detail


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ({"experiment_id": None}, "experiment_id is required"),
        ({"feature_flag": {}}, "feature_flag key is required"),
        ({"start_date": "soon"}, "query.start_date"),
    ],
)
async def test_an_exposure_query_needs_its_experiment_and_flag(
    sandbox: Serving, missing: dict[str, Any], expected: str
) -> None:
    experiment = await running_experiment(sandbox)
    status, _, detail, _ = await sandbox.rejection("POST", "query/", {"query": exposure_query(experiment, **missing)})

    assert status == 400
    assert expected in detail


async def test_an_exposure_query_reports_the_missing_field(sandbox: Serving) -> None:
    query = exposure_query(await running_experiment(sandbox))
    del query["end_date"]

    assert "query.end_date\n  Field required" in (await sandbox.rejection("POST", "query/", {"query": query}))[2]
