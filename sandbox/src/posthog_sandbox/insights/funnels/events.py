"""The events of a funnel, fetched per actor in a compact form.

An event is one integer, its key: microseconds since the start of the range, then bits for what it matches. Actors who,
as SQL can determine, completed only the first step are only counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ...queries.project import Project
from ...values import Row
from ..actor_events import actor_of, expression
from ..dates import DateRange
from ..filters import all_of, any_of, query_condition
from ..series import Series
from .breakdown import FunnelBreakdown, value_expression
from .request import FunnelRequest
from .steps import FunnelEvent, StepValue

_KEY_BITS = 63
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Fetched:
    """The actors of one breakdown value, `()` without a breakdown.

    `keys` are those of one actor after the other, each actor's in order; `sizes` has the number of keys per actor.
    `entered` counts the actors who completed only the first step and have no keys. `actors` are the identifiers of
    actors with keys, if requested.
    """

    value: StepValue
    keys: list[int]
    sizes: list[int]
    entered: int
    actors: list[str]

    def histories(self) -> Iterator[list[int]]:
        """Yield the keys of each actor."""
        first = 0
        for size in self.sizes:
            yield self.keys[first : first + size]
            first += size


@dataclass(frozen=True, slots=True)
class FunnelEvents:
    """The fetching and decoding of a funnel's events. `origin` is the zero of their times.

    The bits of an event, lowest first: whether it has the attributed value (only for attribution by step), one bit per
    step, one per exclusion.
    """

    request: FunnelRequest
    breakdown: FunnelBreakdown | None
    within: DateRange

    @property
    def origin(self) -> datetime:
        return self.within.from_moment.astimezone(UTC)  # Python subtracts times of one zone by wall clock

    def since_origin(self, moment: datetime) -> int:
        """Return the microseconds from `origin` to a moment."""
        return (moment.astimezone(UTC) - self.origin) // timedelta(microseconds=1)

    @property
    def shift(self) -> int:
        """The number of bits of a key after the time."""
        return self._flags + len(self.request.series) + len(self.request.exclusions)

    def event(self, key: int) -> FunnelEvent:
        """Decode a key. An event of the funnel is never an exclusion."""
        bits = key & ((1 << self.shift) - 1)
        return FunnelEvent(key >> self.shift, self.steps(bits), not self._flags or bits & 1 == 1)

    def steps(self, bits: int) -> tuple[int, ...]:
        """Return the steps of a FunnelEvent from the bits of its key."""
        bits >>= self._flags
        count = len(self.request.series)
        steps = [step for step in range(1, count + 1) if bits >> (step - 1) & 1]
        if steps:
            return tuple(steps)
        excluded = {
            -step
            for place, exclusion in enumerate(self.request.exclusions, count)
            if bits >> place & 1
            for step in range(exclusion.from_step + 2, exclusion.to_step + 2)
        }
        return tuple(sorted(excluded, reverse=True))

    def hogql(self, query: Row, project: Project, *, with_actors: bool) -> str:
        """Return HogQL with one row per breakdown value, to be decoded by `read`.

        With actors the events of all actors are fetched. Raises ApiError 400.
        """
        only_entered = "false" if with_actors else self._only_entered()
        actors = "groupArray(toString(funnel_actor))" if with_actors else "[]"
        kept = f"NOT ({only_entered})"
        columns = (
            f"arrayFlatten(groupArrayIf(funnel_keys, {kept})), groupArrayIf(length(funnel_keys), {kept}), "
            f"countIf({only_entered}), {actors}"
        )
        return f"SELECT funnel_for, {columns} FROM ({self._by_actor(query, project)}) GROUP BY funnel_for"

    def read(self, rows: list[list[Any]]) -> list[Fetched]:
        """Decode the rows of `hogql`."""
        empty = ("",) * len(self.breakdown.values) if self.breakdown else ()
        found: list[Fetched] = []
        for value, keys, sizes, entered, actors in rows:
            numbers = keys if self._fits else [time << self.shift | bits for time, bits in keys]
            found.append(Fetched(tuple(value) or empty, numbers, sizes, entered, actors))
        return found

    @property
    def _by_step(self) -> bool:
        breakdown = self.breakdown
        return breakdown is not None and not self._by_cohort and self.request.attribution == "step"

    @property
    def _by_cohort(self) -> bool:
        return self.breakdown is not None and self.breakdown.form == "cohorts"

    @property
    def _leaves_out(self) -> bool:
        return self.request.rules.order == "unordered" and self.request.display != "trends"

    @property
    def _flags(self) -> int:
        return 1 if self._by_step else 0

    @property
    def _fits(self) -> bool:
        """Whether a key fits an integer of ClickHouse; otherwise time and bits are fetched separately."""
        return self.since_origin(self.within.end).bit_length() + self.shift <= _KEY_BITS

    def _key(self, flag: str = "0") -> str:
        bits = f"funnel_bits * {1 << self._flags} + {flag}" if self._flags else "funnel_bits"
        return f"funnel_time * {1 << self.shift} + {bits}" if self._fits else f"tuple(funnel_time, {bits})"

    def _only_entered(self) -> str:
        """Return the condition that an actor completed only the first step, as far as SQL can determine."""
        request = self.request
        if request.display == "trends":  # the intervals of entries depend on the events
            return "false"
        is_text = self.breakdown is not None and self.breakdown.form == "text"
        if self._by_step and is_text and request.rules.order != "unordered":
            return "false"  # an empty value may not belong to a first step
        steps = len(request.series)
        if request.rules.order == "unordered":
            return f"bitCount(funnel_matched) = 1 AND bitAnd(funnel_matched, {(1 << steps) - 1}) != 0"
        needed = 0b1 if 2 in request.rules.optional else 0b11
        exclusions = ((1 << len(request.exclusions)) - 1) << steps
        others = ((1 << steps) - 2) if needed == 1 else 0
        return f"bitAnd(funnel_matched, {needed | others | exclusions}) = 1"

    def _events(self, query: Row, project: Project) -> str:
        """Return HogQL for the events: actor, time, bits, breakdown value."""
        request = self.request
        actor, has_actor = actor_of(query)
        if has_actor == "true":  # no group, which takes precedence over an expression
            actor = "person_id"  # faster to group by than its text
            if request.actor is not None:
                actor = f"ifNull(toString({expression(request.actor)}), '')"
                has_actor = f"{actor} != ''"
        matches = [_step_condition(step) for step in request.series]
        matches += [exclusion.series.condition for exclusion in request.exclusions]
        terms = [*self.within.conditions(whole_seconds=False), query_condition(query, project), has_actor]
        if request.rules.order != "strict":
            terms.append(any_of(matches))
        bits = " + ".join(f"if({condition}, {1 << place}, 0)" for place, condition in enumerate(matches))
        since = (self.origin - _EPOCH) // timedelta(microseconds=1)
        value = value_expression(self.breakdown)
        if self._by_cohort:  # an event counts for every cohort of its person
            value = f"[arrayJoin({value})]"
        value = f", {value} AS funnel_value" if self.breakdown else ""
        return (
            f"SELECT {actor} AS funnel_actor, toUnixTimestamp64Micro(timestamp) - {since} AS funnel_time, "
            f"{bits} AS funnel_bits{value} FROM events WHERE {all_of(terms)}"
        )

    def _by_actor(self, query: Row, project: Project) -> str:
        """Return HogQL for the keys of each actor who may have entered, per breakdown value that counts."""
        request = self.request
        entered = (1 << len(request.series)) - 1 if request.rules.order == "unordered" else 1
        columns = "funnel_actor, groupBitOr(toUInt64(funnel_bits)) AS funnel_matched"
        keys = f"arraySort(groupArray({self._key()}))"
        group = "funnel_actor"
        value = "[]"
        of_all_events = self.breakdown is not None and request.attribution == "all_events"
        if self._by_step or (self._leaves_out and of_all_events and not self._by_cohort):
            return self._by_value(query, project, columns, entered)
        if request.rules.order == "strict" and self._fits:
            keys = self._without_repeats(keys)
        if self._leaves_out and self.breakdown is not None:
            keys = f"arrayMap(e -> tupleElement(e, 4), {self._ordered_events()})"
        if self.breakdown is not None:
            if self._by_cohort or of_all_events:
                value = "funnel_value"
                group = "funnel_actor, funnel_value"
            else:
                touch = "argMinIf" if request.attribution == "first_touch" else "argMaxIf"
                # PostHog does not distinguish a missing group property, an empty text, from a value.
                has_value = "true" if self.breakdown.form == "text" else "arrayExists(x -> x != '', funnel_value)"
                value = f"{touch}(funnel_value, {self._key()}, {has_value})"
        return (
            f"SELECT {columns}, {keys} AS funnel_keys, {value} AS funnel_for FROM ({self._events(query, project)}) "
            f"GROUP BY {group} HAVING bitAnd(funnel_matched, {entered}) != 0"
        )

    def _without_repeats(self, keys: str) -> str:
        """Drop events of no step after another event of no step.

        Those at the same instant as a step are kept, because different events at one instant do not break strict order.
        """
        bits = (1 << self.shift) - 1
        kept = (
            f"bitAnd(e, {bits}) != 0 OR bitAnd(before, {bits}) != 0 OR "
            f"(bitAnd(after, {bits}) != 0 AND bitShiftRight(e, {self.shift}) = bitShiftRight(after, {self.shift}))"
        )
        return (
            f"arrayFilter((e, before, after) -> {kept}, {keys}, arrayPushFront(arrayPopBack({keys}), 0), "
            f"arrayPushBack(arrayPopFront({keys}), -1))"
        )

    def _ordered_events(self) -> str:
        """Return an event's time, bits, value, key and key with the attributed value, in time order.

        PostHog drops events between others with the same single step and the same value before it walks the funnel. In
        unordered funnels that decides which event's time is used.
        """
        event = f"tuple(funnel_time, funnel_bits, funnel_value, {self._key()}, {self._key('1')})"
        events = f"arraySort(groupArray({event}))"
        if not self._leaves_out:
            return events
        alike = " AND ".join(
            f"tupleElement(e, {part}) = tupleElement({other}, {part})"
            for part in (2, 3)
            for other in ("before", "after")
        )
        inside = (
            f"bitCount(tupleElement(e, 2)) <= 1 AND {alike} AND tupleElement(before, 1) < tupleElement(e, 1) "
            "AND tupleElement(e, 1) < tupleElement(after, 1)"
        )
        neighbours = f"arrayRotateRight({events}, 1), arrayRotateLeft({events}, 1)"
        return f"arrayFilter((e, before, after) -> NOT ({inside}), {events}, {neighbours})"

    def _by_value(self, query: Row, project: Project, columns: str, entered: int) -> str:
        """Return each actor once per value of its events; for attribution by step, of events of that step."""
        step = 1 << (self.request.attributed_step or 0)
        counts = f"bitAnd(funnel_bits, {step}) != 0" if self._by_step else "true"
        of_step = "true" if self.request.rules.order == "unordered" else counts
        values = f"groupUniqArrayIf(funnel_value, {of_step})"
        if self.breakdown is not None and self.breakdown.form == "text":  # PostHog reads other events as empty values
            values = f"groupUniqArray(if({of_step}, funnel_value, ['']))"
        grouped = (
            f"SELECT {columns}, {self._ordered_events()} AS funnel_events, {values} AS funnel_values "
            f"FROM ({self._events(query, project)}) GROUP BY funnel_actor HAVING bitAnd(funnel_matched, {entered}) != 0"
        )
        has_value = "tupleElement(e, 3) = funnel_for"
        chosen = (
            f"arraySort(arrayMap(e -> if({has_value}, tupleElement(e, 5), tupleElement(e, 4)), funnel_events))"
            if self._by_step
            else f"arrayMap(e -> tupleElement(e, 4), arrayFilter(e -> {has_value}, funnel_events))"
        )
        by_value = (
            "SELECT funnel_actor, funnel_matched, funnel_events, arrayJoin(funnel_values) AS funnel_for "
            f"FROM ({grouped})"
        )
        return f"SELECT funnel_actor, funnel_matched, {chosen} AS funnel_keys, funnel_for FROM ({by_value})"


def _step_condition(step: Series) -> str:
    """Return the condition of a step, which some maths narrow to each person's first such event ever."""
    if step.math == "first_time_for_user":
        return all_of([step.condition, _is_first(step.entity)])
    if step.math == "first_time_for_user_with_filters":
        return all_of([step.condition, _is_first(step.condition)])
    return step.condition


def _is_first(condition: str) -> str:
    first = f"SELECT person_id, min(timestamp) FROM events WHERE {condition} GROUP BY person_id"
    return f"(person_id, timestamp) IN ({first})"
