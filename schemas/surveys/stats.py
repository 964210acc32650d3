"""Survey statistics: `/api/projects/{project_id}/surveys/{survey_id}/stats/`."""

from pydantic import Field

from ..base import InProject, TextId, View
from ..base.dates import Bound
from ..measures import Count, Number


class GetSurveyStats(InProject):
    survey_id: TextId
    date_from: Bound | None = None
    date_to: Bound | None = None


class EventCounts(View):
    """Counts of one of the three survey events."""

    total_count: Count = 0
    unique_persons: Count = 0


class ByEvent(View):
    """Counts by event."""

    shown: EventCounts = Field(default=EventCounts(), validation_alias="survey shown")
    dismissed: EventCounts = Field(default=EventCounts(), validation_alias="survey dismissed")
    sent: EventCounts = Field(default=EventCounts(), validation_alias="survey sent")


class Rates(View):
    """Rates in percent of the users who were shown the survey."""

    response_rate: Number | None = None
    dismissal_rate: Number | None = None
    unique_users_response_rate: Number | None = None


class SurveyStats(View):
    """PostHog's response with the statistics of a survey."""

    stats: ByEvent
    rates: Rates = Rates()
