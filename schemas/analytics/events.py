"""Parts of analytics queries: events or actions to count, conditions on properties, and breakdowns."""

import re
from typing import Annotated, Any, Literal, Self, cast, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from ..base import OBJECTS, Id, Part
from ..base.dates import read_bound
from ..base.forms import EMPTY_TEXT, from_text, number_as_text, whole_number
from ..base.periods import Period
from ..json import is_list, is_object
from ..near import near

type Operator = Literal[
    "exact", "is_not", "icontains", "not_icontains", "regex", "not_regex", "gt", "gte", "lt", "lte", "between",
    "not_between", "in", "not_in", "is_set", "is_not_set", "is_date_exact", "is_date_before", "is_date_after",
]  # fmt: skip
type FilterType = Literal["event", "person", "session", "cohort", "group", "hogql"]
type Scalar = str | int | float | bool

OPERATORS: tuple[str, ...] = get_args(Operator.__value__)
_SPELLINGS = {
    "=": "exact", "==": "exact", "equals": "exact", "is": "exact", "!=": "is_not", "<>": "is_not", "not": "is_not",
    "not_equals": "is_not", "contains": "icontains", "not_contains": "not_icontains",
    "does_not_contain": "not_icontains", "matches": "regex", "not_matches": "not_regex", ">": "gt",
    "greater_than": "gt", ">=": "gte", "min": "gte", "at_least": "gte", "<": "lt", "less_than": "lt", "<=": "lte",
    "max": "lte", "at_most": "lte", "exists": "is_set", "not_exists": "is_not_set", "before": "is_date_before",
    "after": "is_date_after",
}  # fmt: skip
_WITHOUT_VALUE = ("is_set", "is_not_set")
_OF_RANGES = ("between", "not_between")
_OF_LISTS = (*_OF_RANGES, "in", "not_in")
_SCOPES = ("person", "session")
_OF_SESSIONS = re.compile(
    r"\$(entry_\w+|exit_\w+|end_(current_url|pathname|hostname|timestamp)|start_timestamp|channel_type|session_duration"
    r"|is_bounce|(pageview|autocapture|screen)_count|num_uniq_urls|last_external_click_url|vitals_lcp)"
)
"""Names that only sessions have."""
_OF_A_GROUP = re.compile(r"\$?group_([0-4])\.(.+)")
_BROKEN_JSON = re.compile(r"""\s*(\{\s*["']|\[\s*["'{])""")
"""The beginning of an object or list. A text that begins so and is neither was damaged on its way here."""

PLAIN_MATHS = (
    "total", "dau", "weekly_active", "monthly_active", "unique_session", "unique_group", "first_time_for_user",
    "first_matching_event_for_user",
)  # fmt: skip
ACTOR_MATHS = tuple(f"{one}_count_per_actor" for one in ("avg", "min", "max", "median", "p75", "p90", "p95", "p99"))
PROPERTY_MATHS = ("avg", "sum", "min", "max", "median", "p75", "p90", "p95", "p99")
MATHS = (*PLAIN_MATHS, *PROPERTY_MATHS, *ACTOR_MATHS, "hogql")
ADDITIVE_MATHS = ("total", "sum", "first_time_for_user", "first_matching_event_for_user")
"""Maths whose intervals add up to the total; a person active on two days is counted twice in `dau`."""
_MATH_SPELLINGS = {
    "count": "total", "unique_users": "dau", "unique_persons": "dau", "uniques": "dau", "users": "dau",
    "wau": "weekly_active", "mau": "monthly_active", "sessions": "unique_session",
}  # fmt: skip


def operator_word(value: object) -> object:
    """Return PostHog's word for an operator in another spelling; other values are returned unchanged."""
    if not isinstance(value, str):
        return value
    word = re.sub(r"[\s-]+", "_", value.strip().casefold())
    return _SPELLINGS.get(word, word)


def _math(value: object) -> object:
    if not isinstance(value, str):
        return value
    word = re.sub(r"[\s-]+", "_", value.strip().casefold())
    math = _MATH_SPELLINGS.get(word, word)
    if math in MATHS:
        return math
    names = near(math, (*MATHS, *_MATH_SPELLINGS))
    meant = f" (did you mean {names[0]}?)" if names else ""
    raise ValueError(
        f"must be one of {', '.join(PLAIN_MATHS)}; with a property {', '.join(PROPERTY_MATHS)}; "
        f"avg_count_per_actor and similar; or hogql{meant}"
    )


type Math = Annotated[str, BeforeValidator(_math)]


class PropertyFilter(Part):
    """A condition. PostHog ignores an incomplete one and treats an empty list as true; both are rejected here."""

    key: str = Field(default="", max_length=2000)
    """The property, or the boolean expression of a hogql filter; empty for a cohort."""
    operator: Annotated[Operator, BeforeValidator(operator_word)] = "exact"
    type: FilterType = "event"
    value: Annotated[Scalar | list[Scalar] | None, EMPTY_TEXT] = None
    group_type_index: int | None = Field(default=None, ge=0, le=4)

    @model_validator(mode="before")
    @classmethod
    def _scope_of_key(cls, value: Any) -> Any:
        """Read the key `person.email` without a type as the person property `email`."""
        if not is_object(value):
            return value
        fields = value
        key: object = fields.get("key")
        if not isinstance(key, str) or fields.get("type") not in (None, "", "group"):
            return fields
        if numbered := _OF_A_GROUP.fullmatch(key):
            return fields | {"key": numbered[2], "type": "group", "group_type_index": int(numbered[1])}
        name, scope = (key, None) if fields.get("type") else scoped(key)
        return fields | {"key": name, "type": scope} if scope else fields

    @field_validator("value", mode="before")
    @classmethod
    def _plain_value(cls, value: Any, info: ValidationInfo) -> Any:
        """Read a text as the number or list that type and operator need; other texts are compared as they are."""
        if info.data.get("type") == "cohort":
            return whole_number(value)
        operator = info.data.get("operator")
        if operator not in _OF_LISTS:
            return value
        listed = from_text(value) if isinstance(value, str) else value
        return [_number(item) for item in listed] if operator in _OF_RANGES and is_list(listed) else listed

    @model_validator(mode="after")
    def _be_complete(self) -> Self:
        if not self.key and self.type != "cohort":
            raise ValueError("`key` is required")
        if self.type == "cohort":
            if not isinstance(self.value, int) or isinstance(self.value, bool):
                raise ValueError("a cohort filter needs the cohort's id as `value`")
            if self.operator not in ("exact", "is_not", "in", "not_in"):
                raise ValueError("the `operator` of a cohort filter must be in or not_in")
        elif self.type != "hogql":
            self._check_value()
        if self.type == "group" and self.group_type_index is None and "." not in self.key:
            raise ValueError("a group filter needs `group_type_index`, or a `key` such as organization.industry")
        return self

    def _check_value(self) -> None:
        if self.operator not in _WITHOUT_VALUE and self.value in (None, []):
            raise ValueError(f"{self.operator} needs a `value`")
        if self.operator.startswith("is_date_") and not is_date(self.value):
            raise ValueError(f"{self.operator} needs a `value` such as 2026-02-23 or -7d; PostHog misreads other words")
        if self.operator in _OF_RANGES:
            ends = self.value if isinstance(self.value, list) else []
            numbers = [end for end in ends if isinstance(end, (int, float)) and not isinstance(end, bool)]
            if len(ends) != 2 or len(numbers) != 2 or numbers[0] > numbers[1]:
                raise ValueError(f"{self.operator} needs a `value` of [smallest, largest]")

    def as_filter(self) -> dict[str, Any]:
        """Return PostHog's property filter."""
        if self.type == "cohort":
            operator = "not_in" if self.operator in ("is_not", "not_in") else "in"
            return {"key": "id", "value": self.value, "operator": operator, "type": "cohort"}
        if self.type == "hogql":
            return {"key": self.key, "value": None, "type": "hogql"}
        value: object = self.operator if self.operator in _WITHOUT_VALUE else self.value
        if self.operator in _OF_LISTS and not isinstance(value, list):
            value = [value]
        index = {} if self.group_type_index is None else {"group_type_index": self.group_type_index}
        return {"key": self.key, "value": value, "operator": self.operator, "type": self.type, **index}


def is_date(value: object) -> bool:
    """Return whether PostHog reads a value as the date that it is."""
    try:
        found = read_bound(value)
    except ValueError:
        return False
    return found != "now" and not isinstance(found, Period)


type Filters = Annotated[
    list[PropertyFilter],
    OBJECTS,
]


class EventChoice(Part):
    """An event by name (`*` for every event) or an action by id, with optional conditions."""

    event: str | None = Field(default=None, min_length=1, max_length=400)
    action_id: Id | None = None
    name: str | None = Field(default=None, max_length=200)
    """The label in results."""
    where: list[PropertyFilter] = Field(default=[])

    @model_validator(mode="after")
    def _choose_one(self) -> Self:
        if (self.event is None) is (self.action_id is None):
            raise ValueError("set either `event` (a name, or * for every event) or `action_id`")
        return self

    @property
    def label(self) -> str:
        """The name shown to readers."""
        if self.name:
            return self.name
        return f"action {self.action_id}" if self.event is None else "All events" if self.event == "*" else self.event


class TrendSeries(EventChoice):
    """One series of a trend: an event or action and how to count it."""

    math: Math | None = None
    property: str | None = Field(default=None, min_length=1, max_length=2000)
    """The property to aggregate (`revenue`, `person.age`), or the expression for hogql."""
    group_type_index: int | None = Field(default=None, ge=0, le=4)


class FunnelStep(EventChoice):
    """One step of a funnel."""

    optional: bool = False


def _number(value: object) -> object:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _name(text: str) -> str:
    """Return the name. Raises ValueError for damaged JSON, which would match no event and return zeros."""
    if _BROKEN_JSON.match(text):
        raise ValueError("must be a name or an object; this text starts like JSON, but is not valid here")
    return text


def _named(value: object) -> object:
    value = number_as_text(value)
    return {"event": _name(value)} if isinstance(value, str) else value


def _listed(value: object) -> object:
    """Wrap a single name or object in a list."""
    value = number_as_text(value)
    return [cast("object", value)] if isinstance(value, (str, dict)) else value


_EVENT = {"anyOf": [{"type": "object"}, {"type": "string"}]}
"""Text is last: in a list, LangChain leaves Gemini only the last branch, and names are needed most."""
_EVENTS = {"type": "array", "items": _EVENT}
type OneEvent = Annotated[EventChoice, BeforeValidator(_named), WithJsonSchema(_EVENT)]
type Events = Annotated[list[OneEvent], BeforeValidator(_listed), Field(min_length=1), WithJsonSchema(_EVENTS)]
type Series = Annotated[
    list[Annotated[TrendSeries, BeforeValidator(_named)]],
    BeforeValidator(_listed),
    Field(min_length=1, max_length=20),
    WithJsonSchema(_EVENTS),
]
type Steps = Annotated[
    list[Annotated[FunnelStep, BeforeValidator(_named)]],
    Field(min_length=2, max_length=30),
    WithJsonSchema(_EVENTS),
]


class Breakdown(Part):
    """A breakdown in PostHog's form. The property of a group can have the name of its type in front."""

    type: Literal["event", "person", "session", "cohort", "group", "hogql"]
    property: str | int
    group_type_index: int | None = Field(default=None, ge=0, le=4)

    @model_validator(mode="after")
    def _name_the_group(self) -> Self:
        if self.type == "group" and self.group_type_index is None and "." not in str(self.property):
            raise ValueError("a group needs `group_type_index`, or a `property` such as organization.industry")
        return self

    @field_validator("property", mode="before")
    @classmethod
    def _id_of_cohort(cls, value: Any, info: ValidationInfo) -> Any:
        return whole_number(value) if info.data.get("type") == "cohort" else value


def _breakdown(value: object) -> object:
    value = number_as_text(value)
    if not isinstance(value, str) or not value:
        return value
    _name(value)
    if value.startswith("cohort."):
        number = value.removeprefix("cohort.")
        if not (number.isascii() and number.isdecimal()):
            raise ValueError("a cohort must be written with its id, such as cohort.7")
        return {"property": int(number), "type": "cohort"}
    if value.startswith("hogql:"):
        return {"property": value.removeprefix("hogql:"), "type": "hogql"}
    if numbered := _OF_A_GROUP.fullmatch(value):
        return {"property": numbered[2], "type": "group", "group_type_index": int(numbered[1])}
    name, scope = scoped(value)
    return {"property": name, "type": scope or "event"}


def _one_kind(values: list[Breakdown]) -> list[Breakdown]:
    if len({value.type == "cohort" for value in values}) > 1:
        raise ValueError("cohorts cannot be mixed with other properties")
    return values


type Breakdowns = Annotated[
    list[Annotated[Breakdown, BeforeValidator(_breakdown)]],
    BeforeValidator(_listed),
    Field(max_length=3),
    AfterValidator(_one_kind),
    WithJsonSchema({"type": "array", "items": {"type": "string"}}),
]
type OneBreakdown = Annotated[Breakdown, BeforeValidator(_breakdown), WithJsonSchema({"type": "string"})]


def scoped(text: str) -> tuple[str, str | None]:
    """Split `person.email` into `("email", "person")`; without a scope, return `("$browser", None)`. Names that only
    sessions have need none.
    """
    if _OF_SESSIONS.fullmatch(text):
        return text, "session"
    scope, dot, name = text.partition(".")
    return (name, scope.casefold()) if dot and name and scope.casefold() in _SCOPES else (text, None)
