"""Paths of a funnel's actors: `funnelPathsFilter` selects events after, before or between its steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, cast

from ...http.routing import Call
from ...queries.project import Project
from ...values import Row, as_object
from ..actor_events import expression
from ..dates import next_interval
from ..requests import choice, malformed_query, number, options
from .actors import step_condition
from .reached import FunnelActor, funnel_actors

type PathType = Literal["funnel_path_after_step", "funnel_path_before_step", "funnel_path_between_steps"]
type Span = tuple[int, int]
"""The first and last microsecond since 1970 of the events in an actor's paths."""

_PLACE = "funnelPathsFilter."
_TYPES = ("funnel_path_before_step", "funnel_path_between_steps", "funnel_path_after_step")
_UNITS = ("second", "minute", "hour", "day", "week", "month")
_WINDOW = 14
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ANY_MONTH = datetime(2018, 1, 1, tzinfo=UTC)
"""The reference date of PostHog for a window of months that ends a path."""
_ALWAYS = 1 << 63


@dataclass(frozen=True, slots=True)
class FunnelPaths:
    """The spans of a funnel's actors. `actor` is HogQL; a pause of more than `gap` seconds begins a new path."""

    actor: str
    gap: int
    spans: Mapping[str, tuple[Span, ...]]

    def has(self, actor: str, time: int) -> bool:
        """Return whether an actor's event at a time, in microseconds, belongs to the actor's paths."""
        return any(since <= time <= until for since, until in self.spans.get(actor, ()))


async def read_funnel_paths(call: Call, query: Row, project: Project) -> FunnelPaths | None:
    """Return the `funnelPathsFilter` of a PathsQuery, None without one. Raises ApiError 400."""
    if query.get("funnelPathsFilter") is None:
        return None
    wanted = options(query, "funnelPathsFilter")
    source = as_object(wanted.get("funnelSource"))
    if source is None:
        raise malformed_query(f"{_PLACE}funnelSource", "Field required")
    kind = cast("PathType", choice(wanted, "funnelPathType", _PLACE, _TYPES, ""))
    if not kind:
        raise malformed_query(f"{_PLACE}funnelPathType", f"Input should be {', '.join(map(repr, _TYPES))}")
    is_of_step = step_condition(wanted.get("funnelStep"), source)
    step = cast("int", wanted["funnelStep"])
    window = _Window(options(source, "funnelsFilter"))
    spans: dict[str, tuple[Span, ...]] = {}
    for actor in await funnel_actors(call, source, project):
        if is_of_step(actor):
            spans[actor.actor] = (*spans.get(actor.actor, ()), _span(actor, kind, step, window))
    return FunnelPaths(_actor(source), window.gap(), spans)


class _Window:
    """The conversion window of a funnel. Months are calendar months here, unlike in the funnel itself."""

    def __init__(self, wanted: Row) -> None:
        self._number = number(wanted, "funnelWindowInterval", "funnelsFilter.", _WINDOW, least=1)
        self._unit = choice(wanted, "funnelWindowIntervalUnit", "funnelsFilter.", _UNITS, "day")

    def after(self, moment: datetime) -> datetime:
        if self._unit != "month":
            return moment + timedelta(**{f"{self._unit}s": self._number})
        first = moment.replace(day=1)
        for _ in range(self._number):
            first = next_interval(first, "month")
        last_day = (next_interval(first, "month") - timedelta(days=1)).day
        return first.replace(day=min(moment.day, last_day))

    def gap(self) -> int:
        return (self.after(_ANY_MONTH) - _ANY_MONTH) // timedelta(seconds=1)


def _span(actor: FunnelActor, kind: PathType, step: int, window: _Window) -> Span:
    place = step - 1 if step > 0 else -step - 2
    target = actor.times[place].astimezone(UTC)
    match kind:
        case "funnel_path_after_step":
            return _microseconds(target if step > 0 else window.after(target)), _ALWAYS
        case "funnel_path_before_step":
            return -_ALWAYS, _microseconds(target)
        case "funnel_path_between_steps":
            return _microseconds(actor.times[place - 1]) if place else -_ALWAYS, _microseconds(target)


def _microseconds(moment: datetime) -> int:
    return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)


def _actor(source: Row) -> str:
    group = source.get("aggregation_group_type_index")
    if group is not None:
        return f"$group_{group}"
    given = options(source, "funnelsFilter").get("funnelAggregateByHogQL")
    return f"ifNull(toString({expression(given)}), '')" if isinstance(given, str) and given else "toString(person_id)"
