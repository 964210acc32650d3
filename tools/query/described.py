"""What all forms of describe_data share: the rows of taxonomy queries, and names and values as they are shown."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ...gateway.call import Call
from ...gateway.kept import Aged
from ...schemas.base import View
from ...schemas.privacy.names import kind_of
from ...schemas.wordy import is_wordy, is_wordy_name
from ..operation import show

AGE_S = 600.0
LONGEST_NAME = 120
MOST_NAMES = 40
SAMPLES = 3
LONGEST_SAMPLE = 60
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-")
CONTEXT = (
    "$browser", "$device", "$geoip_", "$group", "$host", "$initial_", "$insert_id", "$ip", "$is_identified", "$lib",
    "$locale", "$network_", "$os", "$raw_user_agent", "$referr", "$screen_height", "$screen_width", "$sdk_",
    "$session_id", "$timezone", "$user_agent", "$viewport_", "$window_id",
)  # fmt: skip
"""Beginnings of the properties that PostHog's SDKs and its geography plugin add to every event."""


class Results(View):
    """The rows of a response."""

    results: list[Any]


def rows_in(answer: object, row: type[View]) -> list[dict[str, Any]]:
    """Return the rows in the response to one of PostHog's taxonomy queries. Raises Failed (`bad_upstream_response`)."""
    return [show(row, each) for each in show(Results, answer)["results"]]


def is_context(name: str) -> bool:
    """Return whether PostHog's SDKs send it with every event: `$browser` needs no sample."""
    return name.startswith(CONTEXT)


@dataclass(slots=True)
class Folded:
    """Counts the names and values that look like instructions, which are left out."""

    names: int = 0
    values: int = 0

    def plain(self, names: Iterable[str]) -> list[str]:
        """Return the other names."""
        listed = list(names)
        kept = [name for name in listed if not is_wordy_name(name)]
        self.names += len(listed) - len(kept)
        return kept

    def plain_values(self, values: Sequence[Any]) -> list[Any]:
        """Return the other values."""
        kept = [value for value in values if not is_wordy(value)]
        self.values += len(values) - len(kept)
        return kept

    def note(self) -> list[str]:
        """Return the note on what was left out; empty without any."""
        counts = ((self.names, "name"), (self.values, "value"))
        listed = [f"{count} {what}{'' if count == 1 else 's'}" for count, what in counts if count]
        return [f"Left out, like instructions or markup: {' and '.join(listed)}."] if listed else []


def first(names: Iterable[str], most: int = MOST_NAMES) -> list[str]:
    """Return some names, and how many more there are."""
    listed = [short(name, LONGEST_NAME) for name in names]
    return listed if len(listed) <= most else [*listed[:most], f"… {len(listed) - most} more: search"]


def short(value: Any, most: int = LONGEST_SAMPLE) -> Any:
    """Return the beginning of a sample value."""
    return f"{value[:most]}…" if isinstance(value, str) and len(value) > most else value


def shown_values(api: Call, name: str, values: list[Any]) -> list[Any]:
    """Return the values of a property as the operator allows: all, none of them, or pseudonyms."""
    if api.privacy.aggregate_only:
        return []
    pseudonyms, kind = api.privacy.pseudonyms, kind_of(name, of_person=True)
    return pseudonyms.whole(kind, values, numbers=True) if pseudonyms and kind else values


def few(values: list[Any]) -> list[Any]:
    """Return a few values; for long values and ids one is enough."""
    long = str(values[0]) if values else ""
    return [short(value) for value in values[: 1 if len(long) > LONGEST_SAMPLE or is_id(long) else SAMPLES]]


def is_id(value: str) -> bool:
    """Return whether a value is a UUID."""
    return _UUID.match(value) is not None


def oldest(*answers: Aged[Any]) -> int:
    """Return the age of the oldest part in seconds."""
    return round(max(answer.age_s for answer in answers))
