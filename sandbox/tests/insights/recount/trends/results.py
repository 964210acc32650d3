"""Trends in plain Python: lines, aggregate displays, breakdowns, comparison, formulas."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ...hand_made import Event
from ..breakdowns import NULL, Value, breakdown_of, kept, ranked
from ..counting import Node, Query, is_counted, is_known, is_of, part, series_label
from ..dataset import Setting, World
from ..dates import Range, buckets, compared, day_text, floored, following, label, range_of
from ..filters import passes
from ..maths import number_of
from .formula import formulas_of, value_of

AGGREGATE = frozenset({"BoldNumber", "ActionsPie", "ActionsBarValue", "ActionsTable", "WorldMap", "CalendarHeatmap"})
CUMULATIVE = "ActionsLineGraphCumulative"
_FIRST = ("first_time_for_user", "first_matching_event_for_user")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed query with everything its numbers depend on."""

    query: Query
    world: World
    setting: Setting
    span: Range

    @property
    def display(self) -> str:
        return part(self.query, "trendsFilter").get("display") or "ActionsLineGraph"

    @property
    def is_aggregate(self) -> bool:
        return self.display in AGGREGATE

    @property
    def interval(self) -> str:
        return "day" if self.is_aggregate else self.query.get("interval") or "day"

    @property
    def starts(self) -> list[datetime]:
        return buckets(self.span, self.interval, self.setting)

    def is_counted(self, event: Event, node: Node) -> bool:
        """Return whether a series counts an event, at any time."""
        if node["kind"] == "GroupNode":
            combine = all if node["operator"] == "AND" else any
            inner = combine(self.is_counted(event, one) for one in node["nodes"])
            return inner and passes(event, node.get("properties"), self.world, self.setting)
        return is_counted(event, self.query, node, self.world, self.setting)

    def first_events(self, node: Node) -> list[Event]:
        """Return the events that are the first of their person."""
        firsts: dict[str, Event] = {}
        for event in self.world.events:
            if node["math"] == "first_time_for_user":
                candidate = is_of(event, node, self.world, self.setting)
            else:
                candidate = self.is_counted(event, node)
            if candidate:
                firsts.setdefault(event.person.id, event)
        return [event for event in firsts.values() if self.is_counted(event, node)]

    def events(self, node: Node) -> list[Event]:
        """Return the events that a series counts, at any time."""
        if node.get("math") in _FIRST:
            return self.first_events(node)
        counted = [event for event in self.world.events if self.is_counted(event, node)]
        if node.get("math") == "unique_group":
            return [event for event in counted if event.group and node["math_group_type_index"] == 0]
        return counted

    def line(self, node: Node, events: Sequence[Event]) -> list[float]:
        """Return the numbers of a series for these events, by interval."""
        days = _active_days(node, self.interval)
        if days:
            return [self._active(start, days, events) for start in self.starts]
        within: dict[datetime, list[Event]] = {start: [] for start in self.starts}
        for event in events:
            if self.span.has(event.timestamp):
                within[floored(event.timestamp, self.interval, self.setting)].append(event)
        if self.display == CUMULATIVE:
            return self._cumulative(node, within)
        return [number_of(within[start], node, self.world) for start in self.starts]

    def _cumulative(self, node: Node, within: Mapping[datetime, Sequence[Event]]) -> list[float]:
        total = 0.0
        line = list[float]()
        before = list[Event]()
        for start in self.starts:
            if node.get("math") in ("dau", "unique_group"):
                before += within[start]
                total = number_of(before, node, self.world)
            else:
                total += number_of(within[start], node, self.world)
            line.append(total)
        return line

    def _active(self, start: datetime, days: int, events: Sequence[Event]) -> int:
        """Return the number of persons in the days, or as many hours, that end with an interval."""
        if self.interval == "hour":
            since, until = start - timedelta(hours=24 * days - 1), start + timedelta(hours=1)
        else:
            since = following(start, "day", self.setting, 1 - days)
            until = following(start, "day", self.setting)
        upper = self.span.until.replace(microsecond=0)
        return len({e.person.id for e in events if since <= e.timestamp < until and e.timestamp <= upper})

    def aggregate(self, node: Node, events: Sequence[Event]) -> float:
        """Return the single number of a series for these events."""
        days = {"weekly_active": 7, "monthly_active": 30}.get(node.get("math") or "")
        if days:
            upper = self.span.until.replace(microsecond=0)
            lower = _earlier(upper, days, self.setting)
            return len({event.person.id for event in events if lower <= event.timestamp <= upper})
        return number_of([event for event in events if self.span.has(event.timestamp)], node, self.world)


def _earlier(moment: datetime, days: int, setting: Setting) -> datetime:
    return (moment.astimezone(setting.timezone) - timedelta(days=days)).astimezone(UTC)


def _active_days(node: Node, interval: str) -> int:
    """Return the number of days in which a person counts as active; 0 for other maths."""
    match node.get("math"), interval:
        case "weekly_active", "hour" | "day":
            return 7
        case "monthly_active", "hour" | "day" | "week":
            return 30
        case _:
            return 0


@dataclass(frozen=True, slots=True)
class Line:
    """A result before formatting; `value` is that of the breakdown."""

    order: int
    value: Value | int | str | None
    label: str | None
    data: Sequence[float]
    aggregate: float


def trends(query: Query, world: World, setting: Setting) -> dict[str, Any]:
    """Return the results of a TrendsQuery, and whether there are more."""
    halves = {half: Parsed(query, world, setting, span) for half, span in _halves(query, world, setting).items()}
    found = {half: _lines(parsed) for half, parsed in halves.items()}
    results: list[dict[str, Any]] = []
    for order, (formula, name) in enumerate(formulas_of(query)):
        for half, parsed in halves.items():
            results += [_compared(half, row) for row in _formula_results(parsed, found[half][0], order, formula, name)]
    if not formulas_of(query):
        for half, parsed in halves.items():
            results += [_compared(half, _result(parsed, line)) for line in found[half][0]]
    ends = next(iter(halves.values())).span
    resolved = {name: _iso(moment, setting) for name, moment in (("date_from", ends.first), ("date_to", ends.until))}
    has_more = any(more for _, more in found.values())
    return {"results": results, "hasMore": has_more, "resolved_date_range": resolved}


def _iso(moment: datetime, setting: Setting) -> str:
    return moment.astimezone(setting.timezone).isoformat().replace("+00:00", "Z")


def _compared(half: str, result: dict[str, Any]) -> dict[str, Any]:
    return {**result, "compare": True, "compare_label": half} if half else result


def _halves(query: Query, world: World, setting: Setting) -> dict[str, Range]:
    display = part(query, "trendsFilter").get("display")
    interval = "day" if display in AGGREGATE else query.get("interval") or "day"
    dates = part(query, "dateRange")
    exact = display == "BoldNumber"
    more: dict[str, Any] = {"exact_from": exact, "exact_to": exact, "earliest": _earliest(query, world, setting)}
    current = range_of(dates, interval, setting, **more)
    compare = part(query, "compareFilter")
    if not compare.get("compare"):
        return {"": current}
    previous = compared(dates, interval, setting, compare.get("compare_to"), **more)
    return {"current": current, "previous": previous}


def _earliest(query: Query, world: World, setting: Setting) -> datetime | None:
    nodes = [inner for node in query["series"] for inner in node.get("nodes", [node])]
    return min(
        (event.timestamp for event in world.events if any(is_of(event, node, world, setting) for node in nodes)),
        default=None,
    )


def _lines(parsed: Parsed) -> tuple[list[Line], bool]:
    series = [(order, node) for order, node in enumerate(parsed.query["series"]) if is_known(node, parsed.world)]
    if cohorts := _cohorts(parsed.query):
        return [_cohort_line(parsed, order, node, cohort) for cohort in cohorts for order, node in series], False
    found = [_series(parsed, order, node) for order, node in series]
    return [line for lines, _ in found for line in lines], any(more for _, more in found)


def _series(parsed: Parsed, order: int, node: Node) -> tuple[list[Line], bool]:
    events = parsed.events(node)
    name = None if node["kind"] == "GroupNode" else series_label(node, parsed.world)
    breakdown = breakdown_of(parsed.query)
    if breakdown is None:
        return [Line(order, None, name, *_numbers(parsed, node, events))], False
    breakdown = breakdown.over([event for event in events if parsed.span.has(event.timestamp)], parsed.world)
    by_value: dict[Value, list[Event]] = {}
    for event in events:
        by_value.setdefault(breakdown.value(event, parsed.world, parsed.setting), []).append(event)
    seen = {value: members for value, members in by_value.items() if _is_seen(parsed, node, members)}
    numbers = {value: _numbers(parsed, node, members) for value, members in seen.items()}
    totals = {
        value: aggregate + (data[-1] if data and parsed.display == CUMULATIVE else sum(data))
        for value, (data, aggregate) in numbers.items()
    }
    shown, rest = kept(ranked(totals), breakdown)
    if parsed.display == CUMULATIVE:  # limited by totals, ordered by sums of shown numbers
        shown = ranked({value: sum(numbers[value][0]) for value in shown})
    found = [(value, *numbers[value]) for value in shown]
    if rest and not breakdown.hides_other:
        data: list[float] = [sum(column) for column in zip(*(numbers[value][0] for value in rest), strict=True)]
        found.append((breakdown.other, data, sum(numbers[value][1] for value in rest)))
    lines = [Line(order, value, _label(parsed, name, "::".join(value)), data, one) for value, data, one in found]
    return lines, bool(rest)


def _label(parsed: Parsed, name: str | None, shown: str) -> str | None:
    if len(parsed.query["series"]) == 1:
        return shown
    return None if name is None else f"{name} - {shown}"


def _total(parsed: Parsed, data: Sequence[float]) -> float:
    """Return the rank key of a value."""
    return data[-1] if data and parsed.display == CUMULATIVE else sum(data)


def _is_seen(parsed: Parsed, node: Node, events: Sequence[Event]) -> bool:
    """Return whether a breakdown value is among those that the query reads."""
    if _active_days(node, parsed.interval):
        return bool(parsed.aggregate(node, events)) if parsed.is_aggregate else any(parsed.line(node, events))
    return any(parsed.span.has(event.timestamp) for event in events)


def _numbers(parsed: Parsed, node: Node, events: Sequence[Event]) -> tuple[list[float], float]:
    if parsed.is_aggregate:
        return [], parsed.aggregate(node, events)
    data = parsed.line(node, events)
    smoothing: int = part(parsed.query, "trendsFilter").get("smoothingIntervals") or 1
    if smoothing > 1:
        windows = [data[max(0, place - smoothing + 1) : place + 1] for place in range(len(data))]
        data = [float(math.floor(sum(window) / len(window))) for window in windows]
    return data, 0


def _cohorts(query: Query) -> list[int | str]:
    given = part(query, "breakdownFilter")
    if given.get("breakdown_type") != "cohort":
        return []
    return list(given["breakdown"])


def _cohort_line(parsed: Parsed, order: int, node: Node, cohort: int | str) -> Line:
    events = parsed.events(node)
    shown = "all users"
    if isinstance(cohort, int):
        persons = parsed.world.cohort(cohort).persons
        events = [event for event in events if event.person.id in persons]
        shown = parsed.world.cohort(cohort).name
    name = None if node["kind"] == "GroupNode" else series_label(node, parsed.world)
    return Line(order, cohort, _label(parsed, name, shown), *_numbers(parsed, node, events))


def _result(parsed: Parsed, line: Line) -> dict[str, Any]:
    breakdown = breakdown_of(parsed.query)
    result: dict[str, Any] = {"order": line.order, **_shown(parsed, line.data, line.aggregate)}
    if line.label is not None:
        result["label"] = line.label
    if line.value is not None:
        result["breakdown_value"] = (
            breakdown.shown(line.value) if breakdown and isinstance(line.value, tuple) else line.value
        )
    return result


def _shown(parsed: Parsed, data: Sequence[float], aggregate: float) -> dict[str, Any]:
    if parsed.is_aggregate:
        return {"data": [], "days": [], "count": 0, "aggregated_value": aggregate}
    starts = parsed.starts
    return {
        "data": list(data),
        "count": _total(parsed, data),
        "days": [day_text(start, parsed.interval, parsed.setting) for start in starts],
        "labels": [label(start, parsed.interval, parsed.span, parsed.setting) for start in starts],
    }


def _formula_results(
    parsed: Parsed, lines: Sequence[Line], order: int, formula: str, name: str | None
) -> list[dict[str, Any]]:
    breakdown = breakdown_of(parsed.query)
    rows: list[tuple[Any, list[float], float]] = []
    for value in dict.fromkeys(line.value for line in lines):
        by_order = {line.order: line for line in lines if line.value == value}
        blank = Line(0, None, None, [0.0] * len(parsed.starts), 0)
        operands = [by_order.get(number, blank) for number in range(len(parsed.query["series"]))]
        lines_of = [] if parsed.is_aggregate else [one.data for one in operands]
        data = [value_of(formula, list(column)) for column in zip(*lines_of, strict=True)]
        rows.append((value, data, value_of(formula, [one.aggregate for one in operands])))
    if breakdown is not None:
        rows.sort(key=lambda row: (row[0] == breakdown.other, NULL in row[0], -(row[2] + sum(row[1]))))
    return [_formula_result(parsed, order, name or f"Formula ({formula})", row) for row in rows]


def _formula_result(parsed: Parsed, order: int, name: str, row: tuple[Any, list[float], float]) -> dict[str, Any]:
    value, data, aggregate = row
    result: dict[str, Any] = {"order": order, "action": None}
    if parsed.is_aggregate:
        result |= {"data": None, "aggregated_value": aggregate}
    else:
        result |= _shown(parsed, data, aggregate)
    if value is None:
        return {**result, "label": name}
    breakdown = breakdown_of(parsed.query)
    return {**result, "breakdown_value": breakdown.shown(value) if breakdown else value}
