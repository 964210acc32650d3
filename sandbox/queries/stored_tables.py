"""The rows behind `cohort_people`, `static_cohort_people` and `system.*`: the project's own objects."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from ..errors import ApiError
from ..hogql import SYSTEM_TABLES, clickhouse_columns, constant_rows
from ..store import Rows
from ..values import Row

type CohortPersons = Callable[[Rows, Row], str]
"""A SELECT of the ids of a cohort's persons. Raises ApiError 400 for a cohort that is not calculated here."""

_NOBODY = "SELECT toUUID('00000000-0000-0000-0000-000000000000') AS person_id, toInt64(0) AS cohort_id WHERE 0"
_STORED_AS = {"feature_flag_id": "_feature_flag"}


def stored_relation(rows: Rows, project_id: int, table: str, cohort_persons: CohortPersons) -> str | None:
    """The SELECT of a table that the store knows, in ClickHouse SQL of our own; None for other tables."""
    match table:
        case "cohort_people":
            return _members(rows, project_id, False, cohort_persons)
        case "static_cohort_people":
            return _members(rows, project_id, True, cohort_persons)
        case name if name in SYSTEM_TABLES:
            return _system(rows, project_id, name)
        case _:
            return None


def _members(rows: Rows, project_id: int, static: bool, cohort_persons: CohortPersons) -> str:
    """Every cohort's persons. ClickHouse reads only the branches that a condition on `cohort_id` leaves."""
    members: list[str] = []
    for cohort in rows.all("cohorts", project_id):
        if not cohort["deleted"] and bool(cohort["is_static"]) == static:
            with suppress(ApiError):
                persons = cohort_persons(rows, cohort)
                members.append(f"SELECT id AS person_id, toInt64({int(cohort['id'])}) AS cohort_id FROM ({persons})")
    return " UNION ALL ".join(members) or _NOBODY


def _system(rows: Rows, project_id: int, name: str) -> str:
    table = SYSTEM_TABLES[name]
    if name == "system.teams":
        found = [row for row in rows.all("projects") if row["id"] == project_id]
    else:
        found = rows.all(name.removeprefix("system."), project_id)
    kinds = {column.name: column.type.kind for column in table.columns.values()}
    columns = clickhouse_columns(table)
    return constant_rows(columns, [[_value(row, column, kinds[column]) for column, _ in columns] for row in found])


def _value(row: Row, name: str, kind: str) -> Any:
    value = row.get(_STORED_AS.get(name, name))
    if value is None:
        return None
    match kind:
        case "json":
            return json.dumps(value)
        case "datetime":
            return _time(value)
        case "string":
            return str(value)
        case _:
            return value


def _time(value: object) -> str | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")
