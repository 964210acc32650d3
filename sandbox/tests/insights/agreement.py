"""Checks of numbers against their actors: random insights, and the actors of random cells of their results."""

import json
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .recount.dataset import Setting, World
from .recount.filters import drawn_properties
from .recount.running import Rejection, Runner

RANGES: tuple[Mapping[str, Any], ...] = (
    {"date_from": "-7d"},
    {"date_from": "-14d"},
    {"date_from": "-30d"},
    {"date_from": "-10d", "date_to": "-3d"},
    {"date_from": "-3d", "explicitDate": True},
    {"date_from": "-36h"},
    {"date_from": "mStart"},
    {"date_from": "-2m"},
    {"date_from": "all"},
    {},
)
"""Ranges with events in every world."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A number of a result and the actors query for it.

    The number is that of the actors, or the sum of their `column`. With `others` it is the percentage of `actors` in
    both.
    """

    number: float
    actors: Mapping[str, Any]
    column: str | None = None
    others: Mapping[str, Any] | None = None


type Draw = Callable[[random.Random, World], Mapping[str, Any]]
type Cells = Callable[[random.Random, Mapping[str, Any], Any], list[Cell]]
"""A function from a query and its result to some of its cells."""


def drawn_filters(chance: random.Random, world: World) -> dict[str, Any]:
    """Return random properties of a query, sometimes none."""
    return {"properties": drawn_properties(chance, world)} if chance.random() < 0.25 else {}


async def disagreements(
    runner: Runner, draw: Draw, cells: Cells, *, chance: random.Random, cases: int
) -> tuple[list[str], int]:
    """Return the first few cells whose number is not that of their actors, and the number of checked cells."""
    settings = runner.world.settings()
    settings = chance.sample(settings, len(settings))  # a sample has fewer cases than there are settings
    found: list[str] = []
    looked_at = 0
    for turn, setting in enumerate(settings):
        runner.settle(setting)
        for _ in range(cases // len(settings) + (turn < cases % len(settings))):
            query = draw(chance, runner.world)
            response = await runner.run(query)
            if isinstance(response, Rejection):
                found.append(f"\n{json.dumps(query)}\nrejected: {response.detail}")
                continue
            for cell in cells(chance, query, response["results"]):
                looked_at += 1
                difference = await _difference(runner.run, cell)
                if difference:
                    found.append(_place(setting, cell) + difference)
        if len(found) > 3:
            break
    return found[:4], looked_at


async def _difference(response: Callable[[Mapping[str, Any]], Awaitable[Any]], cell: Cell) -> str:
    columns = ["actor_id"] if cell.column is None else ["actor_id", cell.column]
    counted: list[float] = []
    for source in (cell.actors, cell.others):
        if source is not None:
            found = await response({"kind": "ActorsQuery", "source": source, "select": columns, "limit": 50_000})
            if isinstance(found, Rejection):
                return f"rejected: {found.detail}"
            rows: list[list[Any]] = found["results"]
            counted.append(len(rows) if cell.column is None else sum(row[1] for row in rows))
    number = counted[0]
    if cell.others is not None:
        number = round(number / sum(counted) * 100, 2) if number else 0
    return "" if number == cell.number else f"number {cell.number}, actors {counted}"


def _place(setting: Setting, cell: Cell) -> str:
    return f"\n{setting.zone}, week start {setting.week_start}, now {setting.now}\n{json.dumps(cell.actors)}\n"
