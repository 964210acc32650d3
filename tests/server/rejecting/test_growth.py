"""No tool hands the HogQL parser a statement whose parsing time explodes: the same list as the parser's own tests."""

import importlib.util
import sys
from types import ModuleType
from typing import Any

import pytest

from tests.oracle import examples
from tests.snapshots.files import ROOT

from ..test_every_operation import served

pytestmark = pytest.mark.anyio
pytest.importorskip("hogql_parser_rs", reason="HogQL's parser has no wheel for this platform")
LIST = ROOT / "hogql" / "tests" / "growths.py"


def growths() -> ModuleType:
    """Return the module with the list."""
    spec = importlib.util.spec_from_file_location("growths", LIST)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["growths"] = module
    spec.loader.exec_module(module)
    return module


def users(sql: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the calls that take a statement of the caller."""
    source = {"kind": "HogQLQuery", "query": sql}
    return [
        ("run_hogql", {"query": sql}),
        ("run_hogql", {"query": sql, "check": "off"}),
        ("check_hogql", {"query": sql}),
        ("create_insight", {"name": "A", "query": source}),
        ("update_insight", {"insight_id": 31, "query": source}),
        ("create_dashboard", {"name": "A", "tiles": [{"name": "A", "query": source}]}),
        ("query_trends", {"events": [{"event": "a", "math": "hogql", "math_hogql": sql}]}),
    ]


@pytest.mark.oracle
@pytest.mark.skipif(not LIST.exists(), reason="needs the checkout")
async def test_no_tool_hands_the_parser_text_that_it_would_read_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = growths()
    step = examples(4, 1)  # two calls of a statement in a sample, the next two of the next one
    statements = [(growth, depth) for growth in shapes.GROWTHS for depth in (2, 8, 20, 60, 340)]
    recorder = shapes.Recorder()
    monkeypatch.setattr("hogql_lang.parser._parser", lambda: recorder)
    async with served() as (client, _):
        for number, (growth, depth) in enumerate(statements):
            for tool, arguments in users(growth.statement(depth))[number % step :: step]:
                await client.call_tool(tool, arguments)
                if recorder.handed:
                    assert growth.readings(depth) <= shapes.MOST_READINGS, (growth.name, depth, tool)
                    recorder.handed.clear()
