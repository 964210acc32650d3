"""Compile HogQL, PostHog's query language, to ClickHouse SQL. Nothing here runs queries or reads data.

`translate` compiles a query, `describe_schema` lists the tables, and `HogqlError` describes what is wrong.
"""

from . import escape
from .constant_rows import constant_rows
from .context import Context, Notice, PropertyTypes, Resolver, Translated
from .errors import HogqlError
from .functions.registry import has_aggregate
from .inspection import index_use, property_notices
from .schema.catalog import SYSTEM_TABLES, column_kind
from .schema.describe import describe_schema
from .schema.information import information_schema_rows
from .schema.stored import INFORMATION_SCHEMA, QUERY_LOG, clickhouse_columns
from .schema.tables import Table
from .syntax.parser import parse_expression, parse_query
from .translate import translate
from .values import PropertyType, Scope, Type

__all__ = [
    "INFORMATION_SCHEMA",
    "QUERY_LOG",
    "SYSTEM_TABLES",
    "Context",
    "HogqlError",
    "Notice",
    "PropertyType",
    "PropertyTypes",
    "Resolver",
    "Scope",
    "Table",
    "Translated",
    "Type",
    "clickhouse_columns",
    "column_kind",
    "constant_rows",
    "describe_schema",
    "escape",
    "has_aggregate",
    "index_use",
    "information_schema_rows",
    "parse_expression",
    "parse_query",
    "property_notices",
    "translate",
]
