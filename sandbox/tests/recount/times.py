"""Dates: buckets, time zones of the project, week starts, differences, formats."""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from .recounting import Case, Result, Row, Rows, counts, day, moment

TOKYO, NEW_YORK = ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")
_BY_DAY = "select toDate(timestamp) as day, count() from events group by day order by day"
_BY_WEEK = "select toStartOfWeek(timestamp) as week, count() from events group by week order by week"


def _days(zone: tzinfo, rows: Rows) -> Result:
    return counts(day(event["timestamp"], zone) for event in rows.events)


def _weeks(first_day: int, rows: Rows) -> Result:
    """Count by weeks that begin on Sunday (0) or Monday (1)."""

    def start(event: Row) -> str:
        date = event["timestamp"].date()
        return (date - timedelta(days=(date.isoweekday() - first_day) % 7)).isoformat()

    return counts(start(event) for event in rows.events)


def _hours(zone: tzinfo, rows: Rows) -> Result:
    return counts(event["timestamp"].astimezone(zone).hour for event in rows.events)


def _starts_of_days(zone: tzinfo, rows: Rows) -> Result:
    def start(event: Row) -> str:
        local = event["timestamp"].astimezone(zone)
        return moment(local.replace(hour=0, minute=0, second=0, microsecond=0), zone)

    return counts(start(event) for event in rows.events)[:100]


def _starts_of_hours(rows: Rows) -> Result:
    hours = (event["timestamp"].replace(minute=0, second=0, microsecond=0) for event in rows.named("signed_up"))
    return counts(moment(hour) for hour in hours)


def _filled(rows: Rows) -> Result:
    purchases = [event["timestamp"].date() for event in rows.named("purchase_completed")]
    first = datetime(2026, 11, 1, tzinfo=UTC).date()
    days = [first + timedelta(days=number) for number in range(20)]
    return [[date.isoformat(), purchases.count(date)] for date in days]


def _ages(rows: Rows) -> Result:
    days = [
        (event["timestamp"].date() - event["person_created_at"].date()).days
        for event in rows.events
        if event["person_mode"] == "full"
    ]
    return [[sum(days), max(days), sum(1 for value in days if value == 0)]]


def _latest(zone: tzinfo, rows: Rows) -> Result:
    return [[moment(event["timestamp"], zone)]
            for event in sorted(rows.events, key=lambda event: event["timestamp"], reverse=True)[:10]]  # fmt: skip


def _within(first: datetime, last: datetime, rows: Rows) -> Result:
    return [[sum(1 for event in rows.events if first <= event["timestamp"] < last)]]


CASES = (
    Case("by day", _BY_DAY, lambda rows: _days(UTC, rows)),
    Case("by day in Tokyo", _BY_DAY, lambda rows: _days(TOKYO, rows), {"timezone": "Asia/Tokyo"}),
    Case("by day in New York, over the change of the clocks", _BY_DAY, lambda rows: _days(NEW_YORK, rows),
         {"timezone": "America/New_York"}),
    Case("by week from Sunday", _BY_WEEK, lambda rows: _weeks(0, rows), {"week_start_day": 0}),
    Case("by week from Monday", _BY_WEEK, lambda rows: _weeks(1, rows), {"week_start_day": 1}),
    Case("by hour of the day", "select toHour(timestamp), count() from events group by 1 order by 1",
         lambda rows: _hours(UTC, rows)),
    Case("by hour of the day in New York", "select toHour(timestamp), count() from events group by 1 order by 1",
         lambda rows: _hours(NEW_YORK, rows), {"timezone": "America/New_York"}),
    Case("by day of the week", "select toDayOfWeek(timestamp), count() from events group by 1 order by 1",
         lambda rows: counts(event["timestamp"].isoweekday() for event in rows.events)),
    Case("starts of days in Tokyo", "select toStartOfDay(timestamp) as day, count() from events group by day "
         "order by day limit 100", lambda rows: _starts_of_days(TOKYO, rows), {"timezone": "Asia/Tokyo"}),
    Case("starts of hours", "select toStartOfHour(timestamp) as hour, count() from events where event = 'signed_up' "
         "group by hour order by hour", _starts_of_hours),
    Case("by month", "select toStartOfMonth(timestamp), count() from events group by 1 order by 1",
         lambda rows: counts(event["timestamp"].date().replace(day=1).isoformat() for event in rows.events)),
    Case("dateTrunc", "select dateTrunc('month', timestamp) as month, count() from events group by month "
         "order by month", lambda rows: counts(event["timestamp"].date().replace(day=1).isoformat()
                                               for event in rows.events)),
    Case("formatted times", "select formatDateTime(timestamp, '%Y-%m') as month, count() from events group by month "
         "order by month", lambda rows: counts(event["timestamp"].strftime("%Y-%m") for event in rows.events)),
    Case("days without purchases are filled", "select toDate(timestamp) as day, count() from events where event = "
         "'purchase_completed' and timestamp >= '2026-11-01' and timestamp < '2026-11-21' group by day order by day "
         "with fill from assumeNotNull(toDate('2026-11-01')) to assumeNotNull(toDate('2026-11-21')) step 1", _filled),
    Case("days between", "select sum(d), max(d), countIf(d = 0) from (select dateDiff('day', person.created_at, "
         "timestamp) as d from events where person_mode = 'full')", _ages),
    Case("times are shown in UTC", "select timestamp from events order by timestamp desc limit 10",
         lambda rows: _latest(UTC, rows)),
    Case("times are shown in the project's timezone", "select timestamp from events order by timestamp desc limit 10",
         lambda rows: _latest(NEW_YORK, rows), {"timezone": "America/New_York"}),
    Case("a literal is read in the project's timezone", "select count() from events where timestamp >= '2026-11-02' "
         "and timestamp < toDateTime('2026-11-04 12:00:00')",
         lambda rows: _within(datetime(2026, 11, 2, tzinfo=TOKYO), datetime(2026, 11, 4, 12, tzinfo=TOKYO), rows),
         {"timezone": "Asia/Tokyo"}),
    Case("a date beside a moment", "select count() from events where timestamp >= toDate('2026-11-02') "
         "and toDate(timestamp) < '2026-11-05'",
         lambda rows: _within(datetime(2026, 11, 2, tzinfo=NEW_YORK), datetime(2026, 11, 5, tzinfo=NEW_YORK), rows),
         {"timezone": "America/New_York"}),
    Case("an interval before a moment", "select count() from events where timestamp > toDateTime('2026-11-10 00:00:00')"
         " - interval 7 day and timestamp <= toDateTime('2026-11-10 00:00:00')",
         lambda rows: _within(datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 11, 10, tzinfo=UTC), rows)),
    Case("dateAdd", "select dateAdd('hour', 36, toDateTime('2026-11-10 00:00:00')), toDate('2026-11-30') + "
         "interval 1 month", lambda rows: [["2026-11-11T12:00:00Z", "2026-12-30"]]),
    Case("seconds since 1970", "select max(toUnixTimestamp(timestamp)) from events",
         lambda rows: [[int(max(event["timestamp"] for event in rows.events).timestamp())]]),
    Case("sessions by the day of their start", "select toDate($start_timestamp) as day, count(), "
         "avg($session_duration) from sessions where day >= '2026-11-16' group by day order by day",
         lambda rows: [[date, number, sum(s["$session_duration"] for s in rows.sessions
                                          if day(s["$start_timestamp"]) == date) / number]
                       for date, number in counts(day(s["$start_timestamp"]) for s in rows.sessions)
                       if date >= "2026-11-16"]),
)  # fmt: skip
