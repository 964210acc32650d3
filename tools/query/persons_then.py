"""The note on person properties of events: in most projects, those that the person had when the event happened."""

import re

from ...schemas.text import excerpt

_KEPT = re.compile(r"email|name|\$initial_.*|\$creator_.*|\$virt_initial_.*")
"""Properties that do not change, so that their value then is the value today."""
_OF_PERSONS = re.compile(r"\bperson\.properties\.(?:`([^`]+)`|'([^']+)'|([$\w]+))")


def changes(name: str) -> bool:
    """Return whether the value of a person property can differ from that at the time of an event."""
    return _KEPT.fullmatch(name) is None


def note_on(sql: str) -> str | None:
    """Return the note on a HogQL query that reads person properties of events; None for others."""
    found = (next(filter(None, match.groups())) for match in _OF_PERSONS.finditer(sql))
    name = next((excerpt(name, 60) for name in found if changes(name)), None)
    if name is None:
        return None
    return (
        f"person.properties.{name} is the value at the time of each event in most projects. "
        f"Today's: person_id IN (SELECT id FROM persons WHERE properties.{name} = ...)."
    )
