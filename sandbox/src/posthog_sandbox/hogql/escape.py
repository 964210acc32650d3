"""Turn text of a query into SQL tokens: one function for strings, one for identifiers, one for numbers.

User text reaches SQL only through these functions.
"""

from __future__ import annotations

import math
import re

from hogql_lang.tree import ConstantValue

from .errors import query_error

_CONTROL = {
    "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0", "\a": "\\a", "\v": "\\v",
}  # fmt: skip
_STRING = str.maketrans({**_CONTROL, "\\": "\\\\", "'": "\\'"})
_IDENTIFIER = str.maketrans({**_CONTROL, "\\": "\\\\", "`": "\\`"})
_HOGQL_IDENTIFIER = str.maketrans({**_CONTROL, "\\": "\\\\", "`": "``"})
_LARGEST = 1 << 256
_PLAIN_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def string(text: str) -> str:
    """Return a string literal with its quotes; ClickHouse and HogQL use the same escapes."""
    return f"'{_encodable(text).translate(_STRING)}'"


def identifier(name: str) -> str:
    """Return a ClickHouse identifier, always in backticks."""
    return f"`{_encodable(name).translate(_IDENTIFIER)}`"


def hogql_identifier(name: str) -> str:
    """Return a HogQL identifier: bare if the grammar allows it, otherwise in backticks."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    return f"`{_encodable(name).translate(_HOGQL_IDENTIFIER)}`"


def constant(value: ConstantValue) -> str:
    """Return a literal of any scalar type, valid in ClickHouse and in HogQL."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int():
            if abs(value) >= _LARGEST:
                raise query_error("A number of this query is too large.")
            return str(value)
        case float():
            return _float(value)
        case str():
            return string(value)


def _float(value: float) -> str:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return repr(value)


def _encodable(text: str) -> str:
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise query_error("A text of this query is not valid Unicode (it holds half of a surrogate pair).")
    return text
