"""The file of the prepared dataset: a line with a description, and the compressed blocks."""

import json
import logging
import os
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from ..digest import generator_digest
from ..directory import SCHEMA_VERSION
from ..parameters import Parameters
from .blocks import Block, from_bytes, to_bytes

PATH = Path(__file__).with_name("default.data")
PARAMETERS = Parameters(events=100_000, seed=42, today=date(2026, 11, 23))
"""The default arguments, and a day that is moved to that of the start."""

_LEVEL = 6
_WIDTH = 4
_log = logging.getLogger(__name__)


class PreparedError(Exception):
    """The file is damaged."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared dataset that fits the code."""

    path: Path
    parameters: Parameters
    blocks: Sequence[dict[str, Any]]
    checksum: int

    def fits(self, parameters: Parameters) -> bool:
        """Return whether this is the dataset of these parameters, but for a number of days."""
        return self.with_calendar(parameters) == parameters and self._is_of(parameters)

    def with_calendar(self, parameters: Parameters) -> Parameters:
        """Return the parameters with the calendar of this dataset, if they differ in nothing but the day."""
        calendar = self.parameters.calendar
        if parameters.calendar == calendar or not self._is_of(parameters):
            return parameters
        return replace(parameters, weekday=calendar)

    def read(self) -> Iterator[Block]:
        """Yield the blocks. Raises PreparedError."""
        try:
            body = self.path.read_bytes().partition(b"\n")[2]
        except OSError as error:
            raise PreparedError(f"{self.path} cannot be read ({error.strerror}).") from error
        if zlib.crc32(body) != self.checksum:
            raise PreparedError(f"{self.path} is damaged.")
        end = 0
        for described in self.blocks:
            start, end = end, end + described["size"]
            yield _unpacked(described, zlib.decompress(body[start:end]))

    def _is_of(self, parameters: Parameters) -> bool:
        return replace(self.parameters, today=parameters.today, weekday=parameters.weekday) == parameters


def find(path: Path | None = None) -> Prepared | None:
    """Return the dataset in this file, or in that of the package; None if none fits the code."""
    path = path or PATH
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline())
        if header["version"] != _version():
            _log.info("The prepared data are not used: %s belongs to another version.", path)
            return None
        today = date.fromisoformat(header["today"])
        parameters = Parameters(header["events"], header["seed"], today, header["hostile"])
        return Prepared(path, parameters, header["blocks"], header["checksum"])
    except FileNotFoundError:
        _log.info("The data are not prepared: %s does not exist.", path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("The prepared data are not used: %s is damaged (%r).", path, error)
    return None


def write(path: Path, parameters: Parameters, blocks: Iterable[Block]) -> None:
    """Write a dataset. The file is complete or absent. Equal data give equal bytes."""
    described: list[dict[str, Any]] = []
    body = b""
    for block in blocks:
        packed = zlib.compress(b"".join(_parts(block)), _LEVEL)
        described.append(_description(block, len(packed)))
        body += packed
    header = {
        "version": _version(),
        "events": parameters.events,
        "seed": parameters.seed,
        "hostile": parameters.hostile,
        "today": parameters.today.isoformat(),
        "checksum": zlib.crc32(body),
        "blocks": described,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_bytes(json.dumps(header).encode() + b"\n" + body)
    draft.replace(path)


def _version() -> str:
    return f"{SCHEMA_VERSION}-{generator_digest()}"


def _description(block: Block, size: int) -> dict[str, Any]:
    return {
        "table": block.table,
        "rows": block.rows,
        "size": size,
        "moments": block.moments,
        "ids": len(block.ids),
        "dates": len(block.dates),
    }


def _parts(block: Block) -> Iterator[bytes | bytearray]:
    """Yield the places of times, as distances from one to the next, and the data."""
    for places in (block.ids, block.dates):
        yield to_bytes(array("I", [after - before for before, after in pairwise([0, *places])]))
    yield block.data


def _unpacked(described: dict[str, Any], content: bytes) -> Block:
    middle = described["ids"] * _WIDTH
    start = middle + described["dates"] * _WIDTH
    ids, dates = (array("I", accumulate(from_bytes("I", part))) for part in (content[:middle], content[middle:start]))
    data = bytearray(memoryview(content)[start:])
    return Block(described["table"], described["rows"], data, tuple(described["moments"]), ids, dates)
