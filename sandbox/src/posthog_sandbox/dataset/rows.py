"""The generated rows, one record per physical table. Moments are integer microseconds since 1970, UTC."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, cast

from .chance import uuid7


class EventRow(NamedTuple):
    """An event; `properties`, `person_properties` and `group_0_properties` are compact JSON objects."""

    uuid: str
    event: str
    properties: str
    timestamp: int
    distinct_id: str
    elements_chain: str
    created_at: int
    session_id: str
    window_id: str
    person_mode: str
    group_0: str
    person_id: str
    person_created_at: int
    person_properties: str
    group_0_properties: str


class Setting(NamedTuple):
    """The columns that consecutive events of a visit share; `properties` are JSON members without braces.

    Settings of one `shape` have properties with the same names and types.
    """

    shape: str
    properties: str
    distinct_id: str
    session_id: str
    window_id: str
    person_mode: str
    group_0: str
    person_id: str
    person_created_at: int
    person_properties: str
    group_0_properties: str


class SentEvent(NamedTuple):
    """An event as it is generated; `properties` are its own JSON members, before those of its setting.

    `bits` are the random bits of its UUID.
    """

    setting: Setting
    bits: int
    event: str
    properties: str
    timestamp: int
    elements_chain: str
    created_at: int

    def row(self) -> EventRow:
        """Return the event with all its columns."""
        shared, own = self.setting, self.properties
        return EventRow(
            uuid7(self.timestamp, self.bits),
            self.event,
            f"{{{own},{shared.properties}}}" if own else f"{{{shared.properties}}}",
            self.timestamp,
            shared.distinct_id,
            self.elements_chain,
            self.created_at,
            *shared[3:],
        )


type SentValues = tuple[Setting, int, str, str, int, str, int]

new_sent = cast("Callable[[SentValues], SentEvent]", partial(cast("Any", tuple).__new__, SentEvent))
"""Make a SentEvent of its values, in half the time of its constructor."""


class PersonRow(NamedTuple):
    """A person. `number` is the integer id that PostHog's retrieve endpoint shows."""

    id: str
    created_at: int
    properties: str
    is_identified: bool
    last_seen_at: int
    name: str
    number: int


class DistinctIdRow(NamedTuple):
    """A distinct id of a person."""

    distinct_id: str
    person_id: str


class GroupRow(NamedTuple):
    """A group; `type_index` 0 is the group type `organization`."""

    type_index: int
    key: str
    created_at: int
    updated_at: int
    properties: str


class SessionRow(NamedTuple):
    """A session, derived from the events with the same `$session_id` as PostHog does."""

    session_id: str
    distinct_id: str
    person_id: str
    start: int
    end: int
    entry_current_url: str
    entry_pathname: str
    end_current_url: str
    end_pathname: str
    entry_referring_domain: str
    entry_utm_source: str
    entry_utm_campaign: str
    entry_utm_medium: str
    entry_utm_term: str
    entry_utm_content: str
    pageview_count: int
    autocapture_count: int
    screen_count: int
    channel_type: str
    session_duration: int
    is_bounce: bool
    urls: tuple[str, ...]
    num_uniq_urls: int


class ReplayRow(NamedTuple):
    """A recorded session; activity times are in seconds."""

    session_id: str
    distinct_id: str
    person_id: str
    start_time: int
    end_time: int
    recording_duration: int
    active_seconds: int
    inactive_seconds: int
    click_count: int
    keypress_count: int
    mouse_activity_count: int
    console_log_count: int
    console_warn_count: int
    console_error_count: int
    start_url: str


@dataclass(slots=True)
class Batch:
    """The rows of some persons; a dataset is a sequence of batches."""

    sent: list[SentEvent] = field(default_factory=list[SentEvent])
    persons: list[PersonRow] = field(default_factory=list[PersonRow])
    distinct_ids: list[DistinctIdRow] = field(default_factory=list[DistinctIdRow])
    groups: list[GroupRow] = field(default_factory=list[GroupRow])
    sessions: list[SessionRow] = field(default_factory=list[SessionRow])
    replays: list[ReplayRow] = field(default_factory=list[ReplayRow])

    @property
    def events(self) -> list[EventRow]:
        """The events with all their columns, built at every access."""
        return [sent.row() for sent in self.sent]

    def by_table(self) -> Mapping[str, Sequence[tuple[object, ...]]]:
        """Return the rows by table name."""
        return {"events": self.events, **self.without_events()}

    def without_events(self) -> Mapping[str, Sequence[tuple[object, ...]]]:
        """Return the rows by table name, except the events."""
        return {
            "persons": self.persons,
            "person_distinct_ids": self.distinct_ids,
            "groups": self.groups,
            "sessions": self.sessions,
            "session_replays": self.replays,
        }
