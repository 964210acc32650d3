"""Problems of a statement as errors of a call; valid statements have none."""

from random import Random

import pytest

from hogql_lang import judge, read, read_schema
from maton_posthog.gateway.errors import Failed
from maton_posthog.tools.query.plan import plan
from maton_posthog.tools.query.schema import read_schema as read_response
from maton_posthog.tools.query.verdict import refusal, statement_of
from posthog_sandbox.hogql import Context, HogqlError, describe_schema, translate

from ...oracle import examples
from .random_hogql import statement

pytest.importorskip("hogql_parser_rs", reason="HogQL's parser has no wheel for this platform")

SCHEMA = read_schema(describe_schema(("organization",)))


def test_an_error_shows_the_place_and_the_likely_fix() -> None:
    sql = "SELECT event,\n\tevnt\nFROM events"
    (problem, *_) = judge(read(sql), {}, SCHEMA).errors
    error = refusal(problem, sql)
    assert error.message == "query, line 2, column 2: unknown column `evnt`.\n evnt\n ^"
    assert error.hint == 'Did you mean `event`? check: "off" sends it anyway.'
    assert (error.source, error.outcome) == ("local", "not_sent")


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("SELECT event IF 1 FROM events", "Send one SELECT in HogQL"),
        ("SELECT 1 FROM qqqqqqqq", "describe_data lists the tables"),
        ("SELECT qqqqqqqq FROM events", "describe_data lists columns and properties"),
        ("SELECT 1 FROM persons p WHERE id IN (SELECT key FROM groups WHERE key = p.id)", "Use `a JOIN`"),
        ("SELECT count() FROM events WHERE count() > 5", "Use `HAVING after GROUP BY`"),
        ("SELECT 1 FROM events WHERE event ILIKE ANY ('a%')", "Use `arrayExists(x -> event ILIKE x, ['a%'])`"),
        ("SELECT 1 FROM events WHERE event", "Convert one side"),
        ("SELECT {qqqqqqqq}", "Pass its value in `values`"),
    ],
)
def test_each_kind_of_problem_has_its_own_hint(sql: str, hint: str) -> None:
    (problem, *_) = judge(read(sql), {}, SCHEMA).errors
    assert (refusal(problem, sql).hint or "").startswith(hint)


@pytest.mark.parametrize("response", [None, [], {}, {"tables": {"events": {"fields": {"event": {"type": 1}}}}}])
def test_a_response_that_is_not_a_schema_is_an_upstream_error(response: object) -> None:
    with pytest.raises(Failed, match="DatabaseSchemaQuery") as caught:
        read_response(response)
    assert caught.value.code == "bad_upstream_response"


@pytest.mark.oracle
@pytest.mark.parametrize("seed", range(examples(3, 24)))
def test_no_random_statement_that_compiles_is_rejected(seed: int) -> None:
    random = Random(seed)
    compiled = 0
    for _ in range(40):
        sql = statement(random)
        try:
            translate(plan(statement_of(sql), 100, {}).sql, Context(group_types=("organization",)))
        except HogqlError:
            continue
        compiled += 1
        verdict = judge(read(sql), {}, SCHEMA)
        assert verdict.errors == (), sql
        assert [each.message for each in verdict.warnings if "unknown" in each.message] == [], sql
    assert compiled >= 30
