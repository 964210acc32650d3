"""The attempts and entries of the actors of a funnel from the keys of their events.

Most funnels and actors need few of PostHog's rules: for them there are short loops over keys, which give what
`funnel_steps.furthest` and `funnel_trends.entries` give; the others are handed to those.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from .funnel_events import Fetched, FunnelEvents
from .funnel_steps import Attempt, FunnelEvent, FunnelRules, furthest
from .funnel_trends import entries

_NEVER = -(1 << 80)


class Walks:
    """Walks the actors of a funnel."""

    def __init__(self, events: FunnelEvents) -> None:
        self._events = events
        self._shift = events.shift
        self._bits = (1 << events.shift) - 1
        request = events.request
        self._is_plain = not request.exclusions and not request.rules.optional and request.rules.attributed_step is None
        self._steps = _Descending(events)

    def attempts(self, fetched: Fetched) -> Iterator[Attempt | None]:
        """For each actor the attempt that came furthest; None when the funnel does not count the actor."""
        rules = self._events.request.rules
        is_quick = self._is_plain and rules.order != "unordered"
        for keys in fetched.histories():
            times = self._quick(keys, rules) if is_quick else None
            if times is None:
                yield furthest([self._events.event(key) for key in keys], rules)
            else:
                yield Attempt(times[0], times, (1 << len(times)) - 1) if times else None

    def _quick(self, keys: Sequence[int], rules: FunnelRules) -> tuple[int, ...] | None:
        """The times of the steps of the attempt that came furthest; None when that takes a closer look: an event of
        several steps beside different ones of the same instant."""
        shift, bits, steps_of, window, last = self._shift, self._bits, self._steps, rules.window, rules.steps
        is_strict = rules.order == "strict"
        mixed = self._mixed(keys) if is_strict else frozenset[int]()
        starts = [_NEVER] * (last + 1)
        paths: list[tuple[int, ...]] = [()] * (last + 1)
        best: tuple[int, ...] = ()
        for key in keys:
            time, steps = key >> shift, steps_of[key & bits]
            if len(steps) > 1 and (mixed or self._mixed(keys)):
                return None
            for step in steps:
                if step == 1:
                    starts[1], paths[1] = time, (time,)
                    best = best or paths[1]
                    continue
                start = starts[step - 1]
                if time - start <= window and starts[step] != start:
                    starts[step] = start
                    paths[step] = (*paths[step - 1], time)
                    if step > len(best):
                        best = paths[step]
            if len(best) == last:
                break
            if is_strict and time not in mixed:
                for step in range(1, last + 1):
                    if step not in steps:
                        starts[step] = _NEVER
        return best

    def _mixed(self, keys: Sequence[int]) -> frozenset[int]:
        """The instants of different events."""
        shift = self._shift
        return frozenset(
            one >> shift for one, next_ in pairwise(keys) if one != next_ and one >> shift == next_ >> shift
        )

    def entries(self, fetched: Fetched) -> Iterator[Mapping[int, bool]]:
        """For each actor the intervals, by their places in the range, in which it reached `from_step`, and whether it
        came from there to `to_step`."""
        request, within = self._events.request, self._events.within
        rules, from_step = request.trend_rules, request.from_step + 1
        starts = [(bucket - self._events.origin) // timedelta(microseconds=1) for bucket in within.buckets()]
        is_quick = self._is_plain and rules.order == "ordered"
        for keys in fetched.histories():
            if is_quick:
                yield self._quick_entries(keys, rules, starts, from_step)
            else:
                history = [_cut(self._events.event(key), rules.steps) for key in keys]
                kept = [event for event in history if event.steps or rules.order == "strict"]
                yield entries(kept, rules, lambda time: bisect_right(starts, time) - 1, from_step)

    def _quick_entries(
        self, keys: Sequence[int], rules: FunnelRules, starts: Sequence[int], from_step: int
    ) -> Mapping[int, bool]:
        """`waiting` has for each step the entries that the next such event takes: those with a new start before it."""
        shift, bits, steps_of, window, last = self._shift, self._bits, self._steps, rules.window, rules.steps
        waiting: list[dict[int, _Entry]] = [{} for _ in range(last + 2)]
        entered: dict[int, _Entry] = {}
        converted: dict[int, bool] = {}
        for key in keys:
            for step in steps_of[key & bits]:
                time = key >> shift
                if step == 1:
                    interval = bisect_right(starts, time) - 1
                    if interval not in converted:
                        entry = entered.setdefault(interval, _Entry([_NEVER] * (last + 1)))
                        if entry.started[1] != time:
                            entry.started[1] = time
                            waiting[2][interval] = entry
                elif step <= last and waiting[step]:
                    taken, waiting[step] = waiting[step], {}
                    for interval, entry in taken.items():
                        start = entry.started[step - 1]
                        if time - start > window:
                            continue
                        entry.started[step] = start
                        entry.furthest = max(entry.furthest, step)
                        waiting[step + 1][interval] = entry
                        if step == last:
                            converted[interval] = True
                            for others in waiting:
                                others.pop(interval, None)
        for interval, entry in entered.items():
            if entry.furthest >= from_step:
                converted.setdefault(interval, False)
        return converted


@dataclass(slots=True)
class _Entry:
    """The latest attempt of one interval: when that of each step began, from 1."""

    started: list[int]
    furthest: int = 1


class _Descending(dict[int, tuple[int, ...]]):
    """The steps of an event by the bits of its key, the last first; found once for each."""

    def __init__(self, events: FunnelEvents) -> None:
        self._events = events

    def __missing__(self, bits: int) -> tuple[int, ...]:
        self[bits] = steps = self._events.steps(bits)[::-1]
        return steps


def _cut(event: FunnelEvent, steps: int) -> FunnelEvent:
    """The event without the steps after the last."""
    return event._replace(steps=tuple(step for step in event.steps if abs(step) <= steps))
