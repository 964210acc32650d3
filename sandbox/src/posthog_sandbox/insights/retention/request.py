"""Parsing and validation of a RetentionQuery."""

from collections.abc import Mapping
from dataclasses import dataclass

from ...errors import invalid
from ...hogql import HogqlError, escape
from ...http.routing import Call
from ...queries.project import Project
from ...values import Row, as_list
from ..filters import query_condition, sampling_factor
from ..requests import choice, malformed_query, number, options
from ..series import Series, read_node, unknown_action
from .breakdown import RetentionBreakdown, read_retention_breakdown
from .periods import PERIODS, cell_labels

RECURRING, FIRST_TIME, FIRST_EVER = TYPES = (
    "retention_recurring",
    "retention_first_time",
    "retention_first_ever_occurrence",
)
MOST_INTERVALS = 1_000
_PLACE = "retentionFilter."
_MODES = ("strict_calendar_dates", "24_hour_windows")
_OMITTED_INTERVALS, _NULL_INTERVALS = 8, 7
_DISPLAYED: Mapping[str, tuple[str, ...]] = {
    "retentionReference": ("total", "previous"),
    "meanRetentionCalculation": ("simple", "weighted", "none"),
    "dashboardDisplay": ("table_only", "graph_only", "all"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRequest:
    """A parsed and validated RetentionQuery.

    Each row covers `total` periods; `brackets` are cell sizes in periods, none for cells of one period. `windows`
    counts from each actor's own first event. `value` is HogQL for the number to sum or average, None when actors are
    counted; `average` selects the average. `group` is the type of the counted groups.
    """

    target: Series
    returning: Series
    kind: str
    period: str
    total: int
    cumulative: bool
    occurrences: int
    windows: bool
    brackets: tuple[int, ...]
    value: str | None
    average: bool
    group: int | None
    condition: str
    breakdown: RetentionBreakdown | None
    sampling: float

    @property
    def labels(self) -> list[str]:
        """The names of the cells of a row."""
        return cell_labels(self.period, self.total, self.brackets)

    @property
    def same_entity(self) -> bool:
        """Whether both events are equal except for their properties."""
        return (self.target.kind, self.target.key) == (self.returning.kind, self.returning.key)


def read_retention_request(call: Call, query: Row, project: Project) -> RetentionRequest:
    """Parse everything except the dates. Blocking: it reads actions and cohorts. Raises ApiError 400."""
    if query.get("retentionFilter") is None:
        raise malformed_query("retentionFilter", "Field required")
    given = options(query, "retentionFilter")
    for name, allowed in _DISPLAYED.items():
        choice(given, name, _PLACE, allowed, "")
    windows = choice(given, "timeWindowMode", _PLACE, _MODES, _MODES[0]) == "24_hour_windows"
    cumulative = _flag(given, "cumulative")
    if windows and cumulative:
        raise invalid("Cumulative retention is not supported for 24 hour windows.")
    kind = choice(given, "aggregationType", _PLACE, ("count", "sum", "avg"), "count")
    value = None if kind == "count" else _aggregated(given, project)
    if windows and value is not None:
        raise invalid("Sum and average aggregation are not supported for 24 hour windows.")
    if cumulative and value is not None:
        raise invalid("Unable to resolve field: retention_value", "hogql_query_error")
    return RetentionRequest(
        target=_entity(call, given, project, "targetEntity"),
        returning=_entity(call, given, project, "returningEntity"),
        kind=choice(given, "retentionType", _PLACE, TYPES, RECURRING),
        period=choice(given, "period", _PLACE, tuple(PERIODS), "Day"),
        total=_total(given),
        cumulative=cumulative,
        occurrences=number(given, "minimumOccurrences", _PLACE, 1) or 1,
        windows=windows,
        brackets=_brackets(given),
        value=value,
        average=kind == "avg",
        group=_group(query),
        condition=query_condition(query, project),
        breakdown=read_retention_breakdown(call, query),
        sampling=sampling_factor(query),
    )


def _flag(given: Row, name: str) -> bool:
    value = given.get(name)
    if value is not None and not isinstance(value, bool):
        raise malformed_query(f"{_PLACE}{name}", "Input should be a valid boolean")
    return value is True


def _total(given: Row) -> int:
    default = _NULL_INTERVALS if "totalIntervals" in given else _OMITTED_INTERVALS
    total = number(given, "totalIntervals", _PLACE, default) or _NULL_INTERVALS
    if total > MOST_INTERVALS:
        raise malformed_query(f"{_PLACE}totalIntervals", f"Input should be less than or equal to {MOST_INTERVALS}")
    return total


def _group(query: Row) -> int | None:
    index = query.get("aggregation_group_type_index")
    if index is not None and (not isinstance(index, int) or isinstance(index, bool) or not 0 <= index <= 4):
        raise malformed_query("aggregation_group_type_index", "Input should be a number from 0 to 4")
    return index


def _entity(call: Call, given: Row, project: Project, name: str) -> Series:
    entity = options(given, name) if given.get(name) is not None else {"id": "$pageview"}
    place = f"{_PLACE}{name}."
    kind = choice(entity, "type", place, ("events", "actions"), "events")
    identity = entity.get("id")
    shared: Row = {"properties": entity.get("properties") or []}
    if kind == "actions" and identity is not None:
        if isinstance(identity, str) and identity.isascii() and identity.isdecimal() and len(identity) < 10:
            identity = int(identity)
        if not isinstance(identity, int) or isinstance(identity, bool):
            raise malformed_query(f"{place}id", "Input should be a valid integer")
        found = read_node(call, {"kind": "ActionsNode", "id": identity, **shared}, project)
    else:
        if identity is not None and not isinstance(identity, str):
            raise malformed_query(f"{place}id", "Input should be a valid string")
        found = read_node(call, {"kind": "EventsNode", "event": identity, **shared}, project)
    if found is None:
        raise unknown_action(identity)
    return found


def _brackets(given: Row) -> tuple[int, ...]:
    value = given.get("retentionCustomBrackets")
    sizes = as_list(value if value is not None else [])
    if sizes is None:
        raise malformed_query(f"{_PLACE}retentionCustomBrackets", "Input should be a valid list")
    if len(sizes) >= MOST_INTERVALS or not all(map(_is_size, sizes)):
        raise malformed_query(
            f"{_PLACE}retentionCustomBrackets", f"Input should be numbers from 1 to {MOST_INTERVALS:,}"
        )
    return tuple(int(size) for size in sizes)


def _is_size(size: object) -> bool:
    return isinstance(size, int | float) and not isinstance(size, bool) and 1 <= size <= MOST_INTERVALS


def _aggregated(given: Row, project: Project) -> str | None:
    """Return an event's number as HogQL, 0 if missing; None without a property, when actors are counted."""
    key = given.get("aggregationProperty")
    if key is None or key == "":
        return None
    if not isinstance(key, str):
        raise malformed_query(f"{_PLACE}aggregationProperty", "Input should be a valid string")
    person = choice(given, "aggregationPropertyType", _PLACE, ("event", "person"), "event") == "person"
    try:
        read = f"{'person.' if person else ''}properties.{escape.hogql_identifier(key)}"
    except HogqlError as error:
        raise invalid(error.message, error.code) from error
    type_of = project.context.property_types.get(("person" if person else "event", key))
    number = read if type_of in (None, "Numeric", "String") else f"toString({read})"
    return f"ifNull(toFloat({number}), 0)"
