"""Session recordings: `/api/projects/{project_id}/session_recordings/`."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from .analytics.events import EventChoice, Events, Filters
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


ANY_ERROR = "any"


def _some_text(value: str) -> str:
    if not (text := value.strip()):
        raise ValueError("must be an error_id, or text of the error")
    return text


type EventNames = Annotated[Events, WithJsonSchema({"type": "array", "items": {"type": "string"}})]
"""Names; objects with conditions are accepted too, but the list of tools has room only for names."""


class ListRecordings(Page):
    date_from: Bound = "-7d"
    """ISO 8601, -24h, -7d, last_week."""
    date_to: Bound | None = None
    person_id: PersonId | None = None
    distinct_id: str | None = Field(default=None, min_length=1)
    events: EventNames | None = None
    properties: Filters | None = None
    error: Annotated[str, AfterValidator(_some_text)] | None = Field(default=None, min_length=1, max_length=400)
    """Its id or text."""
    min_duration_s: float | None = Field(default=None, ge=0, le=1_000_000)
    order: Annotated[Order, BeforeValidator(_order)] = "start_time"

    @model_validator(mode="after")
    def _name_one_person(self) -> Self:
        if self.person_id and self.distinct_id:
            raise ValueError("set `person_id` or `distinct_id`, not both; PostHog would ignore `person_id`")
        return self


def event_filter(one: EventChoice) -> dict[str, Any]:
    """Return PostHog's filter for sessions with an event or action. PostHog finds an event by its `name`; only with an
    `id` it is not every event.
    """
    conditions = {"properties": [item.as_filter() for item in one.where]} if one.where else {}
    if one.event is None:
        return {"id": one.action_id, "type": "actions", **conditions}
    name = None if one.event == "*" else one.event
    return {"id": name, "name": name, "type": "events", **conditions}


def exceptions_filter(error: str) -> dict[str, Any]:
    """Return PostHog's filter for sessions with an error: of an issue by its uuid, with words of its type or message,
    or `any`.

    An exception belongs to the issue that its `issue_id` is now; its property `$exception_issue_id` still names the
    former one after a merge.
    """
    condition = _condition_on(error)
    conditions = {"properties": [{"key": condition, "type": "hogql"}]} if condition else {}
    return {"id": "$exception", "name": "$exception", "type": "events", **conditions}


def _condition_on(error: str) -> str | None:
    if error.casefold() == ANY_ERROR:
        return None
    try:
        return f"issue_id = toUUID('{UUID(error)}')"
    except ValueError:
        words = error.replace("\\", "\\\\").replace("'", "\\'")
    texts = ("properties.$exception_types", "properties.$exception_values")
    whole = ", ' ', ".join(f"ifNull(toString({text}), '')" for text in texts)
    return f"position(lower(concat({whole})), lower('{words}')) > 0"


class GetRecording(InProject):
    recording_id: TextId
    full: bool = False


class RecordingPage(View):
    """PostHog's page of recordings, which has neither `count` nor `next`."""

    results: list[Any]
    has_next: bool = False


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
