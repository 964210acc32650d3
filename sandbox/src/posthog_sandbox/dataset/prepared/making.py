"""Making of the prepared dataset while the package is built: with the generator, and without ClickHouse."""

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

from ...collector import without_collector
from ..chance import uuid7
from ..generate import generate
from ..parameters import Parameters
from ..product import SURVEY_ID
from ..rows import Batch, SentEvent, Setting
from ..story import DAY
from ..tables import GENERATED, PROPERTY_DEFINITIONS, TIME, TableDefinition
from . import native
from .archive import PARAMETERS, write
from .blocks import Block
from .loading import JOINT, SENT
from .properties import definitions

_HEX = "[0-9a-f]"
_ID = re.compile(f"-(?<={_HEX}{{8}}-){_HEX}{{4}}-7{_HEX}{{3}}-9{_HEX}{{3}}-{_HEX}{{12}}".encode())
"""A version 7 UUID from its first hyphen on: a pattern that begins with a certain character is found faster."""
_BEFORE_ID = 8
_SURVEY = SURVEY_ID.encode()
_DATES = tuple(
    re.compile(f'"{name}":"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}'.encode()) for name in ("signed_up_at", "last_purchase_at")
)
_DATE = len("2026-11-23")


def make(path: Path, parameters: Parameters = PARAMETERS) -> None:
    """Generate a dataset and write it to a file. Its day has its real weekday."""
    with without_collector():
        write(path, parameters, _blocks([*generate(parameters)]))


def _blocks(batches: Sequence[Batch]) -> Iterator[Block]:
    """Yield the blocks of all tables but that of the event definitions, which are derived from the events."""
    sent = sorted(chain.from_iterable(batch.sent for batch in batches), key=_place)
    yield _block(SENT, [_columns(event) for event in sent])
    tables = [batch.without_events() for batch in batches]
    for table in GENERATED[1:]:
        yield _block(table, [row for rows in tables for row in rows[table.name]])
    yield _block(PROPERTY_DEFINITIONS, definitions(batches))


def _place(event: SentEvent) -> tuple[int, bytes, int]:
    """Return the sorting key of the table of events."""
    return event.timestamp // DAY, event.event.encode(), event.timestamp


def _columns(event: SentEvent) -> tuple[Any, ...]:
    """Return the values of SENT."""
    setting, bits, name, own, timestamp, elements, created_at = event
    before = (uuid7(timestamp, bits), name, f"{{{own}{own and ','}", *_parts(setting))
    return (*before, timestamp, setting.distinct_id, elements, created_at, *setting[3:])


@lru_cache(maxsize=1)
def _parts(setting: Setting) -> tuple[str, str]:
    """Return the properties of a setting before and after the ids of session and window."""
    if not setting.session_id:
        return "", f"{setting.properties}}}"
    first, ids, other = setting.properties.partition(f"{setting.session_id}{JOINT}{setting.window_id}")
    if not ids:
        raise ValueError("The properties of an event in a session lack the ids of session and window.")
    return first, f"{other}}}"


def _block(table: TableDefinition, rows: Iterable[Sequence[Any]]) -> Block:
    values = [*zip(*rows, strict=True)]
    data = bytearray(native.head(len(values), len(values[0])))
    moments: list[int] = []
    for (name, kind), column in zip(table.columns, values, strict=True):
        before, encoded = native.encode(name, kind, column)
        data += before
        if kind == TIME and table != SENT:
            moments.append(len(data))
        data += encoded
    return Block(table.name, len(values[0]), data, tuple(moments), _ids(data), _dates(data))


def _ids(data: bytearray) -> "array[int]":
    """Return the places of version 7 UUIDs but for that of the survey, which is not made of a moment."""
    places = (found.start() - _BEFORE_ID for found in _ID.finditer(data))
    return array("I", [place for place in places if not data.startswith(_SURVEY, place)])


def _dates(data: bytearray) -> "array[int]":
    return array("I", sorted(found.end() - _DATE for each in _DATES for found in each.finditer(data)))
