"""The physical tables in ClickHouse and how generated rows are written into them as tab-separated text."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from .rows import Batch, DistinctIdRow, EventRow, GroupRow, PersonRow, ReplayRow, SessionRow

DATABASE = "posthog"

_TIME = "DateTime64(6, 'UTC')"


class TableDefinition(NamedTuple):
    """A table: its columns with their types, and the expression that it is ordered by."""

    name: str
    columns: tuple[tuple[str, str], ...]
    order: str

    def create(self) -> str:
        """The CREATE TABLE statement."""
        columns = ", ".join(f"`{name}` {kind}" for name, kind in self.columns)
        return f"CREATE TABLE {DATABASE}.{self.name} ({columns}) ENGINE = MergeTree ORDER BY {self.order}"


EVENTS = TableDefinition(
    "events",
    (
        ("uuid", "UUID"),
        ("event", "String"),
        ("properties", "String"),
        ("timestamp", _TIME),
        ("distinct_id", "String"),
        ("elements_chain", "String"),
        ("created_at", _TIME),
        ("$session_id", "String"),
        ("$window_id", "String"),
        ("person_mode", "String"),
        ("$group_0", "String"),
        ("person_id", "UUID"),
        ("person_created_at", _TIME),
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
        ("created_at", _TIME),
        ("properties", "String"),
        ("is_identified", "Bool"),
        ("last_seen_at", _TIME),
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
    (("index", "UInt8"), ("key", "String"), ("created_at", _TIME), ("updated_at", _TIME), ("properties", "String")),
    "(index, key)",
)
SESSIONS = TableDefinition(
    "sessions",
    (
        ("session_id", "String"),
        ("distinct_id", "String"),
        ("person_id", "UUID"),
        ("$start_timestamp", _TIME),
        ("$end_timestamp", _TIME),
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
        ("start_time", _TIME),
        ("end_time", _TIME),
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
    (("name", "String"), ("created_at", _TIME), ("last_seen_at", _TIME), ("volume", "UInt64")),
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
TABLES = (
    EVENTS,
    PERSONS,
    DISTINCT_IDS,
    GROUPS,
    SESSIONS,
    REPLAYS,
    EVENT_DEFINITIONS,
    PROPERTY_DEFINITIONS,
)


class Target(NamedTuple):
    """Where one kind of generated rows goes: the table, the columns written, and the writer of a line."""

    table: TableDefinition
    columns: tuple[str, ...]
    rows: Callable[[Batch], Iterable[NamedTuple]]
    line: Callable[..., str]


def _time(moment: int) -> str:
    # ClickHouse reads a number of ten digits and more as ticks of the column's precision, a shorter one not at all.
    return str(moment) if moment else "1970-01-01 00:00:00"


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0", "\b": "\\b", "\f": "\\f"})
_QUOTED_ESCAPES = _ESCAPES | str.maketrans({"'": "\\'"})


def text(value: str) -> str:
    """A `String` in tab-separated text."""
    return value if value.isalnum() else value.translate(_ESCAPES)


def _object(value: str) -> str:
    """JSON text: its encoder leaves no control characters, so that backslashes are all there is to escape."""
    return value.replace("\\", "\\\\") if "\\" in value else value


def array(values: Iterable[str]) -> str:
    """An `Array(String)` in tab-separated text."""
    return "[" + ",".join(f"'{value.translate(_QUOTED_ESCAPES)}'" for value in values) + "]"


def _event_line(row: EventRow) -> str:
    return (
        f"{row[0]}\t{text(row[1])}\t{_object(row[2])}\t{row[3]}\t{text(row[4])}\t{row[5]}\t{row[6]}\t{row[7]}\t{row[8]}\t{row[9]}\t"
        f"{row[10]}\t{row[11]}\t{_time(row[12])}\t{_object(row[13])}\t{_object(row[14])}\n"
    )


def _person_line(row: PersonRow) -> str:
    return (
        f"{row.id}\t{_time(row.created_at)}\t{_object(row.properties)}\t{int(row.is_identified)}\t{_time(row.last_seen_at)}\t"
        f"{text(row.name)}\t{row.number}\n"
    )


def _distinct_id_line(row: DistinctIdRow) -> str:
    return f"{text(row.distinct_id)}\t{row.person_id}\n"


def _group_line(row: GroupRow) -> str:
    return (
        f"{row.index}\t{text(row.key)}\t{_time(row.created_at)}\t{_time(row.updated_at)}\t{_object(row.properties)}\n"
    )


def _plain_line(row: NamedTuple) -> str:
    """A row of texts, whole numbers, truth values and arrays of text."""
    return "\t".join([_field(value) for value in row]) + "\n"


def _field(value: str | int | bool | tuple[str, ...]) -> str:
    match value:
        case str():
            return value.translate(_ESCAPES)
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case tuple():
            return array(value)


def _names(table: TableDefinition, count: int) -> tuple[str, ...]:
    return tuple(name for name, _ in table.columns[:count])


TARGETS = (
    Target(EVENTS, _names(EVENTS, 15), lambda batch: batch.events, _event_line),
    Target(PERSONS, _names(PERSONS, 7), lambda batch: batch.persons, _person_line),
    Target(DISTINCT_IDS, _names(DISTINCT_IDS, 2), lambda batch: batch.distinct_ids, _distinct_id_line),
    Target(GROUPS, _names(GROUPS, 5), lambda batch: batch.groups, _group_line),
    Target(SESSIONS, _names(SESSIONS, 23), lambda batch: batch.sessions, _plain_line),
    Target(REPLAYS, _names(REPLAYS, 15), lambda batch: batch.replays, _plain_line),
)
