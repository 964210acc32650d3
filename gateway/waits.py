"""Waits in the units that people use."""

import math

_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"))


def human(seconds: float) -> str:
    """Return `40 s`, `2 minutes` or `3 hours`, rounded up."""
    whole = math.ceil(seconds)
    for size, name in _UNITS:
        if whole >= 2 * size or whole == size:
            count = math.ceil(whole / size)
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{whole} s"
