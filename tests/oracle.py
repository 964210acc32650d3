"""How much the property tests try: a sample in every run, everything with `ORACLE_SEEDS=N`."""

import os

WHOLE = bool(os.environ.get("ORACLE_SEEDS"))
"""Whether `make oracle` runs."""


def examples(sample: int, whole: int) -> int:
    """Return the number of examples that a property is tried with."""
    return whole if WHOLE else sample
