"""The parser never gets a statement whose parsing time explodes, which would block the process for good."""

import random
from collections.abc import Callable

import pytest

from hogql_lang import LONG, SHORT, Bounds, guard, parse
from hogql_lang import parse_expression as parse_one

from .growths import GROWTHS, MOST_READINGS, Growth, Recorder

pytest.importorskip("hogql_parser_rs", reason="HogQL's parser has no wheel for this platform")


def parse_short(sql: str) -> None:
    parse(sql, SHORT)


def parse_long(sql: str) -> None:
    parse(sql, LONG)


def parse_expression(sql: str) -> None:
    parse_one(sql.removeprefix("select "), LONG)


USERS = {"short": parse_short, "long": parse_long, "expression": parse_expression}


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr("hogql_lang.parser._parser", lambda: recorder)
    return recorder


@pytest.mark.parametrize("use", USERS.values(), ids=USERS.keys())
@pytest.mark.parametrize("growth", GROWTHS, ids=[growth.name for growth in GROWTHS])
def test_the_parser_never_gets_text_that_it_would_read_too_often(
    growth: Growth, use: Callable[[str], None], recorder: Recorder
) -> None:
    for depth in [*range(1, 21), 30, 60]:
        use(growth.statement(depth))
        if recorder.handed:
            assert growth.readings(depth) <= MOST_READINGS
            recorder.handed.clear()


@pytest.mark.parametrize("use", USERS.values(), ids=USERS.keys())
@pytest.mark.parametrize("growth", GROWTHS, ids=[growth.name for growth in GROWTHS])
def test_a_few_levels_are_parsed(growth: Growth, use: Callable[[str], None], recorder: Recorder) -> None:
    use(growth.statement(2))
    assert len(recorder.handed) == 1


@pytest.mark.parametrize("term", ["union + ", "group < 1 and ", "1 and limit = ", "1 || having[1] or "])
def test_a_keyword_between_operators_does_not_end_their_chain(term: str, recorder: Recorder) -> None:
    parse_short(f"select 1 where {term * 400}1")
    assert recorder.handed == []


NESTED = {
    "calls": "select " + "f(" * 60 + "1" + ")" * 60,
    "conditions": "select " + "if(a, " * 20 + "1" + ", 2)" * 20,
    "cases": "select " + "case when a = 1 then 1 else " * 8 + "2" + " end" * 8,
    "many cases": "select " + " + ".join(["case when not a then 1 when (b or c) and d not in (1, 2) then 2 end"] * 8),
    "many intervals": "select 1 where " + " or ".join(["a > now() - interval 7 day"] * 25),
    "subqueries": "select a from (" * 15 + "select 1 as a" + ")" * 15,
    "tables": "select * from (" * 8 + "select 1 as a" + ")" * 8,
    "filters": "select " + ", ".join(["countIf(a) filter (where event = 'a' and not b)"] * 60),
    "sums": "select " + "(a + (b * " * 5 + "1" + "))" * 5,
    "with": "with " + ", ".join(f"t{n} as (select * from events where (a or b))" for n in range(20)) + " select 1",
}


@pytest.mark.parametrize("use", [parse_short, parse_long], ids=["short", "long"])
@pytest.mark.parametrize("sql", NESTED.values(), ids=NESTED.keys())
def test_ordinary_nesting_is_parsed(sql: str, use: Callable[[str], None], recorder: Recorder) -> None:
    use(sql)
    assert recorder.handed == [sql]


@pytest.mark.parametrize(
    "sql",
    [
        "select 1 where " + " or ".join(["(a = 1 and b = 2)"] * 60),
        "select 1 where " + " or ".join(["f(a = 1 and b = 2, 1)"] * 60),
        "select 1 where " + " or ".join(["a in (1, 2, 3, 4, 5, 6)"] * 60),
        "select 1 where " + " or ".join(["(select a = 1 and b = 2)"] * 60),
        "select " + " + ".join(["1"] * 160),
        "select " + "interval - day - " * 11 + "1",
    ],
    ids=["brackets", "calls", "lists", "subqueries", "operands", "doubling"],
)
def test_what_is_in_brackets_counts_for_the_chain_around_them(sql: str, recorder: Recorder) -> None:
    """Each of these takes the parser more than 50 ms."""
    parse_short(sql)
    assert recorder.handed == []


def test_calls_at_the_start_of_an_expression_are_parsed(recorder: Recorder) -> None:
    parser_input = "f(" * 60 + "{x}" + ")" * 60
    parse_expression(parser_input)
    assert recorder.handed == [parser_input]


@pytest.mark.parametrize("ending", ["", " 1 1"], ids=["valid", "invalid"])
@pytest.mark.parametrize("use", [parse_short, parse_long], ids=["short", "long"])
def test_columns_of_a_subquery_count_as_tables_because_the_parser_may_read_them_as_tables(
    use: Callable[[str], None], ending: str, recorder: Recorder
) -> None:
    use(f"select * from (select a{', b' * 100} from t where 1{ending})")
    assert recorder.handed == []
    use(f"select a{', b' * 100} from t where 1{ending}")
    assert len(recorder.handed) == 1


@pytest.mark.parametrize("hidden", ["<a>it's</a>", "#1, 'x", "f'{'"])
def test_quotes_with_another_meaning_do_not_hide_tables(hidden: str, recorder: Recorder) -> None:
    parse_long(f"select {hidden} from a{', b' * 100} where x = 'y'")
    assert recorder.handed == []


WORDS = [
    *(["select", "from", "where", "join", ",", "(", ")", "[", "]", "{", "}", "(", ")", ","] * 3),
    *["a", "b", "1", "'x'", "group", "by", "limit", ".", "as", "cast", "case"],
]
TIGHT = [
    Bounds(length=12_000, chain=20, work=150, tables=5, join_work=500),
    Bounds(length=12_000, chain=400, work=10**9, tables=4, join_work=10**9),
    Bounds(length=12_000, chain=400, work=10**9, tables=100, join_work=200),
]


@pytest.mark.parametrize("bounds", TIGHT, ids=["all", "tables", "joins"])
def test_a_statement_that_is_not_counted_because_it_is_short_exceeds_no_bound(
    bounds: Bounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = random.Random(7)
    statements = [" ".join(chosen.choices(WORDS, k=chosen.randint(1, 30))) for _ in range(2000)]
    statements += [f"select 1 from a, {'(' * depth}b{')' * depth}" for depth in range(1, 30)]
    quick = [guard.check(statement, bounds) for statement in statements]

    def never(*_: object) -> bool:
        return False

    monkeypatch.setattr(guard, "_is_small", never)
    assert quick == [guard.check(statement, bounds) for statement in statements]
    assert len({None, *quick}) > 1
