"""HogQL, PostHog's query language, compiled to ClickHouse SQL. Pure: it runs nothing and reads nothing.

`translate` compiles a query, `describe_schema` lists what can be queried, `HogqlError` says what is wrong.
"""

from .context import Context, Resolver, Translated
from .describe import describe_schema
from .errors import HogqlError
from .translate import translate
from .values import PropertyType, Scope

__all__ = ["Context", "HogqlError", "PropertyType", "Resolver", "Scope", "Translated", "describe_schema", "translate"]
