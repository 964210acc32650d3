"""The progress of one actor in a funnel, in plain Python.

The walk keeps, for every step of a funnel, the latest attempt that reached it. PostHog's own choices (which attempt an
exclusion affects, which one defines the times) have no other definition. Entries of a funnel over time are found by
trying every chain of events.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby, pairwise


@dataclass(frozen=True, slots=True)
class Happened:
    """An event in a funnel: the steps it matches, from 1, or minus the step it excludes."""

    time: datetime
    steps: tuple[int, ...]
    value: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of an attempt. `attributed` is the step whose event must have the value."""

    steps: int
    window: timedelta
    order: str = "ordered"
    optional: frozenset[int] = frozenset()
    attributed: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt: its start, the times of the required steps, all completed steps, and its events."""

    start: datetime
    times: tuple[datetime, ...] = ()
    taken: frozenset[int] = frozenset()
    events: tuple[Happened, ...] = ()
    tainted: bool = False

    def timings(self) -> list[timedelta]:
        """Return the times from each required step to the next."""
        return [after - before for before, after in pairwise(self.times)]


def best_attempt(events: Sequence[Happened], rules: Rules, value: object = None) -> Attempt | None:
    """Return the attempt that an actor counts for; None if the actor is not counted."""
    if rules.order == "unordered":
        return _unordered(events, rules, value)
    walk = _Walk(rules, value)
    for moment, tied in groupby(events, key=lambda event: event.time):
        walk.at(moment, list(tied))
        if walk.reached[rules.steps] is not None:
            break
    return None if walk.best is None or walk.best.tainted else walk.best


class _Walk:
    """The events of an actor, processed one by one."""

    def __init__(self, rules: Rules, value: object) -> None:
        self._rules, self._value = rules, value
        self.reached: list[Attempt | None] = [None] * (rules.steps + 1)
        self.furthest = 0
        self.best: Attempt | None = None

    def at(self, moment: datetime, tied: list[Happened]) -> None:
        """Process the events of one instant, different ones in order of their steps."""
        self.reached[0] = Attempt(moment)
        if all(event.steps == tied[0].steps for event in tied):
            for event in tied:
                for step in reversed(event.steps):
                    self._take(event, step, alone=True)
                self._break(event)
            return
        pairs = [(step, event) for event in tied for step in event.steps if step > 0]
        for step, event in sorted(pairs, key=lambda pair: pair[0]):
            self._take(event, step, alone=False)

    def _take(self, event: Happened, step: int, *, alone: bool) -> None:
        before = abs(step) - 1
        while before in self._rules.optional and not self._within(before, event):
            before -= 1
        base, there = self.reached[before], self.reached[abs(step)]
        if base is None or not self._within(before, event) or (there is not None and there.start == base.start):
            return
        if step < 0:
            self._exclude(before, base, event)
        elif not self._misses(before, event) and (alone or event not in base.events):
            self._reach(step, base, event)

    def _within(self, place: int, event: Happened) -> bool:
        base = self.reached[place]
        return base is not None and event.time - base.start <= self._rules.window

    def _misses(self, before: int, event: Happened) -> bool:
        return self._rules.attributed == before + 1 and event.value != self._value

    def _exclude(self, before: int, base: Attempt, event: Happened) -> None:
        if base.tainted:
            return
        self.reached[before] = replace(base, tainted=True)
        if self.best is not None and self.furthest == before and event.time - self.best.start <= self._rules.window:
            self.best = replace(self.best, tainted=True)

    def _reach(self, step: int, base: Attempt, event: Happened) -> None:
        required = step not in self._rules.optional
        times = (*base.times, event.time) if required else base.times
        reached = replace(base, times=times, taken=base.taken | {step}, events=(*base.events, event))
        if not base.tainted:
            self.reached[step] = reached
        if step > self.furthest or (step == self.furthest and self.best is not None and self.best.tainted):
            self.furthest, self.best = step, reached

    def _break(self, event: Happened) -> None:
        if self._rules.order == "strict":
            for step in range(1, self._rules.steps + 1):
                if step not in event.steps:
                    self.reached[step] = None


def _unordered(events: Sequence[Happened], rules: Rules, value: object) -> Attempt | None:
    """Return the most different steps within one window; an excluded event discards everything before it."""
    open_events: dict[int, list[Happened]] = {}
    best: list[datetime] = []

    def firsts() -> list[datetime]:
        return sorted(waiting[0].time for waiting in open_events.values())

    for event in events:
        while open_events:
            complete = len(open_events) == rules.steps
            late = event.time - firsts()[0] > rules.window
            if not complete and not late:
                break
            best = max(best, firsts(), key=len)
            step = min(sorted(open_events), key=lambda step: open_events[step][0].time)
            open_events[step].pop(0)
            if not open_events[step]:
                del open_events[step]
        if all(step < 0 for step in event.steps):
            open_events = {}
        elif rules.attributed is None or len(open_events) != rules.attributed - 1 or event.value == value:
            first = datetime.min.replace(tzinfo=event.time.tzinfo)
            step = min(event.steps, key=lambda step: open_events[step][-1].time if step in open_events else first)
            open_events.setdefault(step, []).append(event)
        if len(best) == rules.steps:
            break
    best = max(best, firsts(), key=len)
    return Attempt(best[0], tuple(best), frozenset(range(1, len(best) + 1))) if best else None


def entry_length(events: Sequence[Happened], first: int, rules: Rules, value: object) -> int:
    """Return the number of consecutive steps from an event, which must match the first."""
    longest = 0
    waiting = [(first, 1)] if _serves(events[first], 1, rules, value) else []
    while waiting:
        place, step = waiting.pop()
        longest = max(longest, step)
        waiting += [(later, step + 1) for later in _next(events, place, step, first, rules, value)]
    return longest


def _next(events: Sequence[Happened], place: int, step: int, first: int, rules: Rules, value: object) -> Iterator[int]:
    for later in range(place + 1, len(events)):
        if events[later].time - events[first].time > rules.window:
            return
        if step < rules.steps and _serves(events[later], step + 1, rules, value):
            yield later
        if rules.order == "strict" and step not in events[later].steps:
            return


def _serves(event: Happened, step: int, rules: Rules, value: object) -> bool:
    return step in event.steps and (rules.attributed != step or event.value == value)
