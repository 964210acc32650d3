"""Names that typed queries guess wrong.

PostHog counts zeros for an event that was never sent, and treats a property that was never set as absent: a filter or a
breakdown then silently counts the wrong thing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from ...gateway.call import Call
from ...gateway.errors import GatewayError
from ...schemas.analytics.events import PROPERTY_MATHS, scoped
from ...schemas.near import near
from ...schemas.text import code
from ..query.persons_then import changes
from ..query.seen_names import property_names, unseen_events, unseen_properties
from ..table import Note, Report
from .spec import EVERY_EVENT, Spec

_MOST_NOTES = 5
_MOST_NEAR = 3
_SEARCH = "describe_data with search finds names."
_OWNERS = {"event": "events", "person": "persons"}
_UNDEFINED = ("$feature/", "$virt_", "$session_duration", "$time", "$elements_chain", "distinct_id")
"""Beginnings of properties that work though PostHog lists no definition of them."""


async def with_names(api: Call, spec: Spec[Any], report: Report) -> Report:
    """Return the report with a note on each name that the project has never seen, and the nearest known names.

    Events are looked up when something counted nothing, and for exclusions, which exclude nothing when misspelled;
    properties whenever there are some. Everything is cached, and a look-up is no query.
    """
    doubted = bool(spec.excluded or any(note.doubts_names for note in report.notes))
    events = [one.event for one in (*spec.counted, *spec.excluded) if one.event and one.event != EVERY_EVENT]
    try:
        found = [
            *(await unseen_event_notes(api, events) if doubted else []),
            *await _unseen_properties(api, list(_properties(spec))),
        ]
    except GatewayError:
        found = [f"Check the names: {_SEARCH}"] if doubted else []
    return replace(report, notes=(*report.notes, *map(Note, [*person_values(spec), *found[:_MOST_NOTES]])))


def person_values(spec: Spec[Any]) -> list[str]:
    """Return the note on properties of persons that can have changed since an event."""
    name = next((name for owner, name in _properties(spec) if owner == "person" and changes(name)), None)
    if name is None:
        return []
    shown = code(f"person.{name}", 67)
    return [f"{shown} is its value at the time of each event in most projects; a cohort has today's."]


async def unseen_event_notes(api: Call, wanted: Iterable[str]) -> list[str]:
    """Return a note on each event that the project has never seen, with the nearest known names."""
    names = dict.fromkeys(wanted)
    if not names:
        return []
    missing, seen = await unseen_events(api, names)
    unseen = islice((name for name in names if name in missing), _MOST_NOTES)
    return [_unseen(name, near(name, seen.known, _MOST_NEAR), "") for name in unseen]


async def _unseen_properties(api: Call, used: Sequence[tuple[str, str]]) -> list[str]:
    """Return the notes on pairs of an owner (`event` or `person`) and a name."""
    notes: list[str] = []
    for kind, other in (("event", "person"), ("person", "event")):
        names = dict.fromkeys(name for owner, name in used if owner == kind and not name.startswith(_UNDEFINED))
        if not names:
            continue
        missing, seen = await unseen_properties(api, kind, names)
        for name in islice((name for name in names if name in missing), _MOST_NOTES):
            if name in (await property_names(api, other)).known:
                written = f"person.{name}" if other == "person" else name
                notes.append(f"{code(name, 60)} is a property of {_OWNERS[other]}: write {code(written, 67)}.")
            else:
                notes.append(_unseen(name, near(name, seen.known, _MOST_NEAR), f" as a property of {_OWNERS[kind]}"))
    return notes


def _unseen(name: str, similar: Sequence[str], what: str) -> str:
    meant = f"did you mean {' or '.join(code(one, 60) for one in similar)}?" if similar else _SEARCH
    return f"{code(name, 60)} has never been seen{what}: {meant}"


def _properties(spec: Spec[Any]) -> Iterator[tuple[str, str]]:
    """Yield the owner and name of each property in conditions, breakdowns and maths."""
    counted = (*spec.counted, *spec.excluded)
    for condition in (*spec.conditions, *(condition for one in counted for condition in one.conditions)):
        yield condition.type, condition.key
    for split in spec.splits:
        yield split.type, str(split.property)
    for one in counted:
        if one.math in PROPERTY_MATHS and one.math_property:
            name, scope = scoped(one.math_property)
            yield scope or "event", name
