"""The period of an explanation and the windows before it; and the numbers that cannot be explained."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from maton_posthog.gateway.errors import Refused
from maton_posthog.schemas.analytics.changes import ExplainChange
from maton_posthog.schemas.analytics.queries import QueryFunnel, QueryTrends
from maton_posthog.tools.analytics import funnel, trends
from maton_posthog.tools.analytics.changes.metric import metric_of_funnel, metric_of_trend
from maton_posthog.tools.analytics.changes.windows import windows_of

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


def test_the_default_is_the_last_seven_whole_days_and_eight_weeks_before() -> None:
    windows = windows_of(None, None, now=NOW, zone=UTC)
    assert windows.period.start.isoformat() == "2026-11-16T00:00:00+00:00"
    assert windows.period.end.isoformat() == "2026-11-23T00:00:00+00:00"
    assert len(windows.before) == 8
    assert windows.start.isoformat() == "2026-09-21T00:00:00+00:00"
    assert not windows.cut


def test_windows_have_the_weekdays_of_the_period_and_wall_clock_days() -> None:
    zone = ZoneInfo("Europe/Berlin")
    windows = windows_of(date(2026, 10, 26), date(2026, 10, 27), now=NOW, zone=zone)
    for one in windows.all:
        assert (one.start.weekday(), one.start.hour, one.end.hour) == (0, 0, 0)
    assert {one.start.utcoffset() for one in windows.all} != {windows.period.start.utcoffset()}


def test_the_interval_that_is_running_is_left_out() -> None:
    week = windows_of("-3d", None, now=NOW, zone=UTC)
    assert (week.period.end.isoformat(), week.cut) == ("2026-11-23T00:00:00+00:00", True)
    today = windows_of(date(2026, 11, 23), None, now=NOW, zone=UTC)
    assert (today.period.end.hour, today.cut, today.name_of_step) == (12, True, "Hour")


def test_longer_periods_have_fewer_windows_of_whole_weeks() -> None:
    windows = windows_of(date(2026, 11, 1), date(2026, 11, 14), now=NOW, zone=UTC)
    assert len(windows.before) == 4
    assert all((windows.period.start - one.start).days % 14 == 0 for one in windows.before)


@pytest.mark.parametrize(
    ("start", "end"),
    [("all", None), (date(2026, 9, 1), date(2026, 11, 1)), (NOW.replace(minute=10), None)],
)
def test_a_period_that_cannot_be_compared_is_rejected(start: Any, end: Any) -> None:
    with pytest.raises(Refused) as rejected:
        windows_of(start, end, now=NOW, zone=UTC)
    assert str(rejected.value.message).startswith("date_from: ")


@pytest.mark.parametrize(
    "arguments",
    [
        {"events": ["a", "b"]},
        {"events": ["a", "b"], "formula": "A+B"},
        {"events": "a", "math": "weekly_active"},
        {"events": [{"event": "a", "where": [{"key": "x", "value": "1", "operator": "regex"}]}, "b"], "formula": "A/B"},
    ],
)
def test_a_trend_that_cannot_be_explained_is_rejected_by_name(arguments: dict[str, Any]) -> None:
    with pytest.raises(Refused) as rejected:
        metric_of_trend(trends.KIND.read(QueryTrends.model_validate(arguments)))
    assert str(rejected.value.message).startswith("of: ")


def test_a_funnel_is_counted_within_a_day_and_says_so() -> None:
    spec = funnel.KIND.read(
        QueryFunnel.model_validate({"steps": ["a", {"event": "b", "where": [{"key": "x", "value": "'"}]}]})
    )
    found = metric_of_funnel(spec)
    assert found.window_s == 86_400
    assert found.note
    assert "'" not in "".join(found.steps).replace("''", "")


@pytest.mark.parametrize(
    "arguments",
    [{}, {"event": "a", "insight_id": 3}, {"insight_id": 3, "math": "dau"}, {"event": "a", "math": "sum"}],
)
def test_arguments_that_name_no_number_are_rejected(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ExplainChange.model_validate(arguments)
