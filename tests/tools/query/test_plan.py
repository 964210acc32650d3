import json
from collections.abc import Mapping
from typing import Any

import pytest

from maton_posthog.gateway.errors import Refused
from maton_posthog.tools.query.plan import Plan, plan
from maton_posthog.tools.query.verdict import statement_of

PARSER: Any = pytest.importorskip("hogql_parser_rs")


def parsed(sql: str) -> dict[str, Any]:
    return json.loads(PARSER.parse_select_json(sql))


def planned(sql: str, values: Mapping[str, Any] | None = None) -> Plan:
    return plan(statement_of(sql), 10, values or {})


ADDED = [
    ("SELECT 1", "SELECT 1 LIMIT 11"),
    ("SELECT 1;", "SELECT 1 LIMIT 11;"),
    ("SELECT 1 ; -- all of them", "SELECT 1 LIMIT 11 ; -- all of them"),
    ("SELECT 1 -- LIMIT 5", "SELECT 1 LIMIT 11 -- LIMIT 5"),
    ("SELECT 1 # LIMIT 5", "SELECT 1 LIMIT 11 # LIMIT 5"),
    ("SELECT 1 /* LIMIT\n 5 */", "SELECT 1 LIMIT 11 /* LIMIT\n 5 */"),
    ("SELECT 'LIMIT 5' AS `limit`", "SELECT 'LIMIT 5' AS `limit` LIMIT 11"),
    ("SELECT 'it\\'s LIMIT 5' x, 'ü😀' y", "SELECT 'it\\'s LIMIT 5' x, 'ü😀' y LIMIT 11"),
    ("SELECT * FROM (SELECT 1 LIMIT 5)", "SELECT * FROM (SELECT 1 LIMIT 5) LIMIT 11"),
    ("WITH a AS (SELECT 1 LIMIT 5) SELECT * FROM a", "WITH a AS (SELECT 1 LIMIT 5) SELECT * FROM a LIMIT 11"),
    ("(SELECT 1)", "(SELECT 1 LIMIT 11)"),
    ("WITH a AS (SELECT 1) (SELECT * FROM a)", "WITH a AS (SELECT 1) (SELECT * FROM a LIMIT 11)"),
    ("((SELECT 1)) ; -- x", "((SELECT 1 LIMIT 11)) ; -- x"),
    ("(SELECT 1) ORDER BY 1", "(SELECT 1 LIMIT 11) ORDER BY 1"),
    (
        "SELECT properties.limit, properties.$limit FROM events",
        "SELECT properties.limit, properties.$limit FROM events LIMIT 11",
    ),
    (
        "SELECT event FROM events LIMIT 2 OFFSET 1 BY event",
        "SELECT event FROM events LIMIT 2 OFFSET 1 BY event LIMIT 11",
    ),
    ("SELECT event FROM events LIMIT 1 BY event", "SELECT event FROM events LIMIT 1 BY event LIMIT 11"),
    ("SELECT 1 OFFSET 5", "SELECT 1 OFFSET 5 LIMIT 11"),
]
OWN = [
    ("SELECT 1 LIMIT 5", 5),
    ("SELECT 1 limit 5 ; -- x", 5),
    ("SELECT 1 LIMIT 5 OFFSET 2", 5),
    ("(SELECT 1 LIMIT 5)", 5),
    ("(SELECT 1) LIMIT 5", 5),
    ("SELECT event FROM events LIMIT 1 BY event LIMIT 5", 5),
    ("SELECT 1 LIMIT 5 WITH TIES", None),
    ("SELECT 1 LIMIT 2 + 3", 5),
    ("SELECT 1 LIMIT 1e2", 100),
    ("SELECT 1 LIMIT 5%", None),
    ("(SELECT 1 LIMIT 10) LIMIT 5", 5),
    ("WITH a AS (SELECT 1 AS x) SELECT x FROM a LIMIT 3", 3),
    ("SELECT 1 OFFSET 2 LIMIT 5", 5),
    ("SELECT 1 LIMIT 2, 3", 2),
    ("SELECT 1 LIMIT 3 ORDER BY 1", 3),
    ("SELECT 1 LIMIT 3 UNION ALL SELECT 2 LIMIT 4", 7),
    ("SELECT 1 LIMIT 3 UNION DISTINCT SELECT 2 LIMIT 4", None),
]


@pytest.mark.parametrize(("sql", "sent"), ADDED)
def test_a_statement_without_a_limit_gets_one_with_one_more_row(sql: str, sent: str) -> None:
    found = planned(sql)
    assert (found.sql, found.shown, found.own_limit) == (sent, 10, None)
    assert parsed(sent)["limit"]["value"] == 11


@pytest.mark.parametrize(("sql", "own"), OWN)
def test_a_limit_of_the_caller_is_kept(sql: str, own: int | None) -> None:
    found = planned(sql)
    assert (found.sql, found.shown, found.own_limit) == (sql, None, own)


def test_a_limit_can_be_a_placeholder() -> None:
    assert planned("SELECT 1 LIMIT {n}", {"n": 7}).own_limit == 7
    assert planned("SELECT 1 LIMIT {n}", {"n": "7"}).own_limit is None


@pytest.mark.parametrize(
    ("sql", "sent"),
    [
        ("SELECT 1 UNION ALL SELECT 2", "SELECT 1 LIMIT 11 UNION ALL SELECT 2 LIMIT 11"),
        ("SELECT 1 LIMIT 3 UNION ALL (SELECT 2)", "SELECT 1 LIMIT 3 UNION ALL (SELECT 2 LIMIT 11)"),
        ("SELECT 1 UNION DISTINCT SELECT 2", "SELECT 1 LIMIT 50000 UNION DISTINCT SELECT 2 LIMIT 50000"),
        (
            "SELECT 1 UNION ALL (SELECT 2 INTERSECT SELECT 3)",
            "SELECT 1 LIMIT 50000 UNION ALL (SELECT 2 LIMIT 50000 INTERSECT SELECT 3 LIMIT 50000)",
        ),
        # PostHog's parser drops an ORDER BY of the whole.
        (
            "(SELECT 1 AS x UNION ALL SELECT 2) ORDER BY x",
            "(SELECT 1 AS x LIMIT 11 UNION ALL SELECT 2 LIMIT 11) ORDER BY x",
        ),
    ],
)
def test_every_member_of_a_union_gets_a_limit_because_posthog_truncates_it_silently(sql: str, sent: str) -> None:
    found = planned(sql)
    assert (found.sql, found.shown) == (sent, 10)
    assert "error" not in parsed(sent)


@pytest.mark.parametrize(
    ("sql", "sent"),
    [
        ("(SELECT 1 UNION ALL SELECT 2) LIMIT 300", "(SELECT 1 LIMIT 50000 UNION ALL SELECT 2 LIMIT 50000) LIMIT 300"),
        (
            "(SELECT 1) UNION ALL (SELECT 2) LIMIT 300",
            "(SELECT 1 LIMIT 50000) UNION ALL (SELECT 2 LIMIT 50000) LIMIT 300",
        ),
    ],
)
def test_the_members_of_a_limited_union_are_not_truncated_before_its_limit(sql: str, sent: str) -> None:
    found = planned(sql)
    assert (found.sql, found.shown, found.own_limit) == (sent, None, 300)
    assert "error" not in parsed(sent)


@pytest.mark.parametrize(
    ("sql", "sent"),
    [
        ("(SELECT 1 UNION ALL SELECT 2) OFFSET 5", "(SELECT 1 LIMIT 50000 UNION ALL SELECT 2 LIMIT 50000) OFFSET 5"),
        (
            "(SELECT 1) UNION ALL (SELECT 2) OFFSET 5",
            "(SELECT 1 LIMIT 50000) UNION ALL (SELECT 2 LIMIT 50000) OFFSET 5",
        ),
    ],
)
def test_the_members_of_a_shifted_union_keep_the_rows_that_follow_the_skipped_ones(sql: str, sent: str) -> None:
    assert planned(sql).sql == sent


@pytest.mark.parametrize("sql", ["(SELECT 1 AS x) ORDER BY x", "SELECT 1 AS x LIMIT 3 ORDER BY x"])
def test_an_order_that_the_parser_drops_is_no_order(sql: str) -> None:
    assert not planned(sql).ordered or planned(sql).own_limit == 3
    assert "order_by" not in parsed(sql) or not parsed(sql)["order_by"]


def test_an_order_is_detected() -> None:
    assert planned("SELECT event FROM events ORDER BY timestamp").ordered
    assert not planned("SELECT event FROM events").ordered


def test_a_set_operator_is_distinguished_from_the_except_of_columns() -> None:
    assert planned("SELECT * EXCEPT (event) FROM events").sql.endswith("events LIMIT 11")
    assert planned("SELECT 1 EXCEPT (SELECT 2)").sql == "SELECT 1 LIMIT 50000 EXCEPT (SELECT 2 LIMIT 50000)"


@pytest.mark.parametrize("sql", ["", ";", "-- SELECT", "DROP TABLE events", "{whole}", "()", "SELECT 1 UNION ALL ()x"])
def test_only_selects_can_run(sql: str) -> None:
    if "UNION" in sql:
        assert planned(sql).sql.startswith(sql)
    else:
        with pytest.raises(Refused, match="one SELECT"):
            planned(sql)


@pytest.mark.parametrize("sql", ["SELECT " + "(" * 5000, "(" * 5000 + "SELECT 1"])
def test_deep_nesting_is_rejected(sql: str) -> None:
    with pytest.raises(Refused, match="brackets"):
        statement_of(sql)


WHOLE = [
    ("(SELECT 1 UNION ALL SELECT 2) LIMIT 300", "(SELECT 1 LIMIT 50000 UNION ALL SELECT 2 LIMIT 50000) LIMIT 300"),
    ("(SELECT 1) UNION ALL (SELECT 2) LIMIT 9", "(SELECT 1 LIMIT 50000) UNION ALL (SELECT 2 LIMIT 50000) LIMIT 9"),
    ("(SELECT 1) UNION ALL (SELECT 2) OFFSET 9", "(SELECT 1 LIMIT 50000) UNION ALL (SELECT 2 LIMIT 50000) OFFSET 9"),
]


@pytest.mark.parametrize(("sql", "sent"), [*ADDED, *WHOLE, *((sql, sql) for sql, _ in OWN if "UNION" not in sql)])
def test_without_a_tree_the_tokens_lead_to_the_same_plan(sql: str, sent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hogql_lang.parser._parser", lambda: None)
    assert planned(sql).sql == sent
