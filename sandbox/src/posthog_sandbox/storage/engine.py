"""The embedded ClickHouse (chdb) of the sandbox. No other module imports chdb.

chdb runs one server inside a process with one data directory at a time; no second process can open that directory.
"""

import importlib.util
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol, cast

from .clickhouse_types import converter, without_low_cardinality

MAX_RESULT_ROWS = 200_000
MAX_RESULT_BYTES = 256 * 1024**2
MAX_QUERY_BYTES = 16 * 1024**2
"""Maximum length of a query's SQL, which can include inline rows."""
CONCURRENT_QUERIES = 4
"""Maximum number of concurrent queries; others wait."""

_GIBIBYTE = 1024**3


class EngineError(Exception):
    """ClickHouse rejected or stopped a query.

    `code_name` is ClickHouse's name for the error: `UNKNOWN_IDENTIFIER`, `TIMEOUT_EXCEEDED`, `MEMORY_LIMIT_EXCEEDED`
    and so on. `message` is its text without the SQL, the stack trace and the version.
    """

    def __init__(self, code_name: str, message: str) -> None:
        super().__init__(f"{code_name}: {message}")
        self.code_name = code_name
        self.message = message


class EngineMissingError(Exception):
    """chdb is not installed or not available for this platform. The message names the fix."""


@dataclass(frozen=True, slots=True)
class ResultTable:
    """A query result, ready for JSON.

    `types` are ClickHouse type names without `LowCardinality`. Date-times are ISO 8601 text in the time zone of their
    type (`Z` for UTC), with six fractional digits or none on whole seconds; dates are `YYYY-MM-DD`; NaN and infinity
    are None; arrays and tuples are lists; maps are dicts. `read_rows` and `read_bytes` are the query's cost.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[list[Any]]
    read_rows: int = 0
    read_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a running query: rows and bytes read, estimated total rows, elapsed seconds, CPU microseconds."""

    rows: int
    bytes: int
    total_rows: int
    seconds: float
    cpu_microseconds: int


class _Result(Protocol):
    def bytes(self) -> bytes: ...


class _Inserted(Protocol):
    @property
    def rows_written(self) -> int: ...


class _Inserter(Protocol):
    def append(self, data: bytes | bytearray) -> None: ...
    def finish(self) -> _Inserted: ...
    def cancel(self) -> None: ...


class _Connection(Protocol):
    def query(self, query: str, format: str = ...) -> _Result: ...
    def send_insert(self, query: str, format: str = ...) -> _Inserter: ...
    def close(self) -> None: ...


class Engine:
    """A data directory opened in the embedded ClickHouse. Blocking and thread-safe; call `close` or use `with`."""

    def __init__(self, directory: Path) -> None:
        """Open `directory`, creating it if missing.

        Raises EngineMissingError without chdb, EngineError when ClickHouse cannot open the directory.
        """
        self._connect = _load_chdb()
        self._path = str(directory)
        self._releases = ExitStack()
        self._closing = threading.Event()
        self._writing = threading.Lock()
        self._slots = threading.BoundedSemaphore(CONCURRENT_QUERIES)
        with _engine_errors():
            self._writer = self._connect(self._path)

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def select(self, sql: str, *, max_seconds: float = 60, max_memory_bytes: int = 2 * _GIBIBYTE) -> ResultTable:
        """Return the result of one SELECT. Pass only translated SQL: ClickHouse itself would let it read files.

        Runs read-only within the given memory and time, which includes the wait for a free slot. Raises EngineError.
        """
        # ClickHouse reads a limit of 0 as no limit.
        max_seconds, max_memory_bytes = max(max_seconds, 0.001), max(max_memory_bytes, 1)
        settings = (
            f"readonly = 2, max_execution_time = {max_seconds}, max_memory_usage = {max_memory_bytes}, "
            f"max_result_rows = {MAX_RESULT_ROWS}, max_result_bytes = {MAX_RESULT_BYTES}, "
            f"result_overflow_mode = 'throw', {_OUTPUT}"
        )
        if not self._slots.acquire(timeout=max_seconds):
            raise EngineError("TIMEOUT_EXCEEDED", "Timeout exceeded: too many other queries are running.")
        try:
            with _engine_errors(), self._reader() as connection:
                output = connection.query(f"{sql}\nFORMAT JSONCompact\nSETTINGS {settings}", "JSONCompact").bytes()
        finally:
            self._slots.release()
        return _table(output)

    def stop(self, mark: str) -> None:
        """Cancel the running queries whose SQL begins with `mark`, a unique comment of letters and digits.

        They raise EngineError `QUERY_WAS_CANCELLED`. Does nothing if there are none.
        """
        with self._writing, suppress(EngineError), _engine_errors():
            if not self._closing.is_set():
                self._writer.query(f"KILL QUERY WHERE startsWith(query, '{mark}') ASYNC")

    def progress(self, mark: str) -> Progress | None:
        """Return the progress of the running query whose SQL begins with `mark`; None if there is none."""
        sql = (
            "SELECT read_rows, read_bytes, total_rows_approx, elapsed, ProfileEvents['OSCPUVirtualTimeMicroseconds'] "
            f"FROM system.processes WHERE startsWith(query, '{mark}') LIMIT 1"
        )
        with self._writing, _engine_errors():
            found = b"" if self._closing.is_set() else self._writer.query(sql, "TSV").bytes()
        if not found.strip():
            return None
        rows, size, total, elapsed, cpu = found.decode().split("\t")
        return Progress(int(rows), int(size), int(total), float(elapsed), int(cpu))

    def execute(self, sql: str) -> None:
        """Run one statement that can write, only for the sandbox's own table definitions. Raises EngineError."""
        with self._writing, _engine_errors():
            self._writer.query(sql)

    def insert(
        self,
        table: str,
        columns: Iterable[str],
        chunks: Iterable[bytes | bytearray],
        form: Literal["TSV", "Native"] = "TSV",
    ) -> None:
        """Append rows given as chunks of a format of ClickHouse, in the order of `columns`.

        Raises EngineError; its code `INSERT_LOST_ROWS` means that rows were lost, most likely because of a full disk.
        """
        names = ", ".join(f"`{column}`" for column in columns)
        with self._writing, _engine_errors():
            before = self._count(table)
            inserter = self._writer.send_insert(f"INSERT INTO {table} ({names})", form)
            try:
                for chunk in chunks:
                    inserter.append(chunk)
                written = inserter.finish().rows_written
            finally:
                inserter.cancel()
            kept = self._count(table) - before
        _check_kept(table, kept, written)

    def copy(self, table: str, columns: Iterable[str], select: str, rows: int) -> None:
        """Append the result of a SELECT over the sandbox's own tables, which has this number of rows.

        Raises EngineError, like `insert`.
        """
        names = ", ".join(f"`{column}`" for column in columns)
        with self._writing, _engine_errors():
            before = self._count(table)
            self._writer.query(f"INSERT INTO {table} ({names}) {select}")
            kept = self._count(table) - before
        _check_kept(table, kept, rows)

    def call_on_close(self, release: Callable[[], object]) -> None:
        """Register `release` to be called after the database is closed, in reverse order of registration."""
        self._releases.callback(release)

    def close(self) -> None:
        """Cancel the running queries and close the directory. Can be called twice."""
        if self._closing.is_set():
            return
        self._closing.set()
        with self._releases:
            self._end_queries()
            with self._writing:
                self._writer.close()
            self._slots.release(CONCURRENT_QUERIES)  # waiting queries then fail instead of waiting on

    @contextmanager
    def _reader(self) -> Generator[_Connection]:
        """Open a new connection for one query (0.3 ms).

        Connections are not reused: after a failed query chdb puts the rows sent before the failure in front of the next
        result.
        """
        if self._closing.is_set():
            raise EngineError("QUERY_WAS_CANCELLED", "The sandbox is closing.")
        with closing(self._connect(self._path)) as connection:
            connection.query(f"SET max_query_size = {MAX_QUERY_BYTES}, readonly = 2")
            yield connection

    def _count(self, table: str) -> int:
        return int(self._writer.query(f"SELECT count() FROM {table}", "TSV").bytes())

    def _end_queries(self) -> None:
        """Cancel queries until all slots are free: a connection must not be closed under a running query."""
        for _ in range(CONCURRENT_QUERIES):
            while not self._slots.acquire(timeout=0.1):
                with suppress(EngineError):
                    self.execute("KILL QUERY WHERE query_id != queryID() ASYNC")


_OUTPUT = (
    "session_timezone = 'UTC', date_time_output_format = 'iso', output_format_json_quote_64bit_integers = 0, "
    "output_format_json_quote_decimals = 0, output_format_json_quote_denormals = 0, "
    "output_format_json_named_tuples_as_objects = 0, output_format_json_validate_utf8 = 1"
)

_ERROR = re.compile(
    r"DB::\w*Exception: (?P<message>.*?)(?: \((?P<name>[A-Z][A-Z0-9_]+)\))?(?: \(version [^)]*\))?\s*$", re.DOTALL
)
_SQL_IN_MESSAGE = re.compile(
    r"(?:: |\. |, )?(?:In scope |[Ww]hile (?:executing|processing|reading)|In query |Stack trace|\(at row \d+\)).*",
    re.DOTALL,
)
_SYNTAX_DETAIL = re.compile(r"Syntax error.*", re.DOTALL)


def _check_kept(table: str, kept: int, written: int) -> None:
    """Raise EngineError when rows are missing: chdb does not report that the last block was not stored."""
    if kept != written:
        raise EngineError("INSERT_LOST_ROWS", f"{written - kept} of {written} rows for {table} were not stored.")


def _load_chdb() -> Callable[[str], _Connection]:
    """Return chdb's `connect`. The import takes up to 5 seconds and 300 MB, so only a running sandbox makes it."""
    try:
        with _without_pyarrow(), _without_first_database():
            from chdb.state import connect
    except ImportError as error:
        raise EngineMissingError(
            "The sandbox needs chdb, the embedded ClickHouse (a download of about 265 MB). Run "
            "pip install 'maton-posthog-mcp[sandbox]'. There is no wheel for Windows (use WSL) or Alpine. "
            f"Import error: {error}."
        ) from error
    return cast("Callable[[str], _Connection]", connect)


@contextmanager
def _without_pyarrow() -> Generator[None]:
    """Keep chdb from importing pyarrow, which is a third of its import and serves only Arrow results, not used here."""
    if "pyarrow" in sys.modules:
        yield
        return
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    modules["pyarrow"] = None  # chdb continues without it
    try:
        yield
    finally:
        del modules["pyarrow"]


@contextmanager
def _without_first_database() -> Generator[None]:
    """Keep chdb's `__init__` from running, which opens a database in memory to learn its version: half of the import.

    Its other task is done here: to load the library so that it finds its own allocator first.
    """
    found = importlib.util.find_spec("chdb")
    if "chdb" in sys.modules or found is None or found.submodule_search_locations is None:
        yield
        return
    package = ModuleType("chdb")
    package.__path__ = found.submodule_search_locations
    flags = sys.getdlopenflags()
    sys.setdlopenflags(flags | getattr(os, "RTLD_DEEPBIND", 0))
    sys.modules["chdb"] = package
    try:
        yield
    finally:
        del sys.modules["chdb"]  # to be imported whole by anything else that needs it
        sys.setdlopenflags(flags)


@contextmanager
def _engine_errors() -> Generator[None]:
    """Turn chdb's RuntimeError, which carries ClickHouse's message, into an EngineError."""
    try:
        yield
    except RuntimeError as error:
        raise read_error(str(error)) from None


def read_error(text: str) -> EngineError:
    """Parse ClickHouse's text `Code: 47. DB::Exception: message. (UNKNOWN_IDENTIFIER) (version ...)`."""
    found = _ERROR.search(text)
    if found is None:
        return EngineError("UNKNOWN_EXCEPTION", text.strip() or "ClickHouse gave no reason.")
    message = _SQL_IN_MESSAGE.sub("", _SYNTAX_DETAIL.sub("Syntax error", found["message"])).strip().rstrip(":,")
    return EngineError(found["name"] or "UNKNOWN_EXCEPTION", message if message.endswith(".") else f"{message}.")


def _table(output: bytes) -> ResultTable:
    try:
        parsed = json.loads(output)
    except ValueError:
        raise EngineError("SYNTAX_ERROR", "Only one statement at a time is allowed.") from None
    names, types = [column["name"] for column in parsed["meta"]], [column["type"] for column in parsed["meta"]]
    rows: list[list[Any]] = parsed["data"]
    for position, type_name in enumerate(types):
        convert = converter(type_name)
        if convert:
            for row in rows:
                if row[position] is not None:
                    row[position] = convert(row[position])
    read: dict[str, Any] = parsed.get("statistics", {})
    shown = tuple(without_low_cardinality(type_name) for type_name in types)
    return ResultTable(tuple(names), shown, rows, read.get("rows_read", 0), read.get("bytes_read", 0))
