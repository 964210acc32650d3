"""Moments and the ends of date ranges, as callers can write them.

PostHog rejects no relative date: it searches the text for a letter, so `yesterday` means today. The grammar is
therefore checked here, and has only the forms that PostHog interprets as they read.
"""

import re
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, WithJsonSchema

_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_RELATIVE = re.compile(r"-[0-9]{1,4}[hdwmqy]|(-[0-9]{1,4})?([hdm](Start|End)|yStart)")


def _moment(value: object) -> datetime | date:
    if isinstance(value, date):
        return value
    if found := _read(value):
        return found
    raise ValueError("must be an ISO 8601 date or datetime, such as 2026-02-23 or 2026-02-23T09:30:00Z")


def _bound(value: object) -> datetime | date | str:
    if isinstance(value, date):
        return value
    if isinstance(value, str) and _RELATIVE.fullmatch(value):
        return value
    if found := _read(value):
        return found
    raise ValueError(
        "must be an ISO 8601 date or datetime, or relative to now: -24h, -7d, -2w, -1m (months), -1y, dStart, "
        "-1mStart; yesterday is -1dStart to -1dEnd"
    )


def _read(value: object) -> datetime | date | None:
    if not isinstance(value, str) or not _ISO.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value) if len(value) == len("2026-02-23") else datetime.fromisoformat(value)
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


type Moment = Annotated[datetime | date, BeforeValidator(_moment), WithJsonSchema({"type": "string"})]
"""A moment as ISO 8601 text, never a number. Without a time or offset, it is in the project's timezone."""
type Instant = Annotated[
    datetime | date | Literal["now"], BeforeValidator(_instant), WithJsonSchema({"type": "string"})
]
"""The moment of something that happens at once: a Moment that has passed, or `now`."""
type ClearableInstant = Annotated[
    datetime | date | Literal["now", "none"], BeforeValidator(_instant_or_none), WithJsonSchema({"type": "string"})
]
"""An Instant, or `none` to clear it."""
type Bound = Annotated[datetime | date | str, BeforeValidator(_bound), WithJsonSchema({"type": "string"})]
"""One end of a range: a Moment, or PostHog's relative form (`-7d`)."""


def _range_start(value: object) -> datetime | date | str:
    return "all" if isinstance(value, str) and value.casefold() == "all" else _bound(value)


type RangeStart = Annotated[datetime | date | str, BeforeValidator(_range_start), WithJsonSchema({"type": "string"})]
"""The start of a range: a Bound, or `all` to start at the first event."""
