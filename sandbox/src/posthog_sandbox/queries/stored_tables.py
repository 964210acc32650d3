"""Tables outside the events' database: cohort members, merged ids, the query log and `system.*`."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from ..errors import ApiError
from ..hogql import (
    INFORMATION_SCHEMA,
    QUERY_LOG,
    SYSTEM_TABLES,
    Table,
    Type,
    clickhouse_columns,
    constant_rows,
    information_schema_rows,
)
from ..storage.store import Rows
from ..values import Row, as_object, objects
from .query_log import QueryLog

type CohortPersons = Callable[[Rows, Row], str]
"""A function that returns a SELECT of a cohort's person ids; raises ApiError 400 for an unsupported cohort."""

_NOBODY = "SELECT toUUID('00000000-0000-0000-0000-000000000000') AS person_id, toInt64(0) AS cohort_id WHERE 0"
_STORED_AS = {"feature_flag_id": "_feature_flag", "steps_json": "steps"}
_OVERRIDES = (
    "SELECT distinct_id, person_id FROM posthog.person_distinct_ids WHERE distinct_id IN ("
    "SELECT JSONExtractString(properties, '$anon_distinct_id') FROM posthog.events "
    "WHERE event = '$identify' AND NOT JSONHas(properties, '$set'))"
)
"""Distinct ids used before logging in, whose anonymous person was merged."""
_EMPTY = {"integer": 0, "boolean": False}


def stored_relation(
    rows: Rows, project_id: int, table: str, cohort_persons: CohortPersons, log: QueryLog
) -> str | None:
    """Return the ClickHouse SELECT of a table that the store provides; None for other tables."""
    match table:
        case "cohort_people":
            return _members(rows, project_id, False, cohort_persons)
        case "static_cohort_people":
            return _members(rows, project_id, True, cohort_persons)
        case "person_distinct_id_overrides":
            return _OVERRIDES
        case "query_log":
            return _constant(QUERY_LOG, log.rows(project_id))
        case name if name in INFORMATION_SCHEMA:
            return _constant(INFORMATION_SCHEMA[name], [dict(row) for row in information_schema_rows(name)])
        case name if name in SYSTEM_TABLES:
            return _system(rows, project_id, name)
        case _:
            return None


def _members(rows: Rows, project_id: int, static: bool, cohort_persons: CohortPersons) -> str:
    """Return the persons of all cohorts. ClickHouse skips the branches that a condition on `cohort_id` excludes."""
    members: list[str] = []
    for cohort in rows.all("cohorts", project_id):
        if not cohort["deleted"] and bool(cohort["is_static"]) == static:
            with suppress(ApiError):
                persons = cohort_persons(rows, cohort)
                members.append(f"SELECT id AS person_id, toInt64({int(cohort['id'])}) AS cohort_id FROM ({persons})")
    return " UNION ALL ".join(members) or _NOBODY


def _system(rows: Rows, project_id: int, name: str) -> str:
    match name:
        case "system.teams":
            found = [row for row in rows.all("projects") if row["id"] == project_id]
        case "system.insight_variables" | "system.early_access_features":
            found = []
        case "system.group_type_mappings":
            found = [{"id": 1, "group_type": "organization", "group_type_index": 0}]
        case "system.cohort_calculation_history":
            found = [row for cohort in rows.all("cohorts", project_id) for row in _calculations(cohort)]
        case "system.cohorts":
            cohorts = rows.all("cohorts", project_id)
            found = [{**row, "cohort_type": "static" if row["is_static"] else None} for row in cohorts]
        case "system.feature_flags":
            found = [{**row, "rollout_percentage": _rollout(row)} for row in rows.all("feature_flags", project_id)]
        case _:
            found = rows.all(name.removeprefix("system."), project_id)
    return _constant(SYSTEM_TABLES[name], found)


def _calculations(cohort: Row) -> list[Row]:
    """Return the latest calculation of a cohort as a history of one entry."""
    moment = cohort.get("last_calculation")
    if not moment:
        return []
    identity = str(uuid5(NAMESPACE_OID, f"cohort {cohort['id']} {moment}"))
    times = {"started_at": moment, "finished_at": moment}
    return [{"id": identity, "cohort_id": cohort["id"], "count": cohort.get("count"), **times}]


def _rollout(flag: Row) -> Any:
    """Return the rollout of a flag with one group and no conditions; null for other flags."""
    groups = objects((as_object(flag.get("filters")) or {}).get("groups"))
    plain = len(groups) == 1 and not groups[0].get("properties")
    return groups[0].get("rollout_percentage") if plain else None


def _constant(table: Table, found: list[Row]) -> str:
    kinds = {column.name: column.type for column in table.columns.values()}
    columns = clickhouse_columns(table)
    return constant_rows(columns, [[_value(row, column, kinds[column]) for column, _ in columns] for row in found])


def _value(row: Row, name: str, type: Type) -> Any:
    value = _stored(row, name)
    if value is None:
        return None if type.nullable else _EMPTY.get(type.kind, "")
    match type.kind:
        case "json":
            return json.dumps(value)
        case "datetime":
            return _time(value)
        case "string":
            return str(value)
        case _:
            return value


def _stored(row: Row, name: str) -> Any:
    """Return a field of the row; `x_id` is the row's `x`, or the id of that object."""
    known = _STORED_AS.get(name, name)
    if known in row or not name.endswith("_id"):
        return row.get(known)
    related = row.get(name.removesuffix("_id"))
    whole = as_object(related)
    return related if whole is None else whole.get("id")


def _time(value: object) -> str | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")
