"""Descriptions of requests on the overview page."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthog_sandbox.pages.descriptions import described
from posthog_sandbox.pages.recording import summary

VIEW = {"kind": "EventsNode", "event": "$pageview"}
BUY = {"kind": "EventsNode", "event": "purchase_completed", "math": "dau"}
FUNNEL = {"kind": "FunnelsQuery", "series": [VIEW, BUY], "dateRange": {"date_from": "-30d"}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
NAMES = (
    "kind", "source", "query", "series", "event", "math", "breakdownFilter", "breakdown", "breakdowns", "dateRange",
    "date_from", "interval", "retentionFilter", "targetEntity", "period",
    "pathsFilter", "includeEventTypes", "metric", "metric_type", "key", "name",
)  # fmt: skip
QUERIES = st.recursive(
    st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6),
    lambda inner: st.dictionaries(st.sampled_from(NAMES), inner | st.lists(inner, max_size=2), max_size=4),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"kind": "HogQLQuery", "query": "select 1"}, "select 1"),
        ({"kind": "DataVisualizationNode", "source": {"kind": "HogQLQuery", "query": "select 2"}}, "select 2"),
        (
            {
                "kind": "TrendsQuery",
                "series": [BUY, {"kind": "EventsNode", "event": None}],
                "interval": "week",
                "breakdownFilter": {"breakdown": "$browser"},
                "dateRange": {"date_from": "2026-11-01", "date_to": "2026-11-20"},
            },
            "TrendsQuery: purchase_completed (dau), any event by $browser, each week, from 2026-11-01 to 2026-11-20",
        ),
        (FUNNEL, "FunnelsQuery: $pageview then purchase_completed (dau), from -30d"),
        (
            {"kind": "InsightVizNode", "source": FUNNEL},
            "FunnelsQuery: $pageview then purchase_completed (dau), from -30d",
        ),
        (
            {"kind": "ActorsQuery", "source": {"kind": "FunnelsActorsQuery", "source": FUNNEL, "funnelStep": -2}},
            "ActorsQuery of FunnelsActorsQuery of FunnelsQuery: $pageview then purchase_completed (dau), from -30d, "
            "funnelStep -2",
        ),
        (
            {
                "kind": "RetentionQuery",
                "retentionFilter": {
                    "period": "Week",
                    "targetEntity": {"id": "sign_up", "type": "events"},
                    "returningEntity": {"id": "$pageview", "type": "events"},
                },
            },
            "RetentionQuery: sign_up then $pageview, each week",
        ),
        ({"kind": "EventTaxonomyQuery", "event": "$pageview"}, "EventTaxonomyQuery: event $pageview"),
        (
            {"kind": "ExperimentQuery", "experiment_id": 3, "metric": {"metric_type": "mean"}},
            "ExperimentQuery: experiment_id 3, mean metric",
        ),
        ({"kind": "PathsQuery", "pathsFilter": {"includeEventTypes": ["$pageview"]}}, "PathsQuery: $pageview"),
        ({"kind": "TeamTaxonomyQuery"}, "TeamTaxonomyQuery"),
    ],
)
def test_a_query_is_described_briefly(query: dict[str, Any], words: str) -> None:
    assert described(query) == words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            {"query": FUNNEL, "name": "checkout"},
            "checkout: FunnelsQuery: $pageview then purchase_completed (dau), from -30d",
        ),
        ({"key": "new-checkout", "filters": {}}, "new-checkout"),
        ({"active": False, "filters": {"groups": []}}, "active false, filters"),
        ({"deleted": True}, "deleted true"),
        ({}, ""),
    ],
)
def test_a_body_is_summarized_by_its_name_its_query_or_its_fields(body: dict[str, Any], words: str) -> None:
    assert summary(body) == words


@given(QUERIES)
def test_any_json_can_be_summarized(query: dict[str, Any]) -> None:
    assert isinstance(described(query), str)
    assert isinstance(summary({"query": query, **query}), str)


def test_deep_nesting_can_be_described() -> None:
    query: dict[str, Any] = {}
    for _ in range(50):
        query = {"kind": "InsightVizNode", "source": query}

    assert described(query) == "InsightVizNode"
