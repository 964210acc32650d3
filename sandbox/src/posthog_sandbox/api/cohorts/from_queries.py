"""Static cohorts that are made from a query: the persons whose ids it gives."""

from collections.abc import Awaitable, Callable

from ...errors import ApiError, invalid
from ...http.routing import Call
from ...values import Row, as_list, as_object, is_uuid

type Compute = Callable[[Call, Row], Awaitable[Row]]
"""The answer of a query. Raises ApiError."""

KINDS = ("HogQLQuery", "ActorsQuery")
_MOST = 50_000
_COLUMNS = ("person_id", "actor_id", "id")


def check_query(query: Row) -> None:
    """Raises ApiError 400 for a query that cannot name persons."""
    if query.get("kind") not in KINDS:
        raise invalid(f"A cohort's query is one of {' and '.join(KINDS)}.", attr="query")


async def persons_of_query(compute: Compute, call: Call, query: Row) -> list[str]:
    """The ids in the column `person_id`, `actor_id` or `id` of a HogQLQuery, or the actors of an ActorsQuery.

    Without a LIMIT of its own all of them, up to 50,000. Raises ApiError.
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
    """What an error says."""
    return str((as_object(error.body) or {}).get("detail", error))
