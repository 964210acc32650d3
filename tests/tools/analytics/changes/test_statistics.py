"""The statistics of a change, as properties of drawn numbers."""

from math import exp
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maton_posthog.tools.analytics.changes.causes import NumberChange, pairs_of, ranked, singles, with_rest
from maton_posthog.tools.analytics.changes.counts import Counts
from maton_posthog.tools.analytics.changes.statistics import (
    counted_baseline,
    evidence_of_count,
    noise_of,
    rate_baseline,
    split_of_rate,
    turn,
)

COUNTS = st.lists(st.integers(0, 10_000).map(float), min_size=3, max_size=8)
SIZES = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 500)), min_size=2, max_size=6)


@given(windows=COUNTS)
def test_what_is_expected_lies_within_the_band_and_above_nothing(windows: list[float]) -> None:
    baseline = counted_baseline(windows)
    assert baseline is not None
    low, high = baseline.band
    assert 0 <= low <= baseline.expected <= high
    assert baseline.holds(baseline.expected)


@given(windows=COUNTS, shares=st.lists(st.floats(0, 1), min_size=2, max_size=5))
def test_the_expected_parts_add_up_to_the_whole(windows: list[float], shares: list[float]) -> None:
    baseline = counted_baseline(windows)
    assert baseline is not None
    left = [1.0] * len(windows)
    parts: list[list[float]] = []
    for share in shares:
        parts.append([value * one * share for value, one in zip(windows, left, strict=True)])
        left = [one * (1 - share) for one in left]
    parts.append([value * one for value, one in zip(windows, left, strict=True)])
    assert sum(map(baseline.mean, parts)) == pytest.approx(baseline.expected, abs=1e-6)


def test_one_odd_week_changes_neither_what_is_expected_nor_the_band() -> None:
    quiet = [700.0, 690, 710, 705, 695, 702, 698, 704]
    odd = [*quiet[:3], 350.0, *quiet[4:]]
    usual, without = counted_baseline(quiet), counted_baseline(odd)
    assert usual
    assert without
    assert without.expected == pytest.approx(usual.expected, rel=0.01)
    assert without.reach == pytest.approx(usual.reach, rel=0.1)
    assert without.weights[3] == 0


def test_a_trend_of_all_weeks_is_continued() -> None:
    windows = [1000 * exp(-0.1 * back) for back in range(1, 9)]
    baseline = counted_baseline(windows)
    assert baseline
    assert baseline.expected == pytest.approx(1000, rel=0.02)


def test_fewer_than_three_windows_are_no_baseline() -> None:
    assert counted_baseline([5.0, 6.0]) is None
    assert rate_baseline([1.0, 2.0], [5.0, 6.0], units=5, variance=0.2) is None


@given(expected=st.floats(1, 1e4), factor=st.floats(0, 5))
def test_evidence_is_never_negative_and_nothing_without_a_change(expected: float, factor: float) -> None:
    assert evidence_of_count(expected * factor, expected) >= -1e-6
    assert evidence_of_count(expected, expected) == pytest.approx(0, abs=1e-6)


@given(before=SIZES, after=SIZES)
def test_rates_and_mix_add_up_to_the_change_of_a_rate(
    before: list[tuple[int, int]], after: list[tuple[int, int]]
) -> None:
    size = min(len(before), len(after))
    old = [(min(part, whole), whole) for part, whole in before[:size]]
    new = [(min(part, whole), whole) for part, whole in after[:size]]
    split = split_of_rate(old, new)
    change = sum(part for part, _ in new) / sum(size for _, size in new)
    change -= sum(part for part, _ in old) / sum(size for _, size in old)
    assert split.by_rates + split.by_mix == pytest.approx(change, abs=1e-9)


def test_a_paradox_is_all_mix() -> None:
    split = split_of_rate([(50, 100), (5, 50)], [(52, 100), (60, 500)])
    assert split.by_mix < 0 < split.by_rates


def test_the_turn_is_where_the_numbers_differ() -> None:
    expected = [100.0] * 14
    found = turn([*[100.0] * 9, *[40.0] * 5], expected, until=7)
    assert found
    assert (found.first, found.last) == (9, 13)
    short = turn([*[100.0] * 9, 300.0, 310.0, *[100.0] * 3], expected, until=7)
    assert short
    assert (short.first, short.last) == (9, 10)


def test_days_that_move_together_are_more_noise_than_those_that_do_not() -> None:
    together, apart = noise_of([1.0, 1.2, 0.9, 1.1, -1.0, -1.1, -0.9, -1.2] * 4), noise_of([1.0, -1.0] * 16)
    assert together
    assert apart
    assert together.of_windows > 1.5 * apart.of_windows
    assert noise_of([1.0] * 5) is None


def change_of(cells: list[Counts]) -> NumberChange:
    whole = cells[0]
    for cell in cells[1:]:
        whole = whole.plus(cell)
    baseline = counted_baseline(whole.counts[1:])
    assert baseline
    return NumberChange(whole, baseline, 1.0)


@given(sizes=st.lists(st.integers(20, 400), min_size=3, max_size=6), at=st.integers(0, 5), factor=st.floats(0, 0.6))
def test_the_value_that_fell_has_the_most_evidence(sizes: list[int], at: int, factor: float) -> None:
    fallen = at % len(sizes)
    cells = [
        Counts((size * (factor if place == fallen else 1.0), *[float(size)] * 8)) for place, size in enumerate(sizes)
    ]
    change = change_of(cells)
    values = {f"value {place}": cell for place, cell in enumerate(cells)}
    best = singles(change, {"dimension": values}, ())[0]
    assert best.where == (("dimension", f"value {fallen}"),)
    assert best.share == pytest.approx(1)


def test_the_rest_of_a_dimension_completes_the_whole() -> None:
    change = change_of([Counts((10.0, *[20.0] * 8)), Counts((5.0, *[5.0] * 8))])
    values = with_rest(change, {"a": Counts((10.0, *[20.0] * 8))})
    assert [cell.counts[0] for cell in values.values()] == [10, 5]


def test_a_pair_is_the_rows_that_have_both_values() -> None:
    masks = [(bits, Counts((1.0 if bits == 3 else 30.0, *[30.0] * 8))) for bits in range(4)]
    change = change_of([cell for _, cell in masks])
    (pair,) = pairs_of(change, [("a", "x"), ("b", "y")], masks)
    assert (pair.where, pair.actual, pair.expected) == ((("a", "x"), ("b", "y")), 1, 30)
    assert fmean([pair.share]) == pytest.approx(1)


@pytest.mark.parametrize(
    "windows",
    [
        (242.0, 211.0, 193.0, 169.0, 142.0, 89.0, 156.0, 145.0),
        (180.0, 120.0, 150.0, 160.0, 110.0, 175.0, 140.0, 130.0),
        (12.0, 9.0, 11.0, 10.0, 8.0, 12.0, 10.0, 9.0),
    ],
)
def test_the_loss_of_everything_is_no_chance_although_windows_differ(windows: tuple[float, ...]) -> None:
    baseline = counted_baseline(windows)
    assert baseline
    assert not baseline.holds(0.0)


def test_a_version_without_events_in_the_period_is_no_release() -> None:
    before = (200.0, 190.0, 210.0, 205.0)
    baseline = counted_baseline(before)
    assert baseline
    change = NumberChange(Counts((0.0, *before)), baseline, 1.0)
    versions = {"3.7.0": Counts((0.0, *before)), "3.8.0": Counts((0.0,) * 5)}
    found = singles(change, {"app_version": versions}, ["app_version"], both_ways=False)
    named = ranked(change, {"app_version": versions}, found, [], ["app_version"])
    assert [one for one in (*found, *named) if one.kind == "release"] == []
