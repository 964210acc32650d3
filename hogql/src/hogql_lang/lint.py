"""The command `hogql-lint`, which reports mistakes in HogQL files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from .check import Verdict, judge
from .findings import Problem, caret, position
from .parser import available
from .schema import Schema, SchemaError, read_schema
from .statement import read
from .tokens import TooDeep, tokenize


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem in a file; `line` and `column` count from 1, `at` is the line with a caret below the place."""

    path: str
    line: int
    column: int
    level: str
    code: str
    message: str
    fixes: tuple[str, ...]
    at: str


def lint(path: str, text: str, schema: Schema | None) -> Iterator[Finding]:
    """Return the findings in a text of one or more statements, separated by `;`. Placeholders need no values."""
    for start, sql in statements(text):
        try:
            verdict = judge(read(sql), None, schema)
        except TooDeep as error:
            verdict = Verdict((Problem("hogql_syntax_error", str(error), error.place),))
        unjudged = [Problem("hogql_query_error", f"not checked: {verdict.unjudged}")] if verdict.unjudged else []
        for level, problems in (("error", verdict.errors), ("warning", (*verdict.warnings, *unjudged))):
            for problem in problems:
                yield _finding(path, text, start, level, problem)


def statements(text: str) -> Iterator[tuple[int, str]]:
    """Return the statements of a text, each with its place; a `;` in braces is part of a Hog program."""
    try:
        tokens = tokenize(text)
    except TooDeep:
        yield 0, text
        return
    start = end = braces = 0
    for token in tokens:
        if token.word == ";" and not braces:
            if end > start:
                yield start, text[start:end]
            start = end = token.end
            continue
        braces += (token.word == "{") - (token.word == "}")
        start = token.start if end == start else start
        end = token.end
    if end > start:
        yield start, text[start:end]


def _finding(path: str, text: str, start: int, level: str, problem: Problem) -> Finding:
    place = start + (problem.place or 0)
    line, column = position(text, place)
    fixes = tuple(_printable(fix) for fix in problem.fixes)
    shown = "\n".join(_printable(each) for each in caret(text, place).split("\n"))
    return Finding(path, line, column, level, problem.code, _printable(problem.message), fixes, shown)


def _printable(text: str) -> str:
    """Return a text without control characters, which a terminal would interpret."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _as_text(found: Finding) -> str:
    below = "".join(f"\n    {line}" for line in found.at.split("\n"))
    meant = f"\n    did you mean {_alternatives(found)}?" if found.fixes else ""
    return f"{found.path}:{found.line}:{found.column}: {found.level}: {found.message} [{found.code}]{below}{meant}"


def _as_json(found: Finding) -> str:
    return json.dumps(asdict(found), ensure_ascii=False)


def _as_github(found: Finding) -> str:
    """Return a workflow command that annotates the line."""
    message = found.message + (f"; did you mean {_alternatives(found)}?" if found.fixes else "")
    path = _escaped(found.path).replace(":", "%3A").replace(",", "%2C")
    where = f"file={path},line={found.line},col={found.column},title={found.code}"
    return f"::{found.level} {where}::{_escaped(message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _alternatives(found: Finding) -> str:
    return " or ".join(f"`{fix}`" for fix in found.fixes)


_FORMATS = {"text": _as_text, "json": _as_json, "github": _as_github}


def _schema(path: str | None) -> Schema | None:
    if path is None:
        return None
    try:
        return read_schema(json.loads(Path(path).read_text("utf-8")))
    except (OSError, ValueError, SchemaError) as error:
        raise click.UsageError(f"--schema {path} is not the JSON response to a DatabaseSchemaQuery: {error}") from error


def _text(path: str) -> str:
    return sys.stdin.read() if path == "-" else Path(path).read_text("utf-8")


@click.command()
@click.version_option(package_name="hogql-lang")
@click.option("--schema", "schema_path", metavar="FILE", help="The response to a DatabaseSchemaQuery, as JSON.")
@click.option(
    "--format", "form", type=click.Choice(list(_FORMATS)), default="text", show_default=True, help="Format of findings."
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.pass_context
def main(context: click.Context, schema_path: str | None, form: str, files: tuple[str, ...]) -> None:
    """Report mistakes in HogQL files. Use - to read standard input.

    Statements are separated by `;`. Without --schema, tables and columns are not checked. The exit status is 0 without
    findings, 1 with findings, 2 when a file cannot be read.
    """
    if not available():
        raise click.UsageError("hogql-parser-rs is not installed here, and it has no wheel for Windows.")
    schema = _schema(schema_path)
    status = 0
    for path in files:
        try:
            text = _text(path)
        except (OSError, ValueError) as error:
            click.echo(f"{path} cannot be read: {error}", err=True)
            status = 2
            continue
        for found in lint("<stdin>" if path == "-" else path, text, schema):
            click.echo(_FORMATS[form](found))
            status = max(status, 1)
    context.exit(status)
