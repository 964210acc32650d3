"""Retention: how many of the users who began in a period came back in each later one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any

from ...schemas.analytics.queries import QueryRetention
from ...schemas.analytics.results import RetentionRow
from ...schemas.json import as_object, is_object
from ..table import Cell, Column, Note, Report, Role, Table, dimension, number, percent, series_columns
from . import inputs, stored
from .compiling import PosthogQuery, breakdown_filter, shared, unless_empty
from .computing import Computed, results
from .dates import Range, Rounding, first_complete, interval_end
from .headline import Headline, first_fact, headline_of
from .kind import Kind
from .labels import OTHER, no_values, nobody_reached, nothing_found, split_name, value_label
from .spec import EVERY_EVENT, Counted, Spec, Split

_PERIODS = ("Hour", "Day", "Week", "Month")
_MOST_FACTS = 5
_PERIODS_SHOWN = 8
_DEFAULT_EVENT = "$pageview"
_PLAIN = re.compile(r"[A-Za-z_$][\w$]*")

type _CohortRows = list[tuple[datetime, RetentionRow]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _RetentionOptions:
    first: str = "first_time"
    """Whose periods count: `first_time`, `first_ever_occurrence`, or `recurring` for every active one."""
    period: str = "Day"
    periods: int = _PERIODS_SHOWN
    minimum_occurrences: int = 1
    cumulative: bool = False


def _read(args: QueryRetention) -> Spec[_RetentionOptions]:
    options = _RetentionOptions(
        first=args.kind,
        period=args.period.capitalize(),
        periods=args.periods,
        minimum_occurrences=args.minimum_occurrences,
        cumulative=args.cumulative,
    )
    events = [args.event, *([args.returning_event] if args.returning_event else [])]
    return Spec(
        options=options,
        counted=tuple(map(inputs.counted, events)),
        interval=args.period,
        splits=inputs.splits([args.breakdown] if args.breakdown else None),
        **inputs.shared(args, args.date_from),
    )


def _read_stored(source: stored.StoredQuery) -> Spec[_RetentionOptions] | None:
    shown, splits = as_object(source.get("retentionFilter")), stored.splits(source)
    period = stored.one_of(_PERIODS, shown.get("period") or "Day")
    is_count = shown.get("aggregationType") in (None, "count") and not shown.get("retentionCustomBrackets")
    if period is None or len(splits) > 1 or not is_count:
        return None
    begun, returning = (_counted(shown.get(name)) for name in ("targetEntity", "returningEntity"))
    options = _RetentionOptions(
        first=str(shown.get("retentionType") or "retention_recurring").removeprefix("retention_"),
        period=period,
        periods=stored.whole(shown.get("totalIntervals"), _PERIODS_SHOWN),
        minimum_occurrences=stored.whole(shown.get("minimumOccurrences"), 1),
        cumulative=shown.get("cumulative") is True,
    )
    return Spec(
        options=options,
        counted=(begun,) if returning == begun else (begun, returning),
        splits=splits,
        interval=period.lower(),
        **stored.shared(source, default_start=None),
    )


def _counted(entity: Any) -> Counted:
    """Return the event or action of an entity, PostHog's other form of a series."""
    if not is_object(entity):
        return Counted(event=_DEFAULT_EVENT)
    fields = entity
    is_action = fields.get("type") == "actions"
    event = None if is_action else stored.text(fields.get("id")) or EVERY_EVENT
    name = stored.text(fields.get("name"))
    own = Counted(event=event, action_id=stored.whole(fields.get("id"), 0) if is_action else None)
    return Counted(
        event=own.event,
        action_id=own.action_id,
        name=stored.text(fields.get("custom_name")) or (None if is_action or name == own.label else name),
        action_name=name if is_action and name != own.label else None,
        conditions=stored.conditions(fields.get("properties")),
    )


def _compile(spec: Spec[_RetentionOptions]) -> PosthogQuery:
    """Return the query. `totalIntervals` is always sent: PostHog's versions differ in their default."""
    options = spec.options
    shown: PosthogQuery = {
        "targetEntity": _entity(spec.counted[0]),
        "returningEntity": _entity(spec.counted[-1]),
        "retentionType": f"retention_{options.first}",
        "period": options.period,
        "totalIntervals": options.periods,
    }
    if options.minimum_occurrences > 1:
        shown["minimumOccurrences"] = options.minimum_occurrences
    if options.cumulative:
        shown["cumulative"] = True
    return {
        **shared(KIND.node, spec),
        "retentionFilter": shown,
        **unless_empty(breakdownFilter=breakdown_filter(replace(spec, splits=tuple(map(_readable, spec.splits))))),
    }


def _readable(split: Split) -> Split:
    """Return a breakdown as retention reads it: PostHog takes properties of sessions for properties of events."""
    if split.type != "session":
        return split
    name = str(split.property)
    return Split(f"session.{name}" if _PLAIN.fullmatch(name) else f"session.`{name.replace('`', '')}`", "hogql")


def _entity(one: Counted) -> PosthogQuery:
    kind, identity = ("actions", one.action_id) if one.event is None else ("events", one.event)
    conditions = [condition.as_filter() for condition in one.conditions]
    identity = None if identity == EVERY_EVENT else identity
    return {"id": identity, "type": kind, "name": one.label, **unless_empty(properties=conditions)}


def _report(spec: Spec[_RetentionOptions], computed: Computed, span: Range) -> Report:
    """Return a row per cohort. Periods beyond the range are null; PostHog sends 0."""
    found = results(computed.answer, list[RetentionRow])
    groups: dict[str, _CohortRows] = {}
    for row in found:
        value = value_label(row.breakdown_value) if spec.splits else ""
        groups.setdefault(value, []).append((_begin(row.date, spec.interval, span), row))
    width = max((len(row.values) for row in found), default=1)
    periods = [f"{spec.options.period} {number}" for number in range(1, width)]
    rows: list[tuple[Cell, ...]] = []
    for value, group in groups.items():
        prefix = (value,) if spec.splits else ()
        for at, (begin, row) in enumerate(group):
            rows.append((*prefix, _shown(begin, spec.interval), *_cells(row, len(group) - at, width)))
    marks: dict[str, Any] = dict(computed.marks())
    open_last = False
    if found:
        begin = max(begin for group in groups.values() for begin, _ in group)
        if open_last := interval_end(begin, spec.interval) > span.now:
            marks["incomplete_last"] = _shown(begin, spec.interval)
    since = 0
    if span.began and (longest := max(groups.values(), key=len, default=None)):
        since, is_cut = first_complete([begin for begin, _ in longest], span.began, spec.interval)
        if is_cut:
            marks["incomplete_first"] = _shown(longest[since - 1][0], spec.interval)
    shown = list(groups.items())[:_MOST_FACTS]
    facts = [_fact(spec, value, group, periods, since=since, open_last=open_last) for value, group in shown]
    split = (dimension(split_name(spec.splits)),) if spec.splits else ()
    columns = (*split, dimension("began", spec.interval), Column("size", Role.COUNT), *series_columns(periods))
    table = Table("retention", columns, tuple(rows))
    return Report(table, facts if split else facts[0] if facts else {}, marks, _notes(spec, groups))


def _cells(row: RetentionRow, known: int, width: int) -> list[Cell]:
    """Return the counts of the periods within the range, and null for those beyond."""
    counts: list[Cell] = [number(cell.count) for cell in row.values[:known]]
    return counts + [None] * (width - len(counts))


def _fact(
    spec: Spec[_RetentionOptions],
    value: str,
    group: _CohortRows,
    periods: Sequence[str],
    *,
    since: int,
    open_last: bool,
) -> dict[str, Any]:
    """Return the percentage that came back after each period, and of how many, over the cohorts whose period is
    complete.
    """
    returned: dict[str, Any] = {}
    sizes: dict[str, Any] = {}
    for ahead, name in enumerate(periods, start=1):
        whole = group[since : max(len(group) - ahead - open_last, 0)]
        cells = [row.values for _, row in whole if len(row.values) > ahead]
        size = sum(cell[0].count for cell in cells)
        if size:
            returned[name] = percent(sum(cell[ahead].count for cell in cells), size)
            sizes[name] = number(size)
    began = sum(row.values[0].count for _, row in group if row.values)
    counted = "began" if spec.options.first != "recurring" else "active_in_periods"
    named = {"value": value} if spec.splits else {}
    of = {"of": sizes} if sizes else {}
    return {**named, counted: number(began), "returned_percent": returned, **of}


def _notes(spec: Spec[_RetentionOptions], groups: dict[str, _CohortRows]) -> tuple[Note, ...]:
    began = any(row.values and row.values[0].count for group in groups.values() for _, row in group)
    returned = any(cell.count for group in groups.values() for _, row in group for cell in row.values[1:])
    begun, *returning = spec.counted
    notes: list[Note] = [*no_values(spec.splits, groups)]
    if not began:
        notes.append(nothing_found([begun.label], is_filtered=spec.is_filtered(begun)))
    elif not returned:
        notes.append(nobody_reached(returning[0].label) if returning else Note("No users came back."))
    if OTHER in groups:
        notes.append(Note(f"Values beyond the 25 largest are grouped as {OTHER}."))
    return tuple(notes)


def _begin(text: str, interval: str, span: Range) -> datetime:
    """Return the beginning of a period in the project's time; servers write it with different offsets."""
    moment = datetime.fromisoformat(text)
    is_local = interval != "hour" and moment.time() == time.min
    if moment.tzinfo is None or is_local:
        return moment.replace(tzinfo=span.now.tzinfo)
    return moment.astimezone(span.now.tzinfo)


def _shown(begin: datetime, interval: str) -> str:
    return f"{begin:%Y-%m-%d %H:%M}" if interval == "hour" else f"{begin:%Y-%m-%d}"


def _headline(spec: Spec[_RetentionOptions], report: Report) -> Headline | None:
    fact = first_fact(report)
    returned, sizes = as_object(fact.get("returned_percent")), as_object(fact.get("of"))
    period = next(iter(returned), None)
    value = f"{fact['value']}: " if spec.splits else ""
    what = f"{value}came back after {period}, of {sizes.get(period or '')}"
    return headline_of(what, returned[period], "percent") if period else None


KIND = Kind(
    name="retention",
    about="How many users come back in the periods after they did an event.",
    input=QueryRetention,
    read=_read,
    read_stored=_read_stored,
    compile=_compile,
    report=_report,
    headline=_headline,
    rounding=lambda _: Rounding.WHOLE,
    tile_rows=7,
)
