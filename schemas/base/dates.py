"""Moments and the ends of date ranges, as callers can write them.

PostHog rejects no relative date: it searches the text for a letter, so `yesterday` means today. The grammar is
therefore checked here, and has only the forms that PostHog interprets as they read.
"""

import re
from datetime import date, datetime
from typing import Annotated

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


type Moment = Annotated[datetime | date, BeforeValidator(_moment), WithJsonSchema({"type": "string"})]
"""A moment as ISO 8601 text, never a number. Without a time or offset, it is in the project's timezone."""
type Bound = Annotated[datetime | date | str, BeforeValidator(_bound), WithJsonSchema({"type": "string"})]
"""One end of a range: a Moment, or PostHog's relative form (`-7d`)."""


def _range_start(value: object) -> datetime | date | str:
    return "all" if isinstance(value, str) and value.casefold() == "all" else _bound(value)


type RangeStart = Annotated[datetime | date | str, BeforeValidator(_range_start), WithJsonSchema({"type": "string"})]
"""The start of a range: a Bound, or `all` to start at the first event."""
