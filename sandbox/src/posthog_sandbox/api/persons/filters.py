"""Property filters on persons as ClickHouse conditions on `posthog.persons`."""

from collections.abc import Callable, Mapping
from typing import Any

from ...errors import invalid
from ...storage.events import literal
from ...values import Row, as_list

type _Comparison = Callable[[str, list[Any]], str]


def person_condition(item: Row) -> str:
    """Return the condition of a filter `{"key", "value", "operator", "type": "person"}`. Raises ApiError 400.

    As in PostHog, persons without the property match negative operators and no positive ones.
    """
    key, operator = item.get("key"), item.get("operator") or "exact"
    condition = _CONDITIONS.get(str(operator))
    if not isinstance(key, str) or not key:
        raise invalid("A property filter needs a key.", attr="properties")
    if condition is None:
        raise invalid(f"The sandbox does not know the operator {operator} on persons.", attr="properties")
    value = item.get("value")
    values = as_list(value)
    return condition(property_text(key), [value] if values is None else values)


def property_text(key: str) -> str:
    """Return a person property as nullable text: strings without quotes, other values as JSON."""
    kind = f"JSONType(properties, {literal(key)})"
    found = f"if({kind} = 'String', JSONExtractString(properties, {literal(key)}), {_raw(key)})"
    return f"if({kind} = 'Null', NULL, {found})"


def _raw(key: str) -> str:
    return f"JSONExtractRaw(properties, {literal(key)})"


def text_of(value: Any) -> str:
    """Return a filter's value as text for comparison."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _one_of(text: str, values: list[Any]) -> str:
    return f"ifNull({text} IN ({_literals(values)}), false)"


def _literals(values: list[Any]) -> str:
    return ", ".join(literal(text_of(value)) for value in values) or "''"


def _any(template: str) -> _Comparison:
    """Build a condition that is true when the template is true for one of the values; false without the property."""

    def make(text: str, values: list[Any]) -> str:
        terms = [template.format(text=text, value=literal(text_of(value))) for value in values]
        return "(" + (" OR ".join(f"ifNull({term}, false)" for term in terms) or "false") + ")"

    return make


def _none(condition: _Comparison) -> _Comparison:
    return lambda text, values: f"NOT {condition(text, values)}"


def _present(text: str, _values: list[Any]) -> str:
    return f"({text} IS NOT NULL)"


_CONTAINS = _any("positionCaseInsensitiveUTF8({text}, {value}) > 0")
_MATCHES = _any("match({text}, {value})")
_NUMBER = "toFloat64OrNull({text}) {operator} toFloat64OrNull({value})"
_TIME = "parseDateTimeBestEffortOrNull({text}) {operator} parseDateTimeBestEffortOrNull({value})"


def _compared(template: str, operator: str) -> _Comparison:
    return _any(template.replace("{operator}", operator))


_CONDITIONS: Mapping[str, _Comparison] = {
    "exact": _one_of,
    "is_not": _none(_one_of),
    "icontains": _CONTAINS,
    "not_icontains": _none(_CONTAINS),
    "regex": _MATCHES,
    "not_regex": _none(_MATCHES),
    "gt": _compared(_NUMBER, ">"),
    "gte": _compared(_NUMBER, ">="),
    "lt": _compared(_NUMBER, "<"),
    "lte": _compared(_NUMBER, "<="),
    "is_set": _present,
    "is_not_set": _none(_present),
    "is_date_exact": _compared(_TIME, "="),
    "is_date_before": _compared(_TIME, "<"),
    "is_date_after": _compared(_TIME, ">"),
}
