import json
import re
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from maton_posthog.gateway.errors import Refused
from maton_posthog.tools.hogql.statement import Plan, plan
from tests.oracle import examples

PARSER: Any = pytest.importorskip("hogql_parser_rs")


def parsed(sql: str) -> dict[str, Any]:
    return json.loads(PARSER.parse_select_json(sql))


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
    ("SELECT 1 LIMIT 2 + 3", None),
    ("SELECT 1 LIMIT 2, 3", None),
    ("SELECT 1 LIMIT 3 ORDER BY 1", None),
    ("(SELECT 1 UNION ALL SELECT 2) LIMIT 5", 5),
]


@pytest.mark.parametrize(("sql", "sent"), ADDED)
def test_a_statement_without_a_limit_gets_one_of_one_row_more(sql: str, sent: str) -> None:
    planned = plan(sql, 10, {})
    assert (planned.sql, planned.shown, planned.own_limit) == (sent, 10, None)
    assert parsed(sent)["limit"]["value"] == 11


@pytest.mark.parametrize(("sql", "own"), OWN)
def test_a_limit_of_the_callers_own_is_left_alone(sql: str, own: int | None) -> None:
    assert plan(sql, 10, {}) == Plan(sql, own_limit=own)


def test_a_limit_may_be_a_placeholder() -> None:
    assert plan("SELECT 1 LIMIT {n}", 10, {"n": 7}).own_limit == 7
    assert plan("SELECT 1 LIMIT {n}", 10, {"n": "7"}).own_limit is None


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
def test_every_member_of_a_union_gets_a_limit_because_posthog_cuts_it_in_silence(sql: str, sent: str) -> None:
    planned = plan(sql, 10, {})
    assert (planned.sql, planned.shown) == (sent, 10)
    assert "error" not in parsed(sent)


def test_a_union_with_limits_is_sent_as_it_is() -> None:
    for sql in ("SELECT 1 LIMIT 3 UNION ALL SELECT 2 LIMIT 3", "(SELECT 1 UNION ALL SELECT 2) LIMIT 3"):
        assert plan(sql, 10, {}).sql == sql


def test_order_is_noticed() -> None:
    assert plan("SELECT event FROM events ORDER BY timestamp", 10, {}).ordered
    assert not plan("SELECT event FROM events", 10, {}).ordered


def test_a_set_operator_is_told_from_the_except_of_columns() -> None:
    assert plan("SELECT * EXCEPT (event) FROM events", 10, {}).sql.endswith("events LIMIT 11")
    assert plan("SELECT 1 EXCEPT (SELECT 2)", 10, {}).sql == "SELECT 1 LIMIT 50000 EXCEPT (SELECT 2 LIMIT 50000)"


@pytest.mark.parametrize("sql", ["", ";", "-- SELECT", "DROP TABLE events", "{whole}", "()", "SELECT 1 UNION ALL ()x"])
def test_only_selects_are_run(sql: str) -> None:
    if "UNION" in sql:
        assert plan(sql, 10, {}).sql.startswith(sql)
    else:
        with pytest.raises(Refused, match="one SELECT"):
            plan(sql, 10, {})


@pytest.mark.parametrize("sql", ["SELECT " + "(" * 5000, "(" * 5000 + "SELECT 1"])
def test_deep_nesting_is_refused(sql: str) -> None:
    with pytest.raises(Refused, match="brackets"):
        plan(sql, 10, {})


def _joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """The parts in this order, with comments and blanks between them."""
    gap = st.sampled_from([" ", " ", " ", "\n", " -- c LIMIT 5\n", " /* ( */ "])
    pieces = [piece for part in parts for piece in (part, gap)]
    return st.tuples(*pieces).map("".join)


def _maybe(*texts: str) -> st.SearchStrategy[str]:
    return st.sampled_from(["", *texts])


PLAIN = _joined(
    st.sampled_from(["SELECT 1", "WITH a AS (SELECT 1 LIMIT 5) SELECT a.limit, '('", "SELECT 1 AS `limit`"]),
    _maybe("FROM t", "FROM (SELECT 1 LIMIT 5)"),
    _maybe("WHERE x = 'LIMIT'"),
    _maybe("ORDER BY y"),
    _maybe("LIMIT 1 BY z"),
    _maybe("LIMIT 3"),
)
UNITED = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        _joined(st.just("("), inner, st.just(")")),
        _joined(inner, st.sampled_from(["UNION ALL", "UNION DISTINCT"]), _joined(st.just("("), inner, st.just(")"))),
    ),
    max_leaves=4,
)
STATEMENTS = st.one_of(
    _joined(UNITED, _maybe(";")),
    _joined(st.just("("), PLAIN, st.just(")"), _maybe("ORDER BY y"), _maybe("LIMIT 3", "OFFSET 2"), _maybe(";")),
    _joined(PLAIN, _maybe("OFFSET 2"), _maybe(";")),
    st.builds("SELECT 1 LIMIT 3 ORDER BY y{}".format, _maybe(" OFFSET 2", ";")),  # the parser takes it
)


@settings(max_examples=examples(60, 1000))
@given(STATEMENTS)
@example("SELECT 1 FROM t -- c\n")
def test_the_parser_agrees_about_every_statement(sql: str) -> None:
    tree = parsed(sql)
    assert tree.get("node") in ("SelectQuery", "SelectSetQuery"), f"{sql} is not accepted"
    planned = plan(sql, 10, {})
    if planned.shown is None:
        assert planned.sql == sql
        assert tree.get("limit") or all(member.get("limit") for member in members(tree))
    else:
        assert tree.get("limit") is None
        after = parsed(planned.sql)
        assert all(member["limit"] for member in members(after))
        assert without_limits(after) == without_limits(tree)


def members(tree: dict[str, Any]) -> list[dict[str, Any]]:
    """The SELECTs between the set operators."""
    if tree["node"] != "SelectSetQuery":
        return [tree]
    following = [item["select_query"] for item in tree["subsequent_select_queries"]]
    return [found for part in (tree["initial_select_query"], *following) for found in members(part)]


def without_limits(tree: Any) -> Any:
    """The tree without places and without the limits of 11 and 50000 that were added."""
    if isinstance(tree, list):
        return [without_limits(item) for item in cast("list[Any]", tree)]
    if not isinstance(tree, dict):
        return tree
    fields = cast("dict[str, Any]", tree)
    return {
        name: without_limits(item)
        for name, item in fields.items()
        if name not in ("start", "end") and not (name == "limit" and item and item.get("value") in (11, 50_000))
    }


@given(st.text(alphabet="'\"`/*-#\\()[]{};, LIMITBYSELECTunion123", max_size=80))
def test_any_text_is_read(sql: str) -> None:
    try:
        planned = plan("SELECT " + sql, 10, {})
    except Refused:
        return
    assert re.sub(r" LIMIT (11|50000)", "", planned.sql) == re.sub(r" LIMIT (11|50000)", "", "SELECT " + sql)
