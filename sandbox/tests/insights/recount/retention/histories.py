"""Parsed retention queries, and the history of each actor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ...hand_made import Event
from ..counting import Node, Query, earliest_event, is_of, part, passes_query
from ..dataset import Setting, World
from ..dates import floored, following, highest, lowest
from ..filters import number, passes

FIRSTS = ("retention_first_time", "retention_first_ever_occurrence")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed query with everything its numbers depend on."""

    query: Query
    world: World
    setting: Setting

    @property
    def filter(self) -> Mapping[str, Any]:
        return part(self.query, "retentionFilter")

    @property
    def period(self) -> str:
        return str(self.filter.get("period") or "Day")

    @property
    def interval(self) -> str:
        return self.period.lower()

    @property
    def total(self) -> int:
        """The number of cells in a row without brackets."""
        return int(self.filter.get("totalIntervals") or 8)

    @property
    def brackets(self) -> Sequence[int]:
        return self.filter.get("retentionCustomBrackets") or ()

    def entity(self, name: str) -> Node:
        """Return an entity of the query as a series."""
        given: Mapping[str, Any] = self.filter.get(name) or {"id": "$pageview", "type": "events"}
        kind = {"kind": "ActionsNode", "id": given["id"]}
        if given["type"] == "events":
            kind = {"kind": "EventsNode", "event": given["id"]}
        return {**kind, "properties": given.get("properties")}

    @property
    def kind(self) -> str | None:
        return self.filter.get("retentionType")

    @property
    def in_windows(self) -> bool:
        return self.filter.get("timeWindowMode") == "24_hour_windows"

    @property
    def sums(self) -> bool:
        """Whether a property is added up."""
        kind, name = self.filter.get("aggregationType"), self.filter.get("aggregationProperty")
        return kind in ("sum", "avg") and name is not None

    def amount(self, event: Event) -> float:
        """Return the amount of an event; 0 if it is not a number."""
        of_person = self.filter.get("aggregationPropertyType") == "person"
        properties = event.person.properties if of_person else event.properties
        return number(properties.get(self.filter["aggregationProperty"])) or 0

    @property
    def differs(self) -> bool:
        """Whether the two entities differ, ignoring their filters."""
        one, other = self.entity("targetEntity"), self.entity("returningEntity")
        return (one["kind"], one.get("event"), one.get("id")) != (other["kind"], other.get("event"), other.get("id"))

    def is_named(self, event: Event, name: str) -> bool:
        """Return whether an event belongs to an entity, ignoring all filters."""
        return is_of(event, self.entity(name), self.world, self.setting)

    def is_done(self, event: Event, name: str) -> bool:
        """Return whether an event belongs to an entity and passes its filters."""
        properties = self.entity(name).get("properties")
        return self.is_named(event, name) and passes(event, properties, self.world, self.setting)

    def later(self, start: datetime, number: int) -> datetime:
        return following(start, self.interval, self.setting, number)

    def actor(self, event: Event) -> str:
        """Return the actor that an event counts for, empty for none."""
        group = self.query.get("aggregation_group_type_index")
        return event.person.id if group is None else event.group if group == 0 else ""

    def starts(self) -> tuple[list[datetime], datetime]:
        """Return the starts of the periods, and the end of the last."""
        dates = part(self.query, "dateRange")
        last = floored(highest(dates, self.setting, self.interval).astimezone(UTC), self.interval, self.setting)
        end = following(last, self.interval, self.setting)
        if dates.get("date_from"):
            since = lowest(dates, self.setting, self.interval, exact=False, earliest=earliest_event(self.world))
            start = floored(since.astimezone(UTC), self.interval, self.setting)
        else:
            start = following(end, self.interval, self.setting, -self.total)
        found: list[datetime] = []
        while start < end:
            found.append(start)
            start = following(start, self.interval, self.setting)
        return found, end


@dataclass(frozen=True, slots=True)
class History:
    """An actor's events in time order: possible starts, all of the same entity, and returns."""

    begins: list[datetime] = field(default_factory=list[datetime])
    targets: list[Event] = field(default_factory=list[Event])
    returns: list[Event] = field(default_factory=list[Event])


type Histories = dict[str, History]


def histories_of(parsed: Parsed, events: Sequence[Event]) -> Histories:
    found: Histories = {}
    tried: set[str] = set()
    for event in events:
        actor = parsed.actor(event)
        if not actor or not passes_query(event, parsed.query, parsed.world, parsed.setting):
            continue
        history = found.setdefault(actor, History())
        is_target = parsed.is_done(event, "targetEntity")
        if is_target:
            history.targets.append(event)
        if parsed.is_done(event, "returningEntity"):
            history.returns.append(event)
        if parsed.kind == "retention_first_ever_occurrence":
            is_first = actor not in tried and parsed.is_named(event, "targetEntity")
            tried |= {actor} if is_first else set()
            is_target = is_target and is_first
        if is_target and not (parsed.kind == "retention_first_time" and history.begins):
            history.begins.append(event.timestamp)
    return found
