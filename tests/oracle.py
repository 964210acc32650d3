"""The number of examples of property tests: a sample in every run, all with `ORACLE_SEEDS=N`."""

import os
from collections.abc import Callable
from functools import wraps
from itertools import pairwise
from typing import Any, cast

from hypothesis import strategies as st

WHOLE = bool(os.environ.get("ORACLE_SEEDS"))
"""Whether `make oracle` runs."""
WHOLES = st.lists(st.integers(0, 100), max_size=4).map(
    lambda cuts: [end - start for start, end in pairwise([0, *sorted(cuts), 100])]
)
"""One to five shares that add up to 100."""


def examples(sample: int, whole: int) -> int:
    """Return the number of examples that a property is tried with."""
    return whole if WHOLE else sample


def accepting[**P](percent: int, *rejections: type[Exception]) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Let the examples of a property end with these exceptions, apart from at least this percentage.

    A property that may reject an example holds nothing when it rejects all. Stands above `given` and `settings`.
    """

    def decorate(test: Callable[P, None]) -> Callable[P, None]:
        handle: Any = cast("Any", test).hypothesis
        inner: Callable[..., None] = handle.inner_test
        accepted: list[bool] = []

        @wraps(inner)
        def counted(*args: Any, **kwargs: Any) -> None:
            try:
                inner(*args, **kwargs)
            except rejections:
                accepted.append(False)
            else:
                accepted.append(True)

        handle.inner_test = counted

        @wraps(test)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            accepted.clear()
            test(*args, **kwargs)
            assert sum(accepted) * 100 >= percent * len(accepted), f"accepted {sum(accepted)} of {len(accepted)}"

        return run

    return decorate
