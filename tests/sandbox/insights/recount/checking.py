"""Asking many drawn queries of a world and holding the answers against the recount."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .dataset import Setting, World
from .running import Asking, Refusal, agree

type Recount = Callable[[Mapping[str, Any], World, Setting], Any]
"""What the `results` of a query are; of an object only the fields that it gives are compared."""


@dataclass(frozen=True, slots=True)
class Case:
    """A drawn query and the settings of the project that it is asked under."""

    setting: Setting
    query: Mapping[str, Any]


async def disagreements(asked: Asking, cases: Iterable[Case], recount: Recount, shown: int = 5) -> list[str]:
    """What is wrong with the answers to these queries, as text: the first few."""
    by_setting: dict[Setting, list[Mapping[str, Any]]] = {}
    for case in cases:
        by_setting.setdefault(case.setting, []).append(case.query)
    found: list[str] = []
    for setting, queries in by_setting.items():
        asked.settle(setting)
        answers = await asked.answers(queries)
        for query, answer in zip(queries, answers, strict=True):
            recounted = recount(query, asked.world, setting)
            answered = answer if isinstance(answer, Refusal) else answer["results"]
            if not agree(answered, recounted):
                found.append(_told(setting, query, answered, recounted))
                if len(found) >= shown:
                    return found
    return found


def _told(setting: Setting, query: Mapping[str, Any], answered: Any, recounted: Any) -> str:
    return (
        f"\n{setting.zone}, week start {setting.week_start}, now {setting.now.isoformat()}\n{json.dumps(query)}"
        f"\nanswered  {answered}\nrecounted {recounted}\n"
    )
