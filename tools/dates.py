"""The ends of a date range as they are sent: with time and offset, since PostHog's versions read a bare date
differently.
"""

from datetime import date, datetime, time

from ..gateway.call import Call


def range_start(api: Call, value: datetime | date | str | None) -> str | None:
    """ISO 8601; a date alone is its midnight in the project's timezone. Relative forms stay as they are."""
    return value if value is None or isinstance(value, str) else api.moment(value)


def range_end(api: Call, value: datetime | date | str | None) -> str | None:
    """ISO 8601; a date alone includes that day, to its last microsecond in the project's timezone."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time.max)
    return range_start(api, value)
