"""The definitions of events and properties, which PostHog derives from the events."""

import re
from collections.abc import Collection, Iterable, Iterator

from ..storage.engine import Engine
from .tables import DATABASE, EVENT_DEFINITIONS

_DATE_TIME = re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"')

_SESSION_PROPERTIES = (
    ("$start_timestamp", "DateTime"),
    ("$end_timestamp", "DateTime"),
    ("$entry_current_url", "String"),
    ("$entry_pathname", "String"),
    ("$end_current_url", "String"),
    ("$end_pathname", "String"),
    ("$entry_referring_domain", "String"),
    ("$entry_utm_source", "String"),
    ("$entry_utm_campaign", "String"),
    ("$entry_utm_medium", "String"),
    ("$entry_utm_term", "String"),
    ("$entry_utm_content", "String"),
    ("$pageview_count", "Numeric"),
    ("$autocapture_count", "Numeric"),
    ("$screen_count", "Numeric"),
    ("$channel_type", "String"),
    ("$session_duration", "Numeric"),
    ("$is_bounce", "Boolean"),
)

type Definition = tuple[str, str, str | None, bool, tuple[str, ...]]
"""A row of the table of property definitions."""


def define_events(engine: Engine) -> None:
    """Derive the event definitions from the events."""
    engine.execute(
        f"INSERT INTO {DATABASE}.{EVENT_DEFINITIONS.name} "
        f"SELECT event, min(timestamp), max(timestamp), count() FROM {DATABASE}.events GROUP BY event"
    )


def session_definitions() -> Iterator[Definition]:
    """Yield the definitions of the properties of sessions, which are always the same."""
    return (_definition(name, "session", kind, ()) for name, kind in _SESSION_PROPERTIES)


def define(name: str, scope: str, starts: Collection[str], example: str, owners: Iterable[str]) -> Definition:
    """Return the definition of a property of these events (`owners`), whose JSON texts begin with `starts`."""
    return _definition(name, scope, _kind(starts, example), owners)


def _kind(starts: Collection[str], example: str) -> str | None:
    first = set(starts) - {"n"}
    if not first or first & {"{", "["}:
        return None
    if first <= set("-0123456789"):
        return "Numeric"
    if first <= {"t", "f"}:
        return "Boolean"
    return "DateTime" if first == {'"'} and _DATE_TIME.fullmatch(example) else "String"


def _definition(name: str, scope: str, kind: str | None, owners: Iterable[str]) -> Definition:
    return (name, scope, kind, kind == "Numeric", tuple(owners))
