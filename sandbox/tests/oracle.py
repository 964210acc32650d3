"""How much the oracles draw: a sample in every run, everything for each of N seeds with `ORACLE_SEEDS=N`."""

import os
import random
from dataclasses import dataclass

import pytest

SEEDS = int(os.environ.get("ORACLE_SEEDS") or 0)
"""The number of seeds; 0 for the sample of every run."""
_SHARE = 30
"""A sample is one in so many."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What one run of an oracle draws."""

    seed: int
    whole: bool

    def cases(self, whole: int) -> int:
        """Return the number of cases to draw where a whole run draws this many."""
        return whole if self.whole else max(1, whole // _SHARE)

    def chance(self, name: str) -> random.Random:
        """Return the source of the draws of this name."""
        return random.Random(f"{name}, seed {self.seed}" if self.seed else name)


EFFORTS = tuple(Effort(seed, whole=SEEDS > 0) for seed in range(SEEDS or 1))
EVERY_SEED = pytest.mark.parametrize("effort", EFFORTS, ids=lambda effort: f"seed {effort.seed}")


def examples(sample: int, whole: int) -> int:
    """Return how many examples of a property are tried."""
    return whole if SEEDS else sample
