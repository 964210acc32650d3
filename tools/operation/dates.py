"""Ends of date ranges, sent with time and offset: a bare date means different things in different PostHog versions."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from ...gateway.call import Call
from ...gateway.errors import Refused

_SKEW = timedelta(minutes=2)
"""How far the clocks of this machine and of PostHog can differ."""


def range_start(api: Call, value: datetime | date | str | None) -> str | None:
    """Return ISO 8601; a date alone becomes midnight in the project's timezone. Relative dates are returned as is."""
    return value if value is None or isinstance(value, str) else api.moment(value)


def range_end(api: Call, value: datetime | date | str | None) -> str | None:
    """Return ISO 8601; a date alone becomes the last microsecond of that day in the project's timezone."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time.max)
    return range_start(api, value)


def instant(api: Call, name: str, value: datetime | date | str | None) -> str | None:
    """Return the moment of something that happens at once, as ISO 8601; `now` is now and `none` is None.

    Raises Refused for a moment in the future: PostHog would store it and start or stop the object at once.
    """
    if value is None or value == "none":
        return None
    if isinstance(value, str):
        return api.now().replace(microsecond=0).isoformat()
    text = api.moment(value)
    if datetime.fromisoformat(text) > api.now() + _SKEW:
        raise Refused(
            "invalid_argument",
            f"`{name}`: {text} is in the future. PostHog does not wait for it: the change would take effect at once.",
            f"Pass now when it is time; it is {api.now().astimezone(api.timezone).isoformat(timespec='minutes')} now.",
        )
    return text


def instants(api: Call, args: Any, *names: str) -> dict[str, str | None]:
    """Return the given moments by name; see `instant`."""
    return {name: instant(api, name, value) for name in names if (value := getattr(args, name)) is not None}


def midnights(args: Any, stored: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    """Return notes on dates without a time, which mean midnight."""
    return tuple(
        f"{name} is a date without a time: midnight in the project's timezone, {stored.get(name)}."
        for name in names
        if isinstance(value := getattr(args, name), date) and not isinstance(value, datetime)
    )
