"""Breakdowns in plain Python: the value of an event, the shown values, and the combined ones."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..hand_made import Event
from .counting import part
from .dataset import TYPES, Setting, World
from .filters import PATH_CLEANING, number, property_of, text

NULL = "$$_posthog_breakdown_null_$$"
OTHER = "$$_posthog_breakdown_other_$$"
DEFAULT_LIMIT = 25
WORLD_MAP_LIMIT = 250

type Value = tuple[str, ...]
"""One value per breakdown, including the markers of null and other."""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The properties that events are split by. `is_list` is whether values are shown as lists."""

    parts: tuple[Mapping[str, Any], ...]
    is_list: bool
    limit: int
    hides_other: bool
    normalizes: bool
    cleans: bool
    ends: tuple[tuple[float, float] | None, ...] = ()

    def over(self, events: Sequence[Event], world: World) -> "Breakdown":
        """Return the breakdown with the bins of its histograms over these events."""
        ends: list[tuple[float, float] | None] = []
        for each in self.parts:
            numbers = [value for event in events if (value := number(_raw(event, each, world))) is not None]
            ends.append((min(numbers), max(numbers)) if numbers and each.get("histogram_bin_count") else None)
        return replace(self, ends=tuple(ends))

    def value(self, event: Event, world: World, setting: Setting) -> Value:
        return tuple(
            _bin(number(_raw(event, part, world)), part["histogram_bin_count"], end)
            if part.get("histogram_bin_count")
            else _value(event, part, self, world, setting)
            for part, end in zip(self.parts, self.ends, strict=True)
        )

    def shown(self, value: Value) -> Any:
        return list(value) if self.is_list else value[0]

    @property
    def other(self) -> Value:
        return (OTHER,) * len(self.parts)


def breakdown_of(query: Mapping[str, Any]) -> Breakdown | None:
    """Return the breakdown of a query by properties; None without one."""
    given = part(query, "breakdownFilter")
    parts: list[Mapping[str, Any]] = list(given.get("breakdowns") or [])
    is_list = bool(parts)
    if not parts and given.get("breakdown") is not None and given.get("breakdown_type") != "cohort":
        parts = [{"property": given["breakdown"], "type": given.get("breakdown_type") or "event"}]
        parts[0] = {**parts[0], "histogram_bin_count": given.get("breakdown_histogram_bin_count")}
    if not parts:
        return None
    display = part(query, "trendsFilter").get("display")
    return Breakdown(
        tuple(parts),
        is_list,
        given.get("breakdown_limit") or (WORLD_MAP_LIMIT if display == "WorldMap" else DEFAULT_LIMIT),
        bool(given.get("breakdown_hide_other_aggregation")),
        bool(given.get("breakdown_normalize_url")),
        bool(given.get("breakdown_path_cleaning")),
    )


def _raw(event: Event, part: Mapping[str, Any], world: World) -> Any:
    of_person = part.get("type") == "person"
    return (event.person.properties if of_person else event.properties).get(part["property"])


def _bin(value: float | None, bins: int, ends: tuple[float, float] | None) -> str:
    """Return the half-open bin of a number; the last bin extends slightly further."""
    if value is None or ends is None:
        return NULL
    least, greatest = ends
    width = (greatest - least) / bins
    for place in range(bins):
        lower, upper = width * place + least, width * (place + 1) + least + (0.01 if place + 1 == bins else 0)
        if lower <= value < upper:
            return f"[{_plain(lower)},{_plain(upper)}]"
    return NULL


def _plain(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _value(event: Event, part: Mapping[str, Any], breakdown: Breakdown, world: World, setting: Setting) -> str:
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
    if read is not None and breakdown.cleans:
        for rule in PATH_CLEANING:
            read = re.sub(rule["regex"], rule["alias"], read)
    if read is not None and (breakdown.normalizes or part.get("normalize_url")):
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
    """Return values by rank: real ones by total and value, then those with a null."""

    def rank(value: Value) -> tuple[bool, float, Value]:
        return NULL in value, -totals[value], value

    return sorted(totals, key=rank)


def kept(values: Sequence[Value], breakdown: Breakdown) -> tuple[list[Value], list[Value]]:
    """Return the shown values, and those combined into Other."""
    return list(values[: breakdown.limit]), list(values[breakdown.limit :])
