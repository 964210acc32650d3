"""Surveys: `/api/projects/{project_id}/surveys/`. PostHog barely validates questions and shows them as they are."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, computed_field, model_validator

from ..base import OBJECTS, AskedWrite, InProject, Page, Part, TextId, View
from ..base.changes import Changes
from ..base.dates import ClearableInstant, Instant
from ..base.forms import Clearable
from ..base.shown import Author, Fields, Items, Text
from ..measures import DayIfAny

_CHOICES = ("single_choice", "multiple_choice")
ONLY_FOR = {
    "link": ("link",),
    "display": ("rating",),
    "scale": ("rating",),
    "lowerBoundLabel": ("rating",),
    "upperBoundLabel": ("rating",),
    "choices": _CHOICES,
    "shuffleOptions": _CHOICES,
    "hasOpenChoice": _CHOICES,
}
"""The types of question that a field is valid for."""
_SCALES = {"number": (10, 5, 7), "emoji": (5, 3, 2)}
"""The scales that PostHog can draw, the default first. Number 10 is 0 to 10, the NPS scale; emoji 2 is thumbs."""

_LINK = re.compile(r"(https://|mailto:)\S+")


def _are_choices(choices: list[str] | None) -> bool:
    return choices is not None and 2 <= len(choices) <= 20 and all(choice.strip() for choice in choices)


class Question(Part):
    """A question in PostHog's form. All fields are there, so that a question from get_survey can be sent back."""

    type: Literal["open", "link", "rating", "single_choice", "multiple_choice"]
    question: str = Field(min_length=1)
    description: str | None = None
    optional: bool | None = None
    display: Literal["number", "emoji"] | None = None
    scale: Literal[2, 3, 5, 7, 10] | None = None
    lowerBoundLabel: str | None = None  # noqa: N815 (PostHog's spelling, here and below)
    upperBoundLabel: str | None = None  # noqa: N815
    choices: list[str] | None = None
    hasOpenChoice: bool | None = None  # noqa: N815
    link: str | None = None
    buttonText: str | None = None  # noqa: N815
    shuffleOptions: bool | None = None  # noqa: N815
    branching: dict[str, Any] | None = None
    id: str | None = None
    descriptionContentType: Literal["text", "html"] | None = None  # noqa: N815
    validation: list[Any] | None = None
    translations: dict[str, Any] | None = None
    skipSubmitButton: bool | None = None  # noqa: N815

    @model_validator(mode="after")
    def _fit_the_type(self) -> Self:
        for name, types in ONLY_FOR.items():
            if getattr(self, name) is not None and self.type not in types:
                raise ValueError(f"`{name}` is only valid with type {' or '.join(types)}, not with {self.type}")
        if not self.question.strip():
            raise ValueError("the text of `question` is empty")
        if self.type in _CHOICES and not _are_choices(self.choices):
            raise ValueError(f"{self.type} needs 2 to 20 `choices`, none of them empty")
        if self.link is not None and not _LINK.fullmatch(self.link):
            raise ValueError("`link` must start with https:// or mailto:")
        display = self.display or "number"
        if self.scale is not None and self.scale not in _SCALES[display]:
            *others, last = map(str, sorted(_SCALES[display]))
            raise ValueError(f"`scale` must be {', '.join(others)} or {last} with display {display}")
        return self

    def as_json(self) -> dict[str, Any]:
        """Return the question as PostHog stores it; a rating needs display and scale to be drawn."""
        display = self.display or "number"
        drawn = {"display": display, "scale": self.scale or _SCALES[display][0]} if self.type == "rating" else {}
        return self.model_dump(exclude_none=True) | drawn


class ListSurveys(Page):
    search: str | None = None
    archived: bool | None = None


class GetSurvey(InProject):
    survey_id: TextId
    full: bool = False


type Schedule = Literal["once", "recurring", "always"]
type Iterations = Annotated[int, Field(ge=1, le=500)]


class CreateSurvey(AskedWrite):
    name: str = Field(min_length=1, max_length=400)
    type: Literal["popover", "widget", "external_survey", "api"]
    questions: Annotated[list[Question], OBJECTS] = Field(min_length=1)
    """{type: open, link, rating, single_choice or multiple_choice; question; description, optional; rating: display
    (number, emoji), scale (number 5, 7, 10; emoji 2 (thumbs), 3, 5; default 10: NPS), lowerBoundLabel, upperBoundLabel;
    choices, hasOpenChoice; link}"""
    description: str | None = None
    conditions: dict[str, Any] | None = None
    """Where to show it: {"url": "/pricing", "urlMatchType": "icontains"}"""
    appearance: dict[str, Any] | None = None
    schedule: Schedule | None = None
    """Default once; recurring needs both of these."""
    iteration_count: Iterations | None = None
    iteration_frequency_days: Iterations | None = None
    translations: dict[str, Any] | None = None
    """{"de": {"name": ...}}; questions have them too."""
    start_date: Instant | None = None
    """now launches the survey."""

    @model_validator(mode="after")
    def _repeat_if_recurring(self) -> Self:
        problem = flaw_of_schedule(self.schedule, self.iteration_count, self.iteration_frequency_days)
        if problem:
            raise ValueError(problem)
        return self


def flaw_of_schedule(schedule: str | None, count: int | None, days: int | None) -> str | None:
    """Return why a survey does not repeat as its schedule says; None if it does."""
    if schedule == "recurring" and not (count and days):
        return "`schedule` recurring needs `iteration_count` and `iteration_frequency_days`"
    if schedule != "recurring" and (count or days):
        return "`iteration_count` and `iteration_frequency_days` need `schedule` recurring"
    return None


class UpdateSurvey(Changes, AskedWrite):
    survey_id: TextId
    name: str | None = Field(default=None, min_length=1, max_length=400)
    description: Clearable | None = None
    questions: Annotated[list[Question], OBJECTS, Field(min_length=1)] | None = None
    """Merged by id; others are added. See create_survey."""
    remove_questions: list[str] | None = None
    """Ids."""
    conditions: dict[str, Any] | None = None
    """Merged: omitted fields are kept, null removes."""
    appearance: dict[str, Any] | None = None
    """Merged like conditions."""
    schedule: Schedule | None = None
    iteration_count: Iterations | None = None
    iteration_frequency_days: Iterations | None = None
    translations: dict[str, Any] | None = None
    start_date: ClearableInstant | None = None
    """now launches the survey."""
    end_date: ClearableInstant | None = None
    """now stops it, none resumes it."""
    archived: bool | None = None


class SurveyRow(View):
    """A survey in a list."""

    id: str
    name: Text = None
    description: Text = None
    type: str | None = None
    start_date: DayIfAny = None
    end_date: DayIfAny = None
    archived: bool | None = None
    created_at: DayIfAny = None

    @computed_field
    @property
    def status(self) -> Literal["draft", "running", "complete"]:
        """The status that PostHog's page shows, derived from the dates."""
        if self.start_date is None:
            return "draft"
        return "running" if self.end_date is None else "complete"


class QuestionView(View):
    """A question as stored."""

    id: str | None = None
    type: str | None = None
    question: str | None = None
    description: Text = None
    descriptionContentType: str | None = None  # noqa: N815 (PostHog's spelling, here and below)
    optional: bool | None = None
    buttonText: Text = None  # noqa: N815
    display: str | None = None
    scale: int | None = None
    lowerBoundLabel: Text = None  # noqa: N815
    upperBoundLabel: Text = None  # noqa: N815
    choices: Items = None
    shuffleOptions: bool | None = None  # noqa: N815
    hasOpenChoice: bool | None = None  # noqa: N815
    link: Text = None
    branching: Fields = None
    validation: Items = None
    translations: Fields = None
    skipSubmitButton: bool | None = None  # noqa: N815


class LinkedFlag(View):
    """A flag that determines who sees the survey."""

    id: int
    key: str | None = None
    active: bool | None = None


class SurveyView(SurveyRow):
    """A survey with its questions and display conditions; `full` adds appearance."""

    questions: list[QuestionView] | None = None
    conditions: Fields = None
    linked_flag: LinkedFlag | None = None
    targeting_flag: LinkedFlag | None = None
    linked_insight_id: int | None = None
    schedule: str | None = None
    responses_limit: int | None = None
    iteration_count: int | None = None
    iteration_frequency_days: int | None = None
    translations: Fields = None
    created_by: Author = None
