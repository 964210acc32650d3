"""The parts of a Spec that all stored PostHog queries share. A stored query can hold any JSON: nothing here raises."""

from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

from pydantic import TypeAdapter, ValidationError

from ...schemas.analytics.events import PROPERTY_MATHS
from ...schemas.analytics.queries import Interval
from ...schemas.base.dates import RangeStart
from ...schemas.base.periods import Period
from ...schemas.json import as_list, as_object, as_objects, is_list
from .spec import EVERY_EVENT, Condition, Counted, Dates, Split

type StoredQuery = Mapping[str, Any]

INTERVALS = get_args(Interval.__value__)
_DEFAULT_START = "-7d"
_DEFAULT_VALUES = 25
_MOST = 2**31
_DATE: TypeAdapter[Any] = TypeAdapter(RangeStart)


def source_of(query: Any) -> dict[str, Any]:
    """Return the query inside the nodes that draw it; empty for anything else."""
    found = as_object(query)
    while isinstance(found.get("source"), dict):
        found = as_object(found["source"])
    return found


def shared(source: StoredQuery, *, default_start: str | None = _DEFAULT_START) -> dict[str, Any]:
    """Return the fields of a Spec for the range and the filters of the whole."""
    return {
        "dates": _dates(as_object(source.get("dateRange")), default_start),
        "conditions": conditions(source.get("properties")),
        "without_test_accounts": source.get("filterTestAccounts") is True,
        "sampling": sampling_of(source),
    }


def sampling_of(source: StoredQuery) -> float | None:
    """Return the share of users that a query counts; None for all."""
    factor = source.get("samplingFactor")
    return float(factor) if isinstance(factor, (int, float)) and not isinstance(factor, bool) and factor > 0 else None


def counted(node: StoredQuery) -> Counted:
    """Return the event or action of an EventsNode, ActionsNode or DataWarehouseNode."""
    is_action = node.get("kind") == "ActionsNode"
    math = text(node.get("math")) or "total"
    return Counted(
        event=None if is_action else text(node.get("event")) or text(node.get("table_name")) or EVERY_EVENT,
        action_id=whole(node.get("id"), 0) if is_action else None,
        name=text(node.get("custom_name")),
        action_name=text(node.get("name")) if is_action else None,
        conditions=conditions(node.get("properties")),
        math=math,
        math_property=_math_property(node, math),
        group_type_index=index_of(node.get("math_group_type_index")),
        optional=node.get("optionalInFunnel") is True,
    )


def series(source: StoredQuery) -> tuple[Counted, ...]:
    """Return the series or steps of a query."""
    return tuple(counted(node) for node in as_objects(source.get("series")))


def conditions(filters: Any) -> tuple[Condition, ...]:
    """Return the conditions of a list of filters, or of groups of them at any depth; those without a key have no effect
    in PostHog.
    """
    found: list[Condition] = []
    waiting: list[Any] = [filters]
    while waiting:
        item = waiting.pop()
        if is_list(item):
            waiting.extend(reversed(item))
            continue
        fields = as_object(item)
        if isinstance(fields.get("values"), list):
            waiting.append(fields["values"])
        elif text(fields.get("key")):
            found.append(Condition.read(fields))
    return tuple(found)


def splits(source: StoredQuery) -> tuple[Split, ...]:
    """Return the breakdown in either form: `breakdowns`, or the older `breakdown` with one type."""
    split = as_object(source.get("breakdownFilter"))
    found = [
        (one.get("property"), one.get("type"), one.get("group_type_index"))
        for one in as_objects(split.get("breakdowns"))
    ]
    if not found and split.get("breakdown") is not None:
        older = split["breakdown"]
        names = older if is_list(older) else [older]
        found = [(name, split.get("breakdown_type"), split.get("breakdown_group_type_index")) for name in names]
    return tuple(
        Split(name if isinstance(name, int) else str(name), str(kind or "event"), index_of(index))
        for name, kind, index in found
    )


def interval_of(source: StoredQuery) -> str:
    """Return the length of an interval, as `Spec.interval`."""
    return str(source.get("interval") or "day")


def most_values(source: StoredQuery) -> int | None:
    """Return how many values of a breakdown PostHog names; None without a breakdown."""
    limit = as_object(source.get("breakdownFilter")).get("breakdown_limit")
    return whole(limit, _DEFAULT_VALUES) if splits(source) else None


def compare_of(source: StoredQuery) -> str | None:
    """Return what the numbers are compared with, as `Spec.compare`."""
    compared = as_object(source.get("compareFilter"))
    return str(compared.get("compare_to") or "previous") if compared.get("compare") else None


def text(value: Any) -> str | None:
    """Return the value if it is a text that is not empty."""
    return value if isinstance(value, str) and value else None


def texts(value: Any) -> tuple[str, ...]:
    """Return the texts of a list."""
    return tuple(item for item in as_list(value) if isinstance(item, str))


def whole(value: Any, default: int) -> int:
    """Return the value if it is a positive integer, else the default."""
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MOST
    return cast("int", value) if fits else default


def index_of(value: Any) -> int | None:
    """Return the value if it is the index of a group type."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 4 else None


def one_of(choices: Sequence[str], value: Any) -> str | None:
    """Return the value if it is one of the choices."""
    return value if isinstance(value, str) and value in choices else None


def _dates(dates: StoredQuery, default_start: str | None) -> Dates:
    start, end = dates.get("date_from") or default_start, dates.get("date_to")
    try:
        found = [None if value is None else _DATE.validate_python(value) for value in (start, end)]
    except ValidationError:
        return Dates(are_known=False)
    if any(isinstance(value, Period) or value == "now" for value in found):  # PostHog does not read these words so
        return Dates(are_known=False)
    return Dates(*found, explicit=dates.get("explicitDate") is True)


def _math_property(node: StoredQuery, math: str) -> str | None:
    if math == "hogql":
        return text(node.get("math_hogql"))
    name = text(node.get("math_property")) if math in PROPERTY_MATHS else None
    return f"person.{name}" if name and node.get("math_property_type") == "person_properties" else name
