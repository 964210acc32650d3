"""Common analyses: funnels, retention, stickiness, top lists, first touches, sign-up cohorts."""

from datetime import date, datetime, timedelta

from .recounting import Case, Result, Row, Rows, counts, groups, of, sorted_rows

STEPS = ("signed_up", "checkout_started", "purchase_completed")


def _timelines(rows: Rows, *names: str) -> dict[str, list[Row]]:
    ordered = sorted(rows.named(*names), key=lambda event: event["timestamp"])
    return groups((event["person_id"], event) for event in ordered)


def _furthest(events: list[Row], steps: tuple[str, ...], window: timedelta) -> int:
    """Return the number of steps a person took in this order within the window after the first."""
    entered: list[datetime | None] = [None] * len(steps)
    reached = 0
    for event in events:
        at = event["timestamp"]
        place = steps.index(event["event"])
        if place == 0:
            entered[0] = at
        else:
            start = entered[place - 1]
            if start is None or at - start > window:
                continue
            entered[place] = start
        reached = max(reached, place + 1)
    return reached


def _funnel(window: timedelta, rows: Rows) -> Result:
    return counts(_furthest(events, STEPS, window) for events in _timelines(rows, *STEPS).values())


def _funnel_by_arm(rows: Rows) -> Result:
    found: dict[tuple[str, str], list[Row]] = {}
    ordered = sorted(rows.named(*STEPS[1:]), key=lambda event: event["timestamp"])
    for event in ordered:
        arm = of(event, "$feature/new-checkout")
        if arm is not None:
            found.setdefault((arm, event["person_id"]), []).append(event)
    levels = groups((arm, _furthest(events, STEPS[1:], timedelta(hours=1))) for (arm, _), events in found.items())
    return sorted_rows(
        [[arm, sum(1 for level in reached if level >= 1), sum(1 for level in reached if level == 2)]
         for arm, reached in levels.items()]
    )  # fmt: skip


def _monday(moment: datetime) -> date:
    return moment.date() - timedelta(days=moment.weekday())


def _retention(rows: Rows) -> Result:
    first: dict[str, date] = {}
    for event in sorted(rows.named("$pageview"), key=lambda event: event["timestamp"]):
        first.setdefault(event["person_id"], _monday(event["timestamp"]))
    seen = {
        (first[event["person_id"]], (_monday(event["timestamp"]) - first[event["person_id"]]).days // 7,
         event["person_id"]) for event in rows.named("$pageview")
    }  # fmt: skip
    return sorted_rows([[*key, number] for key, number in counts((w.isoformat(), after) for w, after, _ in seen)])[:100]


def _stickiness(rows: Rows) -> Result:
    days = {(event["person_id"], event["timestamp"].date()) for event in rows.named("$pageview")}
    return counts(number for _, number in counts(person for person, _ in days))


def _first_touch(rows: Rows) -> Result:
    found: dict[str, str | None] = {}
    for event in sorted(rows.named("$pageview"), key=lambda event: event["timestamp"]):
        found.setdefault(event["person_id"], of(event, "$referring_domain"))
    buyers = {event["person_id"] for event in rows.named("purchase_completed")}
    return counts(domain for person, domain in found.items() if person in buyers)


def _top(rows: Rows) -> Result:
    found = counts(of(event, "$pathname") for event in rows.named("$pageview"))
    return sorted(found, key=lambda row: (-row[1], row[0]))[:10]


def _top_and_other(rows: Rows) -> Result:
    found = sorted(counts(of(event, "$geoip_country_code") for event in rows.named("$pageview")),
                   key=lambda row: (-row[1], row[0]))  # fmt: skip
    top = {country for country, _ in found[:3]}
    return counts(country if country in top else "other" for country, number in found for _ in range(number))


def _active(rows: Rows) -> Result:
    days = groups((event["timestamp"].date(), event["person_id"]) for event in rows.events)
    return [[day.isoformat(), len(set(people))] for day, people in sorted(days.items())]


def _weekly_growth(rows: Rows) -> Result:
    weeks = counts(_monday(event["timestamp"]) for event in rows.named("signed_up"))
    before = [0, *(number for _, number in weeks)]
    return [[week.isoformat(), number, number - earlier]
            for (week, number), earlier in zip(weeks, before, strict=False)]  # fmt: skip


def _time_to_purchase(rows: Rows) -> Result:
    waits: list[float] = []
    for events in _timelines(rows, "checkout_started", "purchase_completed").values():
        started = [event["timestamp"] for event in events if event["event"] == "checkout_started"]
        bought = [event["timestamp"] for event in events if event["event"] == "purchase_completed"]
        if started and bought:
            waits.append((bought[0].replace(microsecond=0) - started[0].replace(microsecond=0)).total_seconds())
    return [[len(waits), sum(waits) / len(waits)]]


def _errors_by_version(rows: Rows) -> Result:
    found = counts((of(event, "$exception_types")[0], of(event, "app_version")) for event in rows.named("$exception"))
    return sorted_rows([[*key, number] for key, number in found])


def _promoters(rows: Rows) -> Result:
    scores = [int(of(event, "$survey_response")) for event in rows.named("survey sent")]
    return [[sum(score >= 9 for score in scores), sum(score <= 6 for score in scores), len(scores)]]


_FUNNEL = (
    "select level, count() from (select person_id, windowFunnel({seconds})(toDateTime(timestamp), event = 'signed_up', "
    "event = 'checkout_started', event = 'purchase_completed') as level from events where event in ('signed_up', "
    "'checkout_started', 'purchase_completed') group by person_id) group by level order by level"
)

CASES = (
    Case("a funnel within two weeks", _FUNNEL.format(seconds=14 * 86400), lambda rows: _funnel(timedelta(14), rows)),
    Case("a funnel within a day", _FUNNEL.format(seconds=86400), lambda rows: _funnel(timedelta(1), rows)),
    Case("a funnel by arm", "select arm, countIf(level >= 1), countIf(level = 2) from (select person_id, "
         "properties['$feature/new-checkout'] as arm, windowFunnel(3600)(toDateTime(timestamp), event = "
         "'checkout_started', event = 'purchase_completed') as level from events where event in ('checkout_started', "
         "'purchase_completed') and arm is not null group by person_id, arm) group by arm order by arm",
         _funnel_by_arm),
    Case("retention by week", "with firsts as (select person_id, min(toStartOfWeek(timestamp, 1)) as first from events "
         "where event = '$pageview' group by person_id) select f.first as cohort, dateDiff('day', f.first, "
         "toStartOfWeek(e.timestamp, 1)) / 7 as week, count(distinct e.person_id) from events e join firsts f "
         "on e.person_id = f.person_id where e.event = '$pageview' group by cohort, week order by cohort, week "
         "limit 100", lambda rows: [[cohort, float(week), number] for (cohort, week), number in (
             ((row[0], row[1]), row[2]) for row in _retention(rows))]),
    Case("stickiness", "select days, count() from (select person_id, count(distinct toDate(timestamp)) as days "
         "from events where event = '$pageview' group by person_id) group by days order by days", _stickiness),
    Case("first touch of buyers", "select source, count() from (select person_id, argMin(properties.$referring_domain, "
         "timestamp) as source from events where event = '$pageview' group by person_id) where person_id in "
         "(select person_id from events where event = 'purchase_completed') group by source order by source",
         _first_touch),
    Case("top pages", "select properties.$pathname as path, count() as n from events where event = '$pageview' "
         "group by path order by n desc, path limit 10", _top),
    Case("top countries and the rest", "with top as (select properties.$geoip_country_code as code, count() as n from "
         "events where event = '$pageview' group by code order by n desc, code limit 3) select if("
         "properties.$geoip_country_code in (select code from top), properties.$geoip_country_code, 'other') as "
         "country, count() from events where event = '$pageview' group by country order by country", _top_and_other),
    Case("active people by day", "select toDate(timestamp) as day, uniq(person_id) from events group by day "
         "order by day limit 100", _active),
    Case("growth over the week before", "select week, n, n - lagInFrame(n, 1, 0) over (order by week) from (select "
         "toStartOfWeek(timestamp, 1) as week, count() as n from events where event = 'signed_up' group by week) "
         "order by week", _weekly_growth),
    Case("time from checkout to purchase", "select count(), avg(dateDiff('second', started, bought)) from (select "
         "person_id, minIf(timestamp, event = 'checkout_started') as started, minIf(timestamp, event = "
         "'purchase_completed') as bought, countIf(event = 'checkout_started') as a, countIf(event = "
         "'purchase_completed') as b from events group by person_id) where a > 0 and b > 0", _time_to_purchase),
    Case("errors by version", "select properties.$exception_types.1 as type, properties.app_version, count() from "
         "events where event = '$exception' group by 1, 2 order by 1, 2", _errors_by_version),
    Case("promoters and detractors", "select countIf(toInt(properties.$survey_response) >= 9), "
         "countIf(toInt(properties.$survey_response) <= 6), count() from events where event = 'survey sent'",
         _promoters),
)  # fmt: skip
