"""The memory that a value takes, estimated from samples."""

import sys
from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, cast

_SAMPLE = 20
"""How many items of a list or an object are weighed; the others count as much on average."""


def weight_of(value: object) -> int:
    """Return about how many bytes a value takes, with all that it contains; what it contains twice counts twice."""
    own = sys.getsizeof(value)
    if isinstance(value, (str, bytes, type, Enum)):
        return own
    if isinstance(value, Mapping):
        return own + _sampled([part for item in cast("Mapping[Any, Any]", value).items() for part in item])
    if isinstance(value, (Sequence, Set)):
        return own + _sampled(list(cast("Sequence[Any]", value)))
    if is_dataclass(value) and not isinstance(value, type):
        return own + sum(weight_of(getattr(value, part.name)) for part in fields(value))
    return own + weight_of(vars(value)) if hasattr(value, "__dict__") else own


def _sampled(parts: list[Any]) -> int:
    step = max(1, len(parts) // _SAMPLE)
    step += step % 2 == 0 and step > 1  # an odd step meets both keys and values
    chosen = parts[::step]
    return sum(map(weight_of, chosen)) * len(parts) // max(1, len(chosen))
