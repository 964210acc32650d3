"""The generated rows as plain Python values, to verify results without ClickHouse."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from .generate import generate
from .parameters import Parameters
from .tables import GENERATED, TIME

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def raw_rows(parameters: Parameters) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every generated row as (table name, {column: value}), in the order of generation, without the engine.

    Columns have their ClickHouse names. Moments are aware datetimes in UTC, properties are dicts, UUIDs are text. The
    columns that are always empty (`$group_1` to `$group_4`) are left out.
    """
    for batch in generate(parameters):
        by_table = batch.by_table()
        for table in GENERATED:
            for row in by_table[table.name]:
                yield (
                    table.name,
                    {name: _plain(name, kind, value) for (name, kind), value in zip(table.columns, row, strict=False)},
                )


def raw_events(parameters: Parameters) -> Iterator[dict[str, Any]]:
    """Yield the rows of `raw_rows` that belong to the table `events`."""
    return (row for table, row in raw_rows(parameters) if table == "events")


def _plain(name: str, kind: str, value: Any) -> Any:
    if kind == TIME:
        return _EPOCH + timedelta(microseconds=value)
    if name.endswith("properties"):
        return json.loads(value) if value else {}
    return value
