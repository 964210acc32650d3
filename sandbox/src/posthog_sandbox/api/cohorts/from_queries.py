"""Static cohorts defined by a query that returns person ids."""

from collections.abc import Awaitable, Callable

from ...errors import ApiError, invalid
from ...http.routing import Call
from ...values import Row, as_list, as_object, is_uuid

type Compute = Callable[[Call, Row], Awaitable[Row]]
"""A function that returns the result of a query; raises ApiError."""

KINDS = ("HogQLQuery", "ActorsQuery")
_MOST = 50_000
_COLUMNS = ("person_id", "actor_id", "id")


def check_query(query: Row) -> None:
    """Raise ApiError 400 for a query that cannot return persons."""
    if query.get("kind") not in KINDS:
        raise invalid(f"The query of a cohort must be a {' or '.join(KINDS)}.", attr="query")


async def persons_of_query(compute: Compute, call: Call, query: Row) -> list[str]:
    """Return the ids in column `person_id`, `actor_id` or `id` of a HogQLQuery, or the actors of an ActorsQuery.

    Without a LIMIT in the query the maximum is 50,000. Raises ApiError.
    """
    if query["kind"] == "ActorsQuery":
        found = await compute(call, {**query, "select": ["id"], "orderBy": [], "limit": _MOST})
        place = 0
    else:
        text = f"SELECT * FROM (\n{query.get('query')}\n) LIMIT {_MOST}"
        found = await compute(call, {**query, "query": text})
        columns: list[str] = found["columns"]
        named = [name for name in _COLUMNS if name in columns]
        if not named:
            raise invalid(f"Could not find a {', '.join(_COLUMNS)} column in the query")
        place = columns.index(named[0])
    ids = (str(row[place]) for row in as_list(found["results"]) or [])
    return list(dict.fromkeys(identity for identity in ids if is_uuid(identity)))


def reason(error: ApiError) -> str:
    """Return the message of an error."""
    return str((as_object(error.body) or {}).get("detail", error))
