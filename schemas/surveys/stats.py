"""Survey statistics: `/api/projects/{project_id}/surveys/{survey_id}/stats/`."""

from pydantic import Field

from ..base import InProject, View
from ..base.dates import Moment


class GetSurveyStats(InProject):
    survey_id: str = Field(min_length=1)
    date_from: Moment | None = None
    date_to: Moment | None = None


class EventCounts(View):
    """Counts of one of the three survey events."""

    total_count: int = 0
    unique_persons: int = 0


class ByEvent(View):
    """Counts by event."""

    shown: EventCounts = Field(default=EventCounts(), validation_alias="survey shown")
    dismissed: EventCounts = Field(default=EventCounts(), validation_alias="survey dismissed")
    sent: EventCounts = Field(default=EventCounts(), validation_alias="survey sent")


class Rates(View):
    """Rates in percent of the users who were shown the survey."""

    response_rate: float | None = None
    dismissal_rate: float | None = None
    unique_users_response_rate: float | None = None


class SurveyStats(View):
    """PostHog's response with the statistics of a survey."""

    stats: ByEvent
    rates: Rates = Rates()
