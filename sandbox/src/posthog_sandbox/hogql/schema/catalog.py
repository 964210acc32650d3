"""All tables that a query can name."""

from __future__ import annotations

from collections.abc import Mapping

from ..values import Kind
from .stored import COHORT_TABLES, INFORMATION_SCHEMA, QUERY_LOG, SYSTEM_TABLES
from .tables import (
    EVENTS,
    GROUPS,
    PERSON_DISTINCT_ID_OVERRIDES,
    PERSON_DISTINCT_IDS,
    PERSONS,
    RAW_SESSION_REPLAY_EVENTS,
    RAW_SESSIONS,
    SESSION_REPLAY_EVENTS,
    SESSIONS,
    Table,
)

__all__ = ["INFORMATION_SCHEMA", "SYSTEM_TABLES", "TABLES", "UNAVAILABLE_TABLES", "column_kind", "find_table"]

TABLES: Mapping[str, Table] = {
    **{
        table.name: table
        for table in (
            EVENTS,
            GROUPS,
            PERSONS,
            SESSIONS,
            PERSON_DISTINCT_IDS,
            PERSON_DISTINCT_ID_OVERRIDES,
            SESSION_REPLAY_EVENTS,
            QUERY_LOG,
        )
    },
    **COHORT_TABLES,
}
_RAW_NAMES: Mapping[str, Table] = {
    f"raw_{name}": TABLES[name] for name in ("groups", "persons", "person_distinct_ids", "person_distinct_id_overrides")
} | {
    "raw_cohort_people": COHORT_TABLES["cohort_people"],
    "raw_session_replay_events": RAW_SESSION_REPLAY_EVENTS,
    "raw_sessions": RAW_SESSIONS,
}
UNAVAILABLE_TABLES = frozenset({
    "app_metrics", "batch_export_log_entries", "console_logs_log_entries", "document_embeddings",
    "error_tracking_issue_fingerprint_overrides", "exchange_rate", "groups_revenue_analytics", "heatmaps",
    "log_entries", "logs", "persons_revenue_analytics", "pg_embeddings", "raw_query_log",
})  # fmt: skip
"""Tables of PostHog that have no data here."""


def find_table(name: str) -> Table | None:
    """Return the table with this name, including `system.*`, the `raw_` forms, and the prefix `posthog.`."""
    name = name.removeprefix("posthog.")
    return TABLES.get(name) or SYSTEM_TABLES.get(name) or INFORMATION_SCHEMA.get(name) or _RAW_NAMES.get(name)


def column_kind(table: str, name: str) -> Kind | None:
    """Return the kind of a table's column, None if there is no such column."""
    found = find_table(table)
    column = None if found is None else found.columns.get(name)
    return None if column is None else column.type.kind
