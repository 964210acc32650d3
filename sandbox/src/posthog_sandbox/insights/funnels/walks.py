"""The attempts and entries of a funnel's actors, computed from the keys of their events.

Most funnels and actors need few of PostHog's rules, and short loops over keys are enough for them. They return what
`steps.furthest` and `trends.entries` return; these handle the remaining actors.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from .events import Fetched, FunnelEvents
from .steps import Attempt, FunnelEvent, FunnelRules, furthest
from .trends import entries

_NEVER = -(1 << 80)

type _AttemptTimes = list[int]
"""The latest attempt of one interval: the furthest step, then the start of the attempt for each step."""


class Walks:
    """The walks of a funnel's actors."""

    def __init__(self, events: FunnelEvents) -> None:
        self._events = events
        self._shift = events.shift
        self._bits = (1 << events.shift) - 1
        request = events.request
        self._is_plain = not request.exclusions and not request.rules.optional and request.rules.attributed_step is None
        self._steps = _Descending(events)

    def attempts(self, fetched: Fetched) -> Iterator[Attempt | None]:
        """Yield for each actor the attempt that got furthest; None when the funnel does not count the actor."""
        rules = self._events.request.rules
        is_unordered = rules.order == "unordered"
        quick = self._quick_unordered if is_unordered else self._quick
        for history in fetched.histories():
            # With a breakdown this was done when fetching, because it depends on the values.
            is_cut = is_unordered and self._events.breakdown is None
            keys = ends_of_runs(history, self._shift) if is_cut else history
            times = quick(keys, rules) if self._is_plain else None
            if times is None:
                yield furthest([self._events.event(key) for key in keys], rules)
            else:
                yield Attempt(times[0], times, (1 << len(times)) - 1) if times else None

    def _quick(self, keys: Sequence[int], rules: FunnelRules) -> tuple[int, ...] | None:
        """Return the times of the furthest attempt's steps; None when the full rules are needed.

        That is for an event of several steps, or the last event used, next to different events at the same instant.
        """
        shift, bits, steps_of, window, last = self._shift, self._bits, self._steps, rules.window, rules.steps
        is_strict = rules.order == "strict"
        nothing = [_NEVER] * (last + 1)
        starts = nothing.copy()
        paths: list[tuple[int, ...]] = [()] * (last + 1)
        best: tuple[int, ...] = ()
        for place, key in enumerate(keys):
            time, steps = key >> shift, steps_of[key & bits]
            if not steps:
                if starts != nothing and not self._is_mixed(keys, place):
                    starts = nothing.copy()
                continue
            if len(steps) > 1 and self._is_mixed(keys, place):
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
                return None if self._is_beside_several(keys, place) else best
            if is_strict and not self._is_mixed(keys, place):
                before, starts = starts, nothing.copy()
                for step in steps:
                    starts[step] = before[step]
        return best

    def _beside(self, keys: Sequence[int], place: int) -> Iterator[int]:
        """Yield the other keys at the same instant."""
        time = keys[place] >> self._shift
        shift = self._shift
        for way in (1, -1):
            other = place + way
            while 0 <= other < len(keys) and keys[other] >> shift == time:
                yield keys[other]
                other += way

    def _is_mixed(self, keys: Sequence[int], place: int) -> bool:
        """Return whether there are different events at the instant of a key."""
        key = keys[place]
        following = keys[place + 1] if place + 1 < len(keys) else -1
        if (key ^ following) >> self._shift and (not place or (key ^ keys[place - 1]) >> self._shift):
            return False
        return any(other != key for other in self._beside(keys, place))

    def _is_beside_several(self, keys: Sequence[int], place: int) -> bool:
        """Return whether there is an event of several steps at the instant of a key."""
        return any(len(self._steps[other & self._bits]) > 1 for other in self._beside(keys, place))

    def _quick_unordered(self, keys: Sequence[int], rules: FunnelRules) -> tuple[int, ...]:
        """Return the times of the largest set of steps completed in one window."""
        shift, bits, steps_of, window, last = self._shift, self._bits, self._steps, rules.window, rules.steps
        waiting = [deque[int]() for _ in range(last + 1)]
        best: list[int] = []
        taken = earliest = 0
        for key in keys:
            time, steps = key >> shift, steps_of[key & bits]
            while taken and (taken == last or time - earliest > window):
                if taken > len(best):
                    best = sorted(times[0] for times in waiting if times)
                if len(best) == last:
                    return tuple(best)
                given_up = next(times for times in waiting if times and times[0] == earliest)
                given_up.popleft()
                taken -= not given_up
                earliest = min((times[0] for times in waiting if times), default=0)
            step = (
                steps[0]
                if len(steps) == 1
                else min(reversed(steps), key=lambda s: waiting[s][-1] if waiting[s] else -1)
            )
            if not waiting[step]:
                taken += 1
                earliest = earliest if taken > 1 else time
            waiting[step].append(time)
        return tuple(sorted(times[0] for times in waiting if times) if taken > len(best) else best)

    def entries(self, fetched: Fetched) -> Iterator[Mapping[int, bool]]:
        """Yield for each actor the intervals, by index, that reached `from_step`, and if they reached `to_step`."""
        request = self._events.request
        within = self._events.within
        rules = request.trend_rules
        from_step = request.from_step + 1
        starts = [self._events.since_origin(bucket) for bucket in within.buckets()]
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
        """Return the entries. `waiting` has for each step the entries that its next event advances."""
        shift, bits, steps_of, window, last = self._shift, self._bits, self._steps, rules.window, rules.steps
        if from_step == 1 and {key & bits for key in keys} == {1}:  # only first steps
            return {bisect_right(starts, key >> shift) - 1: False for key in keys}
        waiting: list[dict[int, _AttemptTimes]] = [{} for _ in range(last + 2)]
        entered: dict[int, _AttemptTimes] = {}
        interval = until = 0
        converted: dict[int, bool] = {}
        for key in keys:
            for step in steps_of[key & bits]:
                time = key >> shift
                if step == 1:
                    if time >= until:
                        interval = bisect_right(starts, time) - 1
                        until = starts[interval + 1] if interval + 1 < len(starts) else time + window + 1
                    if interval not in converted:
                        entry = entered.get(interval)
                        if entry is None:
                            entry = entered[interval] = [1] + [_NEVER] * last
                        if entry[1] != time:
                            entry[1] = time
                            waiting[2][interval] = entry
                elif step <= last and waiting[step]:
                    taken, waiting[step] = waiting[step], {}
                    for place, entry in taken.items():
                        start = entry[step - 1]
                        if time - start > window:
                            continue
                        entry[step] = start
                        entry[0] = max(entry[0], step)
                        waiting[step + 1][place] = entry
                        if step == last:
                            converted[place] = True
                            for others in waiting:
                                others.pop(place, None)
        for place, entry in entered.items():
            if entry[0] >= from_step:
                converted.setdefault(place, False)
        return converted


class _Descending(dict[int, tuple[int, ...]]):
    """The steps of an event by the bits of its key, last first; computed once per value."""

    def __init__(self, events: FunnelEvents) -> None:
        self._events = events

    def __missing__(self, bits: int) -> tuple[int, ...]:
        self[bits] = steps = self._events.steps(bits)[::-1]
        return steps


def _cut(event: FunnelEvent, steps: int) -> FunnelEvent:
    """Return the event without steps beyond the last."""
    return event._replace(steps=tuple(step for step in event.steps if abs(step) <= steps))


def ends_of_runs(keys: list[int], shift: int) -> list[int]:
    """Drop keys between others, at different times, that match the same single step.

    PostHog drops such events before it walks the funnel, which decides whose time is used in unordered funnels.
    """
    if len(keys) < 3:
        return keys
    bits = (1 << shift) - 1
    inside = [
        before & bits == key & bits == after & bits
        and before >> shift < key >> shift < after >> shift
        and (key & bits).bit_count() <= 1
        for before, key, after in zip(keys, keys[1:], keys[2:], strict=False)
    ]
    return [keys[0], *(key for key, left_out in zip(keys[1:], inside, strict=False) if not left_out), keys[-1]]
