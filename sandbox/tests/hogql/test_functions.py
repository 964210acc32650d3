"""The values of functions and tags that PostHog adds to those of ClickHouse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hogql_lang.functions import known_functions

from posthog_sandbox.hogql import Context, HogqlError, translate
from posthog_sandbox.hogql.functions import allowed
from posthog_sandbox.hogql.functions.macros import macro_names
from posthog_sandbox.hogql.functions.registry import allowed_functions
from posthog_sandbox.storage.engine import Engine

from ..shared_data import open_shared

BERLIN = Context(timezone="Europe/Berlin", now=datetime(2026, 11, 24, 3, 0, tzinfo=UTC))
CHROME = "Mozilla/5.0 (X11; Linux x86_64) Chrome/131.0.0.0 Safari/537.36"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(500, today=date(2026, 11, 24)) as opened:
        yield opened


def value(engine: Engine, expression: str, context: Context = BERLIN) -> Any:
    return engine.select(translate(f"select {expression}", context).sql).rows[0][0]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("<b>hi</b>", ["__hx_tag", "b", "children", ["hi"]]),
        ("<b>{1}{'x'}</b>", ["__hx_tag", "b", "children", [1, "x"]]),
        ("<a href={f'/{1 + 1}'} target='_blank'>go</a>",
         ["__hx_tag", "a", "href", "/2", "target", "_blank", "children", ["go"]]),
        ("<p><i>a</i></p>", ["__hx_tag", "p", "children", [["__hx_tag", "i", "children", ["a"]]]]),
        ("<Sparkline data={[{'values': [1, 2]}]} />",
         ["__hx_tag", "Sparkline", "data", [["__hx_tag", "__hx_obj", "values", [1, 2]]]]),
        ("{'color': 'red', 'n': 1}", ["__hx_tag", "__hx_obj", "color", "red", "n", 1]),
        ("sparkline([1, 2])", ["__hx_tag", "Sparkline", "data", [1, 2]]),
        ("sparkline([1], ['a'])", ["__hx_tag", "Sparkline", "data", [1], "labels", ["a"]]),
        ("recordingButton('s')", ["__hx_tag", "RecordingButton", "sessionId", "s"]),
        ("recording_button('s')", ["__hx_tag", "RecordingButton", "sessionId", "s"]),
    ],
)  # fmt: skip
def test_a_tag_is_a_tuple_that_begins_with_its_name(engine: Engine, expression: str, expected: list[Any]) -> None:
    assert value(engine, expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("languageCodeToName('fr')", "French"),
        ("languageCodeToName('xx')", "Unknown"),
        ("getTrafficType('Mozilla/5.0 (compatible; Googlebot/2.1)')", "Bot"),
        ("getTrafficCategory('GPTBot/1.2')", "ai_crawler"),
        ("getBotOperator('ClaudeBot/1.0')", "Anthropic"),
        ("getBotName('curl/8.5')", "curl"),
        (f"getTrafficType('{CHROME}')", "Regular"),
        (f"isLikelyBot('{CHROME}')", False),
        ("isLikelyBot('AhrefsBot')", True),
        ("isLikelyBot('')", True),
        ("isLikelyBot(null)", True),
        ("getTrafficType('')", "Automation"),
        ("getTrafficCategory(null)", "no_user_agent"),
        ("getBotName('')", ""),
        ("sortableSemVer('v1.10.0-beta') > sortableSemVer('1.9.9')", True),
        ("sortableSemVer('1.2')", [None]),
        ("date_part('month', toDateTime('2026-03-04'))", 3),
        ("date_part('month', toDate('2026-03-04')) + date_part('day', toDate('2026-03-04'))", 7),
        ("split_part('a-b-c', '-', 2)", "b"),
        ("split_part('a-b-c', '-', 9)", ""),
        ("lpad('7', 3, '0')", "007"),
        ("generateSeries(2, 4)", [2, 3, 4]),
        ("toDateTime('2026-01-31 00:00:00') + make_interval(0, 1, 0, 6, 0, 0)", "2026-02-28T06:00:00+01:00"),
        ("arrayReverse([1, 2])", [2, 1]),
        ("bitmapCardinality(bitmapBuild([1, 2, 2]))", 2),
        ("width_bucket(3.5, 0, 10, 10)", 4),
    ],
)
def test_a_function_of_posthog_has_its_value(engine: Engine, expression: str, expected: Any) -> None:
    assert value(engine, expression) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("parseDateTimeBestEffort('2026-01-15 12:00:00')", "2026-01-15T12:00:00+01:00"),
        ("parseDateTime('15.01.2026 12', '%d.%m.%Y %H')", "2026-01-15T12:00:00+01:00"),
        ("parseDateTimeBestEffort('soon')", None),
        ("toDateTime64('2026-01-15 12:00:00', 3)", "2026-01-15T12:00:00+01:00"),
        ("toDateTimeUS('01/02/2026 12:00:00')", "2026-01-02T12:00:00+01:00"),
        ("make_timestamp(2026, 1, 15, 12, 0, 0)", "2026-01-15T12:00:00+01:00"),
        ("make_timestamptz(2026, 1, 15, 12, 0, 0, 'Asia/Tokyo')", "2026-01-15T12:00:00+09:00"),
        ("to_timestamp(1768478400)", "2026-01-15T13:00:00+01:00"),
        ("toTimeZone(fromUnixTimestamp(1768478400))", "2026-01-15T13:00:00+01:00"),
        ("toTimeZone(fromUnixTimestamp(1768478400), 'UTC')", "2026-01-15T12:00:00Z"),
        ("timezone('UTC', toDateTime('2026-01-15 12:00:00'))", "2026-01-15T11:00:00Z"),
        ("fromUnixTimestamp(1768478400)", "2026-01-15T12:00:00Z"),
        ("toDateTime('2026-01-15 12:00:00', 'UTC')", "2026-01-15T12:00:00Z"),
    ],
)
def test_a_time_is_read_in_the_projects_timezone(engine: Engine, expression: str, expected: Any) -> None:
    assert value(engine, expression) == expected


def test_a_survey_response_is_found_by_question_id_then_by_index(engine: Engine) -> None:
    properties = {
        "old": '{"$survey_response_1": "yes"}',
        "new": '{"$survey_response_q7": "no", "$survey_questions": [{"id": "q6"}, {"id": "q7"}]}',
        "list": '{"$survey_response_1": ["a", "b"]}',
    }

    def answer(key: str, call: str) -> Any:
        return value(engine, f"{call} from (select '{properties[key]}' as properties)")

    assert answer("old", "getSurveyResponse(1)") == "yes"
    assert answer("new", "getSurveyResponse(1)") == "no"
    assert answer("new", "getSurveyResponse(0, 'q7')") == "no"
    assert answer("old", "getSurveyResponse(0)") is None
    assert answer("list", "getSurveyResponse(1, '', true)") == ['"a"', '"b"']


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select getSurveyResponse(event) from events", "must be constants"),
        ("select getSurveyResponse('one') from events", "must be a valid integer"),
        ("select sparkline()", "expects at least 1 argument, found 0"),
        ("select sparkline(foo) from events", "Unable to resolve field: foo"),
        ("select sparklin([1])", "Perhaps you meant 'sparkline(...)'?"),
        ("select string_agg(distinct event, ',') from events", "takes no parameters, DISTINCT or FILTER"),
    ],
)
def test_a_call_without_meaning_is_rejected_by_name(query: str, message: str) -> None:
    with pytest.raises(HogqlError) as caught:
        translate(query, BERLIN)
    assert message in caught.value.message


def test_an_error_inside_an_argument_points_to_the_argument() -> None:
    query = "select sparkline(foo) from events"
    with pytest.raises(HogqlError) as caught:
        translate(query, BERLIN)
    assert query[caught.value.start : caught.value.end] == "foo"


def test_columns_of_a_subquery_are_named_without_their_table() -> None:
    inner = "(select properties.email as email, count() as n from persons group by email)"
    assert translate(f"select p.email, p.n, p.email.domain from {inner} p", BERLIN).columns == (
        "email",
        "n",
        "p.email.domain",
    )


def test_two_subqueries_without_names_can_be_joined(engine: Engine) -> None:
    query = "a, b from (select 1 as a), (select 2 as b)"
    assert engine.select(translate(f"select {query}", BERLIN).sql).rows == [[1, 2]]
    with pytest.raises(HogqlError, match="Already have joined a table called"):
        translate("select 1 from (select 1 as a) x, (select 2 as b) x", BERLIN)


def test_days_without_rows_are_filled_from_a_date(engine: Engine) -> None:
    inner = "(select arrayJoin([toDate('2026-01-02'), toDate('2026-01-04')]) as day)"
    order = "order by day with fill from toDate('2026-01-01') to toDate('2026-01-06')"
    rows = engine.select(translate(f"select day, count() from {inner} group by day {order}", BERLIN).sql).rows
    assert [count for _, count in rows] == [0, 1, 0, 1, 0]


def test_every_function_here_is_a_function_of_hogql() -> None:
    names = {function.name for function in allowed_functions()} | set(allowed.HOGQL_NAMES) | macro_names()
    known = {name.lower() for name in known_functions()}
    assert [name for name in sorted(names) if name.lower() not in known] == []


@pytest.mark.parametrize("call", ["toStartofMonth(now())", "COUNTIF(1)", "tostring(1)"])
def test_names_that_are_not_lowercase_are_case_sensitive(call: str) -> None:
    with pytest.raises(HogqlError, match="Unsupported function call"):
        translate(f"select {call}", Context())


@pytest.mark.parametrize("call", ["COUNT()", "NOW()", "SUM(1)", "LOWER('A')", "countIf(1)", "ROW_NUMBER() over ()"])
def test_lowercase_names_can_be_written_in_uppercase(call: str) -> None:
    assert translate(f"select {call}", Context()).sql
