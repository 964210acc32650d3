"""Breakdowns in plain Python: the value of an event, the values that are kept, and what becomes of the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..hand_made import Event
from .counting import part
from .dataset import TYPES, Setting, World
from .filters import number, property_of, text

NULL = "$$_posthog_breakdown_null_$$"
OTHER = "$$_posthog_breakdown_other_$$"
DEFAULT_LIMIT = 25
WORLD_MAP_LIMIT = 250

type Value = tuple[str, ...]
"""A value of every breakdown, the markers of null and other included."""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The properties that events are split by. `is_list` when values are shown as lists."""

    parts: tuple[Mapping[str, Any], ...]
    is_list: bool
    limit: int
    hides_other: bool
    normalizes: bool

    def value(self, event: Event, world: World, setting: Setting) -> Value:
        return tuple(_value(event, part, self.normalizes, world, setting) for part in self.parts)

    def shown(self, value: Value) -> Any:
        return list(value) if self.is_list else value[0]

    @property
    def other(self) -> Value:
        return (OTHER,) * len(self.parts)


def breakdown_of(query: Mapping[str, Any]) -> Breakdown | None:
    """The breakdown of a query by properties; None without one."""
    given = part(query, "breakdownFilter")
    parts: list[Mapping[str, Any]] = list(given.get("breakdowns") or [])
    is_list = bool(parts)
    if not parts and given.get("breakdown") is not None and given.get("breakdown_type") != "cohort":
        parts = [{"property": given["breakdown"], "type": given.get("breakdown_type") or "event"}]
    if not parts:
        return None
    display = part(query, "trendsFilter").get("display")
    return Breakdown(
        tuple(parts),
        is_list,
        given.get("breakdown_limit") or (WORLD_MAP_LIMIT if display == "WorldMap" else DEFAULT_LIMIT),
        bool(given.get("breakdown_hide_other_aggregation")),
        bool(given.get("breakdown_normalize_url")),
    )


def _value(event: Event, part: Mapping[str, Any], normalizes: bool, world: World, setting: Setting) -> str:
    name, kind = part["property"], part.get("type") or "event"
    read: str | None
    match kind:
        case "person":
            read = _shown(event.person.properties.get(name), TYPES.get(("person", name)))
        case "group":
            group = world.groups.get(event.group)
            read = text(group.properties.get(name)) if group else None
        case "event_metadata":
            read = {"event": event.event, "distinct_id": event.sent_as}[name]
        case "hogql":
            read = {"properties.plan": text(event.properties.get("plan")), "upper(event)": event.event.upper()}[name]
        case _:
            read = _shown(property_of(event, name), TYPES.get(("event", name)))
    if read is not None and (normalizes or part.get("normalize_url")):
        read = read.rstrip("/?#") or "/"
    return read or NULL


def _shown(value: Any, kind: str | None) -> str | None:
    if kind == "Numeric":
        read = number(value)
        return None if read is None else (str(int(read)) if read == int(read) else repr(read))
    if kind == "Boolean":
        shown = text(value)
        return shown if shown in ("true", "false") else None
    return text(value)


def ranked(totals: Mapping[Value, float]) -> list[Value]:
    """Values by rank: real ones by total and value, those with a null after them."""

    def rank(value: Value) -> tuple[bool, float, Value]:
        return NULL in value, -totals[value], value

    return sorted(totals, key=rank)


def kept(values: Sequence[Value], breakdown: Breakdown) -> tuple[list[Value], list[Value]]:
    """The values that are shown, and those that Other is made of."""
    return list(values[: breakdown.limit]), list(values[breakdown.limit :])
