"""Aggregates: sums, averages, distinct values, quantiles, arg-aggregates, conditional and combined ones."""

import statistics
from collections.abc import Iterable

from .recounting import Case, Result, Row, Rows, counts, groups, moment, of, quantile, sorted_rows


def _revenues(rows: Rows) -> list[float]:
    return [of(event, "revenue") for event in rows.events if of(event, "revenue") is not None]


def _durations(rows: Rows) -> list[int]:
    return [session["$session_duration"] for session in rows.sessions]


def _by_browser(rows: Rows) -> Result:
    found = groups((of(event, "$browser"), event["person_id"]) for event in rows.named("$pageview"))
    return sorted_rows([[browser, len(people), len(set(people))] for browser, people in found.items()])


def _first_and_last(events: Iterable[Row]) -> tuple[Row, Row]:
    ordered = sorted(events, key=lambda event: event["timestamp"])
    return ordered[0], ordered[-1]


def _arg_min_max(rows: Rows) -> Result:
    first, last = _first_and_last(rows.named("purchase_completed"))
    return [[of(first, "product"), of(last, "product"), moment(first["timestamp"]), moment(last["timestamp"])]]


def _versions(rows: Rows) -> Result:
    return [[[version for version, _ in counts(of(event, "app_version") for event in rows.events)]]]


def _rates(rows: Rows) -> Result:
    found = groups(
        (of(event, "$feature/new-checkout"), event["event"])
        for event in rows.events
        if of(event, "$feature/new-checkout") is not None
    )
    return sorted_rows(
        [
            [arm, names.count("checkout_started"), names.count("purchase_completed"),
             round(names.count("purchase_completed") / names.count("checkout_started"), 3)]
            for arm, names in found.items()
        ]
    )  # fmt: skip


def _medians(rows: Rows) -> Result:
    found = groups((session["$channel_type"], session["$session_duration"]) for session in rows.sessions)
    return sorted_rows([[channel, float(statistics.median(values))] for channel, values in found.items()])


def _levels(rows: Rows) -> Result:
    return [[[quantile(_durations(rows), level) for level in (0.25, 0.5, 0.9)]]]


def _having(rows: Rows) -> Result:
    return [row for row in counts(event["event"] for event in rows.events) if row[1] >= 50]


def _by_two_with_totals(rows: Rows) -> Result:
    found = [(of(event, "$device_type"), of(event, "$os")) for event in rows.named("$pageview")]
    return sorted_rows([[device, system, found.count((device, system))] for device, system in set(found)])


CASES = (
    Case("sum, average, least and greatest", "select sum(properties.revenue), avg(properties.revenue), "
         "min(properties.revenue), max(properties.revenue), count(properties.revenue) from events",
         lambda rows: [[sum(_revenues(rows)), statistics.mean(_revenues(rows)), min(_revenues(rows)),
                        max(_revenues(rows)), len(_revenues(rows))]]),
    Case("count leaves nulls out", "select count(properties.plan), count() from events",
         lambda rows: [[sum(1 for event in rows.events if of(event, "plan") is not None), len(rows.events)]]),
    Case("distinct values leave nulls out", "select count(distinct properties.plan), uniq(properties.$os), "
         "uniqExact(distinct_id) from events",
         lambda rows: [[len({of(event, "plan") for event in rows.events} - {None}),
                        len({of(event, "$os") for event in rows.events} - {None}),
                        len({event["distinct_id"] for event in rows.events})]]),
    Case("distinct pairs", "select uniq(event, properties.$os) from events where properties.$os is not null",
         lambda rows: [[len({(event["event"], of(event, "$os")) for event in rows.events
                             if of(event, "$os") is not None})]]),
    Case("views and visitors by browser", "select properties.$browser, count(), uniq(person_id) from events "
         "where event = '$pageview' group by 1 order by 1", _by_browser),
    Case("the median", "select median($session_duration) from sessions",
         lambda rows: [[float(statistics.median(_durations(rows)))]]),
    Case("a quantile", "select quantile(0.95)($session_duration), quantileExact(0.5)($session_duration) from sessions",
         lambda rows: [[quantile(_durations(rows), 0.95), sorted(_durations(rows))[len(rows.sessions) // 2]]]),
    Case("several quantiles", "select quantiles(0.25, 0.5, 0.9)($session_duration) from sessions", _levels),
    Case("a quantile of a property without its nulls", "select quantile(0.9)(properties.revenue) from events",
         lambda rows: [[quantile(_revenues(rows), 0.9)]]),
    Case("medians by channel", "select $channel_type, median($session_duration) from sessions group by 1 order by 1",
         _medians),
    Case("standard deviation and variance", "select stddevPop(properties.revenue), varSamp(properties.revenue) "
         "from events", lambda rows: [[statistics.pstdev(_revenues(rows)), statistics.variance(_revenues(rows))]]),
    Case("the first and the last", "select argMin(properties.product, timestamp), argMax(properties.product, "
         "timestamp), min(timestamp), max(timestamp) from events where event = 'purchase_completed'", _arg_min_max),
    Case("values as a sorted array", "select arraySort(groupUniqArray(properties.app_version)) from events",
         _versions),
    Case("values as an array", "select length(groupArray(properties.plan)) from events",
         lambda rows: [[sum(1 for event in rows.events if of(event, "plan") is not None)]]),
    Case("conditional counts", "select countIf(event = '$pageview'), sumIf(properties.revenue, properties.plan = 'pro')"
         ", uniqIf(person_id, event = 'signed_up'), avgIf(properties.revenue, properties.revenue > 20) from events",
         lambda rows: [[len(rows.named("$pageview")),
                        sum(of(event, "revenue") for event in rows.events
                            if of(event, "plan") == "pro" and of(event, "revenue") is not None),
                        len({event["person_id"] for event in rows.named("signed_up")}),
                        statistics.mean(value for value in _revenues(rows) if value > 20)]]),
    Case("rates of two arms", "select properties['$feature/new-checkout'] as arm, countIf(event = 'checkout_started') "
         "as started, countIf(event = 'purchase_completed') as bought, round(bought / started, 3) from events "
         "where arm is not null group by arm order by arm", _rates),
    Case("having", "select event, count() as n from events group by event having n >= 50 order by event", _having),
    Case("grouped by two", "select properties.$device_type, properties.$os, count() from events "
         "where event = '$pageview' group by 1, 2 order by 1, 2", _by_two_with_totals),
    Case("an aggregate of an aggregate", "select avg(n), max(n) from (select person_id, count() as n from events "
         "group by person_id)",
         lambda rows: [[statistics.mean(row[1] for row in counts(event["person_id"] for event in rows.events)),
                        max(row[1] for row in counts(event["person_id"] for event in rows.events))]]),
    Case("aggregates of nothing", "select count(), sum(properties.revenue), max(timestamp) is null from events "
         "where event = 'no such event'", lambda rows: [[0, None, False]]),
    Case("any of equal values", "select any(properties.currency), anyLast(properties.currency) from events "
         "where properties.currency is not null", lambda rows: [["USD", "USD"]]),
)  # fmt: skip
