"""What the compiler knows of a value: enough to compare, to show times and to reach into JSON as HogQL does."""

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
    """`nullable` is False only where null is impossible. `properties_of` names the owner of a JSON properties object;
    `holds_json` marks text that may be a JSON value, and so can be reached into."""

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
