"""The progress of an actor in a funnel: PostHog's rules one by one, and against all chains of events."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthog_sandbox.insights.funnels.steps import Attempt, FunnelEvent, FunnelRules, furthest
from posthog_sandbox.insights.funnels.trends import entries

from ...oracle import examples

WINDOW = 10


def happened(*events: tuple[int, tuple[int, ...]]) -> list[FunnelEvent]:
    return [FunnelEvent(time, steps) for time, steps in events]


def attempt(*events: tuple[int, tuple[int, ...]], steps: int = 3, **rules: Any) -> Attempt | None:
    return furthest(happened(*events), FunnelRules(steps=steps, window=WINDOW, **rules))


def reached(*events: tuple[int, tuple[int, ...]], steps: int = 3, **rules: Any) -> int:
    found = attempt(*events, steps=steps, **rules)
    return 0 if found is None else found.taken.bit_length()


def test_the_window_starts_at_the_first_step_and_includes_its_end() -> None:
    assert reached((0, (1,)), (6, (2,)), (10, (3,))) == 3
    assert reached((0, (1,)), (6, (2,)), (11, (3,))) == 2


def test_a_later_first_step_restarts_the_window() -> None:
    assert reached((0, (1,)), (8, (1,)), (12, (2,)), (18, (3,))) == 3


def test_a_later_first_step_does_not_extend_an_attempt_that_got_further() -> None:
    assert reached((0, (1,)), (1, (2,)), (8, (1,)), (12, (3,))) == 2


def test_times_come_from_the_first_attempt_that_got_furthest() -> None:
    found = attempt((0, (1,)), (1, (2,)), (2, (1,)), (5, (3,)))

    assert found is not None
    assert found.timings == (1, 4)


def test_one_event_serves_one_step_of_an_attempt() -> None:
    assert reached((0, (1, 2)), steps=2) == 1
    assert reached((0, (1, 2)), (3, (1, 2)), steps=2) == 2


def test_different_events_of_one_instant_are_tried_in_step_order() -> None:
    found = attempt((5, (2,)), (5, (1,)), (6, (3,)))

    assert found is not None
    assert found.times == (5, 5, 6)


def test_exclusions_and_strictness_are_ignored_within_one_instant() -> None:
    assert reached((0, (1,)), (5, (-2,)), (5, (2,)), steps=2) == 2
    assert reached((0, (1,)), (5, ()), (5, (2,)), steps=2, order="strict") == 2


def test_any_other_event_between_two_steps_breaks_a_strict_attempt() -> None:
    assert reached((0, (1,)), (1, ()), (2, (2,)), order="strict") == 1
    assert reached((0, (1,)), (1, ()), (2, (1,)), (3, (2,)), (4, (3,)), order="strict") == 3


def test_repeating_a_step_does_not_break_a_strict_attempt() -> None:
    assert reached((0, (1,)), (1, (2,)), (2, (2,)), (3, (3,)), order="strict") == 3


def test_an_excluded_event_between_its_steps_removes_the_actor_from_the_whole_funnel() -> None:
    assert attempt((0, (1,)), (1, (-2,)), (2, (2,))) is None
    assert attempt((0, (1,)), (1, (-2,))) is None


def test_an_excluded_event_before_after_or_outside_the_window_changes_nothing() -> None:
    assert reached((0, (-2,)), (1, (1,)), (2, (2,)), (3, (-2,)), (4, (3,))) == 3
    assert reached((0, (1,)), (11, (-2,))) == 1


def test_a_clean_attempt_that_gets_as_far_restores_an_excluded_actor() -> None:
    assert reached((0, (1,)), (1, (-2,)), (2, (2,)), (3, (1,)), (4, (2,))) == 2
    assert attempt((0, (1,)), (1, (-2,)), (2, (2,)), (3, (1,))) is None


def test_an_optional_step_can_be_skipped_and_has_no_time() -> None:
    skipped = attempt((0, (1,)), (4, (3,)), optional=frozenset({2}))
    taken = attempt((0, (1,)), (1, (2,)), (4, (3,)), optional=frozenset({2}))

    assert skipped is not None
    assert (skipped.taken, skipped.timings) == (0b101, (4,))
    assert taken is not None
    assert (taken.taken, taken.timings) == (0b111, (4,))


def test_unordered_steps_count_in_any_order_within_one_window() -> None:
    found = attempt((0, (3,)), (2, (1,)), (7, (2,)), order="unordered")

    assert found is not None
    assert found.timings == (2, 5)
    assert reached((0, (3,)), (6, (1,)), (11, (2,)), order="unordered") == 2


def test_an_event_that_matches_several_unordered_steps_serves_one() -> None:
    assert reached((0, (1, 2)), steps=2, order="unordered") == 1
    assert reached((0, (1, 2)), (1, (1, 2)), steps=2, order="unordered") == 2


def test_an_excluded_event_ends_an_unordered_attempt() -> None:
    assert attempt((0, (1,)), (1, (-2,)), steps=2, order="unordered") is None
    assert reached((0, (1,)), (1, (2,)), (2, (-2,)), steps=2, order="unordered") == 2


def test_an_attributed_step_must_have_the_value() -> None:
    rules = FunnelRules(steps=2, window=WINDOW, attributed_step=2)
    with_value = [[FunnelEvent(0, (1,), is_attributed=not last), FunnelEvent(1, (2,), last)] for last in (False, True)]

    found = [furthest(events, rules) for events in with_value]
    assert [attempt.taken if attempt else 0 for attempt in found] == [0b1, 0b11]


times = st.lists(st.integers(0, 40), unique=True, max_size=9).map(lambda found: sorted(found))
several = st.sets(st.integers(1, 3), max_size=3).map(lambda found: tuple(sorted(found)))
single = st.sampled_from([(1,), (2,), (3,)])


@st.composite
def histories(draw: st.DrawFn, kinds: st.SearchStrategy[tuple[int, ...]]) -> list[FunnelEvent]:
    return [FunnelEvent(time, draw(kinds)) for time in draw(times)]


def chain_length(events: Sequence[FunnelEvent], first: int, window: int) -> int:
    """Return the length of the longest chain of ever later events for steps 1, 2, 3 from one event."""
    if 1 not in events[first].steps:
        return 0
    open_chains = {(first, 1)}
    longest = 1
    while open_chains:
        place, step = open_chains.pop()
        longest = max(longest, step)
        for later in range(place + 1, len(events)):
            if step + 1 in events[later].steps and events[later].time - events[first].time <= window:
                open_chains.add((later, step + 1))
    return longest


def run_length(events: Sequence[FunnelEvent], first: int, window: int) -> int:
    """Return the longest run from one event: every event is the next step or repeats the current one."""
    if 1 not in events[first].steps:
        return 0
    open_runs = {(first, 1)}
    longest = 1
    while open_runs:
        place, step = open_runs.pop()
        longest = max(longest, step)
        for event in events[place + 1 : place + 2]:
            if step in event.steps:
                open_runs.add((place + 1, step))
            if step + 1 in event.steps and event.time - events[first].time <= window:
                open_runs.add((place + 1, step + 1))
    return longest


@settings(max_examples=examples(60, 1000), deadline=None)
@given(histories(several), st.integers(1, 30))
def test_an_ordered_funnel_finds_the_longest_chain(events: list[FunnelEvent], window: int) -> None:
    expected = max((chain_length(events, first, window) for first in range(len(events))), default=0)
    found = furthest([event for event in events if event.steps], FunnelRules(steps=3, window=window))

    assert (len(found.times) if found else 0) == expected
    if found:
        assert all(before < after for before, after in pairwise(found.times))
        assert found.times[-1] - found.times[0] <= window


@settings(max_examples=examples(60, 1000), deadline=None)
@given(histories(several), st.integers(1, 30))
def test_a_strict_funnel_finds_the_longest_unbroken_run(events: list[FunnelEvent], window: int) -> None:
    expected = max((run_length(events, first, window) for first in range(len(events))), default=0)
    found = furthest(events, FunnelRules(steps=3, window=window, order="strict"))

    assert (len(found.times) if found else 0) == expected


@settings(max_examples=examples(60, 1000), deadline=None)
@given(histories(single), st.integers(1, 30))
def test_an_unordered_funnel_finds_the_most_steps_in_one_window(events: list[FunnelEvent], window: int) -> None:
    windows = [{e.steps for e in events if 0 <= e.time - first.time <= window} for first in events]
    found = furthest(events, FunnelRules(steps=3, window=window, order="unordered"))

    assert (len(found.times) if found else 0) == max(map(len, windows), default=0)


@settings(max_examples=examples(60, 1000), deadline=None)
@given(histories(several), st.integers(1, 30), st.integers(1, 2), st.sampled_from(("ordered", "strict")))
def test_each_interval_with_a_first_step_is_an_entry_that_converts_if_a_chain_from_it_does(
    events: list[FunnelEvent], window: int, from_step: int, order: Literal["ordered", "strict"]
) -> None:
    length = chain_length if order == "ordered" else run_length
    best: dict[int, int] = {}
    for place, event in enumerate(events):
        if 1 in event.steps:
            interval = event.time // 10
            best[interval] = max(best.get(interval, 0), length(events, place, window))
    rules = FunnelRules(steps=3, window=window, order=order)
    found = entries(events, rules, lambda time: time // 10, from_step)

    assert found == {interval: reach == 3 for interval, reach in best.items() if reach >= from_step}


@pytest.mark.parametrize(("excluded_at", "expected"), [(1, {}), (5, {0: True}), (25, {0: True})])
def test_an_excluded_event_drops_an_entry_that_has_not_converted(excluded_at: int, expected: dict[int, bool]) -> None:
    events = sorted(happened((0, (1,)), (excluded_at, (-2,)), (2, (2,))))

    assert entries(events, FunnelRules(steps=2, window=WINDOW), lambda time: time // 10, 1) == expected


def test_an_unordered_entry_belongs_to_the_interval_of_its_earliest_event() -> None:
    events = happened((8, (2,)), (12, (1,)), (35, (1,)))
    rules = FunnelRules(steps=2, window=WINDOW, order="unordered")

    assert entries(events, rules, lambda time: time // 10, 1) == {0: True, 1: False, 3: False}
