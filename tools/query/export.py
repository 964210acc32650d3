"""Writes a whole result to a file, where the operator allowed a directory for it."""

import csv
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from encodings.utf_8 import StreamWriter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Literal

import anyio.to_thread

from ...gateway.errors import Failed, Refused
from ..operation import FileLink, Reply

type Format = Literal["csv", "parquet"]
_MIME_TYPES: Mapping[Format, str] = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}


def export_directory(allowed: Path | None, kind: Format) -> Path:
    """Return the allowed directory. Raises Refused (`invalid_argument`) if no file of this kind can be there."""
    if allowed is None:
        raise Refused(
            "invalid_argument",
            "export: this server is not allowed to write files.",
            "Leave export out; the operator allows a directory with MATON_POSTHOG_EXPORT_DIR / --export-dir, on stdio.",
        )
    if kind == "parquet" and find_spec("pyarrow") is None:
        raise Refused(
            "invalid_argument",
            "export: parquet needs the package pyarrow, which is not installed.",
            "Use csv, or install maton-posthog-mcp[sandbox], which brings it.",
        )
    if not os.access(allowed, os.W_OK | os.X_OK):  # known before a query is spent
        raise Refused(
            "invalid_argument",
            "export: the export directory does not exist or is not writable.",
            "Leave export out, or ask the operator to check MATON_POSTHOG_EXPORT_DIR / --export-dir.",
        )
    return allowed


async def export(
    directory: Path,
    kind: Format,
    name: str | None,
    columns: list[str],
    rows: Sequence[list[Any]],
    said: Mapping[str, Any],
    *,
    clean: Callable[[Any], Any] = lambda value: value,
) -> Reply:
    """Write a new file, with every value passed through `clean`. Return its path, columns and number of rows.

    Raises Failed (`internal_error`) when it cannot be written.
    """
    path = directory / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{_slug(name)}.{kind}"
    write = _write_csv if kind == "csv" else _write_parquet
    try:
        size = await anyio.to_thread.run_sync(_write, write, path, clean(columns), map(clean, rows))
    except OSError as error:
        raise Failed(
            "internal_error",
            f"The file could not be written: {error.strerror}.",
            "Check space and permissions of the export directory.",
            source="local",
        ) from error
    result = {"file": str(path), "rows_written": len(rows), "columns": columns, "bytes": size, **said}
    return Reply(result, (FileLink(path.as_uri(), path.name, _MIME_TYPES[kind], size),))


def _slug(name: str | None) -> str:
    return re.sub(r"[^a-z0-9]+", "-", (name or "").lower()).strip("-")[:40] or "hogql"


def _create(path: Path) -> int:
    """Open a new file, never an existing one, that only this user can read."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _write(
    write: Callable[[IO[bytes], list[str], Iterable[list[Any]]], None],
    path: Path,
    columns: list[str],
    rows: Iterable[list[Any]],
) -> int:
    """Write a file and return its size. A file that cannot be written whole is removed."""
    file = os.fdopen(_create(path), "wb")
    try:
        with file:
            write(file, columns, rows)
        return path.stat().st_size
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _write_csv(file: IO[bytes], columns: list[str], rows: Iterable[list[Any]]) -> None:
    """Write RFC 4180 in UTF-8: null is empty, a list or object its JSON.

    Strings that a spreadsheet would read as a formula (`=`, `+`, `-`, `@`) stay as they are: the file is for programs,
    and a character put before them would be false data.
    """
    writer = csv.writer(StreamWriter(file, "replace"), lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_csv_cell(cell) for cell in row] for row in rows)


def _csv_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value


def _write_parquet(file: IO[bytes], columns: list[str], rows: Iterable[list[Any]]) -> None:
    arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    parsed = list(rows)
    arrays = [_arrow_array(arrow, [row[place] for row in parsed]) for place in range(len(columns))]
    table = arrow.Table.from_arrays(arrays, names=list(_distinct(columns)))
    parquet.write_table(table, file)


def _arrow_array(arrow: Any, values: list[Any]) -> Any:
    """Return typed values where all are of one kind, else their JSON."""
    try:
        return arrow.array(values)
    except (arrow.ArrowInvalid, arrow.ArrowTypeError, OverflowError):
        return arrow.array(
            [value if isinstance(value, str) or value is None else json.dumps(value) for value in values]
        )


def _distinct(columns: list[str]) -> Iterator[str]:
    """Return the names made unique, as Parquet's readers need them."""
    seen: dict[str, int] = {}
    for column in columns:
        seen[column] = seen.get(column, 0) + 1
        yield column if seen[column] == 1 else f"{column}_{seen[column]}"
