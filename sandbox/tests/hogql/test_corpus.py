"""Everyday queries of analysts run on the engine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from posthog_sandbox.hogql import Context, PropertyType, Scope, translate
from posthog_sandbox.hogql.functions.registry import allowed_functions
from posthog_sandbox.storage.engine import Engine

from ..shared_data import open_shared

CORPUS = Path(__file__).with_name("corpus.sql")


def corpus() -> list[tuple[str, str]]:
    """Return the queries of the file by the names in the comments above them."""
    entries = [block.partition("\n") for block in CORPUS.read_text(encoding="utf-8").strip().split("\n\n")]
    return [(head.removeprefix("-- "), text) for head, _, text in entries]


QUERIES = [pytest.param(text, id=name) for name, text in corpus()]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(2_000, today=date(2026, 11, 24)) as opened:
        yield opened


@pytest.fixture(scope="module")
def context(engine: Engine) -> Context:
    types: dict[tuple[Scope, str], PropertyType] = {}
    for scope, name, kind in engine.select("SELECT type, name, property_type FROM posthog.property_definitions").rows:
        if kind is not None:
            types[scope, name] = kind
    return Context(property_types=types)


@pytest.mark.parametrize("query", QUERIES)
def test_an_everyday_query_runs_and_names_its_columns(engine: Engine, context: Context, query: str) -> None:
    translated = translate(query, context)
    table = engine.select(translated.sql)
    assert len(table.columns) == len(translated.columns)
    assert all(translated.columns)


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_printed_back_as_hogql_compiles_to_the_same_sql(query: str) -> None:
    translated = translate(query, Context())
    assert translate(translated.hogql, Context()).sql == translated.sql


def test_the_corpus_is_large() -> None:
    assert len(QUERIES) > 200


def test_every_function_of_the_allow_list_exists_in_clickhouse(engine: Engine) -> None:
    known = {str(row[0]).lower() for row in engine.select("SELECT name FROM system.functions").rows}
    known |= {"grouping", "summap", "minmap", "maxmap"}  # understood by its analyzer, not listed
    assert {function.name for function in allowed_functions() if function.name.lower() not in known} == set()
