"""The property definitions, derived from the generated rows as `dataset.loading` derives them with ClickHouse."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..definitions import Definition, define, session_definitions
from ..rows import Batch
from ..visit import FIXED_SHAPE


def definitions(batches: Sequence[Batch]) -> list[Definition]:
    """Return the definitions of the properties of sessions, events, persons and groups."""
    found = {"event": _Properties(), "person": _Properties(), "group": _Properties()}
    for members, events in _event_members(batches):
        found["event"].add(f"{{{members}}}", events)
    for batch in batches:
        for person in batch.persons:
            found["person"].add(person.properties, ())
        for group in batch.groups:
            found["group"].add(group.properties, ())
    return [*session_definitions(), *(row for scope, each in found.items() for row in each.define(scope))]


class _Properties:
    """The properties of JSON objects."""

    def __init__(self) -> None:
        self._starts: dict[str, set[str]] = {}
        self._examples: dict[str, str] = {}
        self._owners: dict[str, set[str]] = {}

    def add(self, text: str, owners: Iterable[str]) -> None:
        """Add the properties of an object, which these events have."""
        members: dict[str, Any] = json.loads(text)
        for name, value in members.items():
            raw = json.dumps(value)
            self._starts.setdefault(name, set()).add(raw[0])
            self._examples.setdefault(name, raw)
            self._owners.setdefault(name, set()).update(owners)

    def define(self, scope: str) -> Iterator[Definition]:
        """Yield their definitions."""
        for name in sorted(self._starts):
            yield define(name, scope, self._starts[name], self._examples[name], sorted(self._owners[name]))


def _event_members(batches: Sequence[Batch]) -> Iterator[tuple[str, set[str]]]:
    """Yield members of properties, each with the events that have them; of equal names and types only some."""
    shared: dict[str, tuple[str, set[str]]] = {}
    own: dict[tuple[str, str], str] = {}
    for batch in batches:
        for sent in batch.sent:
            shared.setdefault(sent.setting.shape, (sent.setting.properties, set()))[1].add(sent.event)
            is_fixed = sent.event in FIXED_SHAPE
            own[sent.event, str('"$current_url"' in sent.properties) if is_fixed else sent.properties] = sent.properties
    yield from shared.values()
    for (event, _), members in own.items():
        yield members, {event}
