"""The attempts and entries of the actors of a funnel from the keys of their events.

Most funnels and actors need few of PostHog's rules: for them there are short loops over keys, which give what
`funnel_steps.furthest` and `funnel_trends.entries` give; the others are handed to those.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

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
        """The times of the steps of the attempt that came furthest; None when different events are at one instant."""
        shift, bits, steps_of, window, last = self._shift, self._bits, self._steps, rules.window, rules.steps
        is_strict = rules.order == "strict"
        starts = [_NEVER] * (last + 1)
        paths: list[tuple[int, ...]] = [()] * (last + 1)
        best: tuple[int, ...] = ()
        key_before, time_before = -1, -1
        for key in keys:
            time = key >> shift
            if time == time_before and key != key_before:
                return None
            key_before, time_before = key, time
            if len(best) == last:
                break
            steps = steps_of[key & bits]
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
            if is_strict:
                for step in range(1, last + 1):
                    if step not in steps:
                        starts[step] = _NEVER
        return best


class _Descending(dict[int, tuple[int, ...]]):
    """The steps of an event by the bits of its key, the last first; found once for each."""

    def __init__(self, events: FunnelEvents) -> None:
        self._events = events

    def __missing__(self, bits: int) -> tuple[int, ...]:
        self[bits] = steps = self._events.steps(bits)[::-1]
        return steps


def entered_intervals(
    fetched: Fetched, events: FunnelEvents, rules: FunnelRules, from_step: int
) -> Iterator[Mapping[int, bool]]:
    """For each actor the intervals, by their places in the range, in which it reached `from_step`, and whether the
    last step was reached from there."""
    starts = [(bucket - events.origin) // timedelta(microseconds=1) for bucket in events.within.buckets()]
    for keys in fetched.histories():
        history = [_cut(events.event(key), rules.steps) for key in keys]
        kept = [event for event in history if event.steps or rules.order == "strict"]
        yield entries(kept, rules, lambda time: bisect_right(starts, time) - 1, from_step)


def _cut(event: FunnelEvent, steps: int) -> FunnelEvent:
    """The event without the steps after the last."""
    return event._replace(steps=tuple(step for step in event.steps if abs(step) <= steps))
