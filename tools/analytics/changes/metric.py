"""The number that changed, as HogQL: which rows it counts, and how a group of them adds up."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ....gateway.errors import Refused
from ....schemas.analytics.events import scoped
from ....schemas.json import as_objects
from ....schemas.text import code
from ..compiling import shared
from ..spec import EVERY_EVENT, Condition, Counted, Spec
from .dimensions import quoted

_RATIO = re.compile(r"(?:100\*)?A/B(?:\*100)?")
_COUNTED = {"total": None, "dau": "person_id", "unique_session": "$session_id"}
"""Maths that count, and what they count each of once."""
_SUMMED = ("sum", "avg")
_UNIT_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 31 * 86_400}
_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_EACH_DAY = 86_400
_SUPPORTED = (
    "explain_change takes query_trends of one event (math total, dau, unique_session, sum or avg) or of two with the "
    "formula A/B, or query_funnel."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredNumber:
    """A number: `rows` select from the events, `number` and `unit` are what each row adds."""

    label: str
    number: str
    """HogQL of the number that a row adds."""
    unit: str | None = None
    """HogQL of the denominator that a row adds; None for a count."""
    once: str | None = None
    """The column whose values are counted once each."""
    is_measured: bool = False
    """True if rows add amounts, not 0 or 1."""
    where: str
    steps: tuple[str, ...] = ()
    """Conditions of a funnel's steps; rows are then persons and days."""
    window_s: int = _EACH_DAY
    values: dict[str, Any] = field(default_factory=dict[str, Any])
    filters: dict[str, Any] = field(default_factory=dict[str, Any])
    """PostHog's filters for `{filters}`."""
    event: str | None = None
    """The event whose properties are looked at."""
    needed: tuple[Condition, ...] = ()
    """The properties that must be there for a row to count."""
    note: str | None = None

    @property
    def is_rate(self) -> bool:
        """True if the number is a rate."""
        return self.unit is not None


class Values:
    """The placeholders of a statement."""

    def __init__(self) -> None:
        self.given: dict[str, Any] = {}

    def add(self, value: Any) -> str:
        """Return the placeholder of a value."""
        name = f"v{len(self.given)}"
        self.given[name] = value
        return f"{{{name}}}"


def metric_of_trend(spec: Spec[Any]) -> MeasuredNumber:
    """Return the number of a trend. Raises Refused (`invalid_argument`) for one that is not supported."""
    formula = "".join((spec.options.formula or "").split())
    if formula and not (_RATIO.fullmatch(formula) and len(spec.counted) == 2):
        raise _unsupported(f"the formula {code(formula, 40)}")
    if not formula and len(spec.counted) != 1:
        raise _unsupported("several series")
    values = Values()
    if formula:
        return _ratio(spec, values)
    one = spec.counted[0]
    filters = _filters(spec, one.conditions)
    where, label = _is(one, values), one.label
    common: dict[str, Any] = {
        "where": where, "filters": filters, "event": _named(one), "needed": (*spec.conditions, *one.conditions),
    }  # fmt: skip
    if one.math in _COUNTED:
        once = _COUNTED[one.math]
        of = {"person_id": f"people who did {label}", "$session_id": f"sessions with {label}"}.get(once or "", label)
        return MeasuredNumber(label=of, number="1", once=once, values=values.given, **common)
    if one.math in _SUMMED and one.math_property:
        name, scope = scoped(one.math_property)
        amount = f"toFloat({'person.' if scope == 'person' else ''}properties.{quoted(name)})"
        common["needed"] = (*common["needed"], Condition(name, scope or "event", "is_set"))
        unit = f"if(isNull({amount}), 0, 1)" if one.math == "avg" else None
        text = f"{one.math} of {one.math_property}, {label}"
        return MeasuredNumber(
            label=text, number=f"ifNull({amount}, 0)", unit=unit, is_measured=True, values=values.given, **common
        )
    raise _unsupported(f"math {one.math}")


def metric_of_funnel(spec: Spec[Any]) -> MeasuredNumber:
    """Return the conversion of a funnel: persons who completed it, of those who entered on a day."""
    options = spec.options
    if options.order != "ordered" or spec.excluded:
        raise _unsupported("an unordered or strict funnel, or one with `exclude`,")
    values = Values()
    steps = tuple(_matches(step, values) for step in spec.counted if not step.optional)
    first, last = spec.counted[0].label, spec.counted[-1].label
    window = options.window * _UNIT_S[options.window_unit]
    note = None
    if window > _EACH_DAY:
        note = "Conversion is counted within the day of the first step, so that all days have the same time for it."
    return MeasuredNumber(
        label=f"conversion from {first} to {last}",
        number="1",
        unit="1",
        where=f"({' OR '.join(steps)})",
        steps=steps,
        window_s=min(window, _EACH_DAY),
        values=values.given,
        filters=_filters(spec, ()),
        event=_named(spec.counted[0]),
        needed=spec.conditions,
        note=note,
    )


def _ratio(spec: Spec[Any], values: Values) -> MeasuredNumber:
    maths = {one.math for one in spec.counted}
    if len(maths) > 1 or not maths <= _COUNTED.keys():
        raise _unsupported("a formula over these maths")
    part, whole = (_matches(one, values) for one in spec.counted)
    return MeasuredNumber(
        label=f"{spec.counted[0].label} / {spec.counted[1].label}",
        number=f"if({part}, 1, 0)",
        unit=f"if({whole}, 1, 0)",
        once=_COUNTED[maths.pop()],
        where=f"({part} OR {whole})",
        values=values.given,
        filters=_filters(spec, ()),
        event=_named(spec.counted[1]),
        needed=spec.conditions,
    )


def _filters(spec: Spec[Any], more: Sequence[Condition]) -> dict[str, Any]:
    """Return PostHog's filters of the whole, in the form of a HogQLQuery."""
    conditions = as_objects(shared("", spec).get("properties"))
    filters: dict[str, Any] = {"properties": [*conditions, *(one.as_filter() for one in more)]}
    return filters | ({"filterTestAccounts": True} if spec.without_test_accounts else {})


def _named(one: Counted) -> str | None:
    return None if one.event == EVERY_EVENT else one.event


def _is(one: Counted, values: Values) -> str:
    """Return the condition that a row is of this event or action."""
    if one.event == EVERY_EVENT:
        return "1 = 1"
    return f"event = {values.add(one.event)}" if one.event else f"matchesAction({int(one.action_id or 0)})"


def _matches(one: Counted, values: Values) -> str:
    """Return the condition of an event or action and of its own properties."""
    return " AND ".join(["(" + _is(one, values), *(_condition(each, values) for each in one.conditions)]) + ")"


def _condition(one: Condition, values: Values) -> str:
    """Return a condition on a property. Raises Refused (`invalid_argument`) for one that has to be a filter of all."""
    if one.type not in ("event", "person") or "%" in one.key:
        raise _unsupported(f"a {one.type} condition of one step")
    name = f"{'person.' if one.type == 'person' else ''}properties.{quoted(one.key)}"
    value = one.value
    match one.operator or "exact":
        case "is_set":
            return f"isNotNull({name})"
        case "is_not_set":
            return f"isNull({name})"
        case "exact" | "in" | "is_not" | "not_in" as operator:
            values_given: tuple[object, ...] = (
                cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
            )
            listed = [str(each) for each in values_given]
            found = f"ifNull(toString({name}), '') IN {values.add(listed)}"
            return found if operator in ("exact", "in") else f"NOT ({found})"
        case "icontains" | "not_icontains" as operator:
            found = f"ifNull(toString({name}), '') ILIKE {values.add(f'%{value}%')}"
            return found if operator == "icontains" else f"NOT ({found})"
        case operator if operator in _OPERATORS:
            return f"toFloat({name}) {_OPERATORS[operator]} {values.add(value)}"
        case operator:
            raise _unsupported(f"{operator} as a condition of one step")


def _unsupported(what: str) -> Refused:
    return Refused("invalid_argument", f"of: {what} cannot be explained.", _SUPPORTED)
