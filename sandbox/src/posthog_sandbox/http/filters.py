"""The query parameters of lists: predicates made from a parameter's values, and ordering."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import QueryParams

from ..errors import invalid
from ..storage.store import Rows
from ..values import Row, as_list, as_object

type Predicate = Callable[[Row], bool]
type Filter = Callable[[Rows, list[str]], Predicate]
"""From all values of a parameter to what a row must satisfy; raises ApiError on a value PostHog refuses."""


def contains(*names: str) -> Filter:
    """Text that occurs in one of the fields, whatever its case."""

    def make(_rows: Rows, values: list[str]) -> Predicate:
        wanted = values[-1].casefold()
        return lambda row: any(wanted in str(row.get(name) or "").casefold() for name in names)

    return make


def is_true(name: str) -> Filter:
    """`true` or `false`; anything else does not filter."""

    def make(_rows: Rows, values: list[str]) -> Predicate:
        wanted = truth(values[-1])
        return lambda row: wanted is None or bool(row.get(name)) == wanted

    return make


def equals(name: str) -> Filter:
    """The field as text."""
    return lambda _rows, values: lambda row: str(row.get(name)) == values[-1]


def created_by(_rows: Rows, values: list[str]) -> Predicate:
    """Ids of users: one number, several with commas, or a JSON array."""
    ids = {str(item) for item in json_or_words(values[-1])}
    return lambda row: str((as_object(row.get("created_by")) or {}).get("id")) in ids


def tagged(_rows: Rows, values: list[str]) -> Predicate:
    """At least one of the tags: repeated parameters, or a JSON array."""
    wanted = {str(item).lower() for value in values for item in json_or_words(value)}
    return lambda row: bool(wanted & set(row.get("tags") or ()))


def not_tagged(rows: Rows, values: list[str]) -> Predicate:
    """None of the tags."""
    with_tag = tagged(rows, values)
    return lambda row: not with_tag(row)


def truth(value: str) -> bool | None:
    """A truth value in a query string, or None when it is neither."""
    return {"true": True, "1": True, "false": False, "0": False}.get(value.lower())


def json_or_words(value: str) -> list[Any]:
    """A JSON array, or words between commas."""
    try:
        parsed: Any = json.loads(value)
    except (ValueError, RecursionError):
        return [word.strip() for word in value.split(",")]
    items = as_list(parsed)
    return [parsed] if items is None else items


def json_parameter(value: str, name: str) -> list[Any]:
    """A JSON array in a query string. Raises ApiError when it is something else."""
    try:
        items = as_list(json.loads(value))
    except (ValueError, RecursionError):
        items = None
    if items is None:
        raise invalid(f"Expected a JSON list in `{name}`.", attr=name)
    return items


def selected(rows: Rows, found: list[Row], params: QueryParams, filters: Mapping[str, Filter]) -> list[Row]:
    """The rows that satisfy every parameter that is given and not empty."""
    for name, make in filters.items():
        values = [value for value in params.getlist(name) if value]
        if values:
            predicate = make(rows, values)
            found = [row for row in found if predicate(row)]
    return found


def _no_keys() -> Mapping[str, Callable[[Row], Any]]:
    return {}


@dataclass(frozen=True, slots=True)
class Ordering:
    """Which parameter orders a list, the fields it takes (`-` in front: descending), and the order without it."""

    default: str = "id"
    parameter: str = "order"
    fields: tuple[str, ...] = ()
    computed: Mapping[str, Callable[[Row], Any]] = field(default_factory=_no_keys)
    """Keys of fields that are not stored as such."""

    def sorted(self, found: list[Row], params: QueryParams) -> list[Row]:
        """The rows in order; unknown fields are passed over, as PostHog does."""
        asked = [word.strip() for word in params.get(self.parameter, "").split(",")]
        terms = [word for word in asked if word.lstrip("-") in self.fields] or self.default.split(",")
        for term in reversed(terms):
            key = self._key(term.lstrip("-"))
            found = sorted(found, key=key, reverse=term.startswith("-"))
        return found

    def _key(self, name: str) -> Callable[[Row], tuple[bool, Any]]:
        computed = self.computed.get(name)

        def key(row: Row) -> tuple[bool, Any]:
            value = row.get(name) if computed is None else computed(row)
            return (value is not None, 0 if value is None else value)

        return key
