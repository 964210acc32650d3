import pytest

from maton_posthog.gateway.errors import Refused
from maton_posthog.tools import hogql_check
from maton_posthog.tools.hogql_check import check

pytest.importorskip("hogql_parser_rs")


@pytest.mark.parametrize(
    ("sql", "code", "says"),
    [
        ("SELECT FROM WHERE", "hogql_syntax_error", "at character"),
        ("SELECT 'ü', 'ü' FROM", "hogql_syntax_error", "at character 20"),
        ("SELECT 1; SELECT 2", "hogql_syntax_error", "trailing"),
        ("INSERT INTO events VALUES (1)", "hogql_syntax_error", "mismatched"),
        ("SELECT 1 SETTINGS max_threads = 1", "hogql_query_error", "cannot do this"),
        ("SELECT '\ud800'", "hogql_syntax_error", "surrogate"),
        ("SELECT {ev}, {other}, {filters}, {variables.x}", "invalid_argument", "no value for {other}."),
    ],
)
def test_what_posthog_would_refuse_costs_no_query(sql: str, code: str, says: str) -> None:
    with pytest.raises(Refused) as caught:
        check(sql, {"ev": 1})
    assert caught.value.code == code
    assert says in caught.value.message


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT event, count() FROM events WHERE timestamp > now() - INTERVAL 7 DAY GROUP BY event ORDER BY 2 DESC",
        "WITH a AS (SELECT 1) SELECT * FROM a UNION ALL SELECT 2",
        "SELECT properties.$browser, person.properties.email FROM events WHERE {filters} AND event = {ev}",
    ],
)
def test_good_statements_pass(sql: str) -> None:
    check(sql, {"ev": 1})


SLOW = [
    "SELECT " + "+".join(["1"] * 500),
    "SELECT " + "(1+" * 90 + "1" + "+1+1+1)" * 90,
    "SELECT 1 FROM e " + " ".join(f"JOIN t{number} ON a = b" for number in range(40)),
    "SELECT " + "f'{" * 40 + "1" + "}'" * 40,
    "SELECT " + ", ".join(["1 + 1 + 1 + 1 + 1 + 1"] * 2000),
]


@pytest.mark.parametrize("sql", SLOW)
def test_what_would_take_long_to_parse_is_left_to_posthog(sql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    class Parser:
        def parse_select_json(self, text: str) -> str:
            parsed.append(text)
            return "{}"

    monkeypatch.setattr(hogql_check, "_parser", Parser)
    check(sql, {})
    assert parsed == []
    check("SELECT 1", {})
    assert parsed == ["SELECT 1"]


def test_without_the_parser_everything_is_left_to_posthog(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hogql_check, "_parser", lambda: None)
    check("SELECT FROM", {})
