"""Tables that are not in the events' database: members of cohorts, executed queries, and `system.*` with the project's
objects and the catalog.

The columns of `system.*` follow the fields of PostHog's API. Their rows come from `Context.relations`.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..values import BOOLEAN, DATE, DATETIME, FLOAT, INTEGER, STRING, UUID, Kind, Type
from .tables import PERSON_BY_ID, Column, LazyJoin, Table, table_columns

JSON = Type("json", nullable=True, holds_json=True)
_TYPES = {"text": STRING.or_null(), "integer": INTEGER.or_null(), "boolean": BOOLEAN.or_null(),
          "time": DATETIME.or_null(), "json": JSON, "id": INTEGER, "uuid": STRING, "name": STRING, "date": DATE,
          "count": INTEGER, "moment": DATETIME, "flag": BOOLEAN, "share": FLOAT.or_null(),
          "bit": INTEGER.or_null()}  # fmt: skip
_CLICKHOUSE: Mapping[Kind, str] = {
    "string": "String", "integer": "Int64", "boolean": "Bool", "datetime": "DateTime64(6, 'UTC')", "json": "String",
    "date": "Date", "float": "Float64",
}  # fmt: skip


def _cohort_table(name: str) -> Table:
    version = Column("version", INTEGER, "materialize(toInt64(1))", in_star=False)
    columns = table_columns(Column("person_id", UUID), Column("cohort_id", INTEGER), version)
    return Table(name, "", columns, joins={"person": LazyJoin("persons", PERSON_BY_ID)})


def _system(name: str, fields: str) -> Table:
    """Return a table of `system`; `fields` are its columns in order, each with its kind: `key:text`."""
    return Table(f"system.{name}", "", _columns(fields))


def _columns(fields: str) -> dict[str, Column]:
    pairs = [field.split(":") for field in fields.split()]
    return table_columns(*(Column(field, _TYPES[kind]) for field, kind in pairs))


def clickhouse_columns(table: Table) -> tuple[tuple[str, str], ...]:
    """Return the columns that a relation for this table must have, with their ClickHouse types."""
    shown: list[tuple[str, str]] = []
    for column in table.columns.values():
        if not column.sql:
            kind = _CLICKHOUSE[column.type.kind]
            shown.append((column.name, f"Nullable({kind})" if column.type.nullable else kind))
    return tuple(shown)


COHORT_TABLES: Mapping[str, Table] = {name: _cohort_table(name) for name in ("cohort_people", "static_cohort_people")}
SYSTEM_TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        _system(
            "actions",
            "id:id name:text description:text steps:json tags:json deleted:bit created_at:time "
            "last_calculated_at:time pinned_at:time "
            "updated_at:time steps_json:json post_to_slack:boolean slack_message_format:text "
            "is_calculating:boolean bytecode_error:text summary:text created_by_id:integer",
        ),
        _system(
            "annotations",
            "id:id content:text scope:text creation_type:text dashboard_item:integer dashboard_id:integer "
            "date_marker:time created_at:time updated_at:time deleted:bit "
            "dashboard_item_id:integer created_by_id:integer",
        ),
        _system(
            "cohorts",
            "id:id name:text description:text filters:json groups:json query:json is_static:bit deleted:bit "
            "is_calculating:boolean count:integer version:integer errors_calculating:integer created_at:time "
            "last_calculation:time "
            "pending_version:integer last_error_at:time cohort_type:text created_by_id:integer",
        ),
        _system(
            "dashboards",
            "id:id name:text description:text filters:json variables:json tags:json pinned:boolean deleted:bit "
            "creation_mode:text created_at:time last_accessed_at:time "
            "restriction_level:integer created_by_id:integer breakdown_colors:json data_color_theme_id:integer "
            "last_refresh:time",
        ),
        _system(
            "dashboard_tiles",
            "id:id dashboard_id:integer insight_id:integer text_id:integer layouts:json color:text "
            "filters_overrides:json deleted:bit",
        ),
        _system(
            "experiments",
            "id:id name:text description:text type:text feature_flag_id:integer parameters:json metrics:json "
            "metrics_secondary:json exposure_criteria:json exposure_cohort:integer conclusion:text archived:bit "
            "deleted:bit start_date:time end_date:time created_at:time updated_at:time "
            "filters:json secondary_metrics:json created_by_id:integer exposure_cohort_id:integer "
            "holdout_id:integer variants:json stats_config:json conclusion_comment:text scheduling_config:json "
            "primary_metrics_ordered_uuids:json secondary_metrics_ordered_uuids:json",
        ),
        _system(
            "feature_flags",
            "id:id key:text name:text filters:json active:boolean archived:bit deleted:bit version:integer "
            "rollout_percentage:integer ensure_experience_continuity:boolean evaluation_runtime:text tags:json "
            "created_at:time updated_at:time "
            "rollback_conditions:json performed_rollback:boolean created_by_id:integer usage_dashboard_id:integer "
            "has_enriched_analytics:boolean is_remote_configuration:boolean has_encrypted_payloads:boolean "
            "last_modified_by_id:integer last_called_at:time bucketing_identifier:text",
        ),
        _system(
            "group_type_mappings", "id:id group_type:text group_type_index:integer name_singular:text name_plural:text"
        ),
        _system(
            "cohort_calculation_history",
            "id:uuid cohort_id:integer count:integer started_at:time finished_at:time error:text error_code:text",
        ),
        _system(
            "early_access_features",
            "id:uuid name:text description:text stage:text feature_flag_id:integer deleted:bit created_at:time",
        ),
        _system("insight_variables", "id:uuid name:text code_name:text type:text default_value:json created_at:time"),
        _system(
            "insights",
            "id:id short_id:text name:text derived_name:text description:text query:json tags:json saved:bit "
            "favorited:bit deleted:bit created_at:time updated_at:time last_modified_at:time "
            "filters:json filters_hash:text query_metadata:json order:integer refreshing:bit is_sample:bit "
            "refresh_attempt:integer created_by_id:integer last_modified_by_id:integer",
        ),
        _system(
            "surveys",
            "id:uuid name:text description:text type:text questions:json appearance:json conditions:json "
            "start_date:time end_date:time archived:bit responses_limit:integer linked_flag_id:integer "
            "created_at:time "
            "updated_at:time created_by_id:integer targeting_flag_id:integer internal_targeting_flag_id:integer "
            "linked_insight_id:integer iteration_count:integer iteration_frequency_days:integer "
            "current_iteration:integer schedule:text enable_partial_responses:boolean "
            "enable_iframe_embedding:boolean",
        ),
        _system("teams", "id:id name:text timezone:text week_start_day:integer test_account_filters:json"),
    )
}
INFORMATION_SCHEMA: Mapping[str, Table] = {
    table.name: table
    for table in (
        _system(
            "information_schema.tables",
            "table_catalog:name table_schema:name table_name:name table_type:name description:text row_count:integer "
            "certification:text",
        ),
        _system(
            "information_schema.columns",
            "table_schema:name table_name:name column_name:name ordinal_position:count data_type:name is_nullable:flag "
            "is_array:flag field_kind:name description:text null_fraction:share min_value:text max_value:text",
        ),
        _system(
            "information_schema.relationships",
            "source_table:name source_column:text target_table:name target_column:text relationship_kind:name "
            "via:text confidence:share reasoning:text",
        ),
        _system("information_schema.data_types", "type_name:name description:name"),
        _system(
            "information_schema.metrics",
            "name:name description:text status:name is_drifted:flag definition_kind:name definition:json unit:text",
        ),
    )
}
"""The tables that list the catalog."""

QUERY_LOG = Table(
    "query_log",
    "",
    _columns(
        "event_date:date event_time:moment query_id:name endpoint:name query:name query_start_time:moment "
        "query_duration_ms:count hogql_name:name created_by:count read_rows:count read_bytes:count result_rows:count "
        "result_bytes:count memory_usage:count status:name exception_code:count is_personal_api_key_request:flag "
        "api_key_label:name api_key_mask:name cpu_microseconds:count RealTimeMicroseconds:count S3ListObjects:count "
        "S3HeadObject:count S3GetObjectAttributes:count S3GetObject:count ReadBufferFromS3Bytes:count"
    ),
)
"""The executed HogQL queries."""
