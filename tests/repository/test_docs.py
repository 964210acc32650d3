"""The documentation is in step with the code: rendered parts, links, names of files, commands, codes."""

import ast
import json
import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from maton_posthog.gateway.errors import Code, Failed, Outcome, Source, Upstream
from maton_posthog.server.cli import COMMANDS
from maton_posthog.server.cli.serve import command as serve

from ..server.test_every_operation import ARGUMENTS, served, text_of
from ..snapshots.documentation import (
    named_literals,
    prompts_reference,
    settings_reference,
    table,
    tools_reference,
    with_block,
)
from ..snapshots.files import ROOT, difference, updating
from ..tracing import traced

DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "sandbox/*.md", "hogql/*.md", ".github/**/*.md")
    for path in ROOT.glob(pattern)
)
EVERY = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
TRACED = ("list_flags", "run_hogql", "query_trends")
_NAMED_FILE = re.compile(r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|md|json|toml|yml|yaml|sql|txt|svg|html)|(?:[\w.-]+/)+)`")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
MISSPELLED = (("run_hogql", {"query": "select evnt from events"}), ("list_flags", {"limti": 5}))


@pytest.mark.snapshot
@pytest.mark.parametrize("page", ["tools", "settings", "prompts"])
def test_the_reference_is_that_of_the_code(page: str) -> None:
    # Made here and not when tests are collected: in an update, the list of tools is written between the two.
    made = {"tools": partial(tools_reference, ARGUMENTS), "settings": settings_reference, "prompts": prompts_reference}
    path = REFERENCE / f"{page}.md"
    assert difference(path, with_block(path.read_text("utf-8"), page, f"\n{made[page]()}\n")) == ""


@pytest.mark.snapshot
@pytest.mark.anyio
@pytest.mark.parametrize("tool", TRACED)
async def test_the_architecture_lists_the_files_that_a_call_enters(tool: str) -> None:
    path = DOCS / "architecture.md"
    name = f"trace {tool}"
    text = path.read_text("utf-8")
    way, files = await _entered(tool)
    listed = _part(text, name)
    if way in listed and set(re.findall(r"`([\w/.]+\.py)`", listed)) == set(files) and not updating():
        return  # what runs at the same time may be entered in another order
    rows = [(f"`{file}`", _first_sentence(ROOT / file)) for file in files]
    made = f"\nThe path to the wire: {way}.\n\n{table(('every file', 'purpose'), rows)}\n"
    assert difference(path, with_block(text, name, made)) == ""


@pytest.mark.snapshot
@pytest.mark.anyio
async def test_the_readme_shows_the_errors_that_tools_return() -> None:
    blocks: list[str] = []
    async with served() as (client, _):
        for tool, arguments in MISSPELLED:
            shown = json.loads(text_of(await client.call_tool(tool, arguments)))
            blocks.append(f"```json\n{json.dumps(shown, ensure_ascii=False, indent=1)}\n```\n")
    path = ROOT / "README.md"
    assert difference(path, with_block(path.read_text("utf-8"), "errors", "\n".join(blocks))) == ""


def test_every_error_code_is_explained_and_nothing_else() -> None:
    text = (REFERENCE / "errors.md").read_text("utf-8")
    assert _first_column(text, "Codes") == list(named_literals(Code))
    assert sorted(_first_column(text, "Outcomes")) == sorted(named_literals(Outcome))
    failed = Failed(
        "timeout", "m", "h", retryable=True, outcome="unknown", retry_after_s=1.0, status=504, request_id="r",
        upstream=Upstream("d"),
    )  # fmt: skip
    assert _first_column(text, "Fields") == list(failed.as_json()["error"])
    assert all(f"`{source}`" in text for source in named_literals(Source))


@EVERY
def test_its_links_lead_somewhere(path: Path) -> None:
    broken: list[str] = []
    for target in _links(path.read_text("utf-8")):
        file, _, anchor = target.partition("#")
        place = (path.parent / file).resolve() if file else path
        if not place.exists() or (anchor and anchor not in _anchors(place)):
            broken.append(target)
    assert broken == []


@EVERY
def test_the_files_that_it_names_exist(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    roots = (ROOT, path.parent, ROOT / ".ci")
    missing = {
        name
        for name in _NAMED_FILE.findall(text)
        if not name.startswith(_ELSEWHERE) and not any((root / name).exists() for root in roots)
    }
    assert missing == set()


@EVERY
def test_its_commands_exist(path: Path) -> None:
    text = path.read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE)) <= targets
    flags = {option for parameter in serve.params for option in parameter.opts} | {"--help", "--version"}
    for line in re.findall(r"(?:`|^|/)maton-posthog-mcp +([^`\n]+)", text, re.MULTILINE):
        first, *others = line.split("#")[0].split()
        assert first.startswith("--") or first in COMMANDS, line
        if first.startswith("--") or first == "serve":
            assert {word for word in (first, *others) if word.startswith("--")} <= flags, line


@EVERY
def test_its_blocks_of_code_are_valid_and_its_programs_are_examples(path: Path) -> None:
    examples = [file.read_text("utf-8") for file in sorted((ROOT / "examples").rglob("*.py"))]
    for language, block in _BLOCK.findall(path.read_text("utf-8")):
        if language == "json":
            json.loads(block)
        elif language == "python" and "…" not in block:
            ast.parse(block)
            if path.parent.name == "sandbox":  # its own tests run the blocks of its README
                continue
            assert any(block.strip() in example for example in examples), f"runs in no test:\n{block}"


def test_the_index_leads_to_every_page() -> None:
    for folder, pattern in ((DOCS, "**/*.md"), (DOCS / "decisions", "*.md")):
        index = folder / "README.md"
        linked = {(folder / target.partition("#")[0]).resolve() for target in _links(index.read_text("utf-8"))}
        pages = {page for page in folder.glob(pattern) if folder.name == "decisions" or page.parent.name != "decisions"}
        assert pages - linked - {index} == set()


def test_decisions_are_numbered_and_complete() -> None:
    records = sorted((DOCS / "decisions").glob("[0-9]*.md"))
    for number, record in enumerate(records, 1):
        text = record.read_text("utf-8")
        assert record.name.startswith(f"{number:04d}-"), record.name
        assert text.startswith(f"# {number}. "), record.name
        parts = re.findall(r"^(Status: \w+|## \w+)", text, re.MULTILINE)
        assert [part.split()[1].lower().strip(":") for part in parts][1:] == ["context", "decision", "consequences"]


def test_ci_runs_the_script_of_the_repository_on_every_supported_python() -> None:
    workflow = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")
    classifiers = re.findall(r"Python :: (3\.\d+)\"", (ROOT / "pyproject.toml").read_text("utf-8"))
    matrix = re.search(r"python: \[(.*)\]", workflow)
    assert matrix is not None
    assert re.findall(r"3\.\d+", matrix[1]) == classifiers
    assert re.findall(r"- run: (.*)", workflow) == [".ci/run"]
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_hooks_and_workflows_name_no_host() -> None:
    files = [ROOT / ".pre-commit-config.yaml", *(ROOT / ".github").rglob("*.yml"), *(ROOT / "examples").rglob("*.yml")]
    assert [path.name for path in files if "://" in path.read_text("utf-8")] == []


_ELSEWHERE = (
    "conftest.py",
    "hogql/",
    ".env",
    ".vscode/",
    ".mcp.json",
    "~",
    "claude_desktop_config.json",
    "mcp.json",
    ".hosts/",
    ".venv/",
    ".hosts/",
    "site-packages/",
    "/",
)
"""Files of users and of other programs; `/` begins a path of a URL."""


async def _entered(tool: str) -> tuple[str, list[str]]:
    """Return the way of a call's last request to the wire and all files that it enters.

    Project and connection are known, and nothing else was requested before.
    """
    arguments = ARGUMENTS.get(tool, {})
    await _traced_call(tool, arguments)  # what the process loads and caches once is not part of a call
    return await _traced_call(tool, arguments)


async def _traced_call(tool: str, arguments: dict[str, Any]) -> tuple[str, list[str]]:
    async with served() as (client, _):
        await client.call_tool("list_annotations", {})
        with traced() as trace:
            result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    way = list(trace.ways)[-1]
    return " → ".join(f"`{file}`" for file in way), list(trace.files)


def _first_sentence(path: Path) -> str:
    first = (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n\n")[0]
    return re.split(r"(?<=\.)\s", " ".join(first.split()))[0]


def _part(text: str, name: str) -> str:
    return text.split(f"<!-- {name}:", 1)[1].split(f"<!-- /{name} -->", 1)[0]


def _first_column(text: str, heading: str) -> list[str]:
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `(\w+)`", section, re.MULTILINE)


def _links(text: str) -> Iterator[str]:
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for found in _LINK.finditer(text):
        target: Any = found[1] or found[2]
        if not re.match(r"[a-z]+:", target):
            yield target


def _anchors(path: Path) -> set[str]:
    """Return the anchors that Markdown hosts make from the headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
