"""Lifecycle in plain Python: from an actor's active intervals to its status in each."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ...hand_made import Event
from ..counting import Node, Query, is_counted, is_of, series_label
from ..dataset import Setting, World
from ..dates import INTERVALS, Range, buckets, day_text, floored, following, highest, label, lowest
from ..drawing import drawn_common, drawn_node

STATUSES = ("new", "returning", "resurrecting", "dormant")
type Active = frozenset[datetime]
type Statuses = set[tuple[str, datetime]]


def lifecycle(query: Query, world: World, setting: Setting) -> list[dict[str, Any]]:
    """Return the results of a LifecycleQuery."""
    interval = str(query.get("interval") or "day")
    node = query["series"][0]
    span, since = _range(query, node, interval, world, setting)
    starts = [start for start in buckets(span, interval, setting) if since is None or start >= since]
    counts: dict[tuple[str, datetime], int] = {}
    for active, created in _activity(query, node, span, interval, world, setting):
        for status in statuses(active, created, interval, setting):
            counts[status] = counts.get(status, 0) + 1
    return [
        {
            "action": _action(node, world),
            "data": (data := [_signed(status, counts.get((status, start), 0)) for start in starts]),
            "count": sum(data),
            "labels": [label(start, interval, span, setting) for start in starts],
            "days": [day_text(start, interval, setting) for start in starts],
            "label": f"{series_label(node, world)} - {status}",
            "status": status,
        }
        for status in (STATUSES if starts else ())
    ]


def statuses(active: Active, created: datetime | None, interval: str, setting: Setting) -> Statuses:
    """Return the statuses of an actor by interval start. `active` and `created` are interval starts too."""
    found: Statuses = set()
    for start in active:
        if start == min(active):
            found.add(("new" if start == created else "resurrecting", start))
        else:
            returns = any(following(other, interval, setting) == start for other in active)
            found.add(("returning" if returns else "resurrecting", start))
        after = following(start, interval, setting)
        if after not in active:
            found.add(("dormant", after))
    return found


def _signed(status: str, count: int) -> float:
    return float(-count if status == "dormant" else count)


def _range(query: Query, node: Node, interval: str, world: World, setting: Setting) -> tuple[Range, datetime | None]:
    """Return the range, and with `explicitDate` the earliest start of an interval."""
    dates: Mapping[str, Any] = query.get("dateRange") or {}
    exact = bool(dates.get("explicitDate"))
    mine = [event.timestamp for event in world.events if is_of(event, node, world, setting)]
    earliest = min(mine) if mine else datetime(1980, 1, 1, tzinfo=UTC)
    since = lowest(dates, setting, interval, exact=exact, earliest=earliest).astimezone(UTC)
    until = highest(dates, setting, interval).astimezone(UTC)
    return Range(since, until, since), since.replace(microsecond=0) if exact else None


def _activity(
    query: Query, node: Node, span: Range, interval: str, world: World, setting: Setting
) -> list[tuple[Active, datetime | None]]:
    """Return for each actor the starts of its active intervals and of the one it was created in."""
    first, last = floored(span.first, interval, setting), floored(span.until, interval, setting)
    since, until = following(first, interval, setting, -1), following(last, interval, setting)
    active: dict[str, set[datetime]] = {}
    created: dict[str, datetime | None] = {}
    for event in world.events:
        actor, moment = _actor(event, query, world)
        without_profile = event.properties.get("$process_person_profile") in (False, "false")
        if not actor or without_profile or not since <= event.timestamp < until:
            continue
        if is_counted(event, query, node, world, setting):
            active.setdefault(actor, set()).add(floored(event.timestamp, interval, setting))
            created[actor] = None if moment is None else floored(moment, interval, setting)
    return [(frozenset(starts), created[actor]) for actor, starts in active.items()]


def _actor(event: Event, query: Query, world: World) -> tuple[str, datetime | None]:
    """Return the actor of an event, empty text for none, and its creation time."""
    match query.get("aggregation_group_type_index"):
        case None:
            return event.person.id, event.person.created_at
        case 0:
            group = world.groups.get(event.group)
            return event.group, None if group is None else group.created_at
        case _:
            return "", None


def _action(node: Node, world: World) -> dict[str, Any]:
    action = node["kind"] == "ActionsNode"
    name = {} if node.get("custom_name") is None else {"custom_name": node["custom_name"]}
    return {
        "id": str(node["id"]) if action else node.get("event"),
        "name": series_label(node, world),
        "type": "actions" if action else "events",
        "order": 0,
        "math": "total",
        **name,
    }


def drawn_lifecycle(chance: random.Random, world: World, setting: Setting) -> dict[str, Any]:
    """Return a random LifecycleQuery. `all` is used only for series with events."""
    interval = chance.choice((*INTERVALS, "day", "day", "week"))
    query: dict[str, Any] = {
        "kind": "LifecycleQuery",
        "series": [drawn_node(chance, world)],
        **drawn_common(chance, world, setting, interval),
    }
    dates: dict[str, Any] = query.get("dateRange") or {}
    if query["series"][0].get("event") == "never" and dates.get("date_from") == "all":
        dates["date_from"] = "-3m"
    if interval != "day" or chance.random() < 0.5:
        query["interval"] = interval
    if chance.random() < 0.3:
        query["aggregation_group_type_index"] = chance.choice((0, 0, 0, 1, None))
    if chance.random() < 0.2:
        query["lifecycleFilter"] = chance.choice(({}, {"toggledLifecycles": ["new", "dormant"]}, None))
    return query
