"""The kinds of analyses, in the order in which their tools are listed. A new kind is one file and one entry here."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from ...gateway.call import Call
from ...gateway.errors import Refused
from ...schemas.analytics.queries import Analysis
from ..operation.dates import Calendar, calendar_of, relative
from ..query.seen_names import first_event
from ..table import Note, Report
from . import funnel, lifecycle, paths, retention, stickiness, trends
from .computing import Computed
from .dates import End, Range, check, resolve
from .group_types import with_group_types
from .inputs import settled, storable
from .kind import Kind
from .left_out import clock, clock_changes, filter_notes
from .spec import Spec
from .stored import INTERVALS, StoredQuery, one_of

KINDS: tuple[Kind[Any, Any], ...] = (
    trends.KIND,
    funnel.KIND,
    retention.KIND,
    paths.KIND,
    stickiness.KIND,
    lifecycle.KIND,
)


def kind_of(source: StoredQuery) -> Kind[Any, Any] | None:
    """Return the kind of a stored PostHog query; None for other queries, such as SQL."""
    return next((kind for kind in KINDS if kind.node == source.get("kind")), None)


async def read_typed[I: Analysis, O](api: Call, kind: Kind[I, O], args: I, *, to_store: bool = False) -> Spec[O]:
    """Return the Spec of a typed input, with its range as it is sent. `to_store`: it is computed again later.

    Raises Refused (`invalid_argument`) for dates that PostHog would misread, and for types of groups that do not exist.
    """
    spec, calendar = await with_group_types(api, kind.read(args)), calendar_of(api)
    if to_store and spec.compare and kind.compared is not None:
        raise Refused(
            "invalid_argument",
            f"compare: PostHog stores no comparison of a {kind.name}.",
            f"Leave it out, and compare with {kind.tool}.",
        )
    interval, rounding = kind.range_interval(spec), kind.rounding(spec)
    dates = settled(
        storable(spec.dates) if to_store else spec.dates,
        calendar,
        tool=kind.tool,
        interval=interval,
        rounding=rounding,
        leaves_out_open=kind.leaves_out_open(spec) and not (to_store and interval in ("minute", "week")),
    )
    spec = replace(spec, dates=dates)
    check(_plain(dates.start), _plain(dates.end), by_rules(kind, spec, calendar), interval=interval)
    return spec


def by_rules(kind: Kind[Any, Any], spec: Spec[Any], calendar: Calendar) -> Range:
    """Return the range that PostHog counts, by its rules for ranges."""
    dates = spec.dates
    return resolve(
        _plain(dates.start),
        _plain(dates.end),
        now=calendar.now,
        zone=calendar.zone,
        interval=kind.range_interval(spec),
        week_start=calendar.week_start,
        rounding=kind.rounding(spec),
        explicit=dates.explicit,
        exact=dates.exact,
    )


def counted(
    kind: Kind[Any, Any], spec: Spec[Any], computed: Computed, calendar: Calendar, began: datetime | None
) -> Range:
    """Return the range that was counted, as PostHog reports it and widened by its rules. `calendar` is that of the
    project, `began` its first event. Raises ValueError for a range in an unknown form.
    """
    first, last = ((_moment(text, calendar) if text else None) for text in _ends_of(computed))
    calendar = replace(calendar, now=computed.computed_at.astimezone(calendar.zone))
    if spec.dates.are_known:
        own = by_rules(kind, spec, calendar)
        starts = [moment for moment in (first, own.start) if moment is not None]
        first, last = min(starts, default=began), last or own.end
    elif first is None or last is None:
        raise ValueError("the range is in an unknown form")
    return Range(first, last, calendar.now, began, _previous_start(spec.compare, first, last))


def _previous_start(compare: str | None, first: datetime | None, last: datetime) -> datetime | None:
    """Return the start of the range that is compared with, to the day."""
    if compare is None or first is None:
        return None
    return first - (last - first) if compare == "previous" else relative(compare, first)


async def beginning(api: Call, spec: Spec[Any], computed: Computed) -> datetime | None:
    """Return the first event of the project, or of the series when PostHog reports it; None when it is not known."""
    resolved = computed.answer.resolved_date_range
    if spec.dates.start == "all" and resolved and resolved.date_from:
        return _moment(resolved.date_from, calendar_of(api))
    return await first_event(api)


def reported(
    kind: Kind[Any, Any], spec: Spec[Any], computed: Computed, span: Range, *, has_test_accounts: bool | None = None
) -> Report:
    """Return the report of a result, with notes on what it leaves out, on days of another length, and when its range,
    or the one before, is older than the data.
    """
    report = kind.report(spec, computed, span)
    notes = (*filter_notes(spec, has_test_accounts=has_test_accounts), *clock_changes(kind.name, spec, span))
    report = replace(report, marks={**report.marks, **clock(spec, span)}, notes=(*report.notes, *notes))
    if spec.dates.left_out:
        left_out = f"The current {spec.dates.left_out} is not over and is left out; date_to: now includes it."
        report = replace(report, notes=(Note(left_out), *report.notes))
    if span.began is None or not (span.is_before_data or span.compares_before_data):
        return report
    since = f"The project has data since {span.began:%Y-%m-%d %H:%M}"
    if span.end < span.began:
        return replace(report, notes=(Note(f"{since}, after this range. Nothing was recorded in it."),))
    what = (
        "this range begins earlier"
        if span.is_before_data
        else "the period before begins earlier, so no change is shown"
    )
    return replace(report, notes=(Note(f"{since}; {what}."), *report.notes))


def _ends_of(computed: Computed) -> tuple[str | None, str | None]:
    resolved = computed.answer.resolved_date_range
    return (resolved.date_from, resolved.date_to) if resolved else (None, None)


def _moment(text: str, calendar: Calendar) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(calendar.zone) if moment.tzinfo else moment.replace(tzinfo=calendar.zone)


def _plain(value: Any) -> End:
    return value


def read_stored(kind: Kind[Any, Any], source: StoredQuery) -> Spec[Any] | None:
    """Return the Spec of a stored query of this kind; None when its result would be reported wrongly."""
    if (
        one_of(INTERVALS, source.get("interval") or "day") is None
        or source.get("aggregation_group_type_index") is not None
    ):
        return None
    return kind.read_stored(source)
