"""The listed schema, and its agreement with the tables that can be queried."""

from __future__ import annotations

import pytest

from posthog_sandbox.hogql import Context, HogqlError, describe_schema, translate
from posthog_sandbox.hogql.schema.catalog import INFORMATION_SCHEMA, SYSTEM_TABLES, TABLES, find_table

CONTEXT = Context(relations=lambda _table: "SELECT 1")


def test_the_schema_lists_the_tables_that_posthog_lists() -> None:
    schema = describe_schema()
    names = list(schema["tables"])
    assert names[:5] == ["events", "groups", "persons", "sessions", "query_log"]
    assert names[5:]
    assert all(name.startswith("system.") and schema["tables"][name]["type"] == "system" for name in names[5:])
    assert schema["joins"] == []
    events = schema["tables"]["events"]
    assert {key: events[key] for key in ("id", "name", "type", "row_count")} == {
        "id": "events",
        "name": "events",
        "type": "posthog",
        "row_count": None,
    }


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("timestamp", {"hogql_value": "timestamp", "type": "datetime", "table": None, "fields": None, "id": None}),
        ("$session_id", {"hogql_value": "`$session_id`", "type": "string", "table": None, "fields": None, "id": None}),
        ("properties", {"hogql_value": "properties", "type": "json", "table": None, "fields": None, "id": None}),
        ("person_id", {"hogql_value": "person_id", "type": "expression", "table": None, "fields": None, "id": None}),
        (
            "poe",
            {
                "hogql_value": "poe",
                "type": "virtual_table",
                "table": "events",
                "fields": ["id", "created_at", "properties"],
                "id": None,
            },
        ),
    ],
)
def test_a_field_is_described_in_posthogs_shape(field: str, expected: dict[str, object]) -> None:
    described = describe_schema()["tables"]["events"]["fields"][field]
    assert described == {"name": field, "schema_valid": True, "chain": None, **expected}


def test_person_is_a_lazy_table_with_the_fields_of_persons() -> None:
    person = describe_schema()["tables"]["events"]["fields"]["person"]
    assert (person["type"], person["table"], person["id"]) == ("lazy_table", "persons", "person")
    assert {"id", "created_at", "properties", "is_identified", "pdi", "team_id"} <= set(person["fields"])


def test_group_types_are_fields_of_events() -> None:
    fields = describe_schema(("company", "project"))["tables"]["events"]["fields"]
    assert [fields[name]["table"] for name in ("company", "project", "group_0")] == ["groups"] * 3


def test_the_team_is_not_listed_but_can_be_queried() -> None:
    for table, described in describe_schema()["tables"].items():
        assert "team_id" not in described["fields"]
        assert translate(f"select team_id from {table}", CONTEXT).columns == ("team_id",)


@pytest.mark.parametrize("table", [*TABLES, *SYSTEM_TABLES, *INFORMATION_SCHEMA, "raw_session_replay_events"])
def test_every_column_of_every_table_can_be_selected(table: str) -> None:
    found = find_table(table)
    assert found is not None
    for column in found.columns:
        assert translate(f"select t.`{column}` from {table} t", CONTEXT).columns == (column,)


@pytest.mark.parametrize("table", TABLES)
def test_every_lazy_join_leads_to_a_table(table: str) -> None:
    for join, link in TABLES[table].joins.items():
        for column in TABLES[link.table].columns:
            query = f"select {join}.`{column}` from {table}"
            assert link.table in translate(query, CONTEXT).tables


@pytest.mark.parametrize("name", ["persons", "groups", "person_distinct_ids", "person_distinct_id_overrides"])
def test_raw_tables_read_the_same_rows(name: str) -> None:
    assert translate(f"select count() from raw_{name}", CONTEXT).tables == (name,)


def test_a_table_without_a_raw_form_is_unknown() -> None:
    with pytest.raises(HogqlError, match="Unknown table `raw_events`"):
        translate("select 1 from raw_events", CONTEXT)
