"""The tool that lists the persons or groups behind a number, through PostHog's ActorsQuery."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from ....gateway.budget import Budget
from ....gateway.call import Call
from ....schemas.analytics.actors import ListActors
from ....schemas.analytics.results import InsightAnswer
from ....schemas.json import as_list, as_object
from ....schemas.privacy.names import Subject, kind_of
from ...operation import Effect, Operation, Result, Toolset, unexpected_shape
from ...people.columns import Personal, private_row
from ..computing import response_to, results, without_results
from ..kinds import KINDS, read_typed
from .points import ActorPoint, point_of

_TOOL = "list_actors"
_MOST = 10_000
"""Actors that are counted."""
_MOST_SCANNED = 1000
"""Actors of a retention cohort that are looked at for one period."""
_MOST_IDS, _MOST_RECORDINGS = 1000, 3
_NAMES = ("email", "name", "username")
_RECORDINGS = (
    "SELECT distinct_id, session_id, toString(start_time) FROM session_replay_events "
    "WHERE distinct_id IN {ids} ORDER BY start_time DESC LIMIT 500"
)


@dataclass(frozen=True, slots=True)
class _Listed:
    """Actors of a page, how many there are, and whether there are more than were counted."""

    rows: Sequence[Sequence[Any]]
    count: int
    more: bool
    counts: int | None = None
    """What all of them did together."""


async def _list_actors(api: Call, args: ListActors) -> Result:
    kind = next(one for one in KINDS if one.tool == args.of.tool)
    spec = await read_typed(api, kind, args.of.arguments)
    point = await point_of(api, args, kind, spec)
    found = await (_of_period(api, args, point) if point.period is not None else _page(api, args, point))
    recordings = await _recordings(api, found.rows) if args.recordings and point.group is None else {}
    names = args.properties or []
    columns = ["group" if point.group is not None else "person", "name", "distinct_id"]
    if point.group is not None:
        columns.remove("distinct_id")
    columns += [*(["events"] if point.has_counts else []), *names, *(["recordings"] if args.recordings else [])]
    rows = [_row(point, row, names, recordings if args.recordings else None) for row in found.rows]
    if pseudonyms := api.privacy.pseudonyms:
        kinds = [_personal(column, names) for column in columns]
        rows = [private_row(pseudonyms, kinds, row) for row in rows]
    shown: dict[str, Any] = {"count": found.count}
    if found.counts is not None:
        shown["events"] = found.counts
    if found.more:
        shown["count_is_at_least"] = True
    shown |= {"columns": columns, "rows": rows}
    following = args.offset + len(rows)
    return shown | ({"next_offset": following} if rows and following < found.count else {})


async def _page(api: Call, args: ListActors, point: ActorPoint) -> _Listed:
    """Return a page, and count all actors unless the page has them."""
    select = ["actor", *(["event_count"] if point.has_counts else [])]
    rows, more = await _actors(api, point, select, limit=args.limit, offset=args.offset)
    if not more and not args.offset:
        return _Listed(rows, len(rows), False, _sum(point, rows))
    identity = "actor" if point.group is not None else "id"
    everyone, even_more = await _actors(api, point, [identity, *select[1:]], limit=_MOST, offset=0)
    return _Listed(rows, len(everyone), even_more, None if even_more else _sum(point, everyone))


async def _of_period(api: Call, args: ListActors, point: ActorPoint) -> _Listed:
    """Return a page of the actors who appear in one period; PostHog lists all who began."""
    found: list[Sequence[Any]] = []
    offset, more = 0, True
    while more and offset < _MOST:
        rows, more = await _actors(api, point, ["actor", "appearances"], limit=_MOST_SCANNED, offset=offset)
        found += [row for row in rows if point.period in as_list(row[1])]
        offset += _MOST_SCANNED
    return _Listed(found[args.offset : args.offset + args.limit], len(found), more)


async def _actors(
    api: Call, point: ActorPoint, select: Sequence[str], *, limit: int, offset: int
) -> tuple[list[Sequence[Any]], bool]:
    query = {
        "kind": "ActorsQuery", "source": point.source, "select": list(select), "limit": limit, "offset": offset,
        "orderBy": [],
    }  # fmt: skip
    answer = await response_to(api, query, InsightAnswer, tool=_TOOL, refresh=False)
    if answer.results is None:
        raise without_results()
    rows = results(answer, list[Annotated[list[Any], Field(min_length=len(select))]])
    if any(not isinstance(row[0], (dict, str)) for row in rows):
        raise unexpected_shape("a list of actors", "the actor")
    return list(rows), bool(answer.hasMore)


def _sum(point: ActorPoint, rows: Sequence[Sequence[Any]]) -> int | None:
    counts = [row[1] for row in rows if isinstance(row[1], int)] if point.has_counts else []
    return sum(counts) if point.has_counts else None


def _row(
    point: ActorPoint, row: Sequence[Any], names: Sequence[str], recordings: Mapping[str, list[Any]] | None
) -> list[Any]:
    actor = as_object(row[0])
    properties = as_object(actor.get("properties")) or as_object(actor.get("group_properties"))
    name = next((properties[one] for one in _NAMES if properties.get(one)), None)
    if point.group is not None:
        shown: list[Any] = [actor.get("group_key") or actor.get("id"), name]
    else:
        ids = as_list(actor.get("distinct_ids"))
        shown = [actor.get("id"), name, ids[-1] if ids else None]
    if point.has_counts:
        shown.append(row[1])
    shown += [properties.get(one) for one in names]
    if recordings is not None:
        shown.append(recordings.get(str(actor.get("id")), []))
    return shown


async def _recordings(api: Call, rows: Sequence[Sequence[Any]]) -> dict[str, list[Any]]:
    """Return the latest recordings of each person, by their distinct ids."""
    owners = {
        str(name): str(as_object(row[0]).get("id"))
        for row in rows
        for name in as_list(as_object(row[0]).get("distinct_ids"))
    }
    if not owners:
        return {}
    query = {"kind": "HogQLQuery", "query": _RECORDINGS, "values": {"ids": list(owners)[:_MOST_IDS]}}
    answer = await response_to(api.counted_as(Budget.QUERY), query, InsightAnswer, tool=_TOOL, refresh=False)
    found: dict[str, list[Any]] = {}
    for name, session, _ in results(answer, list[tuple[str, str, str]]):
        listed = found.setdefault(owners.get(name, ""), [])
        if len(listed) < _MOST_RECORDINGS:
            listed.append(session)
    return found


def _personal(column: str, properties: Sequence[str]) -> Personal | None:
    """Return what a column is about."""
    if column == "name" and column not in properties:
        return Personal(Subject.NAME)
    kind = kind_of(column, of_person=True) if column in properties else None
    return Personal(kind) if kind else None


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name=_TOOL,
        about="List the persons or groups behind one number of a typed query.",
        toolset=Toolset.ANALYTICS,
        effect=Effect.READ,
        budget=Budget.ANALYTICS,
        input=ListActors,
        run=_list_actors,
    ),
)
