"""Stored insights by their id or short id."""

from collections.abc import Mapping
from typing import Any

from ...gateway.call import Call
from ...gateway.errors import GatewayError
from ...schemas.json import as_list, as_object
from .computing import INSIGHTS

INSIGHT = f"{INSIGHTS}{{insight_id}}/"


async def find_insight(api: Call, insight_id: int | str, query: Mapping[str, Any] | None = None) -> Any:
    """Return PostHog's response for an insight. Older servers accept a short id only in the list.

    Raises GatewayError.
    """
    try:
        return await api.get(INSIGHT, query, insight_id=insight_id)
    except GatewayError as error:
        if error.code != "not_found" or isinstance(insight_id, int):
            raise
        listed = await api.get(INSIGHTS, {"short_id": insight_id, "basic": True, "limit": 1})
        rows = await api.apart(lambda: as_list(as_object(listed).get("results")))
        found = as_object(rows[0]) if rows else {}
        if found.get("short_id") != insight_id or not isinstance(found.get("id"), int):
            raise
        return await api.get(INSIGHT, query, insight_id=found["id"])
