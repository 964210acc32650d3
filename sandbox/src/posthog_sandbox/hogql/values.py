"""Types of values in the compiler: enough to compare, show times and read JSON as HogQL does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

type Kind = Literal[
    "string", "integer", "float", "boolean", "datetime", "date", "interval", "uuid", "array", "tuple", "json", "unknown"
]
type Scope = Literal["event", "person", "group", "session"]
type PropertyType = Literal["String", "Numeric", "Boolean", "DateTime"]


@dataclass(frozen=True, slots=True)
class Type:
    """A type. `nullable` is False only if null is impossible. `properties_of` is the owner of a JSON properties object.
    `holds_json` marks text that can be a JSON value, so a path into it is valid."""

    kind: Kind
    nullable: bool = False
    properties_of: Scope | None = None
    holds_json: bool = False

    def or_null(self) -> Type:
        return self if self.nullable else replace(self, nullable=True)

    def not_null(self) -> Type:
        return replace(self, nullable=False) if self.nullable else self


STRING = Type("string")
INTEGER = Type("integer")
FLOAT = Type("float")
BOOLEAN = Type("boolean")
DATETIME = Type("datetime")
DATE = Type("date")
UUID = Type("uuid")
ARRAY = Type("array")
TUPLE = Type("tuple")
UNKNOWN = Type("unknown", nullable=True)


@dataclass(frozen=True, slots=True)
class Fragment:
    """A compiled expression: ClickHouse SQL and the type of its value."""

    sql: str
    type: Type
