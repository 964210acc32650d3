"""Experiments recounted in plain Python: exposures, each entity's value, sums by variant, funnels after exposure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from statistics import fmean
from typing import Any
from zoneinfo import ZoneInfo

from ...hand_made import Event
from .drawing import FLAG, HOGQL, NOW, UNITS, VARIANTS, Case


@dataclass(frozen=True, slots=True)
class Exposed:
    """An entity that an experiment counts."""

    variant: str
    first: datetime


def exposures(case: Case, events: Sequence[Event]) -> dict[str, Exposed]:
    """Return the exposed entities; `$multiple` for several variants, where the experiment excludes those."""
    seen: dict[str, list[Event]] = {}
    for event in events:
        if _is_exposure(case, event):
            seen.setdefault(entity_of(case, event), []).append(event)
    found: dict[str, Exposed] = {}
    for entity, own in seen.items():
        first = min(own, key=lambda event: event.timestamp)
        names = {_variant(case, event) for event in own}
        keep_first = (case.criteria or {}).get("multiple_variant_handling") == "first_seen"
        variant = _variant(case, first) if keep_first or len(names) == 1 else "$multiple"
        found[entity] = Exposed(variant, first.timestamp)
    return found


def window_of(case: Case) -> tuple[datetime, datetime]:
    """Return the experiment's time range in whole seconds; that of a draft begins on the day a week ago."""
    local = NOW.astimezone(_zone(case))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=7)
    return (case.start or midnight).replace(microsecond=0), (case.end or NOW).replace(microsecond=0)


def entity_of(case: Case, event: Event) -> str:
    """Return the counted entity: the group or person of an event."""
    return event.group if case.by_group else event.person.id


def _is_exposure(case: Case, event: Event) -> bool:
    criteria = case.criteria or {}
    config: Mapping[str, Any] = criteria.get("exposure_config") or {"event": "$feature_flag_called", "properties": []}
    if event.event != config["event"]:
        return False
    start, end = window_of(case)
    if not start <= event.timestamp <= end:
        return False
    if config["properties"] and event.properties.get("plan") != "pro":
        return False
    if criteria.get("filterTestAccounts") and "@internal.test" in event.person.properties["email"]:
        return False
    if config["event"] == "$feature_flag_called" and event.properties["$feature_flag"] != FLAG:
        return False
    return _variant(case, event) in VARIANTS


def _variant(case: Case, event: Event) -> str:
    config = (case.criteria or {}).get("exposure_config") or {"event": "$feature_flag_called"}
    name = "$feature_flag_response" if config["event"] == "$feature_flag_called" else f"$feature/{FLAG}"
    return str(event.properties.get(name))


def _seconds(metric: Mapping[str, Any]) -> int:
    return metric["conversion_window"] * UNITS[metric["conversion_window_unit"]] if "conversion_window" in metric else 0


def _matches(node: Mapping[str, Any], event: Event) -> bool:
    return node.get("event") in (None, event.event) and (
        not node.get("properties") or event.properties.get("plan") == "pro"
    )


def sums(case: Case, events: Sequence[Event]) -> dict[str, list[float]]:
    """Return by variant: samples, sum and sum of squares; for a ratio also those of the denominator and products."""
    counted = exposures(case, events)
    metric = case.metric
    if metric["metric_type"] == "ratio":
        over, under = (
            _cut(_values(case, events, counted, metric[name]), metric.get(f"{name}_outlier_handling") or {})
            for name in ("numerator", "denominator")
        )
    else:
        over = _values(case, events, counted, metric["source"])
        if metric["source"].get("math_property") == "$session_duration":
            over = _session_values(case, events, counted, metric["source"])
            counted = {entity: exposed for entity, exposed in counted.items() if entity in over}
        over = _cut(over, metric)
        under = None
        if "threshold" in metric and not _is_cut(metric):
            over = {entity: float(value >= metric["threshold"]) for entity, value in over.items()}
    found: dict[str, list[float]] = {}
    for entity, exposed in counted.items():
        value = over[entity]
        row = [1, value, value**2]
        if under is not None:
            row += [under[entity], under[entity] ** 2, value * under[entity]]
        total = found.setdefault(exposed.variant, [0.0] * len(row))
        found[exposed.variant] = [before + more for before, more in zip(total, row, strict=True)]
    return {variant: row for variant, row in found.items() if variant != "$multiple"}


def _values(
    case: Case, events: Sequence[Event], counted: Mapping[str, Exposed], node: Mapping[str, Any]
) -> dict[str, float]:
    window = timedelta(seconds=_seconds(case.metric))
    start, end = window_of(case)
    own: dict[str, list[Event]] = {entity: [] for entity in counted}
    for event in events:
        exposed = counted.get(entity_of(case, event))
        if exposed is None or not _matches(node, event) or not start <= event.timestamp < end + window:
            continue
        if event.timestamp >= exposed.first and (not window or event.timestamp < exposed.first + window):
            own[entity_of(case, event)].append(event)
    return {entity: _value(node, found) for entity, found in own.items()}


def _session_values(
    case: Case, events: Sequence[Event], counted: Mapping[str, Exposed], node: Mapping[str, Any]
) -> dict[str, float]:
    """Return the values of entities with sessions whose first such event follows exposure, each session once."""
    window = timedelta(seconds=_seconds(case.metric))
    start, end = window_of(case)
    times: dict[str, list[datetime]] = {}
    firsts: dict[tuple[str, str], datetime] = {}
    for event in sorted(events, key=lambda event: event.timestamp):
        times.setdefault(event.session, []).append(event.timestamp)
        if event.session and _matches(node, event) and start <= event.timestamp < end + window:
            firsts.setdefault((entity_of(case, event), event.session), event.timestamp)
    own: dict[str, list[float]] = {}
    for (entity, session), first in firsts.items():
        exposed = counted.get(entity)
        if exposed and first >= exposed.first and (not window or first < exposed.first + window):
            own.setdefault(entity, []).append(int((times[session][-1] - times[session][0]).total_seconds()))
    functions: dict[str, Callable[[list[float]], float]] = {"sum": sum, "min": min, "max": max, "avg": fmean}
    return {entity: functions[node["math"]](found) for entity, found in own.items()}


def _value(node: Mapping[str, Any], own: list[Event]) -> float:
    math = node.get("math")
    if not own:
        return 0.0
    if math == "unique_session":
        return len({event.session for event in own} - {""})
    if math == "dau":
        return len({event.person.name for event in own})
    if math == "hogql":
        return _of_hogql(node["math_hogql"], own)
    if math not in ("sum", "min", "max", "avg"):
        return len(own)
    values = [_price(event) for event in own] if "math_property" in node else [1.0] * len(own)
    return {"sum": sum(values), "min": min(values), "max": max(values), "avg": sum(values) / len(values)}[math]


def _price(event: Event) -> float:
    try:
        return float(event.properties.get("price", 0))
    except ValueError:
        return 0.0


def _of_hogql(expression: str, own: list[Event]) -> float:
    match HOGQL.index(expression):
        case 0:
            return _present(own) + 1
        case 1:
            return len({event.properties["plan"] for event in own})
        case _:
            return 2 * sum(map(_price, own))


def _present(own: list[Event]) -> float:
    """Return the sum of the numeric prices; without any it is not a number, which counts as 0 in the end."""
    found = [_price(event) for event in own if event.properties.get("price") not in (None, "x")]
    return sum(found) if found else -1.0


def _is_cut(bounds: Mapping[str, Any]) -> bool:
    return "lower_bound_percentile" in bounds or "upper_bound_percentile" in bounds


def _cut(values: dict[str, float], bounds: Mapping[str, Any]) -> dict[str, float]:
    """Clamp values beyond the quantiles of all values."""
    if not values or not _is_cut(bounds):
        return values
    low, high = min(values.values()), max(values.values())
    if "lower_bound_percentile" in bounds:
        low = _quantile(list(values.values()), bounds["lower_bound_percentile"])
    if "upper_bound_percentile" in bounds:
        kept = [value for value in values.values() if value != 0 or not bounds["ignore_zeros"]]
        high = _quantile(kept, bounds["upper_bound_percentile"]) if kept else high
    return {entity: min(max(value, low), high) for entity, value in values.items()}


def _quantile(values: list[float], level: float) -> float:
    """Return the quantile as ClickHouse's `quantileExact`: the smallest value with at least this share below it."""
    ordered = sorted(values)
    return ordered[min(int(level * len(ordered)), len(ordered) - 1)]


def conversions(case: Case, events: Sequence[Event]) -> dict[str, list[int]]:
    """Return by variant: samples, and how many got at least as far as each step after the exposure."""
    metric = case.metric
    counted = exposures(case, events)
    by_entity: dict[str, list[Event]] = {}
    for event in sorted(events, key=lambda event: event.timestamp):
        by_entity.setdefault(entity_of(case, event), []).append(event)
    found: dict[str, list[int]] = {}
    for entity, exposed in counted.items():
        if exposed.variant == "$multiple":
            continue
        own = by_entity[entity]
        steps = [(event.timestamp, step) for event in own for step in _steps(case, event)]
        window = timedelta(seconds=_seconds(metric) or 3 * 365 * 86_400)
        if metric.get("funnel_order_type") == "unordered":
            steps = [(at, step) for at, step in steps if at >= exposed.first]
            reached = max(len({step for at, step in steps if start <= at <= start + window}) for start, _ in steps) - 1
        else:
            reached = max(_ordered(steps, start, window) for start, step in steps if step == 0)
        row = found.setdefault(exposed.variant, [0] * (len(metric["series"]) + 1))
        for step in range(reached + 1):
            row[step] += 1
    return found


def retained(case: Case, events: Sequence[Event]) -> dict[str, list[int]]:
    """Return by variant: how many started after the exposure, and how many of them came back in the window."""
    metric = case.metric
    zone = _zone(case)
    since, until = window_of(case)
    unit = metric["retention_window_unit"]
    window = timedelta(seconds=_seconds(metric))
    reach = timedelta(seconds=metric["retention_window_end"] * UNITS[unit])
    found: dict[str, list[int]] = {}
    for entity, exposed in exposures(case, events).items():
        own = [event for event in events if entity_of(case, event) == entity and event.timestamp >= since]
        starts = [
            event
            for event in own
            if _matches(metric["start_event"], event)
            and exposed.first <= event.timestamp < until + window
            and (not window or event.timestamp <= exposed.first + window)
        ]
        if exposed.variant == "$multiple" or not starts:
            continue
        pick = min if metric["start_handling"] == "first_seen" else max
        start = pick(starts, key=lambda event: event.timestamp)
        back = any(
            _is_back(metric, start.timestamp.astimezone(zone), event.timestamp.astimezone(zone))
            for event in own
            if _matches(metric["completion_event"], event)
            and event is not start
            and start.timestamp <= event.timestamp < until + window + reach
        )
        row = found.setdefault(exposed.variant, [0, 0])
        found[exposed.variant] = [row[0] + 1, row[1] + back]
    return found


def _is_back(metric: Mapping[str, Any], start: datetime, back: datetime) -> bool:
    """Return whether a return is in the window, counted in calendar days or clock hours, or in elapsed other units."""
    unit = metric["retention_window_unit"]
    span = timedelta(seconds=UNITS[unit])
    if back.astimezone(UTC) - start.astimezone(UTC) > span * (
        metric["retention_window_end"] + (unit in ("day", "hour"))
    ):
        return False
    if unit == "day":
        start, back = (moment.replace(hour=0, minute=0, second=0, microsecond=0) for moment in (start, back))
    elif unit == "hour":
        start, back = (moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0) for moment in (start, back))
    elif unit == "minute":
        start, back = start.astimezone(UTC), back.astimezone(UTC)
    return start + span * metric["retention_window_start"] <= back <= start + span * metric["retention_window_end"]


def _steps(case: Case, event: Event) -> list[int]:
    start, end = window_of(case)
    found = [0] if _is_exposure(case, event) else []
    if start <= event.timestamp <= end + timedelta(seconds=_seconds(case.metric)):
        found += [place for place, node in enumerate(case.metric["series"], 1) if _matches(node, event)]
    return found


def _ordered(steps: list[tuple[datetime, int]], start: datetime, window: timedelta) -> int:
    """Return the last step completed in order after this start; simultaneous events count in step order."""
    reached = 0
    for at, same in groupby(steps, key=lambda item: item[0]):
        if start <= at <= start + window:
            here = {step for _, step in same}
            while reached + 1 in here:
                reached += 1
    return reached


def _zone(case: Case) -> ZoneInfo:
    return ZoneInfo(case.zone)


def daily(case: Case, events: Sequence[Event]) -> dict[str, list[float]]:
    """Return by variant the number exposed by the end of each day of the experiment, in the project's zone.

    The last day of a running experiment is that of UTC.
    """
    if case.start is None:
        return {}
    zone = _zone(case)
    last = case.end.astimezone(zone).date() if case.end else NOW.date()
    day = case.start.astimezone(zone).date()
    days = list[date]()
    while day <= last:
        days.append(day)
        day += timedelta(days=1)
    counted = exposures(case, events).values()
    names = [*VARIANTS, "$multiple"]
    found: dict[str, list[float]] = {}
    for name in names:
        firsts = [one.first.astimezone(zone).date() for one in counted if one.variant == name]
        row = [float(sum(first <= day for first in firsts)) for day in days]
        if days and (name in VARIANTS or row[-1]):
            found[name] = row
    return found
