"""Retention in plain Python: returning actors by period."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from ...hand_made import Event
from ..breakdowns import OTHER
from ..counting import Query, part, passes_query
from ..dataset import Setting, World
from ..dates import floored
from ..filters import text
from .histories import FIRSTS, Histories, History, Parsed, histories_of

_LIMIT = 25
_WINDOWS = {"hour": 1, "day": 24, "week": 7, "month": 30}
"""Length of a window: in hours, for weeks and months in days."""


def retention(query: Query, world: World, setting: Setting) -> list[dict[str, Any]]:
    """Return the results of a RetentionQuery."""
    parsed = Parsed(query, world, setting)
    breakdown = _breakdown(parsed)
    if breakdown is None:
        return _rows(parsed, histories_of(parsed, world.events), None)
    tables = {value: _rows(parsed, found, value) for value, found in _by_value(parsed, breakdown).items()}
    sizes = {value: sum(row["values"][0]["count"] for row in rows) for value, rows in tables.items()}
    ranked = sorted((value for value in tables if sizes[value]), key=lambda value: (-sizes[value], value))
    limit = part(query, "breakdownFilter").get("breakdown_limit") or _LIMIT
    shown = [row for value in ranked[:limit] for row in tables[value]]
    return [*shown, *_summed([tables[value] for value in ranked[limit:]])]


def _breakdown(parsed: Parsed) -> Mapping[str, Any] | None:
    """Return the breakdown of a retention: a property and its type, or cohorts."""
    given = part(parsed.query, "breakdownFilter")
    parts: Sequence[Mapping[str, Any]] = given.get("breakdowns") or ()
    if not parts and given.get("breakdown") is None:
        return None
    if not parts:
        return {"property": given["breakdown"], "type": given.get("breakdown_type") or "event"}
    if parts[0]["type"] == "cohort":
        return {"type": "cohort", "property": [each["property"] or "all" for each in parts]}
    return parts[0]


def _of_cohort(parsed: Parsed, cohort: int | str) -> Sequence[Event]:
    if isinstance(cohort, str):
        return parsed.world.events
    persons = parsed.world.cohort(cohort).persons
    return [event for event in parsed.world.events if event.person.id in persons]


def _by_value(parsed: Parsed, breakdown: Mapping[str, Any]) -> dict[str, Histories]:
    """Return the histories of actors by breakdown value.

    First ever: the value of an actor is that of the first target event, regardless of its filters. In windows: an actor
    begins once, and counts for every value of later events. Otherwise each value is a separate retention.
    """
    if breakdown["type"] == "cohort":
        names = {cohort: "0" if cohort == "all" else str(cohort) for cohort in breakdown["property"]}
        return {name: histories_of(parsed, _of_cohort(parsed, cohort)) for cohort, name in names.items()}
    if parsed.kind == "retention_first_ever_occurrence":
        firsts: dict[str, str] = {}
        for event in parsed.world.events:
            passes_all = passes_query(event, parsed.query, parsed.world, parsed.setting)
            if passes_all and parsed.is_named(event, "targetEntity"):
                firsts.setdefault(parsed.actor(event), _value(parsed, event, breakdown))
        found: dict[str, Histories] = {}
        for actor, history in histories_of(parsed, parsed.world.events).items():
            if actor in firsts:
                found.setdefault(firsts[actor], {})[actor] = history
        return found
    events: dict[str, list[Event]] = {}
    for event in parsed.world.events:
        events.setdefault(_value(parsed, event, breakdown), []).append(event)
    if not parsed.in_windows:
        return {value: histories_of(parsed, members) for value, members in events.items()}
    everything = histories_of(parsed, parsed.world.events)
    return {value: _since_begun(parsed, everything, members) for value, members in events.items()}


def _since_begun(parsed: Parsed, histories: Histories, events: Sequence[Event]) -> Histories:
    """Return the actors with one of these events after their start, with the returns among them."""
    found: Histories = {}
    starts, end = parsed.starts()
    returns = {actor: history.returns for actor, history in histories_of(parsed, events).items()}
    for event in events:
        actor = parsed.actor(event)
        first = _first(parsed, histories[actor], starts[0], end) if actor in histories else None
        if first is None or event.timestamp < first or not (parsed.kind in FIRSTS or event.timestamp < end):
            continue
        is_either = any(parsed.is_done(event, name) for name in ("targetEntity", "returningEntity"))
        if is_either and passes_query(event, parsed.query, parsed.world, parsed.setting):
            found[actor] = replace(histories[actor], returns=returns[actor])
    return found


def _value(parsed: Parsed, event: Event, breakdown: Mapping[str, Any]) -> str:
    name = breakdown["property"]
    match breakdown["type"]:
        case "person":
            read = event.person.properties.get(name)
        case "group":
            group = parsed.world.groups.get(event.group)
            read = group.properties.get(name) if group else None
        case "hogql":
            return event.event.upper()
        case _:
            read = event.properties.get(name)
    return text(read) or ""


def _summed(tables: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Add up the rows of the values beyond the limit."""
    rows: list[dict[str, Any]] = []
    for members in zip(*tables, strict=True):
        cells = zip(*(row["values"] for row in members), strict=True)
        rows.append({**members[0], "values": [_together(cell) for cell in cells], "breakdown_value": OTHER})
    return rows


def _together(cells: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    numbers = [name for name in cells[0] if name != "label"]
    return {**cells[0], **{name: sum(cell[name] for cell in cells) for name in numbers}}


def _rows(parsed: Parsed, histories: Histories, value: str | None) -> list[dict[str, Any]]:
    starts, end = parsed.starts()
    labels = _labels(parsed)
    cells = _window_cells if parsed.in_windows else _summing_cells if parsed.sums else _calendar_cells
    return [
        {
            "values": [
                {**cell, "label": label}
                for cell, label in zip(cells(parsed, histories, starts, end, row), labels, strict=True)
            ],
            "label": f"{parsed.period} {row}",
            "date": _iso(start.astimezone(parsed.setting.timezone)),
            "breakdown_value": value,
        }
        for row, start in enumerate(starts)
    ]


def _labels(parsed: Parsed) -> list[str]:
    if not parsed.brackets:
        return [f"{parsed.period} {place}" for place in range(parsed.total)]
    ends = [(places[0], places[-1]) for places in _bracket_places(parsed.brackets)]
    spans = [str(first) if first == last else f"{first}-{last}" for first, last in ends]
    return [f"{parsed.period} {span}" for span in ("0", *spans)]


def _bracket_places(brackets: Sequence[int]) -> list[range]:
    found: list[range] = []
    for size in brackets:
        first = found[-1].stop if found else 1
        found.append(range(first, first + size))
    return found


def _calendar_cells(
    parsed: Parsed, histories: Histories, starts: Sequence[datetime], end: datetime, row: int
) -> list[dict[str, Any]]:
    """Return the cells of a row by calendar period."""
    until = parsed.later(starts[row], 1)
    actors = [history for history in histories.values() if _within(history.begins, starts[row], until)]
    places = [_places(parsed, history, starts, end, row) for history in actors]
    cells = [sum(place in found for found in places) for place in range(1, len(_labels(parsed)))]
    return [{"count": count} for count in (len(actors), *cells)]


def _places(parsed: Parsed, history: History, starts: Sequence[datetime], end: datetime, row: int) -> set[int]:
    """Return the cells of a row that an actor came back in."""
    least = parsed.filter.get("minimumOccurrences") or 1
    found: dict[int, int] = {}
    for event in history.returns:
        if starts[0] <= event.timestamp < end:
            period = bisect_right(starts, event.timestamp) - 1
            found[period] = found.get(period, 0) + 1
    since = row
    if parsed.brackets:  # counted from the actor's first period in all rows
        since = bisect_right(starts, _within(history.begins, starts[0], end)[0]) - 1
    passed = {period - since for period, number in found.items() if number >= least and period > since}
    if parsed.brackets:
        return {
            number
            for number, bracket in enumerate(_bracket_places(parsed.brackets), 1)
            if any(place in bracket for place in passed)
        }
    if parsed.filter.get("cumulative"):
        return set(range(1, max((place for place in passed if place < parsed.total), default=0) + 1))
    return passed


def _summing_cells(
    parsed: Parsed, histories: Histories, starts: Sequence[datetime], end: datetime, row: int
) -> list[dict[str, Any]]:
    """Return the cells of a row with the sum of a property, or its average per actor.

    The start counts in cell 0, with later returns of that period if these are a different event.
    """
    until = parsed.later(starts[row], 1)
    amounts: list[dict[str, float]] = [{} for _ in _labels(parsed)]

    def add(place: int, actor: str, event: Event) -> None:
        if place < len(amounts):
            amounts[place][actor] = amounts[place].get(actor, 0) + parsed.amount(event)

    for actor, history in histories.items():
        if not _within(history.begins, starts[row], until):
            continue
        begun = [event for event in history.targets if starts[row] <= event.timestamp < until]
        for event in begun:
            add(0, actor, event)
        for event in history.returns:
            if begun[0].timestamp < event.timestamp < end:
                place = bisect_right(starts, event.timestamp) - 1 - row
                if place > 0 or parsed.differs:
                    add(place, actor, event)
    averages = parsed.filter["aggregationType"] == "avg"
    return [
        {"count": len(cell), "aggregation_value": sum(cell.values()) / (len(cell) or 1 if averages else 1)}
        for cell in amounts
    ]


def _window_cells(
    parsed: Parsed, histories: Histories, starts: Sequence[datetime], end: datetime, row: int
) -> list[dict[str, Any]]:
    """Return the cells for windows that begin with an actor's first target event, which belongs to one row."""
    counts = [0] * len(_labels(parsed))
    for history in histories.values():
        first = _first(parsed, history, starts[0], end)
        if first is None or not starts[0] <= first < end or _windows(parsed, starts[0], first) != row:
            continue
        bounded = parsed.kind not in FIRSTS
        returns = [event.timestamp for event in history.returns if event.timestamp >= first]
        passed = {_windows(parsed, first, moment) for moment in returns if moment < end or not bounded}
        for place in {0, *passed}:
            if place < len(counts):
                counts[place] += 1
    return [{"count": count} for count in counts]


def _first(parsed: Parsed, history: History, since: datetime, until: datetime) -> datetime | None:
    """Return the start of an actor: the first target event ever, or the first in the range."""
    begins = history.begins if parsed.kind in FIRSTS else _within(history.begins, since, until)
    return begins[0] if begins else None


def _windows(parsed: Parsed, since: datetime, moment: datetime) -> int:
    """Return the number of windows between two moments, by the hours (or days) that begin in between."""
    one, other = since.astimezone(parsed.setting.timezone), moment.astimezone(parsed.setting.timezone)
    if parsed.interval in ("week", "month"):
        passed = (other.date() - one.date()).days
    else:
        hours = [floored(each.astimezone(UTC), "hour", parsed.setting) for each in (one, other)]
        passed = (hours[1] - hours[0]) // timedelta(hours=1)
    return passed // _WINDOWS[parsed.interval]


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _within(times: Sequence[datetime], since: datetime, until: datetime) -> list[datetime]:
    return [moment for moment in times if since <= moment < until]
