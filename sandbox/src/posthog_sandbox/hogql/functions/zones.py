"""Compile functions that read times in the project's timezone unless a call names another."""

from __future__ import annotations

from collections.abc import Callable

from hogql_lang import tree

from .. import escape
from ..scope import Environment
from ..values import DATETIME, Fragment, Type

_DIGITS = "6"


def parse_date_time(node: tree.Call, environment: Environment) -> Fragment:
    """Return `parseDateTime(text, format[, timezone])`; text in another format gives null."""
    text, template = (environment.compile(arg).sql for arg in node.args[:2])
    zone = _zone(node, 2, environment)
    return Fragment(f"parseDateTimeOrNull({text}, {template}, {zone})", DATETIME.or_null())


def best_effort(us: bool) -> Callable[[tree.Call, Environment], Fragment]:
    """Return `parseDateTimeBestEffort(text[, timezone])`; with `us`, months come first. Invalid text gives null."""
    name = f"parseDateTime64BestEffort{'US' if us else ''}OrNull"

    def compile_call(node: tree.Call, environment: Environment) -> Fragment:
        text = environment.compile(node.args[0]).sql
        return Fragment(f"{name}({text}, {_DIGITS}, {_zone(node, 1, environment)})", DATETIME.or_null())

    return compile_call


def to_date_time_64(node: tree.Call, environment: Environment) -> Fragment:
    """Return `toDateTime64(value[, digits[, timezone]])`."""
    value = environment.compile(node.args[0])
    digits = environment.compile(node.args[1]).sql if len(node.args) > 1 else _DIGITS
    zone = _zone(node, 2, environment)
    return Fragment(f"toDateTime64({value.sql}, {digits}, {zone})", _like(value))


def to_time_zone(node: tree.Call, environment: Environment) -> Fragment:
    """Return `toTimeZone(moment[, timezone])`."""
    value = environment.compile(node.args[0])
    return Fragment(f"toTimeZone({value.sql}, {_zone(node, 1, environment)})", _like(value))


def make_date_time(node: tree.Call, environment: Environment) -> Fragment:
    """Return `make_timestamp(year, month, day, hour, minute, second[, timezone])`."""
    parts = ", ".join([environment.compile(arg).sql for arg in node.args[:6]])
    return Fragment(f"makeDateTime({parts}, {_zone(node, 6, environment)})", DATETIME.or_null())


def uuid_time(node: tree.Call, environment: Environment) -> Fragment:
    """Return `UUIDv7ToDateTime(uuid)`."""
    value = environment.compile(node.args[0])
    return Fragment(f"UUIDv7ToDateTime({value.sql}, {_zone(node, 1, environment)})", _like(value))


def _zone(node: tree.Call, position: int, environment: Environment) -> str:
    if len(node.args) > position:
        return environment.compile(node.args[position]).sql
    return escape.string(environment.context.timezone)


def _like(value: Fragment) -> Type:
    return DATETIME.or_null() if value.type.nullable else DATETIME
