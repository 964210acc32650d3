"""The cases of tests with many: a sample in every run, all with `ORACLE_SEEDS=N`."""

import os
from collections.abc import Callable, Sequence
from functools import wraps
from itertools import pairwise, product
from typing import Any, cast

import pytest
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


def crossed(*axes: tuple[str, Sequence[Any]]) -> Callable[[Any], Any]:
    """Parametrize a test with named values: each at least once in every run, and with `ORACLE_SEEDS` their product."""
    names = ",".join(name for name, _ in axes)
    values = [each for _, each in axes]
    rows = list(product(*values)) if WHOLE else sampled(values)

    def decorate(test: Any) -> Any:
        return pytest.mark.oracle(pytest.mark.parametrize(names, rows, ids=_named)(test))

    return decorate


def sampled(axes: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """Return as many rows as the longest axis has values, and each value of every axis in at least one of them."""
    longest = max(len(values) for values in axes)
    return [
        tuple(values[(row + row // len(values) * place) % len(values)] for place, values in enumerate(axes))
        for row in range(longest)
    ]


def _named(value: Any) -> str | None:
    """Return the name of an operation for the id of a test; pytest names other values."""
    return getattr(value, "name", None)


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
