"""What people changed around the time of a change: annotations, flags, experiments. Each list is one request."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ....gateway.budget import Budget
from ....gateway.call import Call
from ....gateway.errors import GatewayError
from ....schemas.json import as_object, as_objects
from ....schemas.text import excerpt

_ANNOTATIONS = "/api/projects/{project_id}/annotations/"
_FLAGS = "/api/projects/{project_id}/feature_flags/"
_EXPERIMENTS = "/api/projects/{project_id}/experiments/"
_ROWS = 100
_BEFORE, _AFTER = timedelta(days=1), timedelta(hours=6)
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Happening:
    """A change that a person made, and when."""

    what: str
    at: datetime


async def happenings(api: Call, since: datetime, step: timedelta) -> tuple[list[Happening], list[str]]:
    """Return the changes around the interval in which the number turned, the nearest first, and the lists that could
    not be read.
    """
    first, last = since - _BEFORE, since + step + _AFTER
    found: list[Happening] = []
    unread: list[str] = []
    for name, read in (("annotations", _annotations), ("flags", _flags), ("experiments", _experiments)):
        try:
            found += [one async for one in read(api.counted_as(Budget.CRUD)) if first <= one.at <= last]
        except GatewayError:
            unread.append(name)
    zone = since.tzinfo
    local = {(one.what, one.at): Happening(one.what, one.at.astimezone(zone)) for one in found}
    return sorted(local.values(), key=lambda one: abs(one.at - since)), unread


async def _annotations(api: Call) -> AsyncIterator[Happening]:
    for row in as_objects(as_object(await api.get(_ANNOTATIONS, {"limit": _ROWS})).get("results")):
        if at := _moment(row.get("date_marker")):
            yield Happening(f"annotation: {_text(row.get('content'))}", at)


async def _flags(api: Call) -> AsyncIterator[Happening]:
    for row in as_objects(as_object(await api.get(_FLAGS, {"limit": _ROWS})).get("results")):
        created, updated = _moment(row.get("created_at")), _moment(row.get("updated_at"))
        name = _text(row.get("key"))
        if created:
            yield Happening(f"flag {name} created", created)
        if updated and (created is None or updated - created > timedelta(minutes=1)):
            yield Happening(f"flag {name} last changed", updated)


async def _experiments(api: Call) -> AsyncIterator[Happening]:
    for row in as_objects(as_object(await api.get(_EXPERIMENTS, {"limit": _ROWS})).get("results")):
        for field, word in (("start_date", "started"), ("end_date", "ended")):
            if at := _moment(row.get(field)):
                yield Happening(f"experiment {_text(row.get('name'))} {word}", at)


def _text(value: object) -> str:
    return excerpt(str(value or ""), _LONGEST)


def _moment(value: object) -> datetime | None:
    """Return a moment with a zone; None for anything else."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found and found.tzinfo else None
