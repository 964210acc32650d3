"""HogQL, PostHog's query language, compiled to ClickHouse SQL. Pure: it runs nothing and reads nothing.

`translate` compiles a query, `describe_schema` lists what can be queried, `HogqlError` says what is wrong.
"""

from . import escape
from .catalog import SYSTEM_TABLES, column_kind
from .constant_rows import constant_rows
from .context import Context, PropertyTypes, Resolver, Translated
from .describe import describe_schema
from .errors import HogqlError
from .hogql_printer import print_expression
from .parser import parse_expression
from .stored_schema import clickhouse_columns
from .translate import translate
from .values import PropertyType, Scope

__all__ = [
    "SYSTEM_TABLES",
    "Context",
    "HogqlError",
    "PropertyType",
    "PropertyTypes",
    "Resolver",
    "Scope",
    "Translated",
    "clickhouse_columns",
    "column_kind",
    "constant_rows",
    "describe_schema",
    "escape",
    "parse_expression",
    "print_expression",
    "translate",
]
