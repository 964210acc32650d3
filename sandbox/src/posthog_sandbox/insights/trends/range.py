"""The range of a trend's numbers."""

from collections.abc import Iterable

from ...values import Row
from ..dates import DateRange, read_date_range, read_interval, wants_all
from ..filters import any_of
from ..running import Session
from ..series import Series
from .request import TrendsRequest


async def trend_range(session: Session, query: Row, series: Iterable[Series], request: TrendsRequest) -> DateRange:
    """Return the `dateRange` of a TrendsQuery. A single number is counted by day. Raises ApiError 400."""
    earliest = None
    if wants_all(query):
        earliest = await session.earliest(any_of([item.entity for item in series]))
    interval = "day" if request.aggregate else read_interval(query)
    exact = request.display == "BoldNumber"
    return read_date_range(query, session.project, interval, exact=exact, earliest=earliest)
