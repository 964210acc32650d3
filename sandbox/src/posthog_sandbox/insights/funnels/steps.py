"""The progress of one actor in a funnel, by PostHog's rules and without a database.

It differs from ClickHouse's `windowFunnel`: an event serves at most one step of an attempt, events of one instant are
tried in step order, excluded events remove the actor from the funnel, and the times of the steps are kept.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Literal, NamedTuple

type Order = Literal["ordered", "strict", "unordered"]


type StepValue = tuple[str, ...]
"""A breakdown value: the texts of its properties."""


class FunnelEvent(NamedTuple):
    """An event: microseconds since an origin, and the steps that it matches.

    Steps count from 1, ascending. A negative step -n excludes the event between step n - 1 and step n.
    `is_attributed` is whether it has the breakdown value that the actor counts for.
    """

    time: int
    steps: tuple[int, ...]
    is_attributed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelRules:
    """The rules of a funnel: number of steps, window in microseconds, order, optional steps.

    `attributed_step` (from 1) is the step whose event must have the breakdown value that the actor counts for.
    """

    steps: int
    window: int
    order: Order = "ordered"
    optional: frozenset[int] = frozenset()
    attributed_step: int | None = None


class Attempt(NamedTuple):
    """An attempt. `times` are those of the completed required steps, `taken` the completed steps as bits."""

    start: int
    times: tuple[int, ...] = ()
    taken: int = 0
    events: tuple[int, ...] = ()
    excluded: bool = False

    @property
    def timings(self) -> tuple[int, ...]:
        """The microseconds from each required step to the next."""
        return tuple(after - before for before, after in pairwise(self.times))


def furthest(events: Sequence[FunnelEvent], rules: FunnelRules) -> Attempt | None:
    """Return the attempt that got furthest; None if there is none or excluded events remove the actor.

    `events` are in time order.
    """
    if rules.order == "unordered":
        return _unordered(events, rules)
    walk = _Walk(rules)
    numbered = enumerate(events)
    for time, group in groupby(numbered, key=lambda item: item[1].time):
        walk.at(time, list(group))
        if walk.reached[rules.steps] is not None:
            break
    return None if walk.best is None or walk.best.excluded else walk.best


class _Walk:
    """The attempts of an actor as events are processed: for each step, the latest that reached it."""

    def __init__(self, rules: FunnelRules) -> None:
        self._rules = rules
        self.reached: list[Attempt | None] = [None] * (rules.steps + 1)
        self.best: Attempt | None = None
        self._best_step = 0

    def at(self, time: int, events: list[tuple[int, FunnelEvent]]) -> None:
        """Process the events of one instant, different ones in order of their steps."""
        self.reached[0] = Attempt(time)
        if len({event.steps for _, event in events}) == 1:
            for number, event in events:
                for step in reversed(event.steps):
                    self._take(number, event, step, tied=False)
                if self._rules.order == "strict":
                    self._forget_all_but(event.steps)
            return
        single = [(step, number, event) for number, event in events for step in event.steps if step > 0]
        for step, number, event in sorted(single, key=lambda item: item[0]):
            self._take(number, event, step, tied=True)

    def _forget_all_but(self, steps: tuple[int, ...]) -> None:
        for step in range(1, self._rules.steps + 1):
            if step not in steps:
                self.reached[step] = None

    def _take(self, number: int, event: FunnelEvent, step: int, *, tied: bool) -> None:
        target = abs(step)
        before, attempt = self._before(event.time, target)
        known = self.reached[target]
        if attempt is None or (known is not None and known.start == attempt.start):
            return
        if step < 0:
            self._exclude(event.time, before, attempt)
        elif not (tied and number in attempt.events) and self._is_attributed(event, before):
            self._reach(number, event, target, attempt)

    def _before(self, time: int, target: int) -> tuple[int, Attempt | None]:
        """Return the nearest earlier step that `target` can follow now, skipping optional ones, and its attempt."""
        step = target - 1
        while True:
            attempt = self.reached[step]
            if attempt is not None and time - attempt.start <= self._rules.window:
                return step, attempt
            if step not in self._rules.optional:
                return step, None
            step -= 1

    def _is_attributed(self, event: FunnelEvent, before: int) -> bool:
        return before + 1 != self._rules.attributed_step or event.is_attributed

    def _exclude(self, time: int, before: int, attempt: Attempt) -> None:
        if attempt.excluded:
            return
        self.reached[before] = attempt._replace(excluded=True)
        best = self.best
        if best is not None and self._best_step == before and time - best.start <= self._rules.window:
            self.best = best._replace(excluded=True)

    def _reach(self, number: int, event: FunnelEvent, step: int, attempt: Attempt) -> None:
        is_required = step not in self._rules.optional
        reached = Attempt(
            attempt.start,
            (*attempt.times, event.time) if is_required else attempt.times,
            attempt.taken | 1 << (step - 1),
            (*attempt.events, number) if is_required else attempt.events,
            attempt.excluded,
        )
        if not attempt.excluded:
            self.reached[step] = reached
        if self.best is None or step > self._best_step or (step == self._best_step and self.best.excluded):
            self.best, self._best_step = reached, step


def unordered_attempts(events: Iterable[FunnelEvent], rules: FunnelRules) -> Iterator[list[int]]:
    """Yield the times of steps completed in one window, in any order, whenever the earliest is dropped.

    An excluded event ends the current attempt.
    """
    waiting = tuple(deque[int]() for _ in range(rules.steps))
    for event in events:
        while any(waiting):
            firsts = _firsts(waiting)
            if len(firsts) < rules.steps and event.time - firsts[0] <= rules.window:
                break
            yield firsts
            _give_up_earliest(waiting)
        if event.steps[0] < 0:
            for times in waiting:
                times.clear()
        elif sum(map(bool, waiting)) + 1 != rules.attributed_step or event.is_attributed:
            # The step without an event, else the one served longest ago.
            matched = (waiting[step - 1] for step in event.steps)
            min(matched, key=lambda times: times[-1] if times else -1).append(event.time)
    while any(waiting):
        yield _firsts(waiting)
        _give_up_earliest(waiting)


def _firsts(waiting: Sequence[deque[int]]) -> list[int]:
    return sorted(times[0] for times in waiting if times)


def _give_up_earliest(waiting: Sequence[deque[int]]) -> None:
    min((times for times in waiting if times), key=lambda times: times[0]).popleft()


def _unordered(events: Iterable[FunnelEvent], rules: FunnelRules) -> Attempt | None:
    best: list[int] = []
    for times in unordered_attempts(events, rules):
        best = times if len(times) > len(best) else best
        if len(best) == rules.steps:
            break
    return Attempt(best[0], tuple(best), (1 << len(best)) - 1) if best else None
