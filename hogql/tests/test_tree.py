"""Everything that the parser reads becomes a tree, and every node in it is found."""

import pytest

from hogql_lang import LONG, Unjudged, Unparsed, parse, parse_expression, tokenize, tree
from hogql_lang.walk import walk

pytest.importorskip("hogql_parser_rs", reason="HogQL's parser has no wheel for this platform")

RARE = [
    "select groupArray(x order by y) from t",
    "select quantile(0.5) within group (order by y) from t",
    "select 1 from y final sample 1/10 offset 1/2",
    "select 1 from t sample {y}",
    "select f(a := y)",
    "select x -> {return y;}",
    "select (select 1)(y)",
    "select a::decimal(10, 2), y",
    "select * from (values (1, y), (3, 4)) as t(a, b)",
    "select * from t pivot (sum(x) for y in ('a', 'b'))",
    "select * from t unpivot (v for n in (a, y))",
    "select 1 from t group by grouping sets ((a), (b, y))",
    "select 1 from t order by a with fill from 1 to y step 1 interpolate (b)",
    "select <a href={x}>hi {y}</a>",
    "with recursive a using key (k) as (select y) select 1",
    "select f(1)(2) over (partition by y order by b rows between 1 preceding and current row) from t",
    "select 1 from t window w as (order by y)",
    "select 1 from t join u using (a, y)",
    "select 1 from t join u on y",
    "select sum(x) filter (where y) from t",
    "select {'a': y}, #1",
    "select a[1:y], columns(y), try_cast(y as int), f'{y}a'",
    "select 1 from t limit y by a limit 5 %",
    "{x} union all select y",
]


@pytest.mark.parametrize("sql", RARE)
def test_rare_constructs_become_nodes_and_the_names_in_them_are_found(sql: str) -> None:
    found = parse(sql)
    assert not isinstance(found, Unparsed | Unjudged), found
    assert any(isinstance(node, tree.Field) and node.chain == ("y",) for node in walk(found))


def test_an_unknown_construct_is_opaque_and_keeps_its_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Newer:
        def parse_expr_json(self, text: str, /) -> str:
            return '{"node": "Novel", "items": [{"deep": {"node": "Field", "chain": ["y"]}}, 1]}'

    monkeypatch.setattr("hogql_lang.parser._parser", Newer)
    assert parse_expression("?") == tree.Opaque("Novel", (tree.Field(("y",)),))


def test_every_node_knows_its_place_in_characters() -> None:
    found = parse("select 'ü😀', plan from events")
    (field,) = [node for node in walk(found) if isinstance(node, tree.Field) and node.chain == ("plan",)]  # type: ignore[arg-type]
    assert field.span == (13, 17)


@pytest.mark.parametrize(
    ("sql", "place"), [("select 'é', é from events", (12, 13)), ("select event from", (17, 17)), ("select 1 1", (9, 9))]
)
def test_an_error_has_its_place_in_characters(sql: str, place: tuple[int, int]) -> None:
    found = parse(sql)
    assert isinstance(found, Unparsed)
    assert found.place == place[0]


@pytest.mark.parametrize("sql", ["select " + "- " * 300 + "x", "select " + "x->" * 250 + "1"])
def test_a_deep_tree_is_not_built(sql: str) -> None:
    found = parse(sql, LONG)
    assert isinstance(found, Unjudged)
    assert "nested too deeply" in found.message


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select #1, x", ["SELECT", "#", "1", ",", "X"]),
        ("select 1 # x, y", ["SELECT", "1"]),
        ("f'a {b('}')} c' d", ["'", "D"]),
        ("f'a {f'{1}'} c' d", ["'", "D"]),
        ("f'it\\'s {x}' d", ["'", "D"]),
        ("if'a' d", ["IF", "'", "D"]),
        ("$browser.$b", ["$BROWSER", ".", "$B"]),
        ("1 /* x", ["1", "/", "*", "X"]),
        ("'it''s' \"a\\\"b\" `c``d`", ["'", '"', "`"]),
    ],
)
def test_tokens_are_those_of_the_parser(sql: str, words: list[str]) -> None:
    assert [token.word for token in tokenize(sql)] == words
