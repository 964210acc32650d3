"""The actors behind a number of an insight: a HogQL query with one row per actor."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from ..hogql import Context, escape
from ..queries.project import Project
from ..values import is_uuid
from .requests import malformed_query

KINDS = frozenset({"InsightActorsQuery", "FunnelsActorsQuery", "StickinessActorsQuery"})
"""The kinds that list the actors of an insight."""

_FIRST_YEAR, _LAST_YEAR = 1970, 2200


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorSource:
    """A SELECT whose column `id_column` has the actor; other columns describe the actor.

    `group` is the group type of the actors, None for persons. `context` is the translation context of the query.
    """

    hogql: str
    context: Context
    id_column: str = "actor_id"
    group: int | None = None


def listed_actors(
    project: Project, ids: Sequence[str], *, counts: Sequence[int] | None = None, group: int | None = None
) -> ActorSource:
    """Return actors found outside the database: ids of persons, keys of groups or other texts.

    `counts` has their `event_count`, if any.
    """
    actors = list(ids)
    kind = "Array(String)"
    identity = "insight_listed"
    count = ""
    if counts is not None:
        actors = list(zip(ids, counts, strict=True))
        kind = "Array(Tuple(String, UInt64))"
        identity = "tupleElement(insight_listed, 1)"
        count = ", tupleElement(insight_listed, 2) AS event_count"
    if group is None and all(map(is_uuid, ids)):
        identity = f"toUUID({identity})"
    listed = f"arrayJoin(JSONExtract({{insight_actors}}, {escape.string(kind)})) AS insight_listed"
    return ActorSource(
        hogql=f"SELECT {identity} AS actor_id{count} FROM (SELECT {listed})",
        context=replace(project.context, values={"insight_actors": json.dumps(actors)}),
        group=group,
    )


def read_day(day: object, project: Project) -> datetime:
    """Parse a moment, in the project's time zone unless it has an offset. Raises ApiError 400."""
    try:
        moment = datetime.fromisoformat(day.strip()) if isinstance(day, str) else None
    except ValueError:
        moment = None
    if moment is None or not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise malformed_query("day", "Input should be a date such as 2026-11-23, or 2026-11-23T10:00:00 for an hour")
    zone = ZoneInfo(project.context.timezone)
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
