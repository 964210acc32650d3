"""Shared by the recounts: the events of a series within a range."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..hand_made import Event
from .dataset import Setting, World
from .dates import Range
from .filters import TEST_ACCOUNTS, matches_action, passes

type Query = Mapping[str, Any]
type Node = Mapping[str, Any]


def part(query: Query, name: str) -> Mapping[str, Any]:
    """Return a nested object of a query; empty when missing or null."""
    return query.get(name) or {}


def is_of(event: Event, node: Node, world: World, setting: Setting) -> bool:
    """Return whether an event belongs to a series, ignoring properties."""
    if node["kind"] == "ActionsNode":
        action = world.action(node["id"])
        return action is not None and matches_action(event, action, world, setting)
    return node.get("event") is None or event.event == node["event"]


def is_counted(event: Event, query: Query, node: Node, world: World, setting: Setting) -> bool:
    """Return whether an event belongs to a series and passes the filters of the series and the query."""
    return (
        is_of(event, node, world, setting)
        and passes(event, node.get("properties"), world, setting)
        and passes_query(event, query, world, setting)
    )


def passes_query(event: Event, query: Query, world: World, setting: Setting) -> bool:
    """Return whether an event passes the filters of the query."""
    test_accounts = TEST_ACCOUNTS if query.get("filterTestAccounts") else None
    return passes(event, query.get("properties"), world, setting) and passes(event, test_accounts, world, setting)


def counted(query: Query, node: Node, span: Range, world: World, setting: Setting) -> list[Event]:
    """Return the events of a series within a range, by time."""
    return [
        event for event in world.events if span.has(event.timestamp) and is_counted(event, query, node, world, setting)
    ]


def is_known(node: Node, world: World) -> bool:
    """Return whether a series is not a missing action."""
    return node["kind"] != "ActionsNode" or world.action(node["id"]) is not None


def series_label(node: Node, world: World) -> str:
    """Return the name of the event or action."""
    if node["kind"] == "ActionsNode":
        action = world.action(node["id"])
        assert action is not None
        return action.name
    return str(node["event"]) if node.get("event") is not None else "All events"


def earliest_event(world: World) -> datetime:
    """Return the time of the project's first event since 2015."""
    since = datetime(2015, 1, 1, tzinfo=UTC)
    return min(event.timestamp for event in world.events if event.timestamp >= since)
