"""The comparison of one number with the range before, for kinds of analyses that PostHog does not compare itself."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

from ...gateway.errors import Refused
from ...schemas.json import as_object
from ..operation.dates import relative
from ..table import Report, given
from .dates import Range
from .labels import span_marks
from .spec import Dates

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_LAST_SECOND = time(23, 59, 59)
_COUNTED = ("entered", "completed", "conversion_percent")


def range_before(compare: str, span: Range) -> Dates:
    """Return the range that is compared with: as long as this one and right before it, or this one shifted.

    Raises Refused (`invalid_argument`) for a range without a beginning.
    """
    first, last = span.start, span.end.replace(microsecond=0)
    if first is None:
        raise Refused("invalid_argument", "compare: a range from all has none before it.", "Set date_from.")
    is_whole = first.time() == time.min and last.time() == _LAST_SECOND
    if compare != "previous":
        start, end = _shifted(compare, first), _shifted(compare, last)
    elif is_whole:
        start, end = first - ((last.date() - first.date()) + _DAY), first - _DAY
    else:
        start, end = first - (last - first) - _SECOND, first - _SECOND
    return Dates(start.date(), end.date()) if is_whole else Dates(start, end, explicit=True)


def with_comparison(now: Report, before: Report, span: Range) -> Report:
    """Return the report of a funnel with the conversion in the range before, which is `span`."""
    earlier = _of_everybody(before.facts)
    rate, past = (_of_everybody(each.facts).get("conversion_percent") for each in (now, before))
    shown = {**span_marks(span), **{name: earlier[name] for name in _COUNTED if name in earlier}}
    points = None if rate is None or past is None else round(rate - past, 1)
    compared = shown | given(change_points=points)
    return replace(now, facts={**as_object(now.facts), "compared": compared})


def _shifted(compare: str, moment: datetime) -> datetime:
    return relative(compare, moment)


def _of_everybody(facts: object) -> Mapping[str, Any]:
    fields = as_object(facts)
    return as_object(fields.get("all_values")) or fields
