"""Filters, actions, columns and stored rows reach HogQL only as values and expressions, whatever they contain."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthog_sandbox.errors import ApiError
from posthog_sandbox.hogql import SYSTEM_TABLES, Context, HogqlError, constant_rows, parse_expression, translate
from posthog_sandbox.queries.action_steps import action_condition
from posthog_sandbox.queries.columns import conditions, read_column
from posthog_sandbox.queries.elements import elements_of
from posthog_sandbox.queries.filter_operators import OPERATORS
from posthog_sandbox.queries.moments import parse_moment
from posthog_sandbox.queries.property_filters import FilterScope, filter_condition
from posthog_sandbox.queries.selectors import selector_pattern
from posthog_sandbox.storage.engine import Engine

from ..hogql.drawing import expressions
from ..hogql.sql import assert_harmless, skeleton
from ..oracle import accepting, examples
from ..sandbox_client import NOW
from ..shared_data import open_shared

HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.text("`'\"\\;-/*{}()% \n\0", max_size=12)
KINDS = ("event", "person", "group", "session", "event_metadata", "element", "hogql", "cohort")
SCOPE = FilterScope(context=Context(), now=NOW)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(500) as opened:
        yield opened


def compiled(condition: str) -> str:
    return translate(f"select count() from events where {condition}", Context()).sql


@accepting(20, ApiError, HogqlError)
@settings(max_examples=examples(60, 1000))
@given(key=HOSTILE, value=HOSTILE, operator=st.sampled_from(sorted(OPERATORS)), kind=st.sampled_from(KINDS))
def test_a_filter_compiles_to_harmless_sql_or_is_rejected(key: str, value: str, operator: str, kind: str) -> None:
    item = {"key": key, "value": value, "operator": operator, "type": kind}
    assert_harmless(compiled(filter_condition(item, SCOPE)))


@given(value=HOSTILE, operator=st.sampled_from(["is_not", "icontains", "regex", "not_regex"]))
def test_the_value_of_a_filter_remains_text(value: str, operator: str) -> None:
    item: dict[str, Any] = {"key": "$browser", "operator": operator, "type": "event"}
    shown = [compiled(filter_condition({**item, "value": text}, SCOPE)) for text in (value, "text")]
    assert skeleton(shown[0]) == skeleton(shown[1])


STEP = st.fixed_dictionaries(
    {},
    optional={
        "event": HOSTILE | st.just("$autocapture"),
        "url": HOSTILE,
        "url_matching": st.sampled_from(["contains", "exact", "regex"]),
        "text": HOSTILE,
        "text_matching": st.sampled_from(["contains", "exact", "regex"]),
        "href": HOSTILE,
        "selector": HOSTILE | st.sampled_from(["a.b > c", "#id [x='y']", "a:nth-child(2)"]),
        "tag_name": HOSTILE,
    },
)


@accepting(40, ApiError, HogqlError)
@given(steps=st.lists(STEP, max_size=3))
def test_an_action_compiles_to_harmless_sql_or_is_rejected(steps: list[dict[str, Any]]) -> None:
    assert_harmless(compiled(action_condition({"steps": steps}, SCOPE)))


PIECES_TEXT = "event ( ) , 1 = 'a' -- or and ; /* */ from events select properties . $x union * [ ]"
PIECES = st.sampled_from(PIECES_TEXT.split())


@accepting(15, ApiError)
@settings(max_examples=examples(60, 1000))
@given(expressions | st.lists(PIECES, max_size=10).map(" ".join) | HOSTILE)
def test_parentheses_do_not_change_a_condition(text: str) -> None:
    (bracketed,) = conditions([text])
    column = read_column(text, {})
    alone = parse_expression(f" {text}")  # at the position it has inside parentheses
    assert repr(replace(parse_expression(bracketed), span=None)) == repr(replace(alone, span=None))  # NaN is not NaN
    assert column.shown == text


@given(rows=st.lists(st.tuples(st.integers(-(2**62), 2**62), st.none() | HOSTILE, st.booleans()), max_size=5))
def test_stored_rows_reach_the_query_unchanged(engine: Engine, rows: list[tuple[int, str | None, bool]]) -> None:
    sql = constant_rows((("a", "Int64"), ("b`'", "Nullable(String)"), ("c", "Bool")), rows)

    assert skeleton(sql) == "SELECT * FROM format ( 'text' , 'text' , 'text' )"
    assert [tuple(row) for row in engine.select(sql).rows] == rows


def test_too_many_rows_are_rejected() -> None:
    with pytest.raises(HogqlError, match="too large"):
        constant_rows((("a", "String"),), [["x" * 1_000_000]] * 9)


@pytest.mark.parametrize("table", SYSTEM_TABLES)
def test_a_system_table_cannot_be_read_without_the_projects_rows(table: str) -> None:
    with pytest.raises(HogqlError, match="not available"):
        translate(f"select * from {table}", Context())


SELECTORS = st.sampled_from(
    ["a", "div", ".b", "#c", "[href='/x']", "[data-a='it\\'s']", ":nth-child(2)", " ", " > ", "*"]
)


@accepting(15, ApiError)
@given(st.lists(SELECTORS, min_size=1, max_size=4).map("".join) | HOSTILE)
def test_a_selector_is_a_pattern_that_ends_with_an_element_or_is_rejected(text: str) -> None:
    pattern = selector_pattern(text)
    assert pattern.startswith("(?:^|;)")
    assert pattern.endswith("(?:;|$)")


@given(HOSTILE)
def test_any_chain_of_elements_can_be_shown(chain: str) -> None:
    assert [element["order"] for element in elements_of(chain)] == list(range(len(elements_of(chain))))


@given(HOSTILE | st.from_regex(r"-?\d{0,6}[hdwmyqMsHDWYQ](Start|End)?", fullmatch=True))
def test_every_text_parses_as_a_moment(text: str) -> None:
    assert parse_moment(text, NOW, "America/Chicago").tzinfo is not None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-01", "2026-11-01T00:00:00-05:00"),
        ("2026-1-1", "2026-01-01T00:00:00-06:00"),
        ("2026-11-01T10:00:00Z", "2026-11-01T04:00:00-06:00"),
        ("-7d", "2026-11-16T01:00:00-06:00"),
        ("7d", "2026-11-16T01:00:00-06:00"),
        ("-24h", "2026-11-22T01:00:00-06:00"),
        ("-1w", "2026-11-16T01:00:00-06:00"),
        ("-30M", "2026-11-23T00:30:00-06:00"),
        ("-1q", "2026-08-24T01:00:00-05:00"),
        ("dStart", "2026-11-23T00:00:00-06:00"),
        ("dEnd", "2026-11-23T23:59:59.999999-06:00"),
        ("mStart", "2026-11-01T01:00:00-05:00"),
        ("-1mStart", "2026-10-01T01:00:00-05:00"),
        ("-1mEnd", "2026-10-31T01:00:00-05:00"),
        ("yStart", "2026-01-01T01:00:00-06:00"),
        ("-1hStart", "2026-11-23T00:00:00-06:00"),
        ("today", "2026-11-23T01:00:00-06:00"),
    ],
)
def test_dates_of_a_query_are_in_project_time(text: str, moment: str) -> None:
    assert parse_moment(text, NOW, "America/Chicago").isoformat() == moment
