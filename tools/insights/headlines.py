"""The one number that one would say of an insight's result, and how it changed."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from ...schemas.analytics.events import ADDITIVE_MATHS
from ...schemas.analytics.queries import (
    Analysis,
    QueryFunnel,
    QueryLifecycle,
    QueryPaths,
    QueryRetention,
    QueryStickiness,
    QueryTrends,
)
from ...schemas.analytics.results import TrendResult
from ..analytics.labels import split_name
from ..table import Answer, Cell, Role, Row, given, number, percent

type Headline = dict[str, Any]
"""`{"what", "value", "unit"?, "change_percent"?, "change_of"?}`."""


def headline(args: Analysis, answer: Answer) -> Headline | None:
    """The headline of a typed result. None: there is no number."""
    match args:
        case QueryTrends():
            return _totals(args, answer) if args.interval == "total" else _over_time(args, answer)
        case QueryFunnel():
            return _funnel(args, answer)
        case QueryRetention():
            return _retention(args, answer)
        case QueryStickiness():
            fact = _first(answer)
            days = fact.get(f"average_{args.interval}s")
            return _said(f"{args.interval}s active on average: {fact.get('series')}", days)
        case QueryLifecycle():
            last = cast("dict[str, Any]", _first(answer).get("last_complete") or {})
            found = _said(f"active, {args.interval} of {last.get('interval')}", last.get("active"))
            return found and {**found, **_changed(last.get("vs_one_before_percent"), f"the {args.interval} before")}
        case QueryPaths():
            most = cast("dict[str, Any]", _first(answer).get("most_frequent") or {})
            return _said(f"paths from {most.get('from')} to {most.get('to')}", most.get("paths"))
        case _:
            return None


def of_rows(columns: Sequence[str], rows: Sequence[Any]) -> Headline:
    """Of a table: its only number, or else how many rows it has."""
    if len(rows) == 1 and isinstance(rows[0], list):
        cells = cast("list[Any]", rows[0])
        for name, cell in zip(columns, cells, strict=False):
            if isinstance(cell, (int, float)) and not isinstance(cell, bool):
                return {"what": name, "value": number(cell)}
    return {"what": "rows", "value": len(rows)}


def of_cumulative(result: Any) -> Headline | None:
    """Of lines that add up over time: where the first has come to."""
    try:
        first = TypeAdapter(list[TrendResult]).validate_python(result)[0]
    except (ValidationError, IndexError):
        return None
    counted = [point for point in first.data or [] if point is not None]
    return _said(f"{first.label or 'series 1'}: total", number(counted[-1]) if counted else None)


def _over_time(args: QueryTrends, answer: Answer) -> Headline | None:
    """The total of what adds up, else the last whole interval."""
    fact = _first(answer)
    if not fact:
        return None
    name, additive = str(fact["series"]), _is_additive(args)
    compared, last = fact.get("compared"), cast("list[Any]", fact.get("last_complete") or [None, None])
    if args.breakdown and additive and len(args.events) == 1:
        return {"what": f"{args.series()[0].label}: total of every {split_name(args.breakdown)}", "value": _sum(answer)}
    what, value = (f"{name}: total", fact["total"]) if additive and "total" in fact else (f"{name}: {last[0]}", last[1])
    if value is None:
        return None
    if compared:
        moved = _changed(compared.get("change_percent"), "the period before")
    elif "vs_week_before_percent" in fact:
        moved = _changed(fact["vs_week_before_percent"], f"{last[0]} against the week before")
    else:
        moved = _changed(fact.get("vs_one_before_percent"), f"{last[0]} against the {args.interval} before")
    others = None if args.breakdown else _others(answer) or None
    return {"what": what, "value": value, **moved, **given(others=others)}


def _others(answer: Answer) -> dict[str, Any]:
    """The numbers of up to three more series."""
    facts = cast("Sequence[Mapping[str, Any]]", answer.facts)
    return {str(one["series"]): one.get("total", (one.get("last_complete") or [None, None])[1]) for one in facts[1:4]}


def _sum(answer: Answer) -> int | float | None:
    values = answer.table.at(Role.VALUE)
    return number(sum(float(row[at] or 0) for row in answer.table.rows for at in values))


def _totals(args: QueryTrends, answer: Answer) -> Headline | None:
    """Of the first row, or of all where they are parts of a whole."""
    if not answer.table.rows:
        return None
    if args.breakdown and _is_additive(args) and len(args.events) == 1:
        value = _sum(answer)
        return {"what": f"{args.series()[0].label}: total of every {split_name(args.breakdown)}", "value": value}
    (name, value, changed), *others = [_total(answer, row) for row in answer.table.rows[:4]]
    moved = _changed(changed, "the period before")
    return {"what": name, "value": value, **moved, **given(others={one[0]: one[1] for one in others} or None)}


def _total(answer: Answer, row: Row) -> tuple[str, Cell, Cell]:
    """The name, value and change of a row."""
    (name, *_), (value, *_) = answer.table.at(Role.DIMENSION), answer.table.at(Role.VALUE)
    changed = answer.table.at(Role.CHANGE)
    return str(row[name]), row[value], row[changed[0]] if changed else None


def _funnel(args: QueryFunnel, answer: Answer) -> Headline | None:
    fact = _first(answer)
    match args.view:
        case "trend":
            last = cast("list[Any]", fact.get("last_complete") or [None, None])
            moved = _changed(fact.get("vs_one_before_percent"), f"the {args.interval} before")
            found = _said(f"conversion, {args.interval} of {last[0]}", last[1], "percent")
            return found and {**found, **moved}
        case "time_to_convert":
            return _said("time to convert, average", fact.get("average_s"), "seconds")
        case _:
            entered, completed = _ends(args, answer)
            return _said(f"conversion, {completed} of {entered}", percent(completed, entered), "percent")


def _ends(args: QueryFunnel, answer: Answer) -> tuple[int, int]:
    """Who entered and who completed, over every value of a breakdown."""
    (at, *_), steps = answer.table.at(Role.COUNT), len(args.steps)
    counts = [cast("int", row[at]) for row in answer.table.rows]
    return sum(counts[::steps]), sum(counts[steps - 1 :: steps])


def _retention(args: QueryRetention, answer: Answer) -> Headline | None:
    fact = _first(answer)
    returned = cast("dict[str, Any]", fact.get("returned_percent") or {})
    period = next(iter(returned), None)
    of = f"{fact['value']}: " if args.breakdown else ""
    return _said(f"{of}came back after {period}", returned[period], "percent") if period else None


def _is_additive(args: QueryTrends) -> bool:
    return args.formula is None and bool(args.events) and args.series()[0].math in ADDITIVE_MATHS


def _first(answer: Answer) -> Mapping[str, Any]:
    facts = answer.facts
    if isinstance(facts, Mapping):
        return facts
    return facts[0] if facts else {}


def _said(what: str, value: Any, unit: str | None = None) -> Headline | None:
    return None if value is None else {"what": what, "value": value, **given(unit=unit)}


def _changed(moved: Any, of: str) -> dict[str, Any]:
    return {} if moved is None else {"change_percent": moved, "change_of": of}
