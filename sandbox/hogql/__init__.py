"""HogQL, PostHog's query language, compiled to ClickHouse SQL. Pure: it runs nothing and reads nothing.

`translate` compiles a query, `describe_schema` lists what can be queried, `HogqlError` says what is wrong.
"""

from . import ast, escape
from .catalog import SYSTEM_TABLES, column_kind
from .constant_rows import constant_rows
from .context import Context, PropertyTypes, Resolver, Translated
from .describe import describe_schema
from .errors import HogqlError
from .functions import has_aggregate
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
    "ast",
    "clickhouse_columns",
    "column_kind",
    "constant_rows",
    "describe_schema",
    "escape",
    "has_aggregate",
    "parse_expression",
    "translate",
]
