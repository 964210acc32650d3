"""Who is behind a number of an insight: a HogQL query with a row for each actor."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from ..hogql import Context
from ..queries.project import Project
from .requests import malformed_query


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorSource:
    """`hogql` is a SELECT whose column `id_column` names the actor; the others say more about them.

    `group` is the group type of the actors, None for persons. `context` is what the query is translated with.
    """

    hogql: str
    context: Context
    id_column: str = "actor_id"
    group: int | None = None


def listed_actors(
    project: Project, actors: Iterable[tuple[str, int]], *, group: int | None = None, persons: bool = True
) -> ActorSource:
    """Actors that were found outside of the database, with their `event_count`. `persons` have UUIDs as ids."""
    identity = "tupleElement(insight_pair, 1)"
    pairs = "arrayJoin(JSONExtract({insight_actors}, 'Array(Tuple(String, UInt64))'))"
    return ActorSource(
        hogql=(
            f"SELECT {f'toUUID({identity})' if persons else identity} AS actor_id, "
            f"tupleElement(insight_pair, 2) AS event_count FROM (SELECT {pairs} AS insight_pair)"
        ),
        context=replace(project.context, values={"insight_actors": json.dumps(list(actors))}),
        group=group,
    )


def read_day(day: object, project: Project) -> datetime:
    """A moment, in the project's timezone unless it has its own. Raises ApiError 400."""
    try:
        moment = datetime.fromisoformat(day.strip()) if isinstance(day, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise malformed_query("day", "Input should be a date such as 2026-11-23, or 2026-11-23T10:00:00 for an hour")
    zone = ZoneInfo(project.context.timezone)
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
