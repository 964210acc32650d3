"""The physical tables in ClickHouse and the encoding of generated rows as tab-separated text."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

DATABASE = "posthog"

TIME = "DateTime64(6, 'UTC')"
"""Type of all moments; rows give them as microseconds since 1970."""


_COMPACT = "min_rows_for_wide_part = 1000000"
"""Parts of fewer rows have one file for all columns: ten files instead of eighty, and queries take as long."""


class TableDefinition(NamedTuple):
    """A table: its columns with their types, and its sorting key."""

    name: str
    columns: tuple[tuple[str, str], ...]
    order: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(name for name, _ in self.columns)

    def create(self) -> str:
        """Return the CREATE TABLE statement. A table without order is kept in memory."""
        columns = ", ".join(f"`{name}` {kind}" for name, kind in self.columns)
        engine = f"MergeTree ORDER BY {self.order} SETTINGS {_COMPACT}" if self.order else "Memory"
        return f"CREATE TABLE {DATABASE}.{self.name} ({columns}) ENGINE = {engine}"


EVENTS = TableDefinition(
    "events",
    (
        ("uuid", "UUID"),
        ("event", "String"),
        ("properties", "String"),
        ("timestamp", TIME),
        ("distinct_id", "String"),
        ("elements_chain", "String"),
        ("created_at", TIME),
        ("$session_id", "String"),
        ("$window_id", "String"),
        ("person_mode", "String"),
        ("$group_0", "String"),
        ("person_id", "UUID"),
        ("person_created_at", TIME),
        ("person_properties", "String"),
        ("group_0_properties", "String"),
        ("$group_1", "String"),
        ("$group_2", "String"),
        ("$group_3", "String"),
        ("$group_4", "String"),
    ),
    "(toDate(timestamp), event, timestamp)",
)
PERSONS = TableDefinition(
    "persons",
    (
        ("id", "UUID"),
        ("created_at", TIME),
        ("properties", "String"),
        ("is_identified", "Bool"),
        ("last_seen_at", TIME),
        ("name", "String"),
        ("number", "UInt64"),
    ),
    "id",
)
DISTINCT_IDS = TableDefinition(
    "person_distinct_ids", (("distinct_id", "String"), ("person_id", "UUID")), "(distinct_id)"
)
GROUPS = TableDefinition(
    "groups",
    (("index", "UInt8"), ("key", "String"), ("created_at", TIME), ("updated_at", TIME), ("properties", "String")),
    "(index, key)",
)
SESSIONS = TableDefinition(
    "sessions",
    (
        ("session_id", "String"),
        ("distinct_id", "String"),
        ("person_id", "UUID"),
        ("$start_timestamp", TIME),
        ("$end_timestamp", TIME),
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
        ("$pageview_count", "UInt64"),
        ("$autocapture_count", "UInt64"),
        ("$screen_count", "UInt64"),
        ("$channel_type", "String"),
        ("$session_duration", "UInt64"),
        ("$is_bounce", "Bool"),
        ("$urls", "Array(String)"),
        ("$num_uniq_urls", "UInt64"),
    ),
    "session_id",
)
REPLAYS = TableDefinition(
    "session_replays",
    (
        ("session_id", "String"),
        ("distinct_id", "String"),
        ("person_id", "UUID"),
        ("start_time", TIME),
        ("end_time", TIME),
        ("recording_duration", "UInt32"),
        ("active_seconds", "UInt32"),
        ("inactive_seconds", "UInt32"),
        ("click_count", "UInt32"),
        ("keypress_count", "UInt32"),
        ("mouse_activity_count", "UInt32"),
        ("console_log_count", "UInt32"),
        ("console_warn_count", "UInt32"),
        ("console_error_count", "UInt32"),
        ("start_url", "String"),
    ),
    "(start_time, session_id)",
)
EVENT_DEFINITIONS = TableDefinition(
    "event_definitions",
    (("name", "String"), ("created_at", TIME), ("last_seen_at", TIME), ("volume", "UInt64")),
    "name",
)
PROPERTY_DEFINITIONS = TableDefinition(
    "property_definitions",
    (
        ("name", "String"),
        ("type", "String"),
        ("property_type", "Nullable(String)"),
        ("is_numerical", "Bool"),
        ("events", "Array(String)"),
    ),
    "(type, name)",
)
GENERATED = (EVENTS, PERSONS, DISTINCT_IDS, GROUPS, SESSIONS, REPLAYS)
"""The generated tables; each begins with the columns of its row record, in that order."""

TABLES = (*GENERATED, EVENT_DEFINITIONS, PROPERTY_DEFINITIONS)


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0", "\b": "\\b", "\f": "\\f"})
_QUOTED_ESCAPES = _ESCAPES | str.maketrans({"'": "\\'"})


def escaped(text: str) -> str:
    """Escape a string for tab-separated text."""
    # Most strings need nothing, and to find that out is ten times as fast as `translate`.
    return text if text.isprintable() and "\\" not in text else text.translate(_ESCAPES)


def escaped_json(text: str) -> str:
    """Escape JSON for tab-separated text. Its encoder escapes control characters, so only backslashes are left."""
    return text.replace("\\", "\\\\") if "\\" in text else text


def array(values: Iterable[str]) -> str:
    """Encode an `Array(String)` as tab-separated text."""
    return "[" + ",".join([f"'{_quotable(value)}'" for value in values]) + "]"


def line(row: Sequence[object]) -> str:
    """Encode a row of strings, integers, booleans and tuples of strings as a line of tab-separated text."""
    text = "\t".join([value if type(value) is str else _field(value) for value in row])
    # Most rows need no escapes. One look at all of the row is faster than one at each field.
    if "\\" not in text and text.count("\t") == len(row) - 1 and text.replace("\t", "").isprintable():
        return f"{text}\n"
    return "\t".join([escaped(value) if isinstance(value, str) else _field(value) for value in row]) + "\n"


def _quotable(text: str) -> str:
    is_plain = text.isprintable() and "\\" not in text and "'" not in text
    return text if is_plain else text.translate(_QUOTED_ESCAPES)


def _field(value: object) -> str:
    """Encode a value that is no string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return array(cast("tuple[str, ...]", value))
    return "\\N" if value is None else str(value)
