"""Persons: `/api/projects/{project_id}/persons/`."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from .analytics.events import is_date, operator_word
from .base import OBJECTS, Id, InProject, Page, Part, View
from .base.forms import EMPTY_TEXT

SHOWN_DISTINCT_IDS = 10
"""The number of distinct ids shown in lists; a person can have thousands. get_person shows all."""

type PersonOperator = Literal[
    "exact",
    "is_not",
    "icontains",
    "not_icontains",
    "regex",
    "not_regex",
    "gt",
    "gte",
    "lt",
    "lte",
    "is_set",
    "is_not_set",
    "is_date_before",
    "is_date_after",
]
type Value = Annotated[
    str | int | float | bool | list[str | int | float | bool],
    EMPTY_TEXT,
]
_WITHOUT_VALUE = ("is_set", "is_not_set")


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise ValueError("must be a person's uuid; find it with list_persons by `distinct_id` or `email`") from None


type PersonId = Annotated[str, AfterValidator(_uuid), WithJsonSchema({"type": "string"})]


class PersonProperty(Part):
    """A condition on a property of the person."""

    key: str = Field(min_length=1)
    value: Value | None = None
    operator: Annotated[PersonOperator, BeforeValidator(operator_word)] = "exact"

    @model_validator(mode="after")
    def _have_a_value(self) -> Self:
        if self.operator not in _WITHOUT_VALUE and self.value in (None, []):
            raise ValueError(f"{self.operator} needs a `value`")
        if self.operator.startswith("is_date_") and not is_date(self.value):
            raise ValueError(f"{self.operator} needs a `value` such as 2026-02-23 or -7d; PostHog misreads other words")
        return self

    def as_filter(self) -> dict[str, Any]:
        """Return PostHog's property filter, which requires a value even if there is none to compare."""
        value = self.operator if self.operator in _WITHOUT_VALUE else self.value
        return {"key": self.key, "value": value, "operator": self.operator, "type": "person"}


class ListPersons(Page):
    search: str | None = None
    """Part of an email or name, or a full distinct id."""
    email: str | None = None
    distinct_id: str | None = None
    properties: Annotated[list[PersonProperty], OBJECTS] | None = None
    """All must match: {key, operator (exact, is_not, icontains, regex, gt, is_set, is_date_before...), value}"""
    cohort_id: Id | None = None


class GetPerson(InProject):
    person_id: PersonId
    full: bool = False


class PersonRow(View):
    """A person in a list, without properties, which are personal data; get_person shows them."""

    uuid: str
    name: str | None = None
    is_identified: bool | None = None
    distinct_ids: list[str] | None = None
    distinct_ids_in_all: int | None = None
    """The number of distinct ids, if not all are shown."""

    @model_validator(mode="after")
    def _show_some_ids(self) -> Self:
        if self.distinct_ids and len(self.distinct_ids) > SHOWN_DISTINCT_IDS:
            self.distinct_ids_in_all = len(self.distinct_ids)
            self.distinct_ids = self.distinct_ids[:SHOWN_DISTINCT_IDS]
        return self


class PersonView(View):
    """A person with all properties. Only `uuid` is shown: PostHog's `id` is an integer here and a uuid in lists."""

    uuid: str
    name: str | None = None
    is_identified: bool | None = None
    distinct_ids: list[str] | None = None
    properties: dict[str, Any] | None = None
    created_at: str | None = None
    last_seen_at: str | None = None
