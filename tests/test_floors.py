"""Imports go down the floors only: schemas < gateway < tools < server. The sandbox stands beside the house."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "maton_posthog"
FLOORS = ("schemas", "gateway", "tools", "server")
FOLDERS = (*FLOORS, "sandbox")
HTTP_CLIENTS = frozenset(
    {"aiohttp", "http.client", "httpcore", "httpcore2", "httpx", "httpx2", "requests", "urllib.request", "urllib3"}
)
FILES = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]


def violations(source: str, path: str) -> list[str]:
    """What `path` (from the root of the repository, such as `tools/flags.py`) imports and must not."""
    folder = path.split("/")[0]
    allowed = {folder, *FLOORS[: FLOORS.index(folder)]} if folder in FLOORS else {folder}
    found: list[str] = []
    for line, module, relative in _imports(ast.parse(source), path):
        name, _, rest = module.partition(".")
        if name == PACKAGE and not relative:
            found.append(f"{path}:{line} imports {module} by its full name; inside the house imports are relative")
        elif name == PACKAGE and (target := rest.split(".")[0]) not in allowed:
            found.append(f"{path}:{line} imports {target or PACKAGE}; {folder} may import {', '.join(sorted(allowed))}")
        elif name in (*FOLDERS, "bench", "tests"):
            found.append(f"{path}:{line} imports the top-level name {name}, which exists in no installation")
        elif folder != "gateway" and any(f"{module}.".startswith(f"{client}.") for client in HTTP_CLIENTS):
            found.append(f"{path}:{line} imports {module}; only gateway/ speaks HTTP outward")
    return found


def _imports(tree: ast.AST, path: str) -> Iterator[tuple[int, str, bool]]:
    """Line, module and whether the import is relative, wherever in the file it stands."""
    package = [PACKAGE, *path.split("/")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, False
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(
                [*package[: len(package) - node.level + 1], *([node.module] if node.module else [])]
                if node.level
                else [node.module or ""]
            )
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}", node.level > 0


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_down_the_floors_only(path: Path) -> None:
    assert violations(path.read_text("utf-8"), path.relative_to(ROOT).as_posix()) == []


def test_every_folder_of_the_house_has_files_to_look_at() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in FILES} == set(FOLDERS)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("schemas/flags.py", "from ..gateway import client"),
        ("schemas/flags.py", "from .. import gateway"),
        ("gateway/client.py", "from ..tools.operation import Operation"),
        ("tools/flags.py", "def run():\n    from ..server.app import build"),
        ("tools/flags.py", "from ..sandbox.app import app"),
        ("server/cli/demo.py", "from ...sandbox import app"),
        ("sandbox/hogql/names.py", "from ...schemas.base import Input"),
        ("tools/flags.py", "from maton_posthog.schemas.base import Input"),
        ("tools/flags.py", "import maton_posthog"),
        ("server/app.py", "import tools.flags"),
        ("server/app.py", "from schemas.base import Input"),
        ("server/app.py", "import httpx2"),
        ("sandbox/app.py", "from urllib.request import urlopen"),
        ("sandbox/app.py", "from urllib import request"),
        ("tools/flags.py", "import http.client as plumbing"),
    ],
)
def test_an_import_up_or_around_the_floors_is_found(path: str, source: str) -> None:
    assert len(violations(source, path)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("gateway/client.py", "import httpx2\nfrom ..schemas.text import clean"),
        ("server/cli/serve.py", "from ..runtime import Runtime\nfrom ...tools import OPERATIONS"),
        ("server/app.py", "from urllib.parse import quote\nfrom http import HTTPStatus"),
        ("sandbox/hogql/names.py", "from ..engine import Engine\nfrom . import ast"),
    ],
)
def test_an_import_downwards_or_beside_is_fine(path: str, source: str) -> None:
    assert violations(source, path) == []
