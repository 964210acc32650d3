"""Taking back a new dashboard whose tiles could not all be made: PostHog deletes it and its insights in one request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio

from ...gateway.call import Call
from ...gateway.errors import GatewayError
from ..analytics.finding import INSIGHT
from .members import DASHBOARD

_TAKE_BACK_S = 20.0
_TRIES = 2
WITH_INSIGHTS: Mapping[str, Any] = {"delete_insights": True}
"""PostHog's field that deletes the insights which are on no other dashboard."""


@dataclass(slots=True)
class Made:
    """What a call has made so far."""

    dashboard: int
    insights: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    stored: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The dashboard as PostHog returned it at the end."""


async def failure(api: Call, made: Made, what: str, error: GatewayError) -> GatewayError:
    """Take back what was made, and return the error that reports it."""
    left = await take_back(api, made)
    message = f"{what} could not be made: {error.message}"
    if left:
        things = ", ".join(thing for thing, _ in left)
        calls = "; ".join(call for _, call in left)
        return error.with_(
            message=f"{message} These are left, and could not be deleted: {things}.", hint=f"Call {calls}."
        )
    api.took_back()
    if error.outcome != "unknown":
        return error.with_(message=f"{message} What was made before was deleted again.", outcome="rejected")
    hint = (
        "An insight that PostHog creates late is on no dashboard: look with list_insights before you repeat the call."
    )
    return error.with_(message=f"{message} What was made was deleted again.", hint=hint)


async def take_back(api: Call, made: Made) -> Sequence[tuple[str, str]]:
    """Delete the dashboard and its insights softly. Return what is left of them, each with the call that deletes it."""
    left: list[tuple[str, str]] = []
    with anyio.CancelScope(shield=True):
        left += await _left(api.detached(_TAKE_BACK_S), made)
    return left


async def _left(again: Call, made: Made) -> Sequence[tuple[str, str]]:
    numbers = [each["id"] for each in made.insights]
    if not await _delete(again, DASHBOARD, WITH_INSIGHTS, dashboard_id=made.dashboard):
        things = ", ".join([f"dashboard {made.dashboard}", *(f"insight {number}" for number in numbers)])
        return [(things, f"delete_dashboard with dashboard_id {made.dashboard} and delete_insights true")]
    if not numbers or await is_deleted(again, numbers[0]):
        return ()
    return [
        (f"insight {number}", f"delete_insight with insight_id {number}")
        for number in numbers
        if not await _delete(again, INSIGHT, {}, insight_id=number)
    ]


async def _delete(api: Call, path: str, also: Mapping[str, Any], **identifiers: object) -> bool:
    """Return whether an object is deleted now. After an unknown outcome the deletion is repeated, which is harmless."""
    for _ in range(_TRIES):
        try:
            await api.soft_delete(path, also, **identifiers)
        except GatewayError as error:
            if error.code == "not_found":
                return True
            if error.outcome != "unknown":
                return False
        else:
            return True
    return False


async def is_deleted(api: Call, insight_id: int) -> bool:
    """Return whether PostHog has deleted an insight with its dashboard. It deletes all of them or none."""
    try:
        await api.get(INSIGHT, insight_id=insight_id)
    except GatewayError as error:
        return error.code == "not_found"
    return False
