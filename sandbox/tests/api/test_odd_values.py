"""Any JSON in any field results in a row or an error in PostHog's envelope, never a crash."""

from contextlib import closing
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posthog_sandbox.api import annotations
from posthog_sandbox.api.experiments import resource as experiments
from posthog_sandbox.api.surveys import resource as surveys
from posthog_sandbox.http.resource import Resource
from posthog_sandbox.http.routing import Route

from ..oracle import accepting, examples
from .resource_calls import Resources

pytestmark = pytest.mark.anyio

NAMES = """
key question choices link validation type value branching groups properties rollout_percentage actions values events id
kind metric_type source series event feature_flag_variants split_percent seenSurveyWaitPeriodInDays shuffleQuestions
surveyPopupDelaySeconds linkedFlagVariant exposure_config feature_flag_payloads aggregation_group_type_index
"""
WORDS = "control ExperimentMetric mean funnel EventsNode ActionsNode https://[ 2026 0001-01-01T00:00:00+14:00"
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS.split(" ")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES.split()), inner, max_size=4),
    max_leaves=12,
)


ORDINARY: st.SearchStrategy[Any] = st.sampled_from(
    cast("list[Any]", ["A text", "2026-01-01T00:00:00Z", True, False, 1, None, [], {}])
)


class Rejected(Exception):
    """A value was rejected as PostHog rejects it."""


@pytest.mark.parametrize(
    ("resource", "api_routes", "needed"),
    [
        (annotations.ANNOTATIONS, annotations.ROUTES, {}),
        (experiments.EXPERIMENTS, experiments.ROUTES, {"name": "Button", "feature_flag_key": "button"}),
        (surveys.SURVEYS, surveys.ROUTES, {"name": "NPS", "type": "popover"}),
    ],
    ids=["annotations", "experiments", "surveys"],
)
@accepting(4, Rejected)
@given(chosen=st.dictionaries(st.integers(0, 40), JSON | ORDINARY | ORDINARY, min_size=1, max_size=2))
@settings(max_examples=examples(25, 500), deadline=None, suppress_health_check=[HealthCheck.too_slow])
async def test_no_value_breaks_a_resource(
    resource: Resource, api_routes: tuple[Route, ...], needed: dict[str, Any], chosen: dict[int, Any]
) -> None:
    names = [field.name for field in resource.fields]
    body = {names[number % len(names)]: value for number, value in chosen.items()}
    with closing(Resources(api_routes)) as api:
        first = made = await api.send("POST", f"{resource.table}/", {**needed, **body})
        assert made.status in (201, 400), made
        if made.status == 400:
            assert made.detail
            made = await api.send("POST", f"{resource.table}/", needed)
        changed = await api.send("PATCH", f"{resource.table}/{made.body['id']}/", body)
        assert changed.status in (200, 400) or body.get("deleted") is True, changed
        assert (await api.get(f"{resource.table}/"))["count"] <= 1
    if first.status == 400:
        raise Rejected
