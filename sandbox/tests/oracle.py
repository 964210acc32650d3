"""The number of draws of the oracles: a sample in every run, all for each of N seeds with `ORACLE_SEEDS=N`."""

import inspect
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

import pytest

SEEDS = int(os.environ.get("ORACLE_SEEDS") or 0)
"""The number of seeds; 0 for the sample of every run."""
_SHARE = 60
"""The divisor of a sample: one case in 60."""


@dataclass(frozen=True, slots=True)
class Effort:
    """The draws of one run of an oracle."""

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


def accepting[**P](percent: int, *rejections: type[Exception]) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Let the examples of a property end with these exceptions, apart from at least this percentage.

    A property that may reject an example holds nothing when it rejects all. Stands above `given` and `settings`.
    """

    def decorate(test: Callable[P, None]) -> Callable[P, None]:
        handle: Any = cast("Any", test).hypothesis
        inner: Callable[..., Any] = handle.inner_test
        accepted: list[bool] = []

        @wraps(inner)
        def counted(*args: Any, **kwargs: Any) -> None:
            try:
                inner(*args, **kwargs)
            except rejections:
                accepted.append(False)
            else:
                accepted.append(True)

        @wraps(inner)
        async def awaited(*args: Any, **kwargs: Any) -> None:
            try:
                await inner(*args, **kwargs)
            except rejections:
                accepted.append(False)
            else:
                accepted.append(True)

        handle.inner_test = awaited if inspect.iscoroutinefunction(inner) else counted

        @wraps(test)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            accepted.clear()
            test(*args, **kwargs)
            assert sum(accepted) * 100 >= percent * len(accepted), f"accepted {sum(accepted)} of {len(accepted)}"

        return run

    return decorate
