"""The models of cohorts' conditions. PostHog adds fields to stored ones, so only near misses are flaws."""

from collections.abc import Iterator, Mapping

from ..json import is_object
from .check import Check, Model, anything, each, flag, whole, word
from .flaw import Flaw, within
from .parts import OPERATORS, filters

_WITHOUT_VALUE = ("is_set", "is_not_set")
_TIMES = word("hour", "day", "week", "month", "year")
_COUNTS = word("gte", "lte", "gt", "lt", "eq", "exact")
_OF_ALL: dict[str, Check] = {"negation": flag, **each(anything, "type key value bytecode bytecode_error conditionHash")}
_RECENT = ("seq_time_value", "seq_time_interval")
_BEHAVIORS: Mapping[str, tuple[str, ...]] = {
    "performed_event": (),
    "performed_event_first_time": (),
    "performed_event_multiple": ("operator", "operator_value"),
    "performed_event_sequence": ("seq_event", "seq_event_type", *_RECENT),
    "performed_event_regularly": ("operator", "operator_value", "min_periods", "total_periods"),
    "stopped_performing_event": _RECENT,
    "restarted_performing_event": _RECENT,
}
"""The behaviors, and the fields that each needs."""


def _in_a_behavior(fields: Mapping[str, object]) -> Iterator[Flaw]:
    behavior = fields.get("value")
    needs = _BEHAVIORS.get(behavior) if isinstance(behavior, str) else None
    if needs is None:
        yield from within(word(*_BEHAVIORS)(behavior), "value")
        return
    if not fields.get("explicit_datetime"):
        needs = ("time_value", "time_interval", *needs)
    missing = [name for name in needs if fields.get(name) in (None, "")]
    if missing:
        yield Flaw(f"of {behavior} needs {', '.join(f'`{name}`' for name in missing)}")
    periods = (fields.get("min_periods"), fields.get("total_periods"))
    if all(isinstance(one, int) for one in periods) and int(str(periods[0])) > int(str(periods[1])):
        yield Flaw("must not be above total_periods", ("min_periods",))


_BEHAVIORAL = Model(
    "a behavioral condition",
    {**_OF_ALL, "event_type": word("events", "actions"), "operator": _COUNTS, "event_filters": filters}
    | each(whole, "time_value seq_time_value operator_value min_periods total_periods")
    | each(_TIMES, "time_interval seq_time_interval")
    | each(anything, "explicit_datetime explicit_datetime_to seq_event")
    | {"seq_event_type": word("events", "actions")},
    ("key", "event_type", "value"),
    _in_a_behavior,
    is_open=True,
)


def _in_a_person(fields: Mapping[str, object]) -> Iterator[Flaw]:
    if fields.get("operator") not in _WITHOUT_VALUE and fields.get("value") in (None, [], ""):
        yield Flaw("needs a `value`, or the `operator` is_set or is_not_set")


_PERSON = Model(
    "a condition on persons",
    {**_OF_ALL, "operator": word(*OPERATORS), **each(anything, "label group_type_index")},
    ("key",),
    _in_a_person,
    is_open=True,
)
_COHORT = Model(
    "a condition on a cohort",
    {**_OF_ALL, "value": whole, **each(anything, "operator cohort_name label")},
    ("value",),
    is_open=True,
)
_MODELS: Mapping[str, Model] = {
    "behavioral": _BEHAVIORAL,
    "person": _PERSON,
    "person_metadata": _PERSON,
    "cohort": _COHORT,
}
CONDITIONS = tuple(_MODELS)
"""The types of conditions."""


def condition_flaws(condition: object) -> Iterator[Flaw]:
    """Yield the flaws of a condition of one of CONDITIONS."""
    if is_object(condition) and (model := _MODELS.get(str(condition.get("type")))) is not None:
        yield from model(condition)
