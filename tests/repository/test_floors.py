"""Imports go down the floors only: schemas < gateway < tools < server. The sandbox is separate; HogQL is below all."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = "maton_posthog"
FLOORS = ("schemas", "gateway", "tools", "server")
TOOLS = (
    {"toolsets", "table", "processes", "people"},
    {"operation"},
    {"charts"},
    {"query"},
    {"analytics"},
    {"insights"},
)
"""The floors inside tools/, lowest first: what areas build on. Every other entry is an area on the floor above; areas
do not import each other. Only operations.py, on top, imports them all."""
DISTRIBUTIONS = {"posthog_sandbox": "sandbox/src", "hogql_lang": "hogql/src"}
"""The other distributions of this repository."""
LIBRARY = "hogql_lang"
"""The distribution that the others can import; it imports none of them."""
FACE = "package_init.py"
"""The file that is installed as maton_posthog/__init__.py, on top of all floors."""
HTTP_CLIENTS = frozenset(
    {"aiohttp", "http.client", "httpcore", "httpcore2", "httpx", "httpx2", "requests", "urllib.request", "urllib3"}
)
PRESENT = {name: source for name, source in DISTRIBUTIONS.items() if (ROOT / source.split("/")[0]).is_dir()}
"""An sdist has no siblings."""
SOURCES = (*FLOORS, *(f"{source}/{name}" for name, source in PRESENT.items()))
FILES = [ROOT / FACE, *(path for folder in SOURCES for path in sorted((ROOT / folder).rglob("*.py")))]
SENDERS = ("gateway/", "sandbox/src/posthog_sandbox/testing/")
"""Code that is allowed to send HTTP: the gateway, and the sandbox's control of its own process."""


def violations(source: str, path: str) -> list[str]:
    """Return what `path` (from the root of the repository, such as `tools/flags.py`) imports and must not."""
    found: list[str] = []
    for line, module, relative in _imports(ast.parse(source), path):
        if reason := _objection(path, module, relative):
            found.append(f"{path}:{line} imports {module}: {reason}")
    return found


def _objection(path: str, module: str, relative: bool) -> str | None:
    top, _, rest = module.partition(".")
    own = _package(path)
    folder = path.split("/")[0]
    if top == LIBRARY and own != LIBRARY and not relative:
        return None
    allowed = FLOORS if path == FACE else FLOORS[: FLOORS.index(folder) + 1] if own == PACKAGE else ()
    if top in (PACKAGE, *DISTRIBUTIONS) and not relative:
        return "imports inside a distribution are relative, and the sandbox is reached over HTTP only"
    if relative and top != own:
        return f"this leaves {own}"
    if relative and own == PACKAGE and (target := rest.split(".")[0]) not in allowed:
        return f"{target or PACKAGE} is not below {folder}"
    if relative and own == PACKAGE and folder == "tools" and rest.startswith("tools."):
        return _inner_objection(path.split("/")[1].removesuffix(".py"), rest.split(".")[1])
    if top in (*FLOORS, "bench", "tests"):
        return "no installation has this top-level name"
    if not path.startswith(SENDERS) and any(f"{module}.".startswith(f"{client}.") for client in HTTP_CLIENTS):
        return "only gateway/ sends HTTP"
    return None


def _inner_objection(area: str, target: str) -> str | None:
    heights = {name: height for height, names in enumerate(TOOLS) for name in names} | {"operations": len(TOOLS) + 1}
    if area == target or heights.get(target, len(TOOLS)) < heights.get(area, len(TOOLS)):
        return None
    return f"tools/{target} is not below tools/{area}; TOOLS lists the floors"


def _package(path: str) -> str:
    return next((name for name, source in DISTRIBUTIONS.items() if path.startswith(f"{source}/{name}/")), PACKAGE)


def _imports(tree: ast.AST, path: str) -> Iterator[tuple[int, str, bool]]:
    """Return line, module and whether the import is relative, for every import in the file."""
    own = _package(path)
    inside = path if own == PACKAGE else path.split(f"/{own}/", 1)[1]
    package = [own, *inside.split("/")[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, False
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(
                [*package[: max(0, len(package) - node.level + 1)], *([node.module] if node.module else [])]
                if node.level
                else [node.module or ""]
            )
            for alias in node.names:
                yield node.lineno, f"{base}.{alias.name}", node.level > 0


def test_imports_go_down_the_floors_only() -> None:
    found = [line for path in FILES for line in violations(path.read_text("utf-8"), path.relative_to(ROOT).as_posix())]
    assert found == [], "\n".join(found)


def test_every_folder_has_files_to_check() -> None:
    assert [folder for folder in SOURCES if not any(path.is_relative_to(ROOT / folder) for path in FILES)] == []


def test_every_floor_of_tools_names_existing_modules() -> None:
    entries = {path.stem for path in (ROOT / "tools").iterdir() if path.is_dir() or path.suffix == ".py"}
    assert set[str]().union(*TOOLS) - entries == set()


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("schemas/flags.py", "from ..gateway import client"),
        ("schemas/flags.py", "from .. import gateway"),
        ("gateway/client.py", "from ..tools.operation import Operation"),
        ("tools/flags.py", "def run():\n    from ..server.app import build"),
        ("tools/flags.py", "from posthog_sandbox.app import app"),
        ("tools/flags.py", "from .operations import OPERATIONS"),
        ("tools/flags.py", "from .cohorts import OPERATIONS"),
        ("tools/query/check.py", "from ..analytics.dates import resolve"),
        ("tools/operation/__init__.py", "from ..charts.drawing import drawn"),
        ("server/cli/demo.py", "from ...sandbox import app"),
        ("sandbox/src/posthog_sandbox/hogql/names.py", "from ....schemas.base import Input"),
        ("sandbox/src/posthog_sandbox/hogql/names.py", "from maton_posthog.schemas.base import Input"),
        ("tools/flags.py", "from maton_posthog.schemas.base import Input"),
        ("tools/flags.py", "import maton_posthog"),
        ("hogql/src/hogql_lang/check.py", "from maton_posthog.schemas.base import Input"),
        ("hogql/src/hogql_lang/check.py", "from posthog_sandbox import hogql"),
        ("hogql/src/hogql_lang/check.py", "from hogql_lang.tree import Field"),
        ("server/app.py", "import tools.flags"),
        ("server/app.py", "from .. import __version__"),
        (FACE, "from maton_posthog.server.app import build"),
        ("server/app.py", "from schemas.base import Input"),
        ("server/app.py", "import httpx2"),
        ("sandbox/src/posthog_sandbox/app.py", "from urllib.request import urlopen"),
        ("sandbox/src/posthog_sandbox/app.py", "from urllib import request"),
        ("tools/flags.py", "import http.client as plumbing"),
    ],
)
def test_an_import_up_or_around_the_floors_is_found(path: str, source: str) -> None:
    assert len(violations(source, path)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("gateway/client.py", "import httpx2\nfrom ..schemas.text import clean"),
        ("server/cli/serve.py", "from ..runtime import Runtime\nfrom ...tools.operations import OPERATIONS"),
        ("tools/query/check.py", "from hogql_lang import judge"),
        ("sandbox/src/posthog_sandbox/hogql/names.py", "from hogql_lang import tree"),
        ("server/app.py", "from urllib.parse import quote\nfrom http import HTTPStatus"),
        ("tools/analytics/trends.py", "from ..table import Table\nfrom .dates import resolve"),
        (FACE, "from .server.app import build"),
        ("sandbox/src/posthog_sandbox/testing/sandbox.py", "import http.client"),
        ("sandbox/src/posthog_sandbox/hogql/names.py", "from ..storage.engine import Engine\nfrom . import ast"),
    ],
)
def test_an_import_downwards_or_on_one_floor_is_allowed(path: str, source: str) -> None:
    assert violations(source, path) == []
