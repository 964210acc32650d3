import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from maton_posthog.gateway.errors import Refused
from maton_posthog.schemas.analytics.queries import QueryTrends
from maton_posthog.tools.analytics.dates import Intervals, Range, as_sent, check, intervals, relative, resolve
from posthog_sandbox.queries.moments import parse_moment
from tests.oracle import accepting

TOKYO = ZoneInfo("Asia/Tokyo")
NOW = datetime(2026, 11, 23, 7, 30, 15, tzinfo=UTC)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"])
MOMENTS = st.datetimes(datetime(2015, 1, 1), datetime(2035, 12, 31), timezones=st.just(UTC))
RELATIVE = st.one_of(
    st.builds("-{}{}".format, st.integers(0, 400), st.sampled_from("hdwmqy")),
    st.builds("{}{}".format, st.sampled_from(["", "-1", "-3", "-14"]), st.sampled_from(["hStart", "dEnd", "mStart"])),
    st.sampled_from(["hEnd", "-2hEnd", "dStart", "-1dStart", "mEnd", "-1mEnd"]),
    st.just("yStart"),
)  # fmt: skip
WORDS = st.one_of(
    st.sampled_from(
        ["-7", "d", "2026-02-30", "2026-13", "2026-Q5", "2026-W60", "-7dd", "-0x7d", "wStart", "yEnd", "20261101",
         "-\u0667d", "2026-11-01T25:00:00", "1700000000", "last days", "last 0 days", "the week", "5 november"]
    ),
    st.text(max_size=12),
)  # fmt: skip

ACCEPTED = r"must be a date or time \(2026-02-23, 2026-02-23T09:30\), relative to now \(-24h, -7d.*last_8_weeks"
RIGHT = re.compile(r"[0-9]{4}.*|-?[0-9]{1,4}[hdwmqy]|[hdm](Start|End)|yStart|[a-z]{3,7}", re.I)
"""Texts that random generation can produce and that are valid dates."""


def day(value: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=ZoneInfo(zone))


def span(start: str, end: str, now: datetime = NOW) -> Range:
    return Range(day(start), day(end), now)


@given(RELATIVE, MOMENTS, ZONES)
def test_a_relative_date_has_posthogs_meaning(text: str, now: datetime, zone: str) -> None:
    local = now.astimezone(ZoneInfo(zone))
    assert relative(text, local) == parse_moment(text, now, zone)


@given(RELATIVE)
def test_every_relative_date_of_the_grammar_is_accepted_unchanged(text: str) -> None:
    args = QueryTrends.model_validate({"events": ["x"], "date_from": text, "date_to": text})
    assert (args.date_from, args.date_to) == (text, text)


@given(WORDS)
def test_what_posthog_would_misread_is_refused_and_the_accepted_forms_are_named(text: str) -> None:
    assume(text and not RIGHT.fullmatch(text))  # an empty text means absent
    with pytest.raises(ValidationError, match=ACCEPTED):
        QueryTrends.model_validate({"events": ["x"], "date_to": text})


@given(st.dates(date(1990, 1, 1), date(2026, 11, 23)), st.dates(date(1990, 1, 1), date(2026, 11, 23)))
def test_a_range_is_rejected_if_and_only_if_its_first_day_is_after_its_last(first: date, last: date) -> None:
    found = resolve(first, last, now=NOW, zone=UTC, interval="month")
    if first <= last:
        check(first, last, found, interval="month")
    else:
        with pytest.raises(Refused, match="is after date_to"):
            check(first, last, found, interval="month")


@accepting(30, Refused)
@given(RELATIVE, RELATIVE, MOMENTS, ZONES, st.sampled_from(["hour", "day", "week", "month", "total"]))
def test_no_range_is_both_accepted_and_empty_or_in_the_future(
    start: str, end: str, now: datetime, zone: str, interval: str
) -> None:
    found = resolve(start, end, now=now, zone=ZoneInfo(zone), interval=interval)
    check(start, end, found, interval=interval)
    assert found.start is not None
    assert found.start <= found.end
    assert found.start <= found.now
    assert found.end.date() <= found.now.date()


@pytest.mark.parametrize(
    ("start", "end", "interval", "says"),
    [
        (date(2026, 11, 24), None, "day", "date_from: 2026-11-24 is in the future"),
        ("all", date(2026, 11, 24), "day", "2026-11-24 is in the future; future days would count as zeros"),
        ("-7d", "mEnd", "day", "date_to: mEnd is in the future"),
        ("-7d", "-14d", "day", "date_from: -7d is after date_to, -14d"),
        ("-90y", None, "day", "must not be before 1980"),
        ("-9999y", None, "day", "must not be before 1980"),
        ("-9999m", None, "week", "must not be before 1980"),
        ("-30d", None, "minute", "interval: by minute this range has more than 1500 rows"),
        (date(2020, 1, 1), None, "day", "interval: by day"),
    ],
)  # fmt: skip
def test_a_range_that_counts_nothing_or_too_much_is_rejected_with_the_reason(
    start: date | str, end: date | str | None, interval: str, says: str
) -> None:
    with pytest.raises(Refused, match=says) as refused:
        check(start, end, resolve(start, end, now=NOW, zone=UTC, interval=interval), interval=interval)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("start", "end", "interval", "first", "last"),
    [
        ("-7d", None, "day", "2026-11-16T00:00", "2026-11-23T23:59:59.999999"),
        ("-7d", None, "hour", "2026-11-16T00:00", "2026-11-23T07:59:59.999999"),
        ("-24h", None, "hour", "2026-11-22T07:00", "2026-11-23T07:59:59.999999"),
        ("-24h", None, "day", "2026-11-22T07:00", "2026-11-23T23:59:59.999999"),
        ("-2h", None, "minute", "2026-11-23T05:30:15", "2026-11-23T07:30:59.999999"),
        ("-1mStart", "-1mEnd", "week", "2026-10-01T00:00", "2026-10-31T23:59:59.999999"),
        (date(2026, 11, 1), date(2026, 11, 5), "day", "2026-11-01T00:00", "2026-11-05T23:59:59.999999"),
        (datetime(2026, 11, 1, 10), datetime(2026, 11, 5, 9), "day", "2026-11-01T00:00", "2026-11-05T23:59:59.999999"),
        (datetime(2026, 11, 1, 10), datetime(2026, 11, 1, 12), "hour", "2026-11-01T10:00", "2026-11-01T12:00"),
        (datetime(2026, 11, 1, 10, tzinfo=TOKYO), None, "hour", "2026-11-01T01:00", "2026-11-23T07:59:59.999999"),
    ],
)  # fmt: skip
def test_a_range_is_rounded_as_in_posthog(
    start: date | str, end: date | str | None, interval: str, first: str, last: str
) -> None:
    found = resolve(start, end, now=NOW, zone=UTC, interval=interval)
    assert (found.start, found.end) == (day(first), day(last))


def test_today_is_the_current_day_of_the_project() -> None:
    auckland = ZoneInfo("Pacific/Auckland")  # the 24th began there eleven hours ago
    late = NOW.replace(hour=12)
    check(
        date(2026, 11, 24),
        date(2026, 11, 24),
        resolve(date(2026, 11, 24), date(2026, 11, 24), now=late, zone=auckland, interval="day"),
        interval="day",
    )
    with pytest.raises(Refused, match="in the future"):
        check(
            date(2026, 11, 24),
            None,
            resolve(date(2026, 11, 24), None, now=late, zone=UTC, interval="day"),
            interval="day",
        )


@given(st.dates(date(2020, 1, 1), date(2026, 11, 23)), st.sampled_from(["minute", "hour", "day", "week", "month"]))
def test_an_end_date_includes_its_whole_day_for_every_interval(last: date, interval: str) -> None:
    sent = as_sent(last, interval=interval, end=True)
    assert sent is not None
    if interval in ("minute", "hour"):
        assert datetime.fromisoformat(sent) == datetime(last.year, last.month, last.day, 23, 59, 59)
    else:
        assert sent == last.isoformat()


@pytest.mark.parametrize(
    ("days", "found", "interval", "first", "last"),
    [
        (["2026-11-22", "2026-11-23"], span("2026-11-22", "2026-11-23T23:59:59.999999"), "day", False, True),
        (["2026-11-21", "2026-11-22"], span("2026-11-21", "2026-11-22T23:59:59.999999"), "day", False, False),
        (["2026-11-22", "2026-11-23"], span("2026-11-22T07:00", "2026-11-23T23:59:59.999999"), "day", True, True),
        (["2026-11-15", "2026-11-22"], span("2026-11-16", "2026-11-23T23:59:59.999999"), "week", True, True),
        (["2026-11-08", "2026-11-15"], span("2026-11-08", "2026-11-21T23:59:59.999999"), "week", False, False),
        (["2026-11-08", "2026-11-15"], span("2026-11-08", "2026-11-20T23:59:59.999999"), "week", False, True),
        (["2026-10-01", "2026-11-01"], span("2026-10-01", "2026-11-23T23:59:59.999999"), "month", False, True),
        (["2025-11-01", "2025-12-01"], span("2025-11-15", "2025-12-31T23:59:59.999999"), "month", True, False),
        (["2026-11-23 06:00:00", "2026-11-23 07:00:00"],
         span("2026-11-23T06:00", "2026-11-23T07:59:59.999999"), "hour", False, True),
        (["2026-11-23 05:00:00", "2026-11-23 06:00:00"],
         span("2026-11-23T05:00", "2026-11-23T06:59:59.999999"), "hour", False, False),
    ],
)  # fmt: skip
def test_an_interval_is_incomplete_if_it_is_current_or_cut_by_the_range(
    days: list[str], found: Range, interval: str, first: bool, last: bool
) -> None:
    assert intervals(days, found, interval) == Intervals(
        tuple(days), len(days) - last, int(first), days[0] if first else None
    )


@given(st.integers(0, 400), MOMENTS, ZONES)
def test_the_days_before_today_are_complete_and_today_is_not(count: int, now: datetime, zone: str) -> None:
    found = resolve(f"-{count}d", None, now=now, zone=ZoneInfo(zone), interval="day")
    assume(found.start is not None)
    assert found.start
    days = [f"{found.start.date() + timedelta(days=at):%Y-%m-%d}" for at in range(count + 1)]
    marked = intervals(days, found, "day")
    assert list(marked.complete()) == list(range(count))
    assert marked.incomplete_last == days[-1]


def test_retention_reads_whole_intervals_for_every_range() -> None:
    days = ["2026-11-08", "2026-11-15"]
    found = span("2026-11-10", "2026-11-17T23:59:59.999999")
    assert intervals(days, found, "week", whole=True) == Intervals(tuple(days), 2)
    assert list(intervals([], found, "week").complete()) == []


def test_future_hours_are_neither_complete_nor_started() -> None:
    days = [f"2026-11-23 {hour:02}:00:00" for hour in range(24)]
    found = intervals(days, span("2026-11-23", "2026-11-23T23:59:59"), "hour")
    assert found.incomplete_last == "2026-11-23 07:00:00"
    assert list(found.complete()) == list(range(7))
    assert list(found.begun()) == list(range(8))
