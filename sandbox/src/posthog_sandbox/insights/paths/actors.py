"""The persons behind the edges and nodes of a PathsQuery."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ...http.routing import Call
from ...queries.project import Project
from ...values import Row
from ..actor_source import ActorSource, listed_actors
from ..requests import malformed_query, options
from .query import ItemVisit, read_paths


@dataclass(frozen=True, slots=True)
class _Keys:
    """The selected steps: from the node `start`, to the node `end`, or the last one of a path at `dropoff`."""

    start: str | None
    end: str | None
    dropoff: str | None

    def steps_in(self, path: Sequence[ItemVisit]) -> int:
        """Return the number of selected steps in a path; a path begins with a step from nowhere."""
        nodes = [f"{place}_{item}" for place, (item, _) in enumerate(path, 1)]
        if self.dropoff is not None:
            return int(nodes[-1:] == [self.dropoff])
        steps = zip([None, *nodes], nodes, strict=False)
        return sum(self.start in (None, before) and self.end in (None, node) for before, node in steps)


async def actors_of_paths(call: Call, query: Row, project: Project) -> ActorSource:
    """Return the persons who took the step from `pathStartKey` to `pathEndKey` (`1_/pricing`) of the `pathsFilter`.

    With `pathDropoffKey` those who ended a path there; without any key all persons with paths. `event_count` is how
    often. Raises ApiError 400.
    """
    source: Row = query["source"]
    paths = await read_paths(call, source, project)
    given = options(source, "pathsFilter")
    keys = _Keys(_text(given, "pathStartKey"), _text(given, "pathEndKey"), _text(given, "pathDropoffKey"))
    steps: Counter[str] = Counter()
    for person, path in paths:
        steps[person] += keys.steps_in(path)
    found = +steps
    return listed_actors(project, list(found), counts=list(found.values()))


def _text(given: Row, name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise malformed_query(f"pathsFilter.{name}", "Input should be a valid string")
    return value or None
