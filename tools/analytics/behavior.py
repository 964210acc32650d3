"""Paths, stickiness and lifecycle: where people go, how often they come, and who is new, back or gone."""

import re
from typing import Any

from ...schemas.analytics.queries import QueryLifecycle, QueryPaths, QueryStickiness
from ...schemas.analytics.results import LifecycleResult, PathEdge, StickinessResult
from ..table import Answer, Column, Role, Table, change, dimension, given, number, percent
from .asking import Asked, results
from .dates import Range, intervals
from .labels import interval_marks, nothing_found, span_marks
from .queries import MOST_EDGES

_NODE = re.compile(r"([0-9]+)_(.*)", re.DOTALL)
_STATUSES = ("new", "returning", "resurrecting", "dormant")
_MOST_STARTS = 3
_EDGES = (
    dimension("step"),
    dimension("from"),
    dimension("to"),
    Column("paths", Role.COUNT),
    Column("average_s", Role.DURATION),
)


def paths_answer(args: QueryPaths, asked: Asked, span: Range) -> Answer:
    """A row an edge, most frequent first. A path is one sitting of a person, so they are counted, not persons."""
    edges = results(asked.answer, list[PathEdge])
    rows = [
        (*_node(edge.source), _node(edge.target)[1], number(edge.value), _seconds(edge.average_conversion_time))
        for edge in edges
    ]
    starts: dict[str, float] = {}
    for step, item, _, count, _ in rows:
        if step == 1:
            starts[item] = starts.get(item, 0) + (count or 0)
    marks = {**span_marks(asked.answer, span), **asked.marks()}
    table = Table("paths", _EDGES, tuple(rows[: args.edges]))
    if not rows:
        return Answer(table, {}, marks, (_no_paths(args),))
    _, source, target, count, _ = rows[0]
    first = sorted(starts.items(), key=lambda item: (-item[1], item[0]))[:_MOST_STARTS]
    facts = {"most_frequent": {"from": source, "to": target, "paths": count}, "starts": dict(first)}
    more = len(rows) - args.edges
    of = f"{len(rows)}{' or more' if len(rows) >= MOST_EDGES else ''}"
    notes = (f"These are the {args.edges} most frequent of {of} edges: edges.",) if more > 0 else ()
    return Answer(table, facts, marks, notes)


def stickiness_answer(args: QueryStickiness, asked: Asked, span: Range) -> Answer:
    """A row for each number of intervals, a column a series: persons active in exactly so many, or in at least so many
    when it is cumulative.
    """
    found = results(asked.answer, list[StickinessResult])
    columns = [_series_column(args, at, one) for at, one in enumerate(found)]
    days = max((one.days for one in found), key=len, default=list[int]())
    rows = [
        (day, *(number(one.data[at]) if at < len(one.data) else None for one in found)) for at, day in enumerate(days)
    ]
    marks = {**span_marks(asked.answer, span), **asked.marks()}
    if span.end > span.now:
        marks["incomplete_last"] = f"{span.end:%Y-%m-%d}" + (
            f" {span.end:%H:%M}" if args.interval in ("minute", "hour") else ""
        )
    facts = [_sticky(args, name, one) for name, one in zip([column.name for column in columns], found, strict=True)]
    current = [one for one in found if one.compare_label != "previous"]
    empty = [event.label for event, one in zip(args.events, current, strict=False) if not one.count]
    conditions = bool(args.filters or any(event.where for event in args.events))
    notes = (nothing_found(empty, conditions=conditions),) if empty or not found else ()
    table = Table("bars", (dimension(f"active_{args.interval}s"), *columns), tuple(rows))
    return Answer(table, facts, marks, notes)


def lifecycle_answer(args: QueryLifecycle, asked: Asked, span: Range) -> Answer:
    """A row an interval with its four statuses; dormant is negative."""
    found = {one.status: one for one in results(asked.answer, list[LifecycleResult])}
    days = next((one.days for one in found.values()), list[str]())
    lines = [found[status].data if status in found else [0.0] * len(days) for status in _STATUSES]
    over = intervals(days, span, args.interval, widened=True)
    rows = [(days[at], *(number(line[at]) if at < len(line) else None for line in lines)) for at in over.begun()]
    whole = [[line[at] for line in lines] for at in over.complete() if all(at < len(line) for line in lines)]
    facts: dict[str, Any] = {}
    if whole:
        last, active = whole[-1], [new + returning + back for new, returning, back, _ in whole]
        gained, lost = sum(one[0] + one[2] for one in whole), -sum(one[3] for one in whole)
        facts = {
            "last_complete": {"interval": days[over.complete()[-1]], "active": number(active[-1])},
            "net_growth": number(last[0] + last[2] + last[3]),
            "totals": {status: number(sum(one[at] for one in whole)) for at, status in enumerate(_STATUSES)},
        } | given(quick_ratio=number(round(gained / lost, 2)) if lost else None)
        if len(active) > 1:
            facts["last_complete"] |= given(vs_one_before_percent=change(active[-2], active[-1]))
    marks = {**span_marks(asked.answer, span), **asked.marks(), **interval_marks(over)}
    notes: list[str] = []
    if not any(any(line) for line in lines):
        notes.append(nothing_found([args.event.label], conditions=bool(args.filters or args.event.where)))
    elif over.incomplete_last is not None:
        notes.append("In the last interval dormant holds everybody who has not come back yet.")
    statuses = [Column(status, Role.STATUS) for status in _STATUSES]
    return Answer(
        Table("time", (dimension(args.interval, args.interval), *statuses), tuple(rows)), facts, marks, tuple(notes)
    )


def _node(name: str) -> tuple[int | None, str]:
    """Position and item of `1_/pricing`."""
    found = _NODE.fullmatch(name)
    return (int(found[1]), found[2]) if found else (None, name)


def _seconds(milliseconds: float | None) -> int | float | None:
    return None if milliseconds is None else number(round(milliseconds / 1000, 1))


def _no_paths(args: QueryPaths) -> str:
    point = args.start or args.end
    if point:
        return f"No path has {point}: items are whole URLs ($current_url), screen names or event names, as in a result."
    return "No paths in this range: widen it, or look whether include fits (web: $pageview, apps: $screen)."


def _series_column(args: QueryStickiness, at: int, result: StickinessResult) -> Column:
    """With a comparison current and previous alternate."""
    order = result.action.order if result.action and result.action.order is not None else at
    name = args.events[order].label if order < len(args.events) else result.label or f"series {order + 1}"
    if result.compare_label == "previous":
        return Column(f"{name} before", Role.PREVIOUS, order)
    return Column(name, Role.VALUE, order)


def _sticky(args: QueryStickiness, name: str, result: StickinessResult) -> dict[str, Any]:
    """Persons, in how many intervals they were active on average, and how many in one alone or in all."""
    data = result.data
    exactly = [one - after for one, after in zip(data, [*data[1:], 0.0], strict=True)] if args.cumulative else data
    fact: dict[str, Any] = {"series": name, "persons": number(result.count)}
    if not result.count or not exactly:
        return fact
    active = sum(day * count for day, count in enumerate(exactly, start=1))
    fact |= {f"average_{args.interval}s": number(round(active / result.count, 2)), "in_all": number(exactly[-1])}
    return fact | given(once_percent=percent(exactly[0], result.count))
