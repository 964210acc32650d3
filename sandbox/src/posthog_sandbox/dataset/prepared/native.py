"""ClickHouse's format `Native`: the columns of a block one after another, as ClickHouse has them in memory.

ClickHouse reads it in a third of the time of text. Strings are sent as a dictionary and a number for each row.
"""

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .blocks import to_bytes

type Values = Sequence[Any]

_DICTIONARY = "LowCardinality(String)"
_VERSION = 1
_NEW_KEYS = 0x600
"""Flags of a dictionary: the block has all of its keys."""
_WIDTHS = ((1 << 16, 1, "H"), (1 << 32, 2, "I"))
"""Numbers of keys, each with its flag and the type of the rows' numbers."""
_HALF = (1 << 64) - 1
_ARRAYS = {"UInt8": "B", "UInt32": "I", "UInt64": "Q"}


def head(columns: int, rows: int) -> bytes:
    """Return the beginning of a block."""
    return _number(columns) + _number(rows)


def encode(name: str, kind: str, values: Values) -> tuple[bytes, bytes]:
    """Return the beginning of a column, and its values. UUIDs are text, moments are microseconds since 1970."""
    shown = _DICTIONARY if kind == "String" else kind
    return _text(name.encode()) + _text(shown.encode()), _encoder(kind)(values)


def _encoder(kind: str) -> Callable[[Values], bytes]:
    if kind in _ARRAYS:
        return lambda values: _packed(_ARRAYS[kind], values)
    return _packed_moments if kind.startswith("DateTime64") else _ENCODERS[kind]


def _packed(code: str, values: Iterable[Any]) -> bytes:
    return to_bytes(array(code, values))


def _packed_moments(values: Values) -> bytes:
    return _packed("q", values)


def _uuids(values: Values) -> bytes:
    halves = {value: divmod(int(value.replace("-", ""), 16), _HALF + 1) for value in set(values)}
    return _packed("Q", [half for value in values for half in halves[value]])


def _dictionary(values: Values) -> bytes:
    """Encode strings with each different one once. The first one of a dictionary is the empty string."""
    numbers: dict[str, int] = {"": 0}
    places = [numbers.setdefault(value, len(numbers)) for value in values]
    keys = b"".join([_text(key.encode()) for key in numbers])
    flag, code = next((flag, code) for most, flag, code in _WIDTHS if len(numbers) <= most)
    sizes = [_packed("Q", [size]) for size in (_VERSION, _NEW_KEYS | flag, len(numbers), len(places))]
    return b"".join([*sizes[:3], keys, sizes[3], _packed(code, places)])


def _arrays(values: Values) -> bytes:
    ends: list[int] = []
    texts: list[str] = []
    for value in values:
        texts.extend(value)
        ends.append(len(texts))
    return _packed("Q", ends) + _texts(texts)


def _optional(values: Values) -> bytes:
    return bytes([value is None for value in values]) + _texts([value or "" for value in values])


def _texts(values: Iterable[str]) -> bytes:
    return b"".join([_text(value.encode()) for value in values])


def _text(value: bytes) -> bytes:
    return _number(len(value)) + value


def _number(value: int) -> bytes:
    """Encode a number in groups of seven bits, the lowest first."""
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


_ENCODERS: Mapping[str, Callable[[Values], bytes]] = {
    "String": _dictionary,
    _DICTIONARY: _dictionary,
    "UUID": _uuids,
    "Bool": bytes,
    "Array(String)": _arrays,
    "Nullable(String)": _optional,
}
