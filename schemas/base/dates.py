"""Moments and the ends of date ranges, as callers can write them.

PostHog rejects no relative date: it searches the text for a letter, so `yesterday` means today. The grammar is
therefore checked here, and has only the forms that PostHog interprets as they read, and periods in words (`periods`),
which are sent as dates.
"""

import re
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, WithJsonSchema

from .periods import Period, read_period

type Bounded = datetime | date | str | Period
"""One end of a range: a moment, a day, PostHog's relative form (`-7d`), `now`, or a whole period."""

_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?", re.I
)
_RELATIVE = re.compile(
    r"-?(?P<back>[0-9]{1,4})(?P<of>[hdwmqy])|(?P<shift>-[0-9]{1,4})?(?P<unit>[hdmy])(?P<edge>start|end)", re.I
)
_ACCEPTED = (
    "must be a date or time (2026-02-23, 2026-02-23T09:30), relative to now (-24h, -7d, -2w, -1m for months, -1y, "
    "mStart), or a whole period: today, yesterday, this_month, last_week, last_8_weeks, 2026-02, 2026-Q1, 2025"
)


def _moment(value: object) -> datetime | date:
    if isinstance(value, date):
        return value
    if found := _read(value):
        return found
    raise ValueError("must be an ISO 8601 date or datetime, such as 2026-02-23 or 2026-02-23T09:30:00Z")


def read_bound(value: object) -> Bounded:
    """Return one end of a range. Raises ValueError with the accepted forms, or the meanings of the text."""
    if isinstance(value, (date, Period)):
        return value
    if isinstance(value, str):
        text = value.strip()
        found = _read(text) or _relative(text) or read_period(text)
        if found is not None:
            return found
    raise ValueError(_ACCEPTED)


def _relative(text: str) -> str | None:
    """Return a relative date as PostHog writes it; None for other texts."""
    found = _RELATIVE.fullmatch(text)
    if found is None:
        return None
    if found["of"] == "M":
        number = found["back"]
        raise ValueError(f"{text} has two meanings: write -{number}m for months, or last_{number}_minutes")
    if found["of"]:
        return f"-{found['back']}{found['of'].lower()}"
    unit, edge, shift = found["unit"].lower(), found["edge"].capitalize(), found["shift"] or ""
    return None if unit == "y" and (edge == "End" or shift) else f"{shift}{unit}{edge}"


def _read(value: object) -> datetime | date | None:
    if not isinstance(value, str) or not _ISO.fullmatch(value.strip()):
        return None
    text = value.strip().upper()
    try:
        return date.fromisoformat(text) if len(text) == len("2026-02-23") else datetime.fromisoformat(text)
    except ValueError:
        return None


def _instant(value: object) -> datetime | date | Literal["now"]:
    if isinstance(value, str) and value.strip().casefold() == "now":
        return "now"
    try:
        return _moment(value)
    except ValueError as error:
        raise ValueError(f"{error}, or now") from None


def _instant_or_none(value: object) -> datetime | date | Literal["now", "none"]:
    if isinstance(value, str) and value.strip().casefold() == "none":
        return "none"
    try:
        return _instant(value)
    except ValueError as error:
        raise ValueError(f"{error}, or none to clear it") from None


type Instant = Annotated[
    datetime | date | Literal["now"], BeforeValidator(_instant), WithJsonSchema({"type": "string"})
]
"""A moment as ISO 8601 text or `now`, never a number. Without a time or offset, it is in the project's timezone."""
type ClearableInstant = Annotated[
    datetime | date | Literal["now", "none"], BeforeValidator(_instant_or_none), WithJsonSchema({"type": "string"})
]
"""An Instant, or `none` to clear it."""
type Bound = Annotated[Bounded, BeforeValidator(read_bound), WithJsonSchema({"type": "string"})]
"""One end of a range."""


def _range_start(value: object) -> Bounded:
    words = re.sub(r"[\s_-]+", " ", value.casefold()).strip() if isinstance(value, str) else value
    return "all" if words in ("all", "all time") else read_bound(value)


type RangeStart = Annotated[Bounded, BeforeValidator(_range_start), WithJsonSchema({"type": "string"})]
"""The start of a range: a Bound, or `all` to start at the first event."""
