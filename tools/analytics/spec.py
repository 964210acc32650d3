"""The question of an analysis in a neutral form: typed inputs and stored PostHog queries both become a Spec, and
everything after that reads only the Spec.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from ...schemas.base.dates import Bounded

EVERY_EVENT = "*"
COHORT = "cohort"
GROUP = "group"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a property, with PostHog's words for its type and operator."""

    key: str
    type: str = "event"
    operator: str | None = None
    value: Any = None
    """A scalar, or a tuple of them."""
    group_type_index: int | None = None

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> "Condition":
        """Return the condition of one of PostHog's property filters."""
        value: object = fields.get("value")
        if isinstance(value, list):
            value = tuple(cast("list[object]", value))
        operator, index = fields.get("operator"), fields.get("group_type_index")
        return cls(
            str(fields.get("key")),
            str(fields.get("type") or "event"),
            None if operator is None else str(operator),
            value,
            index if isinstance(index, int) else None,
        )

    def as_filter(self) -> dict[str, Any]:
        """Return PostHog's property filter."""
        value: object = self.value
        if isinstance(value, tuple):
            value = list(cast("tuple[object, ...]", value))
        shown: dict[str, Any] = {"key": self.key, "value": value, "type": self.type}
        if self.operator is not None:
            shown["operator"] = self.operator
        if self.group_type_index is not None:
            shown["group_type_index"] = self.group_type_index
        return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """An event or action that is counted, and how. `event` is None for an action."""

    event: str | None = None
    action_id: int | None = None
    name: str | None = None
    """The name that the request gives it."""
    action_name: str | None = None
    """The action's own name, where the query has it."""
    conditions: tuple[Condition, ...] = ()
    math: str = "total"
    math_property: str | None = None
    """The property of the math (`revenue`, `person.age`), or its HogQL expression."""
    group_type_index: int | None = None
    optional: bool = False
    """True if users can skip this step of a funnel."""

    @property
    def label(self) -> str:
        """The name for readers."""
        if self.name or self.action_name:
            return self.name or self.action_name or ""
        if self.event is None:
            return f"action {self.action_id}"
        return "All events" if self.event == EVERY_EVENT else self.event


@dataclass(frozen=True, slots=True)
class Split:
    """A property, cohort or expression whose values split the numbers."""

    property: str | int
    type: str = "event"
    group_type_index: int | None = None
    name: str | None = field(default=None, compare=False)
    """How the request writes a property of a group."""

    def label(self) -> str:
        """Return the name for readers."""
        return "cohort" if self.type == COHORT else self.name or str(self.property)


@dataclass(frozen=True, slots=True)
class Dates:
    """The range as it was requested, and after `settled` as it is sent; `start` None is the default of PostHog."""

    start: Bounded | None = None
    end: Bounded | None = None
    explicit: bool = False
    """True if both ends are moments that nothing rounds."""
    exact: bool = False
    """True for a single number whose relative start is not rounded."""
    left_out: str | None = None
    """The unit of the current interval, when the range ends before it so that the numbers can be compared."""
    are_known: bool = True
    """False for a stored range in a form that is not read here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec[O]:
    """The events to count, split, compare and filter; `options` has the rest that one kind of analysis needs."""

    options: O
    counted: tuple[Counted, ...] = ()
    """Series, steps, or the event that begins and the one that returns."""
    excluded: tuple[Counted, ...] = ()
    """Events that must not happen in between."""
    dates: Dates = Dates()
    interval: str = "day"
    """The length of a row; `total` for one number over the range."""
    splits: tuple[Split, ...] = ()
    most_values: int | None = None
    """The number of breakdown values that are named, where a request can choose it."""
    compare: str | None = None
    """`previous`, or a shift such as `-4w`."""
    conditions: tuple[Condition, ...] = ()
    """Conditions on everything counted."""
    without_test_accounts: bool = False
    sampling: float | None = None
    """The share of users that a stored query counts; None for all."""

    def is_filtered(self, *counted: Counted) -> bool:
        """Return whether conditions apply to all events, or to one of these."""
        return bool(self.conditions or any(one.conditions for one in counted))

    @property
    def is_by_cohort(self) -> bool:
        """True if the values of the breakdown are cohorts."""
        return bool(self.splits) and self.splits[0].type == COHORT
