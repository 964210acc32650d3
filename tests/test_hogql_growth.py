"""No user of PostHog's parser hands it a statement that grows beyond measure: it would hold the process for good."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from maton_posthog.gateway.errors import Refused
from maton_posthog.tools.hogql import parse as hogql_parse
from maton_posthog.tools.hogql.statement import tokenize
from posthog_sandbox.hogql import Context, HogqlError, parser, translate

from .hogql_growth import GROWTHS, MOST_READINGS, Growth

pytest.importorskip("hogql_parser_rs", reason="HogQL's parser has no wheel for this platform")

ROOT = Path(__file__).parents[1]
if not (ROOT / "sandbox").is_dir():
    pytest.skip("an sdist has no siblings to compare with", allow_module_level=True)
CORPUS = (ROOT / "sandbox/tests/hogql/corpus.sql").read_text("utf-8").strip().split("\n\n")


class Recorder:
    """Takes the place of the parser and notes what it is handed."""

    def __init__(self) -> None:
        self.handed: list[str] = []

    def parse_select_json(self, text: str, /) -> str:
        self.handed.append(text)
        return '{"error": true, "type": "SyntaxError", "message": "noted", "start": null, "end": null}'

    parse_expr_json = parse_select_json


def check(sql: str) -> None:
    with suppress(Refused):
        hogql_parse.parse(sql, tokenize(sql))


def compile_select(sql: str) -> None:
    with pytest.raises(HogqlError):
        translate(sql, Context())


def compile_expression(sql: str) -> None:
    with pytest.raises(HogqlError):
        parser.parse_expression(sql.removeprefix("select "))


USERS = {"check": check, "compile a select": compile_select, "compile an expression": compile_expression}


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()
    monkeypatch.setattr(hogql_parse, "_parser", lambda: recorder)
    monkeypatch.setattr(parser, "_rust", recorder)
    return recorder


@pytest.mark.parametrize("use", USERS.values(), ids=USERS.keys())
@pytest.mark.parametrize("growth", GROWTHS, ids=[growth.name for growth in GROWTHS])
def test_the_parser_is_handed_nothing_that_it_reads_too_often(
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
    check(f"select 1 where {term * 400}1")
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


@pytest.mark.parametrize("use", [check, compile_select], ids=["check", "compile"])
@pytest.mark.parametrize("sql", NESTED.values(), ids=NESTED.keys())
def test_what_people_nest_is_parsed(sql: str, use: Callable[[str], None], recorder: Recorder) -> None:
    use(sql)
    assert recorder.handed == [sql]


def test_calls_at_the_start_of_an_expression_are_parsed(recorder: Recorder) -> None:
    parser_input = "f(" * 60 + "{x}" + ")" * 60
    compile_expression(parser_input)
    assert recorder.handed == [parser_input]


@pytest.mark.parametrize("entry", CORPUS, ids=range(len(CORPUS)))
def test_everyday_queries_are_checked(entry: str, recorder: Recorder) -> None:
    check(entry.partition("\n")[2])
    assert len(recorder.handed) == 1


def test_both_users_bound_the_repeated_work_by_one_rule() -> None:
    rules = [ROOT / "tools/hogql/doubling.py", ROOT / "sandbox/src/posthog_sandbox/hogql/doubling.py"]
    assert rules[0].read_text("utf-8") == rules[1].read_text("utf-8")
