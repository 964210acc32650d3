"""Typed queries through the sandbox's HTTP endpoint, and the simplest ClickHouse SQL for the same number.

The SQL is sent directly to the engine: without HTTP, translation, labels, filled gaps, and PostHog's rules that no
ClickHouse function implements (`windowFunnel` returns the counts of a funnel, without PostHog's times, ties and
exclusions). The ratio is the cost of PostHog's query semantics.
"""

import json
import statistics
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from posthog_sandbox.storage.engine import Engine

from .hogql import TODAY, Endpoint, both_sides

TARGET = 3.0
_RANGE = {"date_from": "2026-08-25", "date_to": TODAY.isoformat()}
_DATES = "timestamp >= '2026-08-25 00:00:00' AND timestamp <= '2026-11-23 23:59:59'"
_VIEWS = f"{_DATES} AND event = '$pageview'"
_SIGN_UP = ("signed_up", "checkout_started", "purchase_completed")
_VISIT = ("$pageview", "signed_up", "checkout_started")
_BROWSING = ("$pageview", "$autocapture", "$pageleave")
_WINDOW = 14 * 86_400
_BROWSER = "JSONExtractString(properties, '$browser')"


@dataclass(frozen=True, slots=True)
class Pair:
    """A typed query, and the simplest SQL for the same number."""

    query: Mapping[str, Any]
    sql: str


def _series(*events: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"kind": "EventsNode", "event": event, **fields} for event in events]


def _query(kind: str, series: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "series": series, "dateRange": _RANGE, **fields}


def _funnel(*events: str, breakdown: str | None = None, **options: Any) -> dict[str, Any]:
    fields = {} if breakdown is None else {"breakdownFilter": {"breakdown": breakdown}}
    return _query("FunnelsQuery", _series(*events), funnelsFilter=options, **fields)


def _levels(events: tuple[str, ...], mode: str = "", group: str = "") -> str:
    steps = ", ".join(f"event = '{event}'" for event in events)
    value = f", {group} AS value" if group else ""
    by = ", value" if group else ""
    return (
        f"SELECT level{by}, count() FROM (SELECT person_id, windowFunnel({_WINDOW}{mode})(toDateTime(timestamp), "
        f"{steps}) AS level{value} FROM posthog.events WHERE {_DATES} GROUP BY person_id) GROUP BY level{by} "
        f"ORDER BY level{by}"
    )


def _times(events: tuple[str, ...]) -> str:
    first, last = events[0], events[-1]
    return (
        "SELECT intDiv(taken, 3600) AS hours, count() FROM (SELECT person_id, dateDiff('second', "
        f"minIf(timestamp, event = '{first}'), minIf(timestamp, event = '{last}')) AS taken, windowFunnel({_WINDOW})"
        f"(toDateTime(timestamp), event = '{first}', event = '{last}') AS level FROM posthog.events WHERE {_DATES} "
        "GROUP BY person_id) WHERE level = 2 GROUP BY hours ORDER BY hours"
    )


def _levels_by_day(events: tuple[str, ...]) -> str:
    steps = ", ".join(f"event = '{event}'" for event in events)
    return (
        f"SELECT day, countIf(level = {len(events)}) / count() FROM (SELECT person_id, toDate(minIf(timestamp, "
        f"event = '{events[0]}')) AS day, windowFunnel({_WINDOW})(toDateTime(timestamp), {steps}) AS level "
        f"FROM posthog.events WHERE {_DATES} GROUP BY person_id) WHERE level > 0 GROUP BY day ORDER BY day"
    )


def _by_day(columns: str, where: str = _VIEWS) -> str:
    return f"SELECT toDate(timestamp) AS day, {columns} FROM posthog.events WHERE {where} GROUP BY day ORDER BY day"


_PAIRS: Mapping[str, Pair] = {
    "trends total": Pair(_query("TrendsQuery", _series("$pageview")), _by_day("count()")),
    "trends dau": Pair(_query("TrendsQuery", _series("$pageview", math="dau")), _by_day("uniqExact(person_id)")),
    "trends of two series": Pair(
        _query("TrendsQuery", _series("$pageview", "signed_up")),
        _by_day(
            "countIf(event = '$pageview'), countIf(event = 'signed_up')",
            f"{_DATES} AND event IN ('$pageview', 'signed_up')",
        ),
    ),
    "trends breakdown": Pair(
        _query("TrendsQuery", _series("$pageview"), breakdownFilter={"breakdown": "$browser"}),
        f"SELECT toDate(timestamp) AS day, {_BROWSER} AS value, count() FROM posthog.events WHERE {_VIEWS} "
        "GROUP BY day, value ORDER BY day, value",
    ),
    "trends formula": Pair(
        _query("TrendsQuery", _series("$pageview", "signed_up"), trendsFilter={"formula": "B/A"}),
        _by_day(
            "countIf(event = 'signed_up') / countIf(event = '$pageview')",
            f"{_DATES} AND event IN ('$pageview', 'signed_up')",
        ),
    ),
    "trends sum of a property": Pair(
        _query("TrendsQuery", _series("purchase_completed", math="sum", math_property="revenue")),
        _by_day("sum(JSONExtractFloat(properties, 'revenue'))", f"{_DATES} AND event = 'purchase_completed'"),
    ),
    "funnel ordered": Pair(_funnel(*_SIGN_UP), _levels(_SIGN_UP)),
    "funnel ordered, many enter": Pair(_funnel(*_VISIT), _levels(_VISIT)),
    "funnel ordered, many convert": Pair(_funnel(*_BROWSING), _levels(_BROWSING)),
    "funnel unordered": Pair(_funnel(*_SIGN_UP, funnelOrderType="unordered"), _levels(_SIGN_UP)),
    "funnel strict": Pair(
        _funnel("$pageview", "$autocapture", funnelOrderType="strict"),
        _levels(("$pageview", "$autocapture"), ", 'strict_order'"),
    ),
    "funnel breakdown": Pair(
        _funnel(*_VISIT, breakdown="$browser"), _levels(_VISIT, group=f"argMin({_BROWSER}, timestamp)")
    ),
    "funnel trends": Pair(_funnel(*_VISIT, funnelVizType="trends"), _levels_by_day(_VISIT)),
    "funnel time to convert": Pair(_funnel(*_SIGN_UP, funnelVizType="time_to_convert"), _times(_SIGN_UP)),
    "retention": Pair(
        {
            "kind": "RetentionQuery",
            "dateRange": _RANGE,
            "retentionFilter": {
                "period": "Week",
                "targetEntity": {"id": "$pageview", "type": "events"},
                "returningEntity": {"id": "$pageview", "type": "events"},
            },
        },
        "SELECT first, after, uniqExact(person_id) FROM (SELECT person_id, arrayJoin(weeks) AS first, "
        "dateDiff('week', first, arrayJoin(arrayFilter(x -> x >= first, weeks))) AS after FROM (SELECT person_id, "
        f"groupUniqArray(toStartOfWeek(timestamp)) AS weeks FROM posthog.events WHERE {_VIEWS} GROUP BY person_id)) "
        "GROUP BY first, after ORDER BY first, after",
    ),
    "lifecycle": Pair(
        _query("LifecycleQuery", _series("$pageview")),
        "SELECT day, countIf(before = day - 1), countIf(before != day - 1) FROM (SELECT person_id, day, "
        "lagInFrame(day) OVER (PARTITION BY person_id ORDER BY day) AS before FROM (SELECT DISTINCT person_id, "
        f"toDate(timestamp) AS day FROM posthog.events WHERE {_VIEWS})) GROUP BY day ORDER BY day",
    ),
    "stickiness": Pair(
        _query("StickinessQuery", _series("$pageview")),
        "SELECT days, count() FROM (SELECT person_id, uniqExact(toDate(timestamp)) AS days FROM posthog.events "
        f"WHERE {_VIEWS} GROUP BY person_id) GROUP BY days ORDER BY days",
    ),
    "paths": Pair(
        {
            "kind": "PathsQuery",
            "dateRange": _RANGE,
            "pathsFilter": {"includeEventTypes": ["$pageview"]},
        },
        "SELECT source, target, count() AS n FROM (SELECT person_id, JSONExtractString(properties, '$current_url') "
        "AS target, lagInFrame(target) OVER (PARTITION BY person_id ORDER BY timestamp) AS source "
        f"FROM posthog.events WHERE {_VIEWS}) GROUP BY source, target ORDER BY n DESC LIMIT 50",
    ),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """The measurements of one query: seconds of both sides in each round."""

    name: str
    typed: list[float]
    plain: list[float]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return statistics.median(a / b for a, b in zip(self.typed, self.plain, strict=True))


def measure(events: int, rounds: int) -> Generator[Measured]:
    """Yield the measurements of all queries over this number of events."""
    with both_sides(events) as (endpoint, engine):
        for name, pair in _PAIRS.items():
            yield _one(endpoint, engine, name, pair, rounds)


def _one(endpoint: Endpoint, engine: Engine, name: str, pair: Pair, rounds: int) -> Measured:
    measured = Measured(name, [], [])

    def typed() -> None:
        endpoint.open()
        began = time.perf_counter()
        content = endpoint.ask(pair.query)
        measured.typed.append(time.perf_counter() - began)
        if not json.loads(content)["results"]:
            raise RuntimeError(f"{name}: no results")

    def plain() -> None:
        began = time.perf_counter()
        engine.select(pair.sql)
        measured.plain.append(time.perf_counter() - began)

    for side in (typed, plain):
        side()
    for taken in (measured.typed, measured.plain):
        taken.clear()  # the first round only warms caches
    for number in range(rounds):
        for side in (typed, plain) if number % 2 else (plain, typed):
            side()
    return measured


def report(events: int, rounds: int) -> None:
    """Print one line per query, and one for all of them."""
    print(f"\nTyped queries over {events:,} events: through the sandbox, and the simplest SQL sent to the engine.")
    print(f"{'':34} {'sandbox':>10} {'engine':>10}   ratio")
    ratios: list[float] = []
    for one in measure(events, rounds):
        ours, least = (f"{statistics.median(side) * 1000:,.1f} ms" for side in (one.typed, one.plain))
        print(f"{one.name:34} {ours:>10} {least:>10}   {one.ratio:.2f}", flush=True)
        ratios.append(one.ratio)
    low, ratio, high = statistics.quantiles(ratios, n=4)
    verdict = "met" if ratio <= TARGET else "MISSED"
    print(
        f"{f'median of {len(ratios)} queries':34} {'':>10} {'':>10}   {ratio:.2f}  ({low:.2f}-{high:.2f})    "
        f"<= {TARGET:.2f}  {verdict}",
        flush=True,
    )
