"""The tables in HogQL: their columns with types, and the joins that a dotted name adds automatically.

Names and column order follow PostHog's `events`, `persons`, `groups`, `sessions`, `person_distinct_ids` and
`session_replay_events`; each is backed by a table of the ClickHouse database `posthog`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ..values import ARRAY, BOOLEAN, DATETIME, FLOAT, INTEGER, STRING, UNKNOWN, UUID, Scope, Type
from .acquisition import CHANNEL_TYPE, DOMAIN_TYPE

DATABASE = "posthog"


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `sql` is a template over `{table}`, the quoted name of the row's table; empty means the column itself.
    `select *` returns the `in_star` columns."""

    name: str
    type: Type
    sql: str = ""
    in_star: bool = True


@dataclass(frozen=True, slots=True)
class LazyJoin:
    """A table reached by a dotted name: joined (LEFT) when first used. `on` is a template over `{parent}`, `{child}`;
    `where` narrows the joined table."""

    table: str
    on: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class VirtualTable:
    """Columns of the table itself under a prefix; other names are looked up through `otherwise`."""

    columns: Mapping[str, Column]
    otherwise: LazyJoin | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `physical` is empty if its rows come from `Context.relations`."""

    name: str
    physical: str
    columns: Mapping[str, Column]
    joins: Mapping[str, LazyJoin] = field(default_factory=dict[str, LazyJoin])
    virtual: Mapping[str, VirtualTable] = field(default_factory=dict[str, VirtualTable])
    sample_key: str = ""

    def names(self) -> list[str]:
        """Return all names that can follow the table's name and a dot."""
        return [*self.columns, *self.virtual, *self.joins]


_TEAM = Column("team_id", INTEGER, "materialize(toInt64(1))", in_star=False)


def _columns(*columns: Column) -> dict[str, Column]:
    return {column.name: column for column in columns}


def table_columns(*columns: Column) -> dict[str, Column]:
    """Return the columns of a table, and the project's number."""
    return _columns(*columns, _TEAM)


def _of(kind: Type, names: str) -> Iterable[Column]:
    return (Column(name, kind) for name in names.split())


def _hidden(name: str, kind: Type, sql: str) -> Column:
    return Column(name, kind, sql, in_star=False)


def _json(scope: Scope) -> Type:
    return Type("json", properties_of=scope)


def _text_matches(pattern: str) -> str:
    """Return the distinct matches of a pattern in the chain of clicked elements. The pattern is not user input."""
    return f"arrayDistinct(extractAll({{table}}.`elements_chain`, '{pattern}'))"


PERSON_BY_ID = "{child}.`id` = {parent}.`person_id`"
_PERSON_ON_EVENT = VirtualTable(
    _columns(
        Column("id", UUID, "{table}.`person_id`"),
        Column("created_at", DATETIME, "{table}.`person_created_at`"),
        Column("properties", _json("person"), "{table}.`person_properties`"),
    ),
    otherwise=LazyJoin("persons", PERSON_BY_ID),
)
_BY_DISTINCT_ID = "{child}.`distinct_id` = {parent}.`distinct_id`"
_DISTINCT_ID = LazyJoin("person_distinct_ids", _BY_DISTINCT_ID)
_GROUP_COUNT = 5


def _group_join(index: int) -> LazyJoin:
    return LazyJoin("groups", f"{{child}}.`key` = {{parent}}.`$group_{index}`", where=f"`index` = {index}")


def _group_on_event(index: int) -> VirtualTable:
    """Return the group at the time of the event; events store only the properties of the first group type."""
    return VirtualTable(
        _columns(
            Column("key", STRING, f"{{table}}.`$group_{index}`"),
            Column(
                "properties", _json("group"), "{table}.`group_0_properties`" if index == 0 else "materialize('{{}}')"
            ),
        ),
        otherwise=_group_join(index),
    )


EVENTS = Table(
    name="events",
    physical="events",
    columns=table_columns(
        Column("uuid", UUID),
        Column("event", STRING),
        Column("properties", _json("event")),
        Column("timestamp", DATETIME),
        *_of(STRING, "distinct_id elements_chain"),
        Column("created_at", DATETIME),
        *_of(STRING, "$session_id $window_id"),
        Column("person_id", UUID),
        Column("person_mode", STRING),
        *_of(STRING, " ".join(f"$group_{index}" for index in range(_GROUP_COUNT))),
        Column("elements_chain_href", STRING, "extract({table}.`elements_chain`, 'href=\"(.*?)\"')"),
        Column("elements_chain_texts", ARRAY, _text_matches('text="(.*?)"')),
        Column("elements_chain_ids", ARRAY, _text_matches('attr_id="(.*?)"')),
        Column("elements_chain_elements", ARRAY, _text_matches("(?:^|;)(a|button|form|input|select|textarea|label)")),
        _hidden("event_person_id", UUID, "{table}.`person_id`"),
        _hidden(
            "event_issue_id",
            Type("uuid", nullable=True),
            "accurateCastOrNull(JSONExtractString({table}.`properties`, '$exception_issue_id'), 'UUID')",
        ),
        _hidden(
            "issue_id",
            Type("uuid", nullable=True),
            "accurateCastOrNull(JSONExtractString({table}.`properties`, '$exception_issue_id'), 'UUID')",
        ),
    ),
    joins={
        "pdi": _DISTINCT_ID,
        "override": LazyJoin("person_distinct_id_overrides", _BY_DISTINCT_ID),
        "session": LazyJoin("sessions", "{child}.`session_id` = {parent}.`$session_id`"),
        **{f"group_{index}": _group_join(index) for index in range(_GROUP_COUNT)},
    },
    virtual={
        "person": _PERSON_ON_EVENT,
        "poe": VirtualTable(_PERSON_ON_EVENT.columns),
        **{f"goe_{index}": _group_on_event(index) for index in range(_GROUP_COUNT)},
    },
    sample_key="cityHash64(`distinct_id`)",
)

PERSONS = Table(
    name="persons",
    physical="persons",
    columns=table_columns(
        Column("id", UUID),
        Column("created_at", DATETIME),
        Column("properties", _json("person")),
        Column("is_identified", BOOLEAN),
        _hidden("$virt_initial_referring_domain_type", STRING.or_null(), DOMAIN_TYPE),
        _hidden("$virt_initial_channel_type", STRING.or_null(), CHANNEL_TYPE),
        _hidden("last_seen_at", DATETIME, ""),
    ),
    joins={"pdi": LazyJoin("person_distinct_ids", "{child}.`person_id` = {parent}.`id`")},
)

PERSON_DISTINCT_IDS = Table(
    name="person_distinct_ids",
    physical="person_distinct_ids",
    columns=table_columns(Column("distinct_id", STRING), Column("person_id", UUID)),
    joins={"person": LazyJoin("persons", PERSON_BY_ID)},
)

PERSON_DISTINCT_ID_OVERRIDES = Table(
    name="person_distinct_id_overrides",
    physical="",
    columns=table_columns(Column("distinct_id", STRING), Column("person_id", UUID)),
    joins={"person": LazyJoin("persons", PERSON_BY_ID)},
)
"""The ids of persons that were merged into another; their events have the merged person."""

GROUPS = Table(
    name="groups",
    physical="groups",
    columns=table_columns(
        Column("index", INTEGER),
        Column("key", STRING),
        Column("created_at", DATETIME),
        Column("updated_at", DATETIME),
        Column("properties", _json("group")),
    ),
)


def _missing_text(names: str) -> Iterable[Column]:
    """Return columns that PostHog fills from advertising parameters, which synthetic events do not have."""
    return (Column(name, STRING.or_null(), "CAST(NULL, 'Nullable(String)')") for name in names.split())


SESSIONS = Table(
    name="sessions",
    physical="sessions",
    columns=table_columns(
        Column("id", STRING, "{table}.`session_id`"),
        Column("session_id", STRING),
        _hidden("session_id_v7", INTEGER, "reinterpretAsUInt128(toUUID({table}.`session_id`))"),
        Column("distinct_id", STRING),
        Column("$start_timestamp", DATETIME),
        Column("$end_timestamp", DATETIME),
        Column("$urls", ARRAY),
        Column("$num_uniq_urls", INTEGER),
        *_of(STRING, "$entry_current_url $entry_pathname"),
        Column("$entry_hostname", STRING, "domain({table}.`$entry_current_url`)"),
        *_of(STRING, "$end_current_url $end_pathname"),
        Column("$end_hostname", STRING, "domain({table}.`$end_current_url`)"),
        *_of(STRING, "$entry_referring_domain $entry_utm_source $entry_utm_campaign $entry_utm_medium"),
        *_of(STRING, "$entry_utm_term $entry_utm_content"),
        *_missing_text("$entry_gclid $entry_gad_source $entry_gclsrc $entry_dclid $entry_gbraid $entry_wbraid"),
        *_missing_text("$entry_fbclid $entry_msclkid $entry_twclid $entry_li_fat_id $entry_mc_cid $entry_igshid"),
        *_missing_text("$entry_ttclid $entry__kx $entry_irclid"),
        *_of(INTEGER, "$pageview_count $autocapture_count $screen_count"),
        Column("$channel_type", STRING),
        Column("$session_duration", INTEGER),
        Column("duration", INTEGER, "{table}.`$session_duration`"),
        Column("$is_bounce", BOOLEAN),
        *_missing_text("$last_external_click_url"),
        _hidden("$exit_current_url", STRING, "{table}.`$end_current_url`"),
        _hidden("$exit_pathname", STRING, "{table}.`$end_pathname`"),
        _hidden("$vitals_lcp", FLOAT.or_null(), "CAST(NULL, 'Nullable(Float64)')"),
    ),
)

RAW_SESSIONS = replace(
    SESSIONS,
    name="raw_sessions",
    columns={
        **SESSIONS.columns,
        "min_timestamp": _hidden("min_timestamp", DATETIME, "{table}.`$start_timestamp`"),
        "max_timestamp": _hidden("max_timestamp", DATETIME, "{table}.`$end_timestamp`"),
    },
)
"""The stored parts of sessions; here each session is one part."""

_REPLAY_COUNTS = tuple(
    _of(
        INTEGER,
        "click_count keypress_count mouse_activity_count console_log_count console_warn_count console_error_count",
    )
)
_REPLAY_REST = (
    Column("active_milliseconds", INTEGER, "{table}.`active_seconds` * 1000"),
    *_REPLAY_COUNTS,
    _hidden("all_urls", ARRAY, "[{table}.`start_url`]"),
    _hidden(
        "event_count", INTEGER, "{table}.`click_count` + {table}.`keypress_count` + {table}.`mouse_activity_count`"
    ),
    _hidden("snapshot_source", STRING, "materialize('web')"),
    _hidden("retention_period_days", INTEGER, "materialize(toInt64(30))"),
    _hidden("person_id", UUID, ""),
    _hidden("recording_duration", INTEGER, ""),
)
_REPLAY_JOINS = {
    "person": LazyJoin("persons", PERSON_BY_ID),
    "pdi": _DISTINCT_ID,
    "session": LazyJoin("sessions", "{child}.`session_id` = {parent}.`session_id`"),
}

SESSION_REPLAY_EVENTS = Table(
    name="session_replay_events",
    physical="session_replays",
    columns=table_columns(
        *_of(STRING, "session_id distinct_id"),
        Column("start_time", DATETIME),
        Column("end_time", DATETIME),
        Column("first_url", STRING, "{table}.`start_url`"),
        *_REPLAY_REST,
    ),
    joins=_REPLAY_JOINS,
)

RAW_SESSION_REPLAY_EVENTS = Table(
    name="raw_session_replay_events",
    physical="session_replays",
    columns=table_columns(
        *_of(STRING, "session_id distinct_id"),
        Column("min_first_timestamp", DATETIME, "{table}.`start_time`"),
        Column("max_last_timestamp", DATETIME, "{table}.`end_time`"),
        _hidden("first_url", UNKNOWN, "arrayReduce('argMinState', [{table}.`start_url`], [{table}.`start_time`])"),
        _hidden("_timestamp", DATETIME, "{table}.`end_time`"),
        _hidden("is_deleted", INTEGER, "materialize(toInt64(0))"),
        _hidden("surfacing_score", FLOAT.or_null(), "CAST(NULL, 'Nullable(Float64)')"),
        *_REPLAY_REST,
    ),
    joins=_REPLAY_JOINS,
)
"""The stored parts of recordings; here each recording is one part. `first_url` is an aggregate state to merge."""
