"""Session recordings: `/api/projects/{project_id}/session_recordings/`."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from .base import InProject, Page, TextId, View
from .base.dates import Bound
from .base.shown import IfTrue
from .persons import PersonId

type Order = Literal[
    "start_time",
    "duration",
    "active_seconds",
    "click_count",
    "keypress_count",
    "mouse_activity_count",
    "console_error_count",
    "activity_score",
]


def _order(value: object) -> object:
    """Return the order for a field as results print it."""
    return "duration" if isinstance(value, str) and value.casefold() == "recording_duration" else value


class ListRecordings(Page):
    date_from: Bound = "-7d"
    """ISO 8601, -24h, -7d, last_week."""
    date_to: Bound | None = None
    person_id: PersonId | None = None
    distinct_id: str | None = Field(default=None, min_length=1)
    order: Annotated[Order, BeforeValidator(_order)] = "start_time"
    """Descending."""

    @model_validator(mode="after")
    def _name_one_person(self) -> Self:
        if self.person_id and self.distinct_id:
            raise ValueError("set `person_id` or `distinct_id`, not both; PostHog would ignore `person_id`")
        return self


class GetRecording(InProject):
    recording_id: TextId
    full: bool = False


class RecordingRow(View):
    """A recording in a list; durations are in seconds."""

    id: str
    start_time: str | None = None
    end_time: str | None = None
    recording_duration: int | float | None = None
    active_seconds: int | float | None = None
    click_count: int | None = None
    keypress_count: int | None = None
    console_error_count: int | None = None
    start_url: str | None = None
    distinct_id: str | None = None
    viewed: bool | None = None
    ongoing: IfTrue = None


class RecordedPerson(View):
    """The person who was recorded."""

    uuid: str | None = None
    name: str | None = None


class RecordingView(RecordingRow):
    """The details of a recording; the replay itself is only in PostHog."""

    inactive_seconds: int | float | None = None
    mouse_activity_count: int | None = None
    console_log_count: int | None = None
    console_warn_count: int | None = None
    activity_score: int | float | None = None
    person: RecordedPerson | None = None
    snapshot_source: str | None = None
    retention_period_days: int | None = None
    expiry_time: str | None = None
    has_summary: IfTrue = None
