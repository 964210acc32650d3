"""Lifecycle: the users of an event who are new, returning, resurrecting or dormant, by interval."""

from typing import Any

from ...schemas.analytics.queries import QueryLifecycle
from ...schemas.analytics.results import LifecycleResult
from ...schemas.json import as_object
from ..table import Column, Note, Report, Role, Table, changes, dimension, given, number
from . import inputs, stored
from .compiling import PosthogQuery, event_node, shared
from .computing import Computed, results
from .dates import Range, Rounding, intervals
from .headline import Headline, changed, first_fact, headline_of
from .kind import Kind
from .labels import interval_marks, nothing_found, span_marks
from .spec import Spec

_STATUSES = ("new", "returning", "resurrecting", "dormant")


def _read(args: QueryLifecycle) -> Spec[None]:
    return Spec(
        options=None,
        counted=(inputs.counted(args.event),),
        interval=args.interval,
        **inputs.shared(args, args.date_from),
    )


def _read_stored(source: stored.StoredQuery) -> Spec[None] | None:
    series, interval = stored.series(source), stored.interval_of(source)
    return Spec(options=None, counted=series[:1], interval=interval, **stored.shared(source)) if series else None


def _compile(spec: Spec[None]) -> PosthogQuery:
    return {
        **shared(KIND.node, spec, interval=spec.interval),
        "series": [event_node(one) for one in spec.counted],
        "interval": spec.interval,
    }


def _report(spec: Spec[None], computed: Computed, span: Range) -> Report:
    """Return a row per interval with its four statuses; dormant is negative."""
    found = {one.status: one for one in results(computed.answer, list[LifecycleResult])}
    days = next((one.days for one in found.values()), list[str]())
    lines = [found[status].data if status in found else [0.0] * len(days) for status in _STATUSES]
    over = intervals(days, span, spec.interval, whole=True)
    rows = [(days[at], *(number(line[at]) if at < len(line) else None for line in lines)) for at in over.begun()]
    whole = [[line[at] for line in lines] for at in over.complete() if all(at < len(line) for line in lines)]
    facts = _facts(whole, days[over.complete()[-1]]) if whole else {}
    marks = {**span_marks(span), **computed.marks(), **interval_marks(over)}
    notes: list[Note] = []
    if not any(any(line) for line in lines):
        notes.append(nothing_found([one.label for one in spec.counted], is_filtered=spec.is_filtered(*spec.counted)))
    elif over.incomplete_last is not None:
        notes.append(Note("In the last interval, dormant includes all users who have not come back yet."))
    columns = (dimension(spec.interval, spec.interval), *(Column(status, Role.STATUS) for status in _STATUSES))
    notes.append(Note("Events without a person profile are not counted."))
    return Report(Table("time", columns, tuple(rows)), facts, marks, tuple(notes))


def _facts(whole: list[list[float]], last_day: str) -> dict[str, Any]:
    """Return activity and growth over the complete intervals."""
    last, active = whole[-1], [new + returning + back for new, returning, back, _ in whole]
    gained, lost = sum(one[0] + one[2] for one in whole), -sum(one[3] for one in whole)
    latest = {"interval": last_day, "active": number(active[-1])}
    if len(active) > 1:
        latest |= changes("vs_one_before", active[-2], active[-1])
    facts = {
        "last_complete": latest,
        "net_growth": number(last[0] + last[2] + last[3]),
        "totals": {status: number(sum(one[at] for one in whole)) for at, status in enumerate(_STATUSES)},
    }
    return facts | given(quick_ratio=number(round(gained / lost, 2)) if lost else None)


def _headline(spec: Spec[None], report: Report) -> Headline | None:
    last = as_object(first_fact(report).get("last_complete"))
    found = headline_of(f"active, {spec.interval} of {last.get('interval')}", last.get("active"))
    return found and {**found, **changed(last.get("vs_one_before_percent"), f"the {spec.interval} before")}


KIND = Kind(
    name="lifecycle",
    about="Users of an event who are new, returning, resurrecting or dormant, by interval.",
    input=QueryLifecycle,
    read=_read,
    read_stored=_read_stored,
    compile=_compile,
    report=_report,
    headline=_headline,
    rounding=lambda _: Rounding.WHOLE,
)
