"""Stickiness: how many days, or other intervals, users performed an event on."""

from dataclasses import dataclass
from typing import Any

from ...schemas.analytics.queries import QueryStickiness
from ...schemas.analytics.results import StickinessResult
from ...schemas.json import as_object
from ..table import Column, Note, Report, Role, Table, dimension, given, number, percent
from . import inputs, stored
from .compiling import PosthogQuery, compare_filter, event_node, shared, unless_empty
from .computing import Computed, results
from .dates import Range
from .headline import Headline, first_fact, headline_of
from .kind import Kind
from .labels import nothing_found, span_marks
from .spec import Spec


@dataclass(frozen=True, slots=True)
class _StickinessOptions:
    at_least: int = 1
    """Events in an interval that make a user active in it."""
    cumulative: bool = False
    """True if users count in every number of intervals up to their own."""


def _read(args: QueryStickiness) -> Spec[_StickinessOptions]:
    return Spec(
        options=_StickinessOptions(args.at_least, args.cumulative),
        counted=tuple(map(inputs.counted, args.events)),
        interval=args.interval,
        compare=args.compare,
        **inputs.shared(args, args.date_from),
    )


def _read_stored(source: stored.StoredQuery) -> Spec[_StickinessOptions]:
    shown = as_object(source.get("stickinessFilter"))
    criteria = as_object(shown.get("stickinessCriteria"))
    at_least = stored.whole(criteria.get("value"), 1) if criteria.get("operator") == "gte" else 1
    options = _StickinessOptions(at_least, shown.get("computedAs") == "cumulative")
    return Spec(
        options=options,
        counted=stored.series(source),
        interval=stored.interval_of(source),
        compare=stored.compare_of(source),
        **stored.shared(source),
    )


def _compile(spec: Spec[_StickinessOptions]) -> PosthogQuery:
    shown: PosthogQuery = {"computedAs": "cumulative"} if spec.options.cumulative else {}
    if spec.options.at_least > 1:
        shown["stickinessCriteria"] = {"operator": "gte", "value": spec.options.at_least}
    return {
        **shared(KIND.node, spec, interval=spec.interval),
        "series": [event_node(one) for one in spec.counted],
        "interval": spec.interval,
        **unless_empty(stickinessFilter=shown, compareFilter=compare_filter(spec)),
    }


def _report(spec: Spec[_StickinessOptions], computed: Computed, span: Range) -> Report:
    """Return a row for each number of intervals and a column per series: the persons active in exactly that many, or in
    at least that many when cumulative.
    """
    found = results(computed.answer, list[StickinessResult])
    columns = [_column(spec, at, one) for at, one in enumerate(found)]
    days = max((one.days for one in found), key=len, default=list[int]())
    rows = [
        (day, *(number(one.data[at]) if at < len(one.data) else None for one in found)) for at, day in enumerate(days)
    ]
    marks = {**span_marks(span), **computed.marks()}
    is_open = span.end > span.now
    if is_open:
        hour = f" {span.end:%H:%M}" if spec.interval in ("minute", "hour") else ""
        marks["incomplete_last"] = f"{span.end:%Y-%m-%d}{hour}"
    facts = [_fact(spec, column.name, one, is_open=is_open) for column, one in zip(columns, found, strict=True)]
    current = [one for one in found if one.compare_label != "previous"]
    empty = [event.label for event, one in zip(spec.counted, current, strict=False) if not one.count]
    doubts = empty or not found
    named = empty or [one.label for one in spec.counted]
    notes = (nothing_found(named, is_filtered=spec.is_filtered(*spec.counted)),) if doubts else ()
    if is_open and not doubts:
        until = f"The last {spec.interval} is not over, so users can still become active in it"
        notes = (Note(f"{until}. Pass a date_to before it, such as -1d, for averages."), *notes)
    table = Table("bars", (dimension(f"active_{spec.interval}s"), *columns), tuple(rows))
    return Report(table, facts, marks, notes)


def _column(spec: Spec[_StickinessOptions], at: int, result: StickinessResult) -> Column:
    """Return the column of a series; with a comparison, current and previous results alternate."""
    order = result.action.order if result.action and result.action.order is not None else at
    name = spec.counted[order].label if order < len(spec.counted) else result.label or f"series {order + 1}"
    if result.compare_label == "previous":
        return Column(f"{name} before", Role.PREVIOUS, order)
    return Column(name, Role.VALUE, order)


def _fact(spec: Spec[_StickinessOptions], name: str, result: StickinessResult, *, is_open: bool) -> dict[str, Any]:
    """Return the number of persons, their average of active intervals, and how many were active in one or in all; the
    persons alone while the last interval `is_open`.
    """
    data = result.data
    exactly = (
        [one - after for one, after in zip(data, [*data[1:], 0.0], strict=True)] if spec.options.cumulative else data
    )
    fact: dict[str, Any] = {"series": name, "persons": number(result.count)}
    if not result.count or not exactly or is_open:
        return fact
    active = sum(day * count for day, count in enumerate(exactly, start=1))
    fact |= {f"average_{spec.interval}s": number(round(active / result.count, 2)), "in_all": number(exactly[-1])}
    return fact | given(once_percent=percent(exactly[0], result.count))


def _headline(spec: Spec[_StickinessOptions], report: Report) -> Headline | None:
    fact = first_fact(report)
    average = fact.get(f"average_{spec.interval}s")
    found = headline_of(f"{spec.interval}s active on average: {fact.get('series')}", average)
    return found or headline_of(f"persons: {fact.get('series')}", fact.get("persons"))


KIND = Kind(
    name="stickiness",
    about="How many days (or other intervals) users performed an event on.",
    input=QueryStickiness,
    read=_read,
    read_stored=_read_stored,
    compile=_compile,
    report=_report,
    headline=_headline,
    leaves_out_open=lambda _: True,
)
