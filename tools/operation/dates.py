"""Ends of date ranges, sent with time and offset: a bare date means different things in different PostHog versions."""

from datetime import date, datetime, time

from ...gateway.call import Call


def range_start(api: Call, value: datetime | date | str | None) -> str | None:
    """Return ISO 8601; a date alone becomes midnight in the project's timezone. Relative dates are returned as is."""
    return value if value is None or isinstance(value, str) else api.moment(value)


def range_end(api: Call, value: datetime | date | str | None) -> str | None:
    """Return ISO 8601; a date alone becomes the last microsecond of that day in the project's timezone."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time.max)
    return range_start(api, value)
