"""Issues of error tracking: PostHog's `ErrorTrackingQuery`."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, WithJsonSchema

from .base import InProject, Page, View
from .base.dates import Bound
from .measures import Count

type Status = Annotated[Literal["active", "resolved", "suppressed", "all"], WithJsonSchema({"type": "string"})]
"""The list of tools has no room for the words; an error names them."""
type ErrorOrder = Literal["occurrences", "users", "sessions", "last_seen", "first_seen"]


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise ValueError("must be the uuid of an error; find it with list_errors") from None


type ErrorId = Annotated[str, AfterValidator(_uuid), WithJsonSchema({"type": "string"})]


class ListErrors(Page):
    search: str | None = Field(default=None, min_length=1, max_length=1000)
    status: Status = "active"
    order: ErrorOrder = "occurrences"
    date_from: Bound = "-7d"
    date_to: Bound | None = None


class GetError(InProject):
    error_id: ErrorId
    date_from: Bound = "-7d"
    full: bool = False


class Aggregations(View):
    """What PostHog counts of an issue in a range."""

    occurrences: Count = 0
    users: Count = 0
    sessions: Count = 0


class FirstEvent(View):
    """The first exception of an issue in a range; `properties` is JSON text."""

    timestamp: str | None = None
    properties: Any = None


class ErrorIssue(View):
    """An issue as PostHog returns it. `description` is the message of its first exception."""

    id: str
    name: str | None = None
    description: str | None = None
    status: str | None = None
    first_seen: str | None = None
    last_seen: str | None = None
    library: str | None = None
    aggregations: Aggregations | None = None
    first_event: FirstEvent | None = None

    @property
    def counts(self) -> Aggregations:
        """What was counted; zeros when PostHog counted nothing."""
        return self.aggregations or Aggregations()
