"""Running many random queries on a world and comparing the results with a recount."""

import json
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from posthog_sandbox.storage.engine import Engine

from ...oracle import Effort
from .dataset import Setting, World
from .running import Rejection, Runner, agree, open_runner, opened

type Recount = Callable[[Mapping[str, Any], World, Setting], Any]
"""A function that returns the expected `results` of a query, or an object with fields of its response.

Of an object only the fields of the recount are compared.
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A random query and the settings of its project."""

    setting: Setting
    query: Mapping[str, Any]


type Drawing = Callable[[random.Random, World, Setting], Mapping[str, Any]]
"""A function that returns a random query for a world and its settings."""


async def drawn_disagreements(
    world: World, engine: Engine, kind: str, drawing: Drawing, recount: Recount, effort: Effort, whole: int
) -> list[str]:
    """Return the disagreements over `whole` drawn queries of a kind for each setting of the world.

    A sample has one query for each setting.
    """
    with open_runner(world, engine) as runner:
        await opened(runner)
        chance = effort.chance(f"{kind} of {world.name}")
        cases = [
            Case(setting, drawing(chance, runner.world, setting))
            for setting in world.settings()
            for _ in range(whole if effort.whole else 1)
        ]
        return await disagreements(runner, cases, recount)


async def disagreements(runner: Runner, cases: Iterable[Case], recount: Recount, shown: int = 5) -> list[str]:
    """Return the first few differences between results and recounts, as text."""
    by_setting: dict[Setting, list[Mapping[str, Any]]] = {}
    for case in cases:
        by_setting.setdefault(case.setting, []).append(case.query)
    found: list[str] = []
    for setting, queries in by_setting.items():
        runner.settle(setting)
        responses = await runner.run_all(queries)
        for query, response in zip(queries, responses, strict=True):
            recounted = recount(query, runner.world, setting)
            returned = (
                response if isinstance(response, Rejection) or isinstance(recounted, dict) else response["results"]
            )
            if not agree(returned, recounted):
                found.append(_described(setting, query, returned, recounted))
                if len(found) >= shown:
                    return found
    return found


def _described(setting: Setting, query: Mapping[str, Any], returned: Any, recounted: Any) -> str:
    places = list(_differences(returned, recounted, ""))
    told = f"\n{setting.zone}, week start {setting.week_start}, now {setting.now.isoformat()}\n{json.dumps(query)}"
    return "\n  ".join((told, *places[:4])) + "\n"


def _differences(returned: Any, recounted: Any, place: str) -> Iterable[str]:
    """Yield the places where two values differ, as deep as possible."""
    if agree(returned, recounted):
        return
    match returned, recounted:
        case dict(), dict():
            one, other = cast("dict[str, Any]", returned), cast("dict[str, Any]", recounted)
            for name, value in other.items():
                yield from _differences(one.get(name), value, f"{place}.{name}")
        case list(), list():
            left, right = cast("list[Any]", returned), cast("list[Any]", recounted)
            if len(left) == len(right) and right and isinstance(right[0], dict):
                for index, value in enumerate(right):
                    yield from _differences(left[index], value, f"{place}[{index}]")
            elif right and isinstance(right[0], dict):
                yield f"{place}: answered {[_name(item) for item in left]}, recounted {[_name(item) for item in right]}"
            else:
                yield f"{place}: answered {_short(returned)}, recounted {_short(recounted)}"
        case _:
            yield f"{place}: answered {_short(returned)}, recounted {_short(recounted)}"


def _name(result: dict[str, Any]) -> str:
    shown = [result.get(name) for name in ("label", "breakdown_value", "compare_label", "order")]
    return " ".join(str(value) for value in shown if value is not None)


def _short(value: Any) -> str:
    told = str(value)
    return told if len(told) < 400 else f"{told[:300]} ... {told[-100:]}"
