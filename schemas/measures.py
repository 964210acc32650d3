"""Numbers and dates in results that this server computes with: finite and of a size that sums and dates can take."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field

_EARLIEST, _LATEST = 1900, 2200


def _a_date(value: str) -> str:
    if not _EARLIEST <= datetime.fromisoformat(value).year <= _LATEST:
        raise ValueError("must be a date of these centuries")
    return value


def _a_date_or_empty(value: str | None) -> str | None:
    return _a_date(value) if value else None


def moment_of(text: str) -> datetime:
    """Return the moment of a `Day`; without an offset it is in UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


type Number = Annotated[float, Field(ge=-1e100, le=1e100)]
"""A number of an analysis."""
type Count = Annotated[int, Field(ge=-(2**63), le=2**63)]
"""A whole number, as ClickHouse counts."""
type Day = Annotated[str, AfterValidator(_a_date)]
"""A date, with or without a time."""
type DayIfAny = Annotated[str | None, AfterValidator(_a_date_or_empty)]
"""A date; an empty text counts as none."""
