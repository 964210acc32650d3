"""One name per class, and no assertions outside tests."""

import ast
from collections import defaultdict
from functools import cache

import pytest

from .test_floors import FLOORS, PRESENT, ROOT

DISTRIBUTIONS = {"maton_posthog": FLOORS, **{name: (f"{source}/{name}",) for name, source in PRESENT.items()}}
EACH = pytest.mark.parametrize("folders", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)


KINDS = (ast.ClassDef, ast.TypeAlias, ast.Assert, ast.Name)


@cache
def nodes(folders: tuple[str, ...]) -> list[tuple[str, ast.AST]]:
    """Return the nodes of KINDS, each with its file."""
    found: list[tuple[str, ast.AST]] = []
    for path in sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        tree = ast.parse(path.read_text("utf-8"))
        found += [(name, node) for node in ast.walk(tree) if isinstance(node, KINDS)]
    return found


@EACH
def test_a_name_of_a_class_or_type_is_used_once(folders: tuple[str, ...]) -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path, node in nodes(folders):
        if isinstance(node, ast.ClassDef):
            places[node.name.lstrip("_")].append(f"{path}:{node.lineno}")
        elif isinstance(node, ast.TypeAlias):
            places[node.name.id.lstrip("_")].append(f"{path}:{node.lineno}")
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


@EACH
def test_assertions_are_for_tests(folders: tuple[str, ...]) -> None:
    found = [
        f"{path}:{node.lineno}"
        for path, node in nodes(folders)
        if isinstance(node, ast.Assert) or (isinstance(node, ast.Name) and node.id == "AssertionError")
    ]
    assert found == []


@EACH
def test_no_class_is_a_kind_of_text(folders: tuple[str, ...]) -> None:
    found = [
        f"{path}:{node.lineno}"
        for path, node in nodes(folders)
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id in ("str", "bytes") for base in node.bases)
    ]
    assert found == []
