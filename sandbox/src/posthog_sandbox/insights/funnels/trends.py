"""Funnel conversion over time: the intervals in which an actor entered, and whether each entry converted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .steps import FunnelEvent, FunnelRules, unordered_attempts

type IntervalOf = Callable[[int], int]
"""A function from a time in microseconds to its interval."""


@dataclass(slots=True)
class _Entry:
    """The latest attempt of one interval: the start of each step's attempt (from 1), and exclusions."""

    started: list[int | None]
    excluded: set[int] = field(default_factory=set[int])
    furthest: int = 1
    furthest_at: int = 0
    exclusion: Literal["none", "partial", "full"] = "none"


def entries(
    events: Sequence[FunnelEvent], rules: FunnelRules, interval_of: IntervalOf, from_step: int
) -> dict[int, bool]:
    """Return for each interval in which the actor reached `from_step` (from 1) whether the last step was reached.

    `events` are in time order. Exclusions drop entries that had not converted before.
    """
    if rules.order == "unordered":
        return _unordered_entries(events, rules, interval_of, from_step)
    walk = _TrendWalk(rules)
    for event in events:
        walk.take(event, interval_of(event.time))
    found = dict.fromkeys(walk.converted, True)
    if all(entry.exclusion != "full" for entry in walk.open.values()):
        for interval, entry in walk.open.items():
            if interval not in found and entry.furthest >= from_step and entry.exclusion == "none":
                found[interval] = False
    return found


class _TrendWalk:
    """The open entries of an actor by interval as events are processed, and the converted intervals."""

    def __init__(self, rules: FunnelRules) -> None:
        self._rules = rules
        self.open: dict[int, _Entry] = {}
        self.converted: set[int] = set()

    def take(self, event: FunnelEvent, interval: int) -> None:
        for step in reversed(event.steps):
            counts = abs(step) != self._rules.attributed_step or event.is_attributed
            if step == 1:
                if counts and interval not in self.converted:
                    self._enter(event.time, interval)
                continue
            for start, entry in list(self.open.items()):
                if self._advance(entry, event.time, step, counts=counts):
                    self.converted.add(start)
                    del self.open[start]
        if self._rules.order == "strict":
            for entry in self.open.values():
                _forget_all_but(entry, event.steps)

    def _enter(self, time: int, interval: int) -> None:
        entry = self.open.get(interval)
        if entry is None or (entry.furthest == 1 and entry.exclusion != "none"):
            entry = _Entry([None] * (self._rules.steps + 1), furthest_at=time)
            self.open[interval] = entry
        entry.started[1] = time
        entry.excluded.discard(1)

    def _advance(self, entry: _Entry, time: int, step: int, *, counts: bool) -> bool:
        """Advance an entry and return whether it has now converted."""
        target = abs(step)
        start = entry.started[target - 1]
        if start is None or time - start > self._rules.window or entry.started[target] == start:
            return False
        is_excluded = target - 1 in entry.excluded
        if step < 0:
            if not is_excluded:
                entry.excluded.add(target - 1)
                if entry.furthest == target - 1 and time - entry.furthest_at <= self._rules.window:
                    entry.exclusion = "partial"
            return False
        if not counts:
            return False
        if not is_excluded:
            entry.started[target] = start
            entry.excluded.discard(target)
            if target == self._rules.steps:
                return True
        if target > entry.furthest or (target == entry.furthest and entry.exclusion == "partial"):
            entry.furthest, entry.furthest_at = target, time
            entry.exclusion = "full" if is_excluded else "none"
        return False


def _forget_all_but(entry: _Entry, steps: tuple[int, ...]) -> None:
    for step in range(1, len(entry.started)):
        if step not in steps:
            entry.started[step] = None
            entry.excluded.discard(step)


def _unordered_entries(
    events: Sequence[FunnelEvent], rules: FunnelRules, interval_of: IntervalOf, from_step: int
) -> dict[int, bool]:
    reached: dict[int, int] = {}
    for times in unordered_attempts(events, rules):
        interval = interval_of(times[0])
        reached[interval] = max(reached.get(interval, 0), len(times))
    return {interval: steps == rules.steps for interval, steps in reached.items() if steps >= from_step}
