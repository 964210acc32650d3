import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hogql_lang
from hogql_lang import Problem, Schema, Verdict, read, read_schema
from hogql_lang import judge as judge_statement
from hogql_lang.findings import caret, position

pytest.importorskip("hogql_parser_rs", reason="HogQL's parser has no wheel for this platform")

SCHEMA = read_schema(json.loads(Path(__file__).with_name("schema.json").read_text("utf-8")))

LAST_MONTH = "timestamp >= now() - INTERVAL 30 DAY"


def judge(sql: str, values: dict[str, Any], schema: Schema | None) -> Verdict:
    return judge_statement(read(sql), values, schema)


def error(sql: str, **values: object) -> Problem:
    (found, *_) = judge(sql, values, SCHEMA).errors
    return found


@pytest.mark.parametrize(
    ("sql", "code", "says", "place"),
    [
        ("SELECT FROM events", "hogql_syntax_error", "nothing is selected", 7),
        ("SELECT 'ü', 'ü' FROM", "hogql_syntax_error", "", 20),
        ("SELECT 1; SELECT 2", "hogql_syntax_error", "several statements", 8),
        ("INSERT INTO events VALUES (1)", "hogql_syntax_error", "INSERT cannot run here", 0),
        ("SELECT 1 SETTINGS max_threads = 1", "hogql_query_error", "does not support this", 9),
        ("SELECT '\ud800'", "hogql_syntax_error", "surrogate", None),
        (
            "SELECT {ev}, {other}, {filters}, {variables.x}",
            "invalid_argument",
            "no value given for placeholder {other}",
            13,
        ),
    ],
)
def test_statements_that_posthog_would_reject_are_errors(sql: str, code: str, says: str, place: int | None) -> None:
    found = error(sql, ev=1)
    assert found.code == code
    assert says in found.message
    assert found.place == place


@pytest.mark.parametrize(
    ("sql", "fix"),
    [
        ("SELECT e.evnt FROM events e", "event"),
        ("SELECT p.emial FROM (SELECT person_id AS email FROM events) AS p", "email"),
        ("WITH a AS (SELECT event AS kind FROM events) SELECT knd FROM a", "kind"),
        ("SELECT x.y FROM (SELECT e.timestmp AS y FROM (SELECT timestamp FROM events) e) x", "timestamp"),
        ("SELECT person.create_at FROM events", "created_at"),
        ("SELECT e.person.is_identifed FROM events e", "is_identified"),
        ("SELECT arrayMap(x -> x + evnt, [1]) FROM events", "event"),
        ("SELECT event FROM events WHERE person_id IN (SELECT person_idd FROM events)", "person_id"),
        ("SELECT event FROM events JOIN persons p ON p.idd = events.person_id", "id"),
        ("SELECT created_at FROM events e JOIN persons p ON p.id = e.person_id", "e.created_at"),
        ("SELECT properties.plan FROM events e JOIN persons p ON p.id = e.person_id", "p.properties.plan"),
        ("SELECT 1 FROM events a JOIN events b ON a.event = b.event WHERE timestamp > now()", "a.timestamp"),
        ("SELECT event FROM evnts", "events"),
        ("SELECT is_identified FROM events", "person.is_identified"),
        ("SELECT e.pageview_count FROM events e", "e.session.$pageview_count"),
        ("SELECT user.email FROM events", "person.properties.email"),
        ("SELECT group_0.name FROM events", "group_0.properties.name"),
        ("SELECT events.event FROM events AS e", "e.event"),
        ("SELECT organization.industry FROM events", "organization.properties.industry"),
        ("SELECT 1 FROM events e JOIN persons p ON p.distinct_id = e.distinct_id", "p.pdi.distinct_id"),
        ("SELECT 1 FROM events e JOIN persons p ON p.person_id = e.person_id", "p.id"),
        ("SELECT person_id FROM sessions", "distinct_id"),
        ("SELECT event FROM events GROUP event", "BY"),
        ("SELECT event FROM events WHERE event = 'a' OR WHERE event = 'b'", "without WHERE"),
        ("SELECT event FROM events WHERE event = 'a' AND AND 1", "without AND"),
        ("SELECT event FROM events LIMIT 10 WHERE 1", "WHERE before LIMIT"),
        ("SELECT event FROM events WHERE timestamp > now() - INTERVAL 7", "INTERVAL 7 DAY"),
        ("SELECT event FROM events WHERE timestamp > now() - 7 DAYS", "INTERVAL 7 DAY"),
        ("SELECT event FROM events WHERE timestamp > now() - 24h", "INTERVAL 24 HOUR"),
        ("SELECT properties.'$browser' FROM events", "properties.$browser"),
        ("SELECT COUNT DISTINCT person_id FROM events", "count(DISTINCT person_id)"),
        ("SELECT event FROM events SORT BY event", "ORDER BY"),
        ("WITH a AS (SELECT 1) INSERT INTO x SELECT 1", "SELECT"),
        ("SELECT group_key FROM groups", "key"),
        ("SELECT name FROM groups", "properties.name"),
        ("SELECT dateDiff(day, timestamp, now()) FROM events", "'day'"),
        ("SELECT session_id FROM events", "$session_id"),
        ("SELECT event FROM events WHERE event = `signed_up`", "'signed_up'"),
        ("SELECT event FROM events WHERE timestamp > CURRENT_DATE", "today()"),
        ("SELECT id FROM persons WHERE cohort_id = 2", "id IN COHORT 1"),
        ("SELECT properties->>'plan' FROM events", "properties.plan"),
        ("SELECT event FROM events GROUP BY event WHERE 1", "WHERE before GROUP BY"),
        ("SELECT event FROM events WHERE event = 'a' AND", "something after AND"),
        ("SELECT event FROM events WHERE event = 'it's'", "'' for a quote inside a string"),
        ("SELECT event FROM events WHERE event IN 'a', 'b'", "( … )"),
        ("WITH t AS SELECT 1 SELECT * FROM t", "( … )"),
        ("SELECT count() OVER PARTITION BY event FROM events", "( … )"),
        ("SELECT event FROM events WHERE event = 'a' && 1", "AND"),
        ("SELECT CASE WHEN event = 'a' THEN 1 ELSE 0 FROM events", "END"),
        ("SELECT event FROM events WHERE event BETWEEN 'a' TO 'b'", "AND"),
        ("SELECT event FROM events e JOIN persons p e.person_id = p.id", "ON …"),
        ("SELECT event FROM events WHERE timestamp > DATE '2026-01-01'", "toDate('2026-01-01')"),
        ("SELECT event FROM events WHERE event = ?", "{name}"),
        ("SELECT event FROM events WHERE event = :kind", "{kind}"),
        ("SELECT event FROM events WHERE event = @kind", "{kind}"),
        ("SELECT event FROM events WHERE event = %(kind)s", "{kind}"),
        ("SELECT event FROM [events]", "events"),
        ("SELECT key FROM system.feature_flag", "system.feature_flags"),
        ('SELECT event FROM events WHERE event = "signed_up"', "'signed_up'"),
        ("SELECT $current_url FROM events", "properties.$current_url"),
    ],
)
def test_errors_name_a_fix_through_aliases_subqueries_joins_and_lambdas(sql: str, fix: str) -> None:
    assert fix in error(sql).fixes


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT event, count() FROM events WHERE timestamp > now() - INTERVAL 7 DAY GROUP BY event ORDER BY 2 DESC",
        "WITH a AS (SELECT 1) SELECT * FROM a UNION ALL SELECT 2",
        "SELECT properties.$browser, person.properties.email FROM events WHERE {filters} AND event = {ev}",
        "SELECT anything, e.anything FROM raw_persons e",
        "SELECT a.b.c, d FROM numbers(3) AS a",
        "SELECT n + 1 AS m, m * 2 FROM (SELECT 1 AS n)",
        "SELECT x FROM (SELECT * FROM {table}) WHERE y",
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT n FROM t",
        "SELECT toDate(timestamp) AS day, day + 1 FROM events ARRAY JOIN [1, 2] AS step",
        "WITH a AS (SELECT 1 AS n) SELECT n FROM a UNION ALL SELECT n FROM a",
        "SELECT column_name FROM system.information_schema.columns",
        "SELECT f'{event} of {person_id}' FROM events",
        "SELECT e.event FROM events e, persons p WHERE " + "p.id IN (" + ", ".join("1" * 40) + ")",
        "SELECT team_id, organization.properties.industry, group_0.key FROM events",
    ],
)
def test_correct_statements_and_names_that_cannot_be_judged_pass(sql: str) -> None:
    assert judge(sql, {"ev": 1, "table": 1}, SCHEMA).errors == ()


def test_without_a_schema_tables_and_columns_are_not_judged() -> None:
    assert judge("SELECT evnt FROM evnts", {}, None).errors == ()
    assert judge("SELECT count(", {}, None).errors != ()


@pytest.mark.parametrize(
    ("sql", "says", "fix"),
    [
        ("SELECT countt() FROM events WHERE timestamp > now()", "unknown function `countt`", "count"),
        ("SELECT len(event) FROM events WHERE timestamp > now()", "unknown function `len`", "length"),
        ("SELECT ISNULL(event, 1) FROM events WHERE timestamp > now()", "unknown function `ISNULL`", "ifNull"),
        ("SELECT ISNULL(event) FROM events WHERE timestamp > now()", "unknown function `ISNULL`", "isNull"),
        ("SELECT COUNTIF(1) FROM persons", "unknown function `COUNTIF`", "countIf"),
        ("SELECT toStartofMonth(now())", "unknown function `toStartofMonth`", "toStartOfMonth"),
        ("SELECT properties->'plan' FROM persons", "makes a lambda", "properties.plan"),
        ("SELECT * FROM persons p, groups g", "over several tables", "p.*"),
        ("SELECT event FROM events", "no condition on timestamp", LAST_MONTH),
        ("SELECT 1 FROM (SELECT event FROM events) WHERE 1", "no condition on timestamp", LAST_MONTH),
    ],
)
def test_a_statement_that_is_probably_not_intended_gets_a_warning(sql: str, says: str, fix: str | None) -> None:
    verdict = judge(sql, {}, SCHEMA)
    assert verdict.errors == ()
    (warning,) = verdict.warnings
    assert says in warning.message
    assert warning.fixes[:1] == ((fix,) if fix else ())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT toDate(timestamp) AS day FROM events WHERE day > today() - 7",
        "SELECT toDate(timestamp) AS day, toStartOfWeek(day) AS week FROM events WHERE week > today() - 7",
        "SELECT event FROM (SELECT event, timestamp FROM events) WHERE timestamp > now() - INTERVAL 1 DAY",
        "WITH e AS (SELECT event, timestamp FROM events) SELECT event FROM e WHERE timestamp > now() - INTERVAL 1 DAY",
        "SELECT event FROM events WHERE {filters}",
        "SELECT min(timestamp) AS first FROM events HAVING first > now() - INTERVAL 1 DAY",
    ],
)
def test_time_can_be_bounded_by_an_alias_or_in_an_outer_query(sql: str) -> None:
    assert judge(sql, {}, SCHEMA).warnings == ()


@pytest.mark.parametrize("name", ["countIf", "sumArrayIf", "uniqExactIfOrNull", "JSONExtractString", "NOW", "dateDiff"])
def test_functions_are_known_with_combinators_and_lowercase_ones_in_uppercase(name: str) -> None:
    assert judge(f"SELECT {name}(1) FROM persons", {}, SCHEMA).warnings == ()


SLOW = [
    "SELECT " + "+".join(["1"] * 500),
    "SELECT " + "(1+" * 90 + "1" + "+1+1+1)" * 90,
    "SELECT 1 FROM e " + " ".join(f"JOIN t{number} ON a = b" for number in range(40)),
    "SELECT 1 FROM a" + "".join(f", t{number}" for number in range(60)),
    "SELECT 1 FROM (SELECT 2 FROM a" + ", b" * 40 + ")",
    "SELECT " + "f'{" * 40 + "1" + "}'" * 40,
    "SELECT " + ", ".join(["1 + 1 + 1 + 1 + 1 + 1"] * 2000),
]


@pytest.mark.parametrize("sql", SLOW)
def test_statements_that_take_too_long_to_parse_are_left_to_posthog(sql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    class Parser:
        def parse_select_json(self, text: str) -> str:
            parsed.append(text)
            return '{"node": "SelectQuery", "select": []}'

    monkeypatch.setattr("hogql_lang.parser._parser", Parser)
    assert judge(sql, {}, SCHEMA).unjudged == "it would take too long to be parsed here"
    assert parsed == []
    judge("SELECT 1", {}, SCHEMA)
    assert parsed == ["SELECT 1"]


def test_only_the_first_of_many_unknown_functions_are_listed() -> None:
    calls = ", ".join(f"cuntt{number}()" for number in range(700))
    warnings = judge(f"SELECT {calls}", {}, SCHEMA).warnings
    assert [warning.message for warning in warnings] == [f"unknown function `cuntt{number}`" for number in range(5)]


def test_without_the_parser_everything_is_left_to_posthog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hogql_lang.parser._parser", lambda: None)
    assert judge("SELECT FROM", {}, SCHEMA) == Verdict(unjudged="the HogQL parser is not installed here")


@given(st.text(max_size=60), st.integers(0, 60))
def test_line_column_and_caret_point_at_the_same_character(text: str, place: int) -> None:
    text = text.replace("\t", " ")
    place = min(place, len(text))
    line, column = position(text, place)
    lines = text.split("\n")
    assert "\n".join(lines[: line - 1]) == text[: max(0, place - column)]
    shown, below = caret(text, place).rsplit("\n", 1)
    assert lines[line - 1][column - 1 :].startswith(shown[len(below) - 1 :])


WORDS = (
    "select", "from", "events", "where", "event", "=", "'a'", "(", ")", ",", "count", "1", "e", ".", "group", "by",
    "as", "union", "all", "->", "{x}", '"', "properties", "$a",
)  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join))
def test_any_text_gets_a_verdict(sql: str) -> None:
    verdict = judge(sql, {"x": 1}, SCHEMA)
    for problem in (*verdict.errors, *verdict.warnings):
        assert problem.place is None or 0 <= problem.place <= len(sql)
        assert problem.message


def test_every_public_name_can_be_imported() -> None:
    assert set(hogql_lang.__all__) <= set(dir(hogql_lang))
    assert all(getattr(hogql_lang, name) is not None for name in hogql_lang.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'verdict'"):
        _ = hogql_lang.verdict
