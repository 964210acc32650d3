from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maton_posthog.gateway.errors import Failed, Refused, Rejected, Upstream
from maton_posthog.gateway.projects import Project
from maton_posthog.gateway.target import Target
from maton_posthog.schemas.experiments.results import MetricAnswer
from maton_posthog.tools.experiments.metrics import Metric, reading_of
from maton_posthog.tools.experiments.results import OPERATIONS

from ..posthog.fake import PROJECT_ID, run
from .answers import (
    CONTROL,
    NEITHER,
    NOW,
    PURCHASES,
    REFUNDS,
    REVENUE,
    TEST,
    api_with,
    experiment,
    exposures,
    result,
    variant,
)

pytestmark = pytest.mark.anyio

(RESULTS,) = OPERATIONS
WITHOUT_TEST_ACCOUNTS = "Test accounts are left out; the experiment's page in PostHog has the switch."


async def test_exposures_and_each_stored_primary_metric_take_one_query() -> None:
    stored = experiment(metrics=[PURCHASES, REVENUE], metrics_secondary=[REFUNDS])
    api = api_with(stored)
    await run(RESULTS, api, experiment_id=11)
    first, *others = [(sent.body or {}) for sent in api.sent[1:]]
    assert first["query"] == {
        "kind": "ExperimentExposureQuery",
        "experiment_id": 11,
        "experiment_name": "Button Color Test",
        "feature_flag": first["query"]["feature_flag"],
        "start_date": "2026-11-01T00:00:00Z",
        "end_date": None,
        "exposure_criteria": first["query"]["exposure_criteria"],
        "holdout": None,
    }
    assert first["query"]["feature_flag"]["filters"]["multivariate"]["variants"][1]["key"] == "test"
    assert {body["query"]["metric"]["uuid"] for body in others} == {"u-1", "u-2"}
    assert {body["query"]["kind"] for body in others} == {"ExperimentQuery"}
    assert all("refresh" not in body for body in [first, *others])
    sent = next(body["query"]["metric"] for body in others if body["query"]["metric"]["uuid"] == "u-1")
    assert {name: sent[name] for name in PURCHASES if name != "series"} == {
        name: value for name, value in PURCHASES.items() if name != "series"
    }
    assert sent["series"][0]["event"] == "purchase"


async def test_a_significant_winner_is_conclusive() -> None:
    shown = await run(RESULTS, api_with(experiment()), experiment_id=11)
    assert shown == {
        "experiment": {
            "id": 11,
            "name": "Button Color Test",
            "feature_flag_key": "button-color-test",
            "status": "running",
            "start_date": "2026-11-01T00:00:00Z",
            "days_run": 22.5,
            "method": "bayesian",
        },
        "exposures": {
            "columns": ["variant", "exposed", "share_percent", "expected_percent"],
            "rows": [["control", 212, 50.8, 50], ["test", 205, 49.2, 50]],
            "sample_ratio_p_value": 0.73,
            "sample_ratio_mismatch": False,
        },
        "metrics": [
            {
                "name": "Purchases",
                "type": "funnel",
                "columns": [
                    *("variant", "samples", "conversions", "conversion_percent"),
                    *("lift_percent", "lift_low_percent", "lift_high_percent", "chance_to_win_percent", "significant"),
                ],
                "rows": [
                    ["control", 212, 118, 55.66, None, None, None, None, None],
                    ["test", 205, 167, 81.46, 46.4, 26.3, 66.4, 99.99, True],
                ],
                "outcome": "test wins.",
            }
        ],
        "verdict": {"conclusive": True, "outcomes": ["test wins on Purchases"]},
        "notes": ["Its flag is off: no new users are exposed.", WITHOUT_TEST_ACCOUNTS],
    }


async def test_a_draft_sends_no_query() -> None:
    api = api_with(experiment(start_date=None, status="draft"))
    shown = await run(RESULTS, api, experiment_id=11)
    assert len(api.sent) == 1
    assert shown["verdict"]["conclusive"] is False
    assert "draft" in shown["verdict"]["reasons"][0]


async def test_refresh_bypasses_the_cache_and_cached_numbers_have_their_age() -> None:
    api = api_with(experiment())
    await run(RESULTS, api, experiment_id=11, refresh=True)
    assert [(sent.body or {})["refresh"] for sent in api.sent[1:]] == ["force_blocking"] * 2
    kept = result(is_cached=True, last_refresh="2026-11-23T09:00:00Z")
    shown = await run(RESULTS, api_with(experiment(), u_1=kept), experiment_id=11)
    assert shown["computed_at"] == "2026-11-23T09:00:00+00:00"


AGAINST: list[tuple[str, dict[str, Any], dict[str, Any] | None, Any]] = [
    ("Sample ratio mismatch (p = 0.0004)", {}, exposures(p_value=0.0004), result()),
    ("No users were exposed", {}, exposures(total_exposures={}, p_value=None), result()),
    (
        "Too few exposures: test 12; PostHog needs 50",
        {},
        exposures(total_exposures={"control": 90.0, "test": 12.0}, p_value=None),
        result(CONTROL, NEITHER | {"validation_failures": ["not-enough-exposures"], "significant": None}),
    ),
    (
        "test 0",
        {},
        exposures(total_exposures={"control": 90.0}, p_value=None),
        result(),
    ),
    ("has run for 3.5 days, less than a full week", {"start_date": "2026-11-20T00:00:00Z"}, None, result()),
    (
        "It ran for 2.0 days",
        {"start_date": "2026-11-01T00:00:00Z", "end_date": "2026-11-03T00:00:00Z"},
        None,
        result(),
    ),
    ("Not significant on any primary metric; more exposures", {}, None, result(CONTROL, NEITHER)),
    (
        "Not significant on any primary metric; it has ended",
        {"end_date": "2026-11-20T00:00:00Z"},
        None,
        result(CONTROL, NEITHER),
    ),
    (
        "Purchases: control: no conversions in the baseline",
        {},
        None,
        result(variant("control", 212, 0, validation_failures=["baseline-mean-is-zero"]), variant("test", 205, 9)),
    ),
    ("It has no such metrics", {"metrics": []}, None, None),
    ("Purchases: could not be computed", {}, None, Rejected("validation_failed", "PostHog refuses.")),
]


@pytest.mark.parametrize(("says", "stored", "seen", "found"), AGAINST, ids=[case[0][:30] for case in AGAINST])
async def test_reasons_against_a_conclusion_are_reported(
    says: str, stored: dict[str, Any], seen: dict[str, Any] | None, found: Any
) -> None:
    shown = await run(RESULTS, api_with(experiment(**stored), seen, u_1=found), experiment_id=11)
    assert shown["verdict"]["conclusive"] is False
    assert any(says in reason for reason in shown["verdict"]["reasons"]), shown["verdict"]


async def test_exactly_seven_days_are_a_full_week() -> None:
    week = experiment(start_date="2026-11-01T09:00:00Z", end_date="2026-11-08T09:00:00Z")
    shown = await run(RESULTS, api_with(week), experiment_id=11)
    assert shown["experiment"]["days_run"] == 7
    assert shown["verdict"]["conclusive"] is True
    less = experiment(start_date="2026-11-01T09:00:01Z", end_date="2026-11-08T09:00:00Z")
    shown = await run(RESULTS, api_with(less), experiment_id=11)
    assert "less than a full week" in str(shown["verdict"]["reasons"])


async def test_a_metric_that_cannot_be_computed_gives_the_reason_and_keeps_the_others() -> None:
    refusal = Rejected("validation_failed", "PostHog refuses.", upstream=Upstream("Unable to calculate."))
    api = api_with(experiment(metrics=[PURCHASES, REVENUE]), u_1=refusal)
    shown = await run(RESULTS, api, experiment_id=11)
    broken, whole = shown["metrics"]
    assert broken == {"name": "Purchases", "error": "Unable to calculate."}
    assert whole["name"] == "sum of revenue"
    assert whole["outcome"] == "test wins."
    assert shown["verdict"]["conclusive"] is False
    assert shown["verdict"]["outcomes"] == ['test wins on "sum of revenue"']


async def test_without_exposures_there_is_no_conclusion() -> None:
    with pytest.raises(Failed, match="sent no results"):
        await run(RESULTS, api_with(experiment(), {"last_refresh": NOW}), experiment_id=11)


async def test_a_metric_without_numbers_is_an_upstream_error() -> None:
    shown = await run(RESULTS, api_with(experiment(), u_1={"last_refresh": NOW}), experiment_id=11)
    assert shown["metrics"] == [{"name": "Purchases", "error": "PostHog sent no results."}]


async def test_an_older_kind_of_metric_is_not_sent() -> None:
    old = {"kind": "ExperimentTrendsQuery", "name": "Old", "uuid": "u-9"}
    api = api_with(experiment(metrics=[old]))
    shown = await run(RESULTS, api, experiment_id=11)
    assert len(api.sent) == 2
    assert "only PostHog's page shows" in shown["metrics"][0]["error"]


async def test_chances_are_inverted_if_the_metric_should_decrease() -> None:
    control = variant("control", 212, 40.0, denominator_sum=118.0)
    test = TEST | {
        "sum": 20.0, "denominator_sum": 167.0, "chance_to_win": 0.003, "credible_interval": [-0.9, -0.38],
    }  # fmt: skip
    stored = experiment(metrics=[REFUNDS])
    shown = await run(RESULTS, api_with(stored, u_3=result(control, test)), experiment_id=11)
    (metric,) = shown["metrics"]
    assert (metric["name"], metric["goal"]) == ("refund / purchase", "decrease")
    assert metric["columns"][2:4] == ["numerator", "ratio"]
    assert metric["rows"] == [
        ["control", 212, 40, 0.338983, None, None, None, None, None],
        ["test", 205, 20, 0.11976, -64, -90, -38, 99.7, True],
    ]
    assert metric["outcome"] == "test wins."
    assert shown["verdict"]["conclusive"] is True


async def test_a_significant_loss_is_conclusive_too() -> None:
    worse = TEST | {"chance_to_win": 0.001, "credible_interval": [-0.5, -0.2]}
    shown = await run(RESULTS, api_with(experiment(), u_1=result(CONTROL, worse)), experiment_id=11)
    assert shown["verdict"] == {"conclusive": True, "outcomes": ["test loses on Purchases"]}


async def test_frequentist_results_have_p_values() -> None:
    found = variant("test", 205, 167.0, significant=True, p_value=0.00012, confidence_interval=[0.25, 0.68])
    stored = experiment(stats_config={"method": "frequentist"})
    shown = await run(RESULTS, api_with(stored, u_1=result(CONTROL, found)), experiment_id=11)
    assert shown["experiment"]["method"] == "frequentist"
    (metric,) = shown["metrics"]
    assert metric["columns"][4:] == ["lift_percent", "lift_low_percent", "lift_high_percent", "p_value", "significant"]
    assert metric["rows"][1][4:] == [46.5, 25, 68, 0.00012, True]


async def test_absolute_differences_are_not_shown_as_percentages() -> None:
    found = TEST | {"credible_interval": [0.17, 0.35]}
    stored = experiment(stats_config={"method": "bayesian", "bayesian": {"difference_type": "ABSOLUTE"}})
    shown = await run(RESULTS, api_with(stored, u_1=result(CONTROL, found)), experiment_id=11)
    (metric,) = shown["metrics"]
    assert metric["columns"][4:7] == ["lift_percent", "difference_low", "difference_high"]
    assert metric["rows"][1][4:7] == [46.4, 0.17, 0.35]


async def test_a_variant_with_mixed_results_gets_no_recommendation() -> None:
    worse = TEST | {"chance_to_win": 0.001, "credible_interval": [-0.5, -0.2]}
    api = api_with(experiment(metrics=[PURCHASES, REVENUE]), u_2=result(CONTROL, worse))
    shown = await run(RESULTS, api, experiment_id=11)
    assert shown["verdict"] == {
        "conclusive": False,
        "outcomes": ["test wins on Purchases", 'test loses on "sum of revenue"'],
        "reasons": ["test wins on one primary metric and loses on another; weigh them yourself."],
    }


SHARED = {
    "id": 5,
    "name": "Shared revenue",
    "metadata": {"type": "secondary"},
    "query": {name: value for name, value in REVENUE.items() if name != "uuid"} | {"uuid": "u-5"},
}
CHOICES: list[tuple[str, list[str]]] = [
    ("primary", ["Purchases", "refund / purchase"]),
    ("secondary", ["sum of revenue", "Shared revenue"]),
    ("all", ["Purchases", "refund / purchase", "sum of revenue", "Shared revenue"]),
    ("purchases", ["Purchases"]),
    ("u-5", ["Shared revenue"]),
]


@pytest.mark.parametrize(("metric", "names"), CHOICES)
async def test_metrics_are_chosen_by_group_name_or_uuid(metric: str, names: list[str]) -> None:
    stored = experiment(metrics=[PURCHASES, REFUNDS], metrics_secondary=[REVENUE], saved_metrics=[SHARED])
    shown = await run(RESULTS, api_with(stored), experiment_id=11, metric=metric)
    assert [one["name"] for one in shown["metrics"]] == names
    assert [one["name"] for one in shown["metrics"] if one.get("secondary")] == [
        name for name in names if name in ("sum of revenue", "Shared revenue")
    ]


async def test_secondary_metrics_decide_nothing_and_partial_primary_ones_are_reported() -> None:
    stored = experiment(metrics=[PURCHASES, REFUNDS], metrics_secondary=[REVENUE])
    alone = await run(RESULTS, api_with(stored), experiment_id=11, metric="secondary")
    assert "do not decide" in alone["verdict"]["reasons"][0]
    part = await run(RESULTS, api_with(stored), experiment_id=11, metric="Purchases")
    assert part["verdict"]["conclusive"] is True
    assert 'The verdict leaves out primary metrics: "refund / purchase".' in part["notes"]


async def test_an_unknown_metric_is_rejected_with_the_available_names() -> None:
    api = api_with(experiment())
    with pytest.raises(Refused, match="unknown metric signups") as caught:
        await run(RESULTS, api, experiment_id=11, metric="signups")
    assert caught.value.hint == "Available: Purchases; or primary, secondary, all."
    assert len(api.sent) == 1


async def test_users_who_saw_several_variants_are_reported_separately() -> None:
    seen = exposures(
        total_exposures={"control": 212.0, "test": 205.0, "$multiple": 9.0, "gone": 3.0},
        bias_risk={"multiple_variant_percentage": 2.113},
    )
    shown = await run(RESULTS, api_with(experiment(), seen), experiment_id=11)
    assert shown["exposures"]["rows"][2:] == [["$multiple", 9, None, None], ["gone", 3, None, None]]
    assert shown["notes"][1:] == [
        "9 users saw more than one variant ($multiple) and are excluded.",
        "2.1 % of users saw more than one variant of an uneven split; excluding them biases the result.",
        "Some exposures are of variants that the flag no longer has.",
        WITHOUT_TEST_ACCOUNTS,
    ]


async def test_many_comparisons_are_reported_as_a_risk() -> None:
    many = [PURCHASES | {"uuid": f"u-{at}", "name": f"Metric {at}"} for at in range(4)]
    shown = await run(RESULTS, api_with(experiment(metrics=many)), experiment_id=11)
    assert shown["notes"][0] == "4 comparisons, each tested separately: one of them may differ by chance."
    few = await run(RESULTS, api_with(experiment(metrics=many[:3])), experiment_id=11)
    assert "comparisons" not in str(few["notes"])


async def test_held_out_users_are_not_a_variant() -> None:
    seen = exposures(total_exposures={"control": 150.0, "test": 150.0, "holdout-4": 30.0})
    shown = await run(RESULTS, api_with(experiment(), seen), experiment_id=11)
    assert [row[1:] for row in shown["exposures"]["rows"]] == [[150, 50, 50], [150, 50, 50], [30, None, None]]
    assert shown["notes"] == ["Its flag is off: no new users are exposed.", WITHOUT_TEST_ACCOUNTS]


async def test_steps_of_a_longer_funnel_are_shown_and_sessions_are_not() -> None:
    series = [{"kind": "EventsNode", "event": "cart"}, {"kind": "ActionsNode", "id": 3}]
    steps = {"kind": "ExperimentMetric", "uuid": "u-1", "metric_type": "funnel", "series": series}
    found = result(CONTROL | {"step_counts": [150, 118]}, TEST | {"step_counts": [180, 167]})
    shown = await run(RESULTS, api_with(experiment(metrics=[steps]), u_1=found), experiment_id=11)
    (metric,) = shown["metrics"]
    assert metric["name"] == "cart to action 3"
    assert metric["step_counts"] == {"control": [150, 118], "test": [180, 167]}
    assert "person_id" not in str(shown)


TITLES: list[tuple[dict[str, Any], str]] = [
    ({"metric_type": "mean", "source": {"kind": "EventsNode", "event": None}}, "All events"),
    ({"metric_type": "mean", "source": {"event": "a", "custom_name": "Visits", "math": "dau"}}, "dau of Visits"),
    ({"metric_type": "mean", "source": {"kind": "ExperimentDataWarehouseNode", "table_name": "orders"}}, "orders"),
    ({"metric_type": "retention", "start_event": {"event": "a"}, "completion_event": {"event": "b"}}, "a then b"),
    ({"metric_type": "funnel"}, "funnel"),
]


@pytest.mark.parametrize(("query", "title"), TITLES)
async def test_a_metric_without_a_name_is_named_after_its_event(query: dict[str, Any], title: str) -> None:
    stored = experiment(metrics=[{"kind": "ExperimentMetric", "uuid": "u-1", **query}])
    shown = await run(RESULTS, api_with(stored), experiment_id=11)
    assert shown["metrics"][0]["name"] == title


@given(
    samples=st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)),
    sums=st.tuples(st.integers(1, 10**6), st.integers(0, 10**6)),
    decrease=st.booleans(),
    chance=st.floats(0, 1),
)
def test_a_variant_wins_if_and_only_if_it_differs_in_the_goal_direction(
    samples: tuple[int, int], sums: tuple[int, int], decrease: bool, chance: float
) -> None:
    metric = Metric("x", {"metric_type": "mean", **({"goal": "decrease"} if decrease else {})}, is_primary=True)
    found = MetricAnswer.model_validate(
        result(
            variant("control", samples[0], sums[0]),
            variant("test", samples[1], sums[1], significant=True, chance_to_win=chance),
        )
    )
    reading = reading_of(metric, found, relative=True)
    higher = sums[1] / samples[1] - sums[0] / samples[0]
    if abs(higher) > 1e-9:
        assert reading.outcomes["test"] == ("wins" if (higher > 0) is not decrease else "loses")
    shown = reading.shown["rows"][1][7]
    assert shown == pytest.approx(100 * ((1 - chance) if decrease else chance), abs=0.006)


@pytest.mark.parametrize("field", [name for name in experiment() if name != "id"])
async def test_older_servers_can_omit_any_field_but_the_id(field: str) -> None:
    old = {name: value for name, value in experiment().items() if name != field}
    shown = await run(RESULTS, api_with(old), experiment_id=11)
    assert shown["experiment"]["id"] == 11


@pytest.mark.parametrize(
    ("criteria", "defined", "is_noted"),
    [
        ({"filterTestAccounts": True}, True, True),
        ({"filterTestAccounts": True}, None, True),
        ({"filterTestAccounts": True}, False, False),
        ({"filterTestAccounts": False}, True, False),
        (None, True, False),
    ],
)
async def test_that_test_accounts_are_left_out_is_noted(criteria: Any, defined: bool | None, is_noted: bool) -> None:
    api = api_with(experiment(exposure_criteria=criteria))
    api.target = Target(None, Project(PROJECT_ID, "Default project", has_test_accounts=defined))
    notes = (await run(RESULTS, api, experiment_id=11)).get("notes", [])
    assert (WITHOUT_TEST_ACCOUNTS in notes) is is_noted
