import json
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

import pytest

from maton_posthog.gateway.kept import weight_of


@dataclass(frozen=True, slots=True)
class Thing:
    name: str
    parts: dict[str, str]


class Kind(StrEnum):
    LARGE = "large"


def parsed(seed: int) -> Any:
    random = Random(seed)
    rows = [[f"user {random.random()}", random.random(), {"a": [str(number)]}] for number in range(5_000)]
    return json.loads(json.dumps(rows))


def objects(seed: int) -> Any:
    random = Random(seed)
    return {f"table {number}": Thing(f"{number}", {f"{number} {random.random()}": "x" * 50}) for number in range(3_000)}


def names(seed: int) -> Any:
    return tuple(f"name {number} of {seed}" for number in range(20_000))


@pytest.mark.parametrize("make", [parsed, objects, names])
def test_a_value_weighs_about_what_it_takes(make: Callable[[int], Any]) -> None:
    make(1)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        value = make(2)
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 0.7 < weight_of(value) / taken < 1.5


def test_classes_and_members_of_enumerations_are_not_opened() -> None:
    assert weight_of([Kind.LARGE, Thing]) < 5_000
