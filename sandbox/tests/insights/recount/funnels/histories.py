"""The events of a funnel in plain Python: their steps, by actor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Any, cast

from ...hand_made import Event
from ..counting import Node, Query, earliest_event, is_of, passes_query
from ..dataset import Setting, World
from ..dates import Range, highest, lowest
from ..filters import passes, text
from .walks import Happened, Rules

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 7 * 86_400, "month": 31 * 86_400}
type Value = tuple[str, ...]
"""A breakdown value; empty without a breakdown."""


@dataclass(frozen=True, slots=True)
class Funnel:
    """A parsed query with its world and range."""

    query: Query
    world: World
    setting: Setting
    span: Range
    wanted: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def nodes(self) -> Sequence[Node]:
        return self.query["series"]

    @property
    def rules(self) -> Rules:
        unit = self.wanted.get("funnelWindowIntervalUnit") or "day"
        attributed = None
        if self.breakdown and self.attribution == "step" and self.breakdown.get("breakdown_type") != "cohort":
            attributed = (self.wanted.get("breakdownAttributionValue") or 0) + 1
        return Rules(
            steps=len(self.nodes),
            window=timedelta(seconds=(self.wanted.get("funnelWindowInterval") or 14) * _SECONDS[unit]),
            order=self.wanted.get("funnelOrderType") or "ordered",
            optional=frozenset(place for place, node in enumerate(self.nodes, 1) if node.get("optionalInFunnel")),
            attributed=attributed,
        )

    @property
    def breakdown(self) -> Mapping[str, Any]:
        return self.query.get("breakdownFilter") or {}

    @property
    def attribution(self) -> str:
        return self.wanted.get("breakdownAttributionType") or "first_touch"


def read_funnel(query: Query, interval: str, world: World, setting: Setting) -> Funnel:
    """Parse a query."""
    dates: Mapping[str, Any] = query.get("dateRange") or {}
    since = lowest(dates, setting, interval, exact=False, earliest=earliest_event(world)).astimezone(UTC)
    until = highest(dates, setting, interval).astimezone(UTC)
    return Funnel(query, world, setting, Range(since, until, since), query.get("funnelsFilter") or {})


def actors_of(funnel: Funnel) -> list[list[tuple[Event, Happened]]]:
    """Return the events of each actor, by time: all for a strict funnel, else those that match something."""
    firsts = [_firsts(funnel, node) for node in funnel.nodes]
    found: dict[str, list[tuple[Event, Happened]]] = {}
    for event in sorted(funnel.world.events, key=lambda event: event.timestamp):
        actor = actor_of(funnel.query, event)
        if not actor or not funnel.span.since <= event.timestamp <= funnel.span.until:
            continue
        if not passes_query(event, funnel.query, funnel.world, funnel.setting):
            continue
        steps = tuple(
            place
            for place, node in enumerate(funnel.nodes, 1)
            if _matches(funnel, event, node) and (firsts[place - 1] is None or id(event) in (firsts[place - 1] or ()))
        )
        steps += _excluded(funnel, event)
        if steps or funnel.rules.order == "strict":
            value = _value(funnel, event)
            found.setdefault(actor, []).append((event, Happened(event.timestamp, steps, value)))
    return list(found.values())


def actor_of(query: Query, event: Event) -> str:
    """Return the actor of an event in a funnel; empty for none."""
    group = query.get("aggregation_group_type_index")
    if group is not None:
        return event.group if group == 0 else ""
    wanted: Mapping[str, Any] = query.get("funnelsFilter") or {}
    match wanted.get("funnelAggregateByHogQL"):
        case "properties.$session_id":
            return event.session
        case "distinct_id":
            return event.sent_as
        case _:
            return event.person.id


def _matches(funnel: Funnel, event: Event, node: Node) -> bool:
    if node["kind"] == "GroupNode":
        return any(_matches(funnel, event, inner) for inner in node["nodes"])
    return is_of(event, node, funnel.world, funnel.setting) and passes(
        event, node.get("properties"), funnel.world, funnel.setting
    )


def _firsts(funnel: Funnel, node: Node) -> set[int] | None:
    """Return each person's first event ever for a step of `first_time_for_user`; None for other steps."""
    math_of = node.get("math") or "total"
    if not math_of.startswith("first_time_for_user"):
        return None
    found: dict[str, Event] = {}
    for event in sorted(funnel.world.events, key=lambda event: event.timestamp):
        matches = (
            _matches(funnel, event, node)
            if math_of.endswith("filters")
            else is_of(event, node, funnel.world, funnel.setting)
        )
        if matches:
            found.setdefault(event.person.id, event)
    return {id(event) for event in found.values()}


def _excluded(funnel: Funnel, event: Event) -> tuple[int, ...]:
    """Return minus each step that may not be reached past this event."""
    found: set[int] = set()
    for exclusion in funnel.wanted.get("exclusions") or ():
        if _matches(funnel, event, exclusion):
            found |= {-step for step in range(exclusion["funnelFromStep"] + 2, exclusion["funnelToStep"] + 2)}
    return tuple(sorted(found, reverse=True))


def _value(funnel: Funnel, event: Event) -> Value:
    """Return the texts of the breakdown properties."""
    breakdown = funnel.breakdown.get("breakdown")
    if breakdown is None:
        return ()
    names = cast("list[str]", breakdown if isinstance(breakdown, list) else [breakdown])
    return tuple(_text(funnel, event, name) for name in names)


def _text(funnel: Funnel, event: Event, name: str) -> str:
    match funnel.breakdown.get("breakdown_type") or "event":
        case "person":
            return text(event.person.properties.get(name)) or ""
        case "group":
            group = funnel.world.groups.get(event.group)
            return "" if group is None else text(group.properties.get(name)) or ""
        case "event_metadata":
            return event.event if name == "event" else event.sent_as
        case "hogql":
            return event.event.upper()
        case _:
            return text(event.session or None if name == "$session_id" else event.properties.get(name)) or ""
