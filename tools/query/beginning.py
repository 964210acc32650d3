"""When the data of a project begin. An empty interval before that is not one in which nothing happened."""

from datetime import UTC, datetime

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.errors import GatewayError
from ...schemas.json import as_list, as_object

_AGE_S = 3600.0
_EARLIEST = "2015-01-01"
"""PostHog reads no project from before: older events have wrong clocks."""
FIRST_EVENT = {
    "kind": "EventsQuery",
    "select": ["timestamp"],
    "after": _EARLIEST,
    "orderBy": ["timestamp ASC"],
    "limit": 1,
}
"""The query for the first event. PostHog counts it as an insight query, not as HogQL."""


async def first_event(api: Call) -> datetime | None:
    """Return the moment of the first event in the project's timezone; None without events, or when it is not known.

    Cached for an hour, also when PostHog could not tell.
    """
    async with api.remembered("first event", _AGE_S) as slot:
        found = (slot.found or slot.fill(await _ask(api))).value
    return None if found is None else found.astimezone(api.timezone)


async def _ask(api: Call) -> datetime | None:
    try:
        answer = await api.counted_as(Budget.ANALYTICS).query({"query": FIRST_EVENT, "name": "first event"})
    except GatewayError:
        return None
    row = next(iter(as_list(as_object(answer).get("results"))), None)
    return _moment(next(iter(as_list(row)), None))


def _moment(cell: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(cell))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
