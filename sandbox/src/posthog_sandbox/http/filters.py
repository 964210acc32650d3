"""Query parameters of lists: filter predicates and ordering."""

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
"""A factory from all values of a parameter to a row predicate; raises ApiError on a value that PostHog rejects."""


def contains(*names: str) -> Filter:
    """Match text in any of the fields, ignoring case."""

    def make(_rows: Rows, values: list[str]) -> Predicate:
        wanted = values[-1].casefold()
        return lambda row: any(wanted in str(row.get(name) or "").casefold() for name in names)

    return make


def is_true(name: str) -> Filter:
    """Match a boolean field against `true` or `false`; other values do not filter."""

    def make(_rows: Rows, values: list[str]) -> Predicate:
        wanted = truth(values[-1])
        return lambda row: wanted is None or bool(row.get(name)) == wanted

    return make


def equals(name: str) -> Filter:
    """Match the field's text exactly."""
    return lambda _rows, values: lambda row: str(row.get(name)) == values[-1]


def created_by(_rows: Rows, values: list[str]) -> Predicate:
    """Match user ids given as one number, comma-separated numbers or a JSON array."""
    ids = {str(item) for item in json_or_words(values[-1])}
    return lambda row: str((as_object(row.get("created_by")) or {}).get("id")) in ids


def tagged(_rows: Rows, values: list[str]) -> Predicate:
    """Match rows with at least one of the tags, given as repeated parameters or a JSON array."""
    wanted = {str(item).lower() for value in values for item in json_or_words(value)}
    return lambda row: bool(wanted & set(row.get("tags") or ()))


def not_tagged(rows: Rows, values: list[str]) -> Predicate:
    """Match rows with none of the tags."""
    with_tag = tagged(rows, values)
    return lambda row: not with_tag(row)


def truth(value: str) -> bool | None:
    """Parse a boolean of a query string, None when it is neither."""
    return {"true": True, "1": True, "false": False, "0": False}.get(value.lower())


def json_or_words(value: str) -> list[Any]:
    """Parse a JSON array or comma-separated words."""
    try:
        parsed: Any = json.loads(value)
    except (ValueError, RecursionError):
        return [word.strip() for word in value.split(",")]
    items = as_list(parsed)
    return [parsed] if items is None else items


def json_parameter(value: str, name: str) -> list[Any]:
    """Parse a JSON array of a query string. Raises ApiError 400 for anything else."""
    try:
        items = as_list(json.loads(value))
    except (ValueError, RecursionError):
        items = None
    if items is None:
        raise invalid(f"Expected a JSON list in `{name}`.", attr=name)
    return items


def selected(rows: Rows, found: list[Row], params: QueryParams, filters: Mapping[str, Filter]) -> list[Row]:
    """Return the rows that match every non-empty parameter."""
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
    """The order of a list: its parameter, the accepted fields (a `-` prefix means descending) and the default."""

    default: str = "id"
    parameter: str = "order"
    fields: tuple[str, ...] = ()
    computed: Mapping[str, Callable[[Row], Any]] = field(default_factory=_no_keys)
    """Sort keys of fields that are not stored."""

    def sorted(self, found: list[Row], params: QueryParams) -> list[Row]:
        """Return the rows in order; unknown fields are ignored, as in PostHog."""
        requested = [word.strip() for word in params.get(self.parameter, "").split(",")]
        terms = [word for word in requested if word.lstrip("-") in self.fields] or self.default.split(",")
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
