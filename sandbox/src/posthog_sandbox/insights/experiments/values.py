"""Mean and ratio metrics in HogQL: the value of each exposed entity, and sums by variant."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from ...errors import invalid
from ...hogql import HogqlError, escape, has_aggregate, parse_expression
from ...http.routing import Call
from ...queries.project import Project
from ...values import Row, as_object
from ..actor_events import GROUP_TYPES, expression, property_name
from ..filters import all_of
from ..requests import malformed_query
from ..running import Session
from .request import Exposures, conversion_seconds, node_condition, within
from .statistics import VariantNumbers

_STATISTICS = ("sum", "min", "max", "avg")
_SESSION_PROPERTIES = ("$session_duration", "$pageview_count", "$autocapture_count", "$screen_count")
_NO_PERSON = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Outlier bounds: values beyond these quantiles of all entities are clamped. From 0 to 1; None does not clamp."""

    lower: float | None = None
    upper: float | None = None
    ignore_zeros: bool = False

    @property
    def cut(self) -> bool:
        """Whether any values are clamped."""
        return self.lower is not None or self.upper is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueSource:
    """The events of a value, the aggregate over an entity's events, and the treatment of outliers.

    With a `session_property` the aggregate is a function over sessions, each counted once.
    """

    condition: str
    aggregate: str
    window: int
    bounds: Bounds
    session_property: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueMetric:
    """A mean metric, or a ratio if it has a denominator. With a `threshold` values are only reached or not."""

    numerator: ValueSource
    denominator: ValueSource | None = None
    threshold: float | None = None


def read_value_metric(call: Call, project: Project, metric: Row) -> ValueMetric:
    """Return a mean or ratio metric. Blocking: it reads actions. Raises ApiError 400."""
    if metric["metric_type"] == "ratio":
        numerator, denominator = (
            _source(call, project, metric, name, metric.get(f"{name}_outlier_handling"))
            for name in ("numerator", "denominator")
        )
        return ValueMetric(numerator=numerator, denominator=denominator)
    numerator = _source(call, project, metric, "source", metric)
    if name := _session_property(as_object(metric["source"]) or {}):
        math = metric["source"].get("math")
        function = str(math) if math in _STATISTICS else "sum"
        numerator = replace(numerator, session_property=name, aggregate=function)
    return ValueMetric(numerator=numerator, threshold=_number(metric.get("threshold"), "metric.threshold"))


def _session_property(node: Row) -> str | None:
    """Return the session property of a mean metric; PostHog recognizes the duration without a property type."""
    name = node.get("math_property")
    of_sessions = name == "$session_duration" or node.get("math_property_type") == "session_properties"
    return str(name) if of_sessions and name in _SESSION_PROPERTIES else None


def _source(call: Call, project: Project, metric: Row, name: str, outliers: object) -> ValueSource:
    condition = node_condition(call, project, metric.get(name), f"metric.{name}")
    return ValueSource(
        condition=condition,
        aggregate=_aggregate(as_object(metric.get(name)) or {}),
        window=conversion_seconds(metric),
        bounds=_bounds(as_object(outliers) or {}),
    )


def _bounds(given: Row) -> Bounds:
    lower, upper = (
        _number(given.get(name), f"metric.{name}") for name in ("lower_bound_percentile", "upper_bound_percentile")
    )
    if any(level is not None and not 0 <= level <= 1 for level in (lower, upper)):
        raise invalid("Percentiles of outliers are numbers from 0 to 1.")
    return Bounds(lower=lower, upper=upper, ignore_zeros=given.get("ignore_zeros") is True)


def _number(value: object, place: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise malformed_query(place, "Input should be a valid number")
    return float(value)


def _aggregate(node: Row) -> str:
    """Return the aggregate over one entity's events. A math that experiments do not support counts events."""
    math = node.get("math")
    if math in _STATISTICS:
        name = node.get("math_property")
        value = f"coalesce(toFloat(properties.{property_name(str(name))}), 0)" if name else "1"
        return f"{math}({value})"
    if math == "unique_session":
        return "count(DISTINCT nullIf($session_id, ''))"
    if math == "dau":
        return f"count(DISTINCT nullIf(toString(person_id), '{_NO_PERSON}'))"
    if math == "unique_group":
        return _distinct_groups(node.get("math_group_type_index"))
    if math == "hogql" and node.get("math_hogql"):
        return _hogql(str(node["math_hogql"]))
    return "count()"


def _distinct_groups(index: object) -> str:
    """Count distinct groups; like PostHog, a missing type is type 0 and counts a constant."""
    if not index:
        return "count(DISTINCT 1)"
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < GROUP_TYPES:
        raise malformed_query("metric.math_group_type_index", "Input should be an integer from 0 to 4")
    return f"count(DISTINCT nullIf($group_{index}, ''))"


def _hogql(text: str) -> str:
    given = expression(text)
    try:
        aggregates = has_aggregate(parse_expression(text))
    except HogqlError as error:
        raise invalid(error.message, error.code) from error
    return f"coalesce({given}, 0)" if aggregates else f"sum(coalesce(toFloat({given}), 0))"


def entity_values(metric: ValueMetric, exposures: Exposures) -> str:
    """Return HogQL with one row per exposed entity: `variant`, `numerator`, and `denominator` for a ratio."""
    columns = ["exposed.experiment_variant AS variant"]
    joined = f"({exposures.query()}) AS exposed"
    sources = {"numerator": metric.numerator, "denominator": metric.denominator}
    for name, source in sources.items():
        if source is not None:
            columns.append(f"coalesce({name}_values.experiment_value, 0) AS {name}")
            # Entities without sessions are excluded from session metrics.
            values = _values(source, exposures)
            join = "LEFT JOIN"
            if source.session_property is not None:
                values = _session_values(source, exposures, source.session_property)
                join = "JOIN"
            joined += (
                f" {join} ({values}) AS {name}_values ON exposed.experiment_entity = {name}_values.experiment_entity"
            )
    return f"SELECT {', '.join(columns)} FROM {joined}"


def _values(source: ValueSource, exposures: Exposures) -> str:
    """Return HogQL with one row per entity with events of a source after its first exposure."""
    end = exposures.end + timedelta(seconds=source.window)
    terms = [*within(exposures.start, end, including_end=False), source.condition]
    terms.append("timestamp >= exposed.experiment_first")
    if source.window:
        terms.append(f"timestamp < exposed.experiment_first + toIntervalSecond({source.window})")
    return (
        f"SELECT exposed.experiment_entity AS experiment_entity, toFloat({source.aggregate}) AS experiment_value "
        f"FROM events JOIN ({exposures.query(with_variant=False)}) AS exposed "
        f"ON {exposures.entity} = exposed.experiment_entity "
        f"WHERE {all_of(terms)} GROUP BY exposed.experiment_entity"
    )


def _session_values(source: ValueSource, exposures: Exposures, name: str) -> str:
    """Return HogQL with one row per entity that has a session whose first event of a source is after exposure."""
    end = exposures.end + timedelta(seconds=source.window)
    terms = [*within(exposures.start, end, including_end=False), source.condition, "ifNull($session_id, '') != ''"]
    sessions = (
        f"SELECT {exposures.entity} AS session_entity, $session_id AS session_name, "
        f"toFloat(any(session.{property_name(name)})) AS session_value, min(timestamp) AS session_first "
        f"FROM events WHERE {all_of(terms)} GROUP BY session_entity, session_name"
    )
    times = ["sessions.session_first >= exposed.experiment_first"]
    if source.window:
        times.append(f"sessions.session_first < exposed.experiment_first + toIntervalSecond({source.window})")
    value = f"{source.aggregate}(coalesce(sessions.session_value, 0))"
    return (
        f"SELECT exposed.experiment_entity AS experiment_entity, toFloat({value}) AS experiment_value "
        f"FROM ({sessions}) AS sessions JOIN ({exposures.query(with_variant=False)}) AS exposed "
        f"ON sessions.session_entity = exposed.experiment_entity WHERE {all_of(times)} "
        "GROUP BY exposed.experiment_entity"
    )


async def value_numbers(session: Session, metric: ValueMetric, exposures: Exposures) -> list[VariantNumbers]:
    """Return the sums of every observed variant. Raises ApiError."""
    values = entity_values(metric, exposures)
    numerator = await _cut(session, values, "numerator", metric.numerator.bounds)
    if metric.threshold is not None and not metric.numerator.bounds.cut:
        numerator = f"if(numerator >= {escape.constant(metric.threshold)}, 1, 0)"
    sums = [f"sum({numerator})", f"sum({numerator} * {numerator})"]
    if metric.denominator is not None:
        denominator = await _cut(session, values, "denominator", metric.denominator.bounds)
        sums += [
            f"sum({denominator})",
            f"sum({denominator} * {denominator})",
            f"sum({numerator} * {denominator})",
        ]
    rows = await session.rows(f"SELECT variant, count(), {', '.join(sums)} FROM ({values}) GROUP BY variant")
    return [_numbers(row, is_ratio=metric.denominator is not None) for row in rows]


async def _cut(session: Session, values: str, name: str, bounds: Bounds) -> str:
    """Clamp outliers of a value to bounds computed over all entities."""
    if not bounds.cut:
        return name
    upper = f"if({name} != 0, {name}, NULL)" if bounds.ignore_zeros else name
    ends = [
        f"min({name})" if bounds.lower is None else f"quantileExact({escape.constant(bounds.lower)})({name})",
        f"max({name})" if bounds.upper is None else f"quantileExact({escape.constant(bounds.upper)})({upper})",
    ]
    (found,) = await session.rows(f"SELECT {', '.join(ends)} FROM ({values})")
    value = name
    for function, bound in zip(("greatest", "least"), found, strict=True):
        if isinstance(bound, int | float):
            value = f"{function}({value}, {escape.constant(float(bound))})"
    return value


def _numbers(row: list[Any], *, is_ratio: bool) -> VariantNumbers:
    variant, samples, total, squares, *rest = row
    denominator: list[float | None] = [float(value) for value in rest] if is_ratio else [None] * 3
    return VariantNumbers(
        key=str(variant),
        samples=int(samples),
        total=float(total),
        squares=float(squares),
        denominator=denominator[0],
        denominator_squares=denominator[1],
        products=denominator[2],
    )
