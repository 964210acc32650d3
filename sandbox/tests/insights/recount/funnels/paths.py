"""The events that belong to paths of a funnel's actors, in plain Python."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ...hand_made import Event
from ..counting import Query
from ..dataset import Setting, World
from ..dates import months_later
from ..drawing import drawn_dates, drawn_node
from .histories import actor_of
from .results import actors_with_attempts

_EARLY, _LATE = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_TYPES = ("funnel_path_after_step", "funnel_path_before_step", "funnel_path_between_steps")


@dataclass(frozen=True, slots=True)
class Walks:
    """The spans of each actor's events. After a pause of `gap` a new path begins."""

    source: Query
    spans: Mapping[str, tuple[datetime, datetime]]
    gap: timedelta

    def has(self, event: Event) -> bool:
        since, until = self.spans.get(actor_of(self.source, event), (_LATE, _EARLY))
        return since <= event.timestamp <= until


def walks_of(query: Query, world: World, setting: Setting) -> Walks | None:
    """Return the walks of a `funnelPathsFilter`; None without one."""
    wanted: Mapping[str, Any] | None = query.get("funnelPathsFilter")
    if wanted is None:
        return None
    source = wanted["funnelSource"]
    step = wanted["funnelStep"]
    last = step if step > 0 else -step - 1
    spans: dict[str, tuple[datetime, datetime]] = {}
    for actor, attempt in actors_with_attempts(source, world, setting).items():
        taken = len(attempt.times)
        if taken == last or (step > 0 and taken > last):
            spans[actor] = _span(wanted["funnelPathType"], attempt.times, step, source)
    zero = datetime(2018, 1, 1, tzinfo=UTC)
    return Walks(source, spans, _window_after(zero, source) - zero)


def _span(kind: str, times: tuple[datetime, ...], step: int, source: Query) -> tuple[datetime, datetime]:
    last = step if step > 0 else -step - 1
    target = times[last - 1]
    match kind:
        case "funnel_path_after_step":
            return (target if step > 0 else _window_after(target, source)), _LATE
        case "funnel_path_before_step":
            return _EARLY, target
        case _:
            return (times[last - 2] if last > 1 else _EARLY), target


def _window_after(moment: datetime, source: Query) -> datetime:
    wanted: Mapping[str, Any] = source.get("funnelsFilter") or {}
    number, unit = wanted.get("funnelWindowInterval") or 14, wanted.get("funnelWindowIntervalUnit") or "day"
    return months_later(moment, number) if unit == "month" else moment + timedelta(**{f"{unit}s": number})


def drawn_funnel_paths(chance: random.Random, world: World, setting: Setting) -> dict[str, Any]:
    """Return a random `funnelPathsFilter` over a funnel of persons or distinct ids."""
    steps = chance.choice((2, 2, 3))
    wanted: dict[str, Any] = {}
    if chance.random() < 0.7:
        number, unit = chance.choice(((30, "minute"), (2, "hour"), (1, "day"), (1, "week"), (1, "month"), (5, None)))
        wanted = {"funnelWindowInterval": number, **({"funnelWindowIntervalUnit": unit} if unit else {})}
    if chance.random() < 0.3:
        wanted["funnelOrderType"] = chance.choice(("ordered", "strict", "unordered"))
    if chance.random() < 0.2:
        wanted["funnelAggregateByHogQL"] = "distinct_id"
    source = {
        "kind": "FunnelsQuery",
        "series": [_drawn_step(chance, world) for _ in range(steps)],
        "dateRange": chance.choice(
            ({"date_from": "all"}, {"date_from": "-60d"}, drawn_dates(chance, world, setting, "day"))
        ),
        "funnelsFilter": wanted,
    }
    step = chance.choice((*range(1, steps + 1), *range(-steps, -1)))
    return {"funnelPathType": chance.choice(_TYPES), "funnelSource": source, "funnelStep": step}


def _drawn_step(chance: random.Random, world: World) -> dict[str, Any]:
    node = drawn_node(chance, world)
    if chance.random() < 0.8:
        node.pop("properties", None)
    if node.get("event") == "never":
        node["event"] = "$pageview"
    return node
