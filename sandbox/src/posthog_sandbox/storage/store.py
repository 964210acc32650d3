"""Rows of all resources in SQLite: one table per resource, one JSON document per row."""

import json
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from ..errors import PartlyStored
from ..values import Clock, Row, timestamp

TABLES = (
    "projects",
    "settings",
    "connections",
    "dashboards",
    "dashboard_tiles",
    "insights",
    "feature_flags",
    "cohorts",
    "actions",
    "annotations",
    "surveys",
    "experiments",
    "experiment_saved_metrics",
    "property_types",
    "recording_views",
    "removed",
    "person_properties",
    "activity",
)
_WITH_IDS = (*TABLES, "sqlite_sequence")
"""Last the table of the next ids, which rows of the others change."""

_CREATE = """
CREATE TABLE IF NOT EXISTS {table} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid TEXT UNIQUE,
    team_id INTEGER NOT NULL,
    document TEXT NOT NULL
)
"""
_COUNT = "SELECT count(*) FROM {table} WHERE json_extract(document, '$.deleted') IS NOT TRUE"


type Contents = Mapping[str, Sequence[tuple[object, ...]]]
"""The stored rows by table."""


class Rows:
    """The rows within one transaction.

    A row is its document with `id` (the integer, or the UUID of tables keyed by one) and `_project` (integer).
    Keys that start with an underscore are internal and never shown.
    """

    def __init__(self, connection: sqlite3.Connection, now: str) -> None:
        self._connection = connection
        self.now = now
        """Start time of the transaction, in PostHog's format."""

    def all(self, table: str, project_id: int | None = None) -> list[Row]:
        """Return the rows of a table, oldest first, limited to a project unless None."""
        where, values = ("", ()) if project_id is None else (" WHERE team_id = ?", (project_id,))
        sql = f"SELECT id, uuid, team_id, document FROM {_known(table)}{where} ORDER BY id"
        return [_row(*found) for found in self._connection.execute(sql, values)]

    def get(self, table: str, id: int | str) -> Row | None:
        """Return the row with this integer id or UUID."""
        column = "id" if isinstance(id, int) else "uuid"
        sql = f"SELECT id, uuid, team_id, document FROM {_known(table)} WHERE {column} = ?"
        found = self._connection.execute(sql, (id,)).fetchone()
        return None if found is None else _row(*found)

    def insert(self, table: str, project_id: int, row: Row) -> Row:
        """Insert a row and return it with its id; a string in `id` is stored as its UUID instead."""
        key = row.get("id")
        uuid = key if isinstance(key, str) else None
        sql = f"INSERT INTO {_known(table)} (uuid, team_id, document) VALUES (?, ?, ?)"
        added = self._connection.execute(sql, (uuid, project_id, _document(row)))
        return {"id": uuid or added.lastrowid, **row, "_project": project_id}

    def save(self, table: str, row: Row) -> Row:
        """Replace an existing row."""
        column = "id" if isinstance(row["id"], int) else "uuid"
        sql = f"UPDATE {_known(table)} SET team_id = ?, document = ? WHERE {column} = ?"
        self._connection.execute(sql, (row["_project"], _document(row), row["id"]))
        return row

    def remove(self, table: str, id: int | str) -> None:
        """Delete a row permanently."""
        column = "id" if isinstance(id, int) else "uuid"
        self._connection.execute(f"DELETE FROM {_known(table)} WHERE {column} = ?", (id,))

    def contents(self) -> Contents:
        """Return every row of every table, and the next ids."""
        return {table: self._connection.execute(f"SELECT * FROM {table}").fetchall() for table in _WITH_IDS}

    def replace(self, contents: Contents) -> None:
        """Replace every row of every table, and the next ids."""
        for table in _WITH_IDS:
            self._connection.execute(f"DELETE FROM {table}")
            for row in contents[table]:
                self._connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)


class Store:
    """The database; one transaction at a time across threads."""

    def __init__(self, path: Path | None, clock: Clock) -> None:
        self._clock = clock
        self._lock = RLock()
        self._connection = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA busy_timeout = 1000")
        for table in TABLES:
            self._connection.execute(_CREATE.format(table=table))

    @contextmanager
    def transaction(self) -> Generator[Rows]:
        """Yield rows that are committed when the block ends or raises PartlyStored, and rolled back if it raises
        anything else. Blocks the calling thread.
        """
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Rows(self._connection, timestamp(self._clock()))
                self._connection.execute("COMMIT")
            except PartlyStored:
                self._connection.execute("COMMIT")
                raise
            except BaseException:
                if self._connection.in_transaction:  # a full disk has already rolled it back
                    self._connection.execute("ROLLBACK")
                raise

    def counts(self) -> dict[str, int]:
        """Return the number of rows of each table, without soft-deleted rows."""
        with self._lock:
            execute = self._connection.execute
            return {table: int(execute(_COUNT.format(table=table)).fetchone()[0]) for table in TABLES}

    def close(self) -> None:
        """Close the database; its file is kept."""
        with self._lock:
            self._connection.close()


def _known(table: str) -> str:
    if table not in TABLES:
        raise KeyError(table)
    return table


def _row(id: int, uuid: str | None, team_id: int, document: str) -> Row:
    return {"id": uuid or id, **json.loads(document), "_project": team_id}


def _document(row: Row) -> str:
    return json.dumps({name: value for name, value in row.items() if name not in {"id", "_project"}}, allow_nan=False)
