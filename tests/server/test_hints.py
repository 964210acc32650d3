"""Hints name a tool only if it is offered, and every error passes one filter."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from maton_posthog.gateway.errors import Advice, Refused
from maton_posthog.server.calling import error_object
from maton_posthog.server.runtime import Runtime
from maton_posthog.server.settings import load
from maton_posthog.server.tool_list import tool_list
from maton_posthog.tools.operation import Toolset
from maton_posthog.tools.operation.hints import advised, offered_only

ROOT = Path(__file__).parents[2]
TOOLS = frozenset(tool_list())
RUNTIMES = {
    "all": Runtime(load()),
    "read-only": Runtime(load(read_only=True)),
    **{toolset.value: Runtime(load(toolsets=toolset.value)) for toolset in Toolset},
}
EACH = pytest.mark.parametrize("runtime", RUNTIMES.values(), ids=RUNTIMES)
ERRORS = frozenset({"Refused", "Rejected", "Failed", "GatewayError"})


def named(text: str) -> set[str]:
    return set(re.findall(r"[a-z_]+", text)) & TOOLS


def texts(node: ast.AST) -> Iterator[str]:
    """Return the string literals in a node, with `{}` for the computed parts of an f-string."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for child in ast.iter_child_nodes(node):
            yield from texts(child)


def modules(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8"))


@cache
def hints() -> list[str]:
    """Return the texts of tools/, schemas/ and server/ that name a tool and can become a message or a hint."""
    found = {text for _, module in modules("tools", "schemas", "server") for text in texts(module) if named(text)}
    return sorted(text for text in found if " " in text)


def test_the_texts_that_name_tools_are_found() -> None:
    raised = [
        (path, text)
        for path, module in modules("tools", "server")
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ERRORS
        for text in texts(node)
        if named(text)
    ]
    assert raised
    assert {text for _, text in raised} <= {*hints(), *TOOLS}


@EACH
@pytest.mark.parametrize("advice", Advice)
def test_advice_names_only_offered_tools_and_is_never_dropped(runtime: Runtime, advice: Advice) -> None:
    shown = error_object(Refused("invalid_argument", "No.", advice=advice), runtime)["error"]
    assert named(shown.get("hint", "")) <= runtime.offered
    assert shown.get("hint") or advice is Advice.USE_HOGQL
    kept = error_object(Refused("invalid_argument", "No.", "Do this.", advice=advice), runtime)["error"]
    assert kept["hint"].startswith("Do this.")


@EACH
def test_a_hint_of_a_tool_names_offered_tools_only(runtime: Runtime) -> None:
    for text in hints():
        shown = error_object(Refused("invalid_argument", "No.", text), runtime)["error"]
        assert named(shown.get("hint", "")) <= runtime.offered, text


def test_a_hint_is_unchanged_where_all_tools_are_offered() -> None:
    for text in hints():
        assert offered_only(text, TOOLS, TOOLS) == text


def test_only_the_clause_that_names_a_hidden_tool_is_left_out() -> None:
    error = Refused("not_found", "No.", "Check the id; list_flags gives it. Names are at v1.2 of x.")
    assert advised(error, TOOLS, TOOLS - {"list_flags"}).hint == "Check the id; Names are at v1.2 of x."
    assert advised(error, TOOLS, TOOLS).hint == error.hint
    alone = Refused("not_found", "No.", "list_flags gives it.")
    assert advised(alone, TOOLS, TOOLS - {"list_flags"}).hint is None


def test_an_error_is_not_changed_by_its_hint() -> None:
    error = Refused("missing_connection", "No.", advice=Advice.CREATE_CONNECTION)
    advised(error, TOOLS, TOOLS)
    assert (error.hint, error.advice) == (None, Advice.CREATE_CONNECTION)


def test_no_file_of_the_gateway_names_a_tool() -> None:
    """Ignore identifiers: `Call.cancel_query` is a method."""
    said = {(path, text) for path, module in modules("gateway") for text in texts(module) if named(text)}
    assert said == set()


def test_errors_leave_the_server_in_one_place() -> None:
    """Code that renders an error or reads its hint elsewhere bypasses the filter."""
    reading = [
        (path, node.attr)
        for path, module in modules("server")
        for node in ast.walk(module)
        if isinstance(node, ast.Attribute) and node.attr in ("as_json", "hint", "advice")
    ]
    assert reading == [("server/calling.py", "as_json")]
    filtering = [
        path
        for path, module in modules("server")
        for node in ast.walk(module)
        if isinstance(node, ast.Name) and node.id == "advised"
    ]
    assert filtering == ["server/calling.py"]
