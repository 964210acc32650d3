"""The steps of CONTRIBUTING, followed in a copy of the repository, are complete and all needed."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ..snapshots.files import ROOT

AREA = "notebooks"
NEEDED = "notebook or not test_the_responses_of_a_tool"
"""Of the snapshots of each tool, those of the new ones."""
AFTERWARDS = (
    "(notebook and not test_the_responses_of_a_tool) or test_floors or test_mission or every_tool or is_left "
    "or shipped_list or cheap_to_hold"
)
"""The responses were made a moment ago."""
PATIENCE_S = 600
_UNUSED = ("cacheprovider", "hypothesispytest")
"""Plugins of pytest: the second reads all modules for values to try, which takes longer than these tests."""
_MADE = ("__pycache__", ".pytest_cache", ".ruff_cache", ".hypothesis", "build", "dist", ".git", ".venv", ".hosts")

SCHEMAS = '''"""Notebooks: `/api/projects/{project_id}/notebooks/`."""

from pydantic import Field

from .base import InProject, Page, View, Write
from .base.shown import Author, Text


class ListNotebooks(Page):
    search: str | None = None


class GetNotebook(InProject):
    notebook_id: str = Field(pattern=r"^[0-9A-Za-z]{4,12}$")
    """Its short_id."""


class CreateNotebook(Write):
    title: str = Field(min_length=1, max_length=256)
    text_content: str | None = None


class NotebookRow(View):
    """A notebook in a list."""

    short_id: str
    title: Text = None
    created_by: Author = None
    created_at: str | None = None


class NotebookView(NotebookRow):
    """A notebook with its text."""

    text_content: Text = None
'''
TOOLS = '''"""Notebooks."""

from typing import Any

from ..schemas.notebooks import CreateNotebook, GetNotebook, ListNotebooks, NotebookRow, NotebookView
from .operation import Operation, Toolset, listing, route
from .operation.writing import creating

OPERATIONS: tuple[Operation[Any], ...] = (
    listing(
        "GET /api/projects/{project_id}/notebooks/",
        ListNotebooks,
        NotebookRow,
        name="list_notebooks",
        about="List notebooks, newest first.",
        toolset=Toolset.NOTEBOOKS,
    ),
    route(
        "GET /api/projects/{project_id}/notebooks/{notebook_id}/",
        GetNotebook,
        NotebookView,
        name="get_notebook",
        about="Show a notebook with its text.",
        toolset=Toolset.NOTEBOOKS,
    ),
    creating(
        "POST /api/projects/{project_id}/notebooks/",
        CreateNotebook,
        NotebookView,
        name="create_notebook",
        what="notebook",
        about="Create a notebook.",
        toolset=Toolset.NOTEBOOKS,
    ),
)
'''
SANDBOX = '''"""Notebooks. `{id}` is the `short_id`."""

from ..http.fields import Field, text
from ..http.filters import Ordering, contains
from ..http.resource import Change, Resource, routes
from ..storage.store import Rows
from ..values import Row


def _complete(change: Change, row: Row) -> Row:
    return row if change.before else {**row, "short_id": f"note{len(change.rows.all('notebooks')) + 1:04d}"}


def _find(rows: Rows, table: str, key: str) -> Row | None:
    return next((row for row in rows.all(table) if row["short_id"] == key), None)


NOTEBOOKS = Resource(
    table="notebooks",
    fields=(Field("title", text(256)), Field("text_content", text(), null=True)),
    defaults={"title": "", "text_content": None, "short_id": "", "deleted": False},
    check=_complete,
    find=_find,
    filters={"search": contains("title")},
    ordering=Ordering("-created_at,-id"),
)
ROUTES = routes(NOTEBOOKS)
'''
TESTS = '''"""Notebooks, against the sandbox."""

import pytest

from .posthog.live import running_sandbox

pytestmark = pytest.mark.anyio


async def test_a_created_notebook_is_listed_and_can_be_read() -> None:
    with running_sandbox(events=1000) as sandbox:
        created = await sandbox.call("create_notebook", title="Launch", text_content="What we saw.")
        listed = await sandbox.call("list_notebooks", search="launch")
        read = await sandbox.call("get_notebook", notebook_id=created["short_id"])
    assert [row["short_id"] for row in listed["notebooks"]] == [created["short_id"]]
    assert read["text_content"] == "What we saw."
'''
NOTEBOOK = {
    "id": "0190cccc-0000-7000-8000-000000000004",
    "short_id": "aBcD1234",
    "title": "Launch",
    "text_content": "What we saw.",
    "created_at": "2026-11-20T10:00:00.000000Z",
    "created_by": {"id": 1, "first_name": "Ann", "email": "ann@example.com"},
    "deleted": False,
    "version": 1,
}


def test_a_new_area_needs_the_steps_that_contributing_lists_and_no_more(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    compiled = "__pycache__"  # it saves the copy from compiling all modules again
    shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(*(set(_MADE) - {compiled})))
    before = _contents(copy)
    _add_the_area(copy)
    _ruff(copy, "check", "--select", "I", "--fix", ".")
    _ruff(copy, "format", ".")
    for files in _made_by_snapshots(copy):
        _pytest(copy, "-m", "snapshot", *files, "-k", NEEDED, UPDATE_SNAPSHOTS="1")
    changed = _changed(before, _contents(copy))
    steps = _steps("Add an area")
    assert (_not_named(changed, steps), _not_used(changed, steps)) == (set(), set())
    _ruff(copy, "check", ".")
    held = ("tests/repository/test_floors.py", "tests/test_mission.py", "tests/server/test_every_operation.py")
    made = [file for files in _made_by_snapshots(copy) for file in files]
    _pytest(copy, *made, *held, f"tests/tools/test_{AREA}.py", "-k", AFTERWARDS)


def test_a_missing_or_unnecessary_step_is_noticed() -> None:
    steps = {"tools/notebooks.py", "tests/toolsnaps/"}
    changed = {"tools/notebooks.py", "tests/toolsnaps/get_notebook.json", "README.md"}
    assert _not_named(changed, steps) == {"README.md"}
    assert _not_used({"tools/notebooks.py"}, steps) == {"tests/toolsnaps/"}


def _add_the_area(copy: Path) -> None:
    api = f"sandbox/src/posthog_sandbox/api/{AREA}.py"
    for name, text in (
        (f"schemas/{AREA}.py", SCHEMAS),
        (f"tools/{AREA}.py", TOOLS),
        (api, SANDBOX),
        (f"tests/tools/test_{AREA}.py", TESTS),
    ):
        (copy / name).write_text(text, "utf-8")
    _edit(copy / "tools/toolsets.py", r'    DEFINITIONS = "definitions"\n', '    NOTEBOOKS = "notebooks"\n')
    _edit(copy / "tools/operations.py", r"from \. import .*definitions, persons,", " notebooks,")
    _edit(copy / "tools/operations.py", r"    \*flags\.OPERATIONS,\n", "    *notebooks.OPERATIONS,\n")
    routes = copy / "sandbox/src/posthog_sandbox/api/__init__.py"
    _edit(routes, r"from \.insights\.views import .*\n", "from .notebooks import ROUTES as NOTEBOOKS\n")
    _edit(routes, r"        \*ANNOTATIONS,\n", "        *NOTEBOOKS,\n")
    _edit(copy / "sandbox/src/posthog_sandbox/storage/store.py", r'    "annotations",\n', '    "notebooks",\n')
    scopes = copy / "sandbox/src/posthog_sandbox/maton/keys.py"
    _edit(scopes, r'    "annotations": "annotation",\n', '    "notebooks": "notebook",\n')
    answers = copy / "tests/tools/posthog/answers.json"
    objects = json.loads(answers.read_text("utf-8")) | {"notebook": NOTEBOOK}
    answers.write_text(json.dumps(objects, indent=2, ensure_ascii=False) + "\n", "utf-8")
    _edit(
        copy / "tests/server/test_every_operation.py",
        r"ARGUMENTS: Mapping\[str, dict\[str, Any\]\] = \{\n",
        '    "get_notebook": {"notebook_id": "aBcD1234"},\n    "create_notebook": {"title": "Launch"},\n',
    )
    _edit(
        copy / "tests/snapshots/calls.py",
        r"FLAGS_AND_ACCOUNT: Mapping\[str, Pair\] = \{\n",
        '    "list_notebooks": Pair({}, {"limit": 0}),\n'
        '    "get_notebook": Pair(\n'
        '        {"notebook_id": "note0001"},\n'
        '        {"notebook_id": "aBcD1234"},\n'
        '        before=(("create_notebook", {"title": "Launch"}),),\n'
        "    ),\n"
        '    "create_notebook": Pair({"title": "Launch"}, {"title": ""}),\n',
    )
    _edit(copy / "CHANGELOG.md", r"## Unreleased\n(?:\n### \w+\n\n)?", "- Notebooks: list, get, create.\n")


def _edit(path: Path, after: str, added: str) -> None:
    """Add a text after the only match."""
    text = path.read_text("utf-8")
    places = list(re.finditer(after, text))
    assert len(places) == 1, f"{path.name}: {len(places)} places match {after}"
    path.write_text(f"{text[: places[0].end()]}{added}{text[places[0].end() :]}", "utf-8")


def _steps(heading: str) -> set[str]:
    """Return the files named in the numbered steps under a heading of CONTRIBUTING."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    numbered = re.findall(r"^\d+\. .*(?:\n {3,}.*)*", text, re.MULTILINE)
    names = re.findall(r"`([\w./<>-]+(?:\.\w+|/))`", "\n".join(numbered))
    return {name.replace("<area>", AREA) for name in names}


def _made_by_snapshots(copy: Path) -> list[list[str]]:
    """Return the test files of each command of `make snapshots`."""
    recipes = re.findall(r"\tUPDATE_SNAPSHOTS=1 .*pytest -q -m snapshot (.*)", (copy / "Makefile").read_text("utf-8"))
    assert recipes
    return [files.split() for files in recipes]


def _contents(folder: Path) -> Mapping[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if not _is_made(path)}


def _is_made(path: Path) -> bool:
    return any(part in _MADE for part in path.parts)


def _changed(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> set[str]:
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def _not_named(changed: set[str], steps: set[str]) -> set[str]:
    return {name for name in changed if not any(name == step or name.startswith(step) for step in steps)}


def _not_used(changed: set[str], steps: set[str]) -> set[str]:
    return {step for step in steps if not any(name == step or name.startswith(step) for name in changed)}


def _ruff(copy: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "ruff", *arguments]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout


def _pytest(copy: Path, *arguments: str, **variables: str) -> None:
    sources = os.pathsep.join(str(copy / source) for source in (".dev", "hogql/src", "sandbox/src"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *(f"-pno:{plugin}" for plugin in _UNUSED), *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": sources, **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
