"""The short loops over event keys return what PostHog's full rules, `furthest` and `entries`, return."""

from bisect import bisect_right
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from posthog_sandbox.insights.dates import DateRange
from posthog_sandbox.insights.funnels.events import Fetched, FunnelEvents
from posthog_sandbox.insights.funnels.request import FunnelRequest
from posthog_sandbox.insights.funnels.steps import FunnelEvent, FunnelRules, Order, furthest
from posthog_sandbox.insights.funnels.trends import entries
from posthog_sandbox.insights.funnels.walks import Walks, ends_of_runs
from posthog_sandbox.insights.series import Series

from ...oracle import examples

DAY = 86_400_000_000
STEPS = 3
STEP = Series(order=0, node={}, kind="events", key=None, label="All events", entity="true", filters="true")
WITHIN = DateRange(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 9, tzinfo=UTC), "day")

times = st.integers(0, 12).map(lambda quarter: quarter * DAY // 4)
"""Few enough values to get several events at one instant."""
histories = st.lists(st.tuples(times, st.integers(0, (1 << STEPS) - 1)), max_size=12)
windows = st.integers(1, 20).map(lambda quarters: quarters * DAY // 4)


def funnel(order: Order, window: int, from_step: int = 0, to_step: int = STEPS - 1) -> FunnelEvents:
    request = FunnelRequest(
        series=(STEP,) * STEPS,
        exclusions=(),
        rules=FunnelRules(steps=STEPS, window=window, order=order),
        display="steps",
        from_step=from_step,
        to_step=to_step,
        attribution="first_touch",
        attributed_step=None,
        bins=None,
        actor=None,
    )
    return FunnelEvents(request, None, WITHIN)


def keys(history: list[tuple[int, int]], order: Order) -> list[int]:
    return sorted(time << STEPS | bits for time, bits in history if bits or order == "strict")


def fetched(found: list[int]) -> Fetched:
    return Fetched((), found, [len(found)], 0, [])


@settings(max_examples=examples(100, 3000), deadline=None)
@given(histories, windows, st.sampled_from(("ordered", "strict", "unordered")))
def test_attempts_match_the_rules(history: list[tuple[int, int]], window: int, order: Order) -> None:
    events = funnel(order, window)
    found = keys(history, order)
    walked = ends_of_runs(found, events.shift) if order == "unordered" else found
    expected = furthest([events.event(key) for key in walked], events.request.rules)
    (attempt,) = Walks(events).attempts(fetched(found))

    assert (attempt and (attempt.times, attempt.taken)) == (expected and (expected.times, expected.taken))


def test_only_the_ends_of_a_run_of_events_of_one_step_are_kept() -> None:
    def run(*events: tuple[int, int]) -> list[int]:
        return [time << STEPS | bits for time, bits in events]

    assert ends_of_runs(run((1, 1), (2, 1), (3, 1), (4, 2)), STEPS) == run((1, 1), (3, 1), (4, 2))
    assert ends_of_runs(run((1, 1), (2, 1), (2, 1), (3, 1)), STEPS) == run((1, 1), (2, 1), (2, 1), (3, 1))
    assert ends_of_runs(run((1, 3), (2, 3), (3, 3)), STEPS) == run((1, 3), (2, 3), (3, 3))


@settings(max_examples=examples(100, 3000), deadline=None)
@given(histories, windows, st.sampled_from(((0, 1), (0, 2), (1, 2))))
def test_entries_match_the_rules(history: list[tuple[int, int]], window: int, steps: tuple[int, int]) -> None:
    events = funnel("ordered", window, *steps)
    found = keys(history, "ordered")
    starts = [(bucket - WITHIN.start) // timedelta(microseconds=1) for bucket in WITHIN.buckets()]
    rules = replace(events.request.rules, steps=steps[1] + 1)
    cut = [event._replace(steps=tuple(step for step in event.steps if step <= rules.steps)) for event in _events(found)]
    expected = entries(
        [event for event in cut if event.steps], rules, lambda time: bisect_right(starts, time) - 1, steps[0] + 1
    )
    (entered,) = Walks(events).entries(fetched(found))

    assert entered == expected


def _events(found: list[int]) -> list[FunnelEvent]:
    events = funnel("ordered", 1)
    return [events.event(key) for key in found]


def test_buckets_begin_at_midnight_even_after_a_clock_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    within = DateRange(datetime(2026, 3, 28, tzinfo=berlin), datetime(2026, 3, 31, 23, 59, tzinfo=berlin), "day")
    events = replace(funnel("ordered", DAY), within=within)
    after_midnight = datetime(2026, 3, 31, 0, 30, tzinfo=berlin)
    key = events.since_origin(after_midnight) << events.shift | 0b1
    (entered,) = Walks(events).entries(fetched([key]))

    assert entered == {3: False}
