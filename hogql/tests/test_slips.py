"""Slips of syntax: each gets its hint first, a suggestion parses, and what is right is left alone."""

from __future__ import annotations

import pytest

from hogql_lang import Unparsed, judge, parse, read
from hogql_lang.slips import suspect
from hogql_lang.slips.suspicion import applied

pytest.importorskip("hogql_parser_rs", reason="HogQL's parser has no wheel for this platform")

SLIPS = [
    # names, strings and signs
    ("SELECT properties.'$browser' FROM events", "properties.$browser"),
    ("SELECT e.properties.'plan type' FROM events e", "e.properties.`plan type`"),
    ("SELECT properties.größe FROM events", "properties.`größe`"),
    ("SELECT event AS größe FROM events", "AS `größe`"),
    ("SELECT event AS my-event FROM events", "AS `my-event`"),
    ("SELECT properties.a:b, properties.plan FROM events", "properties.`a:b`"),
    ("SELECT event FROM events WHERE properties.Plan Type = 'x'", "properties.`Plan Type`"),
    ("SELECT event FROM events WHERE event = \u2018a\u2019", "'a'"),
    ("SELECT event FROM events WHERE event = \u201ca\u201d AND event != \u201cb\u201d", "'a'"),
    ("SELECT event\uff0c count() FROM events", ","),
    ("SELECT event FROM events WHERE timestamp > now() \u2013 INTERVAL 1 DAY", "-"),
    ("SELECT event FROM events WHERE\u200b 1", "without it"),
    (r"SELECT event FROM events WHERE event LIKE '%\_%'", r"'%\\_%'"),
    (r"SELECT event FROM events WHERE match(event, '^\d+$')", r"'^\\d+$'"),
    (r"SELECT event FROM events WHERE event = '\$pageview'", "'$pageview'"),
    (r"SELECT event FROM events WHERE event = \'a\'", "without the backslash"),
    ("SELECT event FROM events WHERE event = E'a'", "'a'"),
    ("SELECT event FROM events WHERE event = 'it's'", "it''"),
    ("SELECT event FROM events WHERE event = 'a AND timestamp > now()", "'"),
    ("SELECT count() AS team_id FROM events", "AS team_id_value"),
    ("SELECT count() AS true FROM events", "AS true_value"),
    ("SELECT event end FROM events", "AS end"),
    ("SELECT event timestamp FROM events", ", timestamp"),
    ("SELECT event AS rate% FROM events", "AS rate"),
    ("SELECT properties->>'$.plan' FROM events", "properties.plan"),
    # operators
    ("SELECT event FROM events WHERE 1 =< 2", "<="),
    ("SELECT event FROM events WHERE 1 => 2", ">="),
    ("SELECT event FROM events WHERE event === 'a'", "="),
    ("SELECT event FROM events WHERE event !== 'a'", "!="),
    ("SELECT event FROM events WHERE event NOT = 'a'", "!="),
    ("SELECT event FROM events WHERE event IS NOT 'a'", "!="),
    ("SELECT event FROM events WHERE event is not nul", "NULL"),
    ("SELECT event FROM events WHERE event ISNULL", "IS NULL"),
    ("SELECT event FROM events WHERE event CONTAINS 'a'", "ILIKE '%a%'"),
    ("SELECT event FROM events WHERE event STARTS WITH 'a'", "ILIKE 'a%'"),
    ("SELECT event FROM events WHERE lower(event) RLIKE '^a'", "match(lower(event), '^a')"),
    ("SELECT event FROM events WHERE event LIKE %a%", "'%a%'"),
    ("SELECT event FROM events WHERE event = 'a' OR = 'b'", "event"),
    ("SELECT event FROM events WHERE timestamp BETWEEN '2026-01-01', '2026-02-01'", "AND"),
    ("SELECT event FROM events WHERE timestamp BETWEEN ('2026-01-01' AND '2026-02-01')", "BETWEEN … AND …"),
    ("SELECT arrayMap(x => x + 1, [1])", "->"),
    # other dialects
    ("SELECT extract(hour FROM timestamp), count() FROM events GROUP BY 1", "toHour(timestamp)"),
    ("SELECT EXTRACT(epoch FROM e.timestamp) FROM events e", "toUnixTimestamp(e.timestamp)"),
    ("SELECT substring(event FROM 1 FOR 2) FROM events", "substring(event, 1, 2)"),
    ("SELECT TOP 10 event FROM events", "LIMIT 10 at the end"),
    ("SELECT event FROM events FETCH FIRST 5 ROWS ONLY", "LIMIT 5"),
    ("SELECT event FROM events OFFSET 5 ROWS FETCH NEXT 10 ROWS ONLY", "LIMIT 10 OFFSET 5"),
    ("SELECT event FROM events LIMIT 5 PERCENT", "LIMIT 5%"),
    ("SELECT event FROM events LIMIT 5 LIMIT 1 BY event", "LIMIT … BY … LIMIT …"),
    ("SELECT timestamp AT TIME ZONE 'UTC' FROM events", "toTimeZone(timestamp, 'UTC')"),
    ("SELECT * EXCEPT (event, uuid) FROM events", "* EXCLUDE (event, uuid)"),
    ("SELECT event FROM events WHERE timestamp > now() - 7d", "INTERVAL 7 DAY"),
    ("SELECT event FROM events, LATERAL (SELECT 1)", "a subquery without LATERAL"),
    # brackets, lists and pairs
    ("SELECT countIf(event = 'a' FROM events", ")"),
    ("SELECT event FROM events WHERE event = 'a')", "without `)`"),
    ("SELECT count(DISTINCT CASE WHEN event = 'a' THEN 1) FROM events", "END"),
    ("SELECT CASE WHEN event = 'a' 1 ELSE 2 END FROM events", "THEN"),
    ("SELECT CASE WHEN event = 'a' THEN 1 ELSE IF event = 'b' THEN 2 END FROM events", "WHEN"),
    ("WITH a AS (SELECT 1) b AS (SELECT 2) SELECT * FROM a", ", b"),
    ("WITH a (SELECT 1) SELECT * FROM a", "AS ("),
    ("SELECT event FROM events e, JOIN persons p ON p.id = e.person_id", "without the comma before JOIN"),
    # clauses
    ("SELECT event, count() FROM events HAVING count() > 1 GROUP BY event", "GROUP BY before HAVING"),
    ("SELECT event, count() FROM events GROUP BY event ORDER BY 2 HAVING count() > 1", "HAVING before ORDER BY"),
    ("SELECT event FROM events WHERE 1 LEFT JOIN persons p ON p.id = person_id", "JOIN before WHERE"),
    ("SELECT event FROM events GROUP BY event HAVING 1 LIMIT 5 WHERE 1", "WHERE before GROUP BY"),
    ("FROM events SELECT event LIMIT 3", "SELECT … FROM …"),
    ("SELECT event FROM events e INNER persons p ON 1", "JOIN"),
    ("SELECT event FROM events LIMIT 5;;", "without it"),
    ("SHOW TABLES", "SELECT * FROM system.information_schema.columns"),
]


@pytest.mark.parametrize(("sql", "hint"), SLIPS)
def test_a_slip_of_syntax_gets_its_hint_first(sql: str, hint: str) -> None:
    (problem, *_) = judge(read(sql), {}, None).errors
    assert problem.fixes[:1] == (hint,)
    assert problem.kind == "syntax"


@pytest.mark.parametrize("sql", [sql for sql, _ in SLIPS])
def test_a_suggestion_makes_the_statement_parse(sql: str) -> None:
    statement = read(sql)
    assert isinstance(statement.tree, Unparsed)
    found = suspect(sql, statement.tokens, statement.tree.place, statement.tree.message)
    assert found is not None
    assert found.edits is None or not isinstance(parse(applied(sql, found.edits)), Unparsed)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT event FROM events WHERE event LIKE '%a%' esc",
        "SELECT event IF event = 'a' FROM events",
        "SELECT count() null FROM events",
        "SELECT event FROM events WHERE event <= > 'a'",
        "SELECT @x",
    ],
)
def test_a_suggestion_that_does_not_parse_is_not_given(sql: str) -> None:
    (problem, *_) = judge(read(sql), {}, None).errors
    assert problem.fixes == ()
    assert "Keyword(" not in problem.message


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("SELECT event FROM events WEHRE event = 'a' GRUOP BY event", "WHERE"),
        ("SELCT event FORM events WHERE event = \u2018a\u2019", "SELECT"),
        ("SELECT properties.größe FROM events WHERE event =< 'a' ORDER event", "properties.`größe`"),
    ],
)
def test_the_first_of_several_slips_is_named(sql: str, hint: str) -> None:
    (problem, *_) = judge(read(sql), {}, None).errors
    assert problem.fixes[:1] == (hint,)


@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("SELECT groups, hour FROM events WHERE (event = 'a' AND event IS IN ('b'))", 50),
        ("SELECT rows, form FROM t WHERE a = 1 ORDR BY a", 37),
    ],
)
def test_only_words_near_the_error_are_suspected(sql: str, place: int) -> None:
    (problem, *_) = judge(read(sql), {}, None).errors
    assert problem.place is not None
    assert problem.place >= place


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT event, FROM events",
        "SELECT count() AS date, event AS select, 1 AS limit FROM events GROUP BY event",
        "SELECT properties.`user-id`, properties['größe'], `größe` FROM (SELECT 1 AS `größe`, properties FROM events)",
        "SELECT event FROM events WHERE event LIKE '%\\\\_%' AND match(event, '\\\\d+')",
        "SELECT event FROM events WHERE event <> 'a' AND event == 'b' AND event ~ '^c'",
        "SELECT properties.step-1, properties.a/2 FROM events",
        "SELECT if(event = 'a', 1, 0) AS form, form AS whre FROM events",
    ],
)
def test_what_is_right_is_left_alone(sql: str) -> None:
    assert judge(read(sql), {}, None).errors == ()


@pytest.mark.parametrize("repeated", [1, 20, 200])
def test_the_number_of_tries_falls_with_the_size_of_the_statement(
    repeated: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    class Parser:
        def parse_select_json(self, text: str) -> str:
            tried.append(text)
            return '{"end":{"offset":13},"error":true,"message":"no","start":{"offset":13},"type":"SyntaxError"}'

    monkeypatch.setattr("hogql_lang.parser._parser", Parser)
    columns = ", ".join(["countIf(event = 'a')"] * repeated)
    judge(read(f"SELECT {columns} FORM events WEHRE event = 'a' GRUOP event"), {}, None)
    assert len(tried) <= {1: 61, 20: 17, 200: 7}[repeated]
