"""Is a HogQL statement worth one of the scarce queries? Asked before it is sent."""

from collections.abc import Mapping
from typing import Any

from ..gateway.call import Call
from .hogql_check import check


async def checked(api: Call, sql: str, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Warnings about a statement that may be sent. Raises Refused for one that PostHog would refuse."""
    check(sql, values)
    return ()
