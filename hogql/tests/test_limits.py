"""The tree and the tokens of a statement give the same limits; a LIMIT can be inserted at every open end."""

import json
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hogql_lang import Limits, TooDeep, read
from hogql_lang.limits import limits_of_tokens
from hogql_lang.tokens import tokenize

PARSER: Any = pytest.importorskip("hogql_parser_rs", reason="HogQL's parser has no wheel for this platform")


def limits(sql: str) -> Limits:
    found = read(sql).limits
    assert found is not None
    return found


def limited(sql: str, found: Limits) -> str:
    for place in sorted(found.open_ends, reverse=True):
        sql = f"{sql[:place]} LIMIT 11{sql[place:]}"
    return sql


def parsed(sql: str) -> dict[str, Any]:
    return json.loads(PARSER.parse_select_json(sql))


@pytest.mark.parametrize(
    ("sql", "own"),
    [
        ("SELECT 1", None),
        ("SELECT 1 LIMIT 5", 5),
        ("SELECT 1 LIMIT 0", 0),
        ("SELECT 1 limit 5 ; -- x", 5),
        ("SELECT 1 LIMIT 5 OFFSET 2", 5),
        ("(SELECT 1) LIMIT 5", 5),
        ("SELECT event FROM events LIMIT 1 BY event LIMIT 5", 5),
        ("SELECT 1 LIMIT 5 WITH TIES", None),
        ("SELECT 1 LIMIT 5 %", None),
        ("SELECT 1 LIMIT 2 + 3", 5),
        ("SELECT 1 LIMIT 3 ORDER BY 1", 3),
        ("SELECT 1 LIMIT {n}", "n"),
        ("(SELECT 1 UNION ALL SELECT 2) LIMIT 5", 5),
    ],
)
def test_the_limit_of_the_whole_is_read(sql: str, own: int | str | None) -> None:
    assert limits(sql).own == own
    assert limits(sql).limited is (" LIMIT " in sql.upper())


@pytest.mark.parametrize(
    ("sql", "open_ends", "operators"),
    [
        ("SELECT 1 -- LIMIT 5", [8], set[str]()),
        ("((SELECT 1)) ; -- x", [10], set[str]()),
        ("SELECT 1 UNION ALL SELECT 2", [8, 27], {"UNION ALL"}),
        ("SELECT 1 LIMIT 3 UNION DISTINCT (SELECT 2)", [41], {"UNION DISTINCT"}),
        ("SELECT 1 EXCEPT (SELECT 2 INTERSECT SELECT 3)", [8, 25, 44], {"EXCEPT", "INTERSECT"}),
    ],
)
def test_the_open_ends_are_where_a_limit_is_inserted(sql: str, open_ends: list[int], operators: set[str]) -> None:
    assert (list(limits(sql).open_ends), limits(sql).operators) == (open_ends, operators)


@pytest.mark.parametrize("sql", ["", ";", "-- SELECT", "DROP TABLE events", "{whole}", "()", "<a/>"])
def test_anything_but_a_select_has_no_limits(sql: str) -> None:
    assert read(sql).limits is None


def _joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return the parts joined in this order, with comments and blanks between them."""
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


@settings(max_examples=200)
@given(STATEMENTS)
@example("SELECT 1 FROM t -- c\n")
@example("SELECT 1 FROM t ORDER BY y LIMIT 1 BY z OFFSET 2")
def test_the_tree_and_the_tokens_give_the_same_open_ends(sql: str) -> None:
    by_tree, by_tokens = limits(sql), limits_of_tokens(sql, tokenize(sql))
    assert by_tokens is not None
    assert (by_tree.open_ends, by_tree.operators) == (by_tokens.open_ends, by_tokens.operators)
    if not by_tree.operators:
        assert by_tree.limited is by_tokens.limited
        assert by_tokens.own in (None, by_tree.own)


@settings(max_examples=200)
@given(STATEMENTS)
def test_a_limit_at_every_open_end_limits_every_member_and_changes_nothing_else(sql: str) -> None:
    after = parsed(limited(sql, limits(sql)))
    assert all(member["limit"] for member in members(after))
    assert without_limits(after) == without_limits(parsed(sql))


def members(tree: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the SELECTs between the set operators."""
    if tree["node"] != "SelectSetQuery":
        return [tree]
    following = [item["select_query"] for item in tree["subsequent_select_queries"]]
    return [found for part in (tree["initial_select_query"], *following) for found in members(part)]


def without_limits(tree: Any) -> Any:
    """Return the tree without spans and without the added limits of 11."""
    if isinstance(tree, list):
        return [without_limits(item) for item in cast("list[Any]", tree)]
    if not isinstance(tree, dict):
        return tree
    fields = cast("dict[str, Any]", tree)
    return {
        name: without_limits(item)
        for name, item in fields.items()
        if name not in ("start", "end") and not (name == "limit" and item and item.get("value") == 11)
    }


@pytest.mark.parametrize("sql", ["SELECT " + "(" * 5000, "(" * 5000 + "SELECT 1"])
def test_deep_nesting_is_noticed(sql: str) -> None:
    with pytest.raises(TooDeep):
        read(sql)


@given(st.text(alphabet="'\"`/*-#\\()[]{};, fLIMITBYSELECTunion123", max_size=80))
def test_any_text_is_read(sql: str) -> None:
    try:
        found = read("SELECT " + sql)
    except TooDeep:
        return
    assert all(0 < token.end <= len(sql) + 7 for token in found.tokens)
    if found.limits is not None:
        assert all(0 < place <= len(sql) + 7 for place in found.limits.open_ends)
