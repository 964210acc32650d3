"""Sends an insight query and waits for its results."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

import anyio
from pydantic import TypeAdapter, ValidationError

from ...gateway.call import Call
from ...gateway.errors import Failed, Rejected, Upstream
from ...schemas.analytics.results import InsightAnswer
from ...schemas.text import excerpt
from ..operation import misfits, read, unexpected_shape

_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0)
"""Pauses between polls of a query in the background; the deadline of the call can end the wait earlier."""
INSIGHTS = "/api/projects/{project_id}/insights/"
_IN_FLIGHT = -1.0
"""The age up to which a response is shared: only while it is awaited. PostHog has its own cache."""
_STATUS = "/api/projects/{project_id}/query/{query_id}/"
_NARROWER = "Narrow it: a shorter range, a longer interval, fewer events or no breakdown."


@dataclass(frozen=True, slots=True)
class Computed:
    """PostHog's response, and when its numbers were computed."""

    answer: InsightAnswer
    computed_at: datetime

    def marks(self) -> dict[str, Any]:
        """Return `{"computed_at"}` when the numbers come from PostHog's cache."""
        return {"computed_at": self.computed_at.isoformat()} if self.answer.is_cached else {}


async def compute(api: Call, query: Mapping[str, Any], *, tool: str, refresh: bool) -> Computed:
    """Return the results of an insight query. Raises Rejected (`validation_failed`) with PostHog's words when it cannot
    run the query, Failed (`timeout`) when it is still running after half a minute.
    """
    answer = await response_to(api, query, InsightAnswer, tool=tool, refresh=refresh)
    if answer.results is None:
        raise without_results()
    return Computed(answer, computed_at(answer.last_refresh, api.now()))


async def response_to[A: InsightAnswer](
    api: Call, query: Mapping[str, Any], view: type[A], *, tool: str, refresh: bool
) -> A:
    """Return the response to a query of any kind that insights have. Raises as `compute` does, except for missing
    results: not every kind has that field.
    """
    body: dict[str, Any] = {"query": query, "name": tool}
    if refresh:
        body["refresh"] = "force_blocking"
    api.queried = True
    async with api.remembered(("typed query", json.dumps(body, sort_keys=True), view), _IN_FLIGHT) as slot:
        answer: A = (slot.found or slot.fill(await api.query(body, finish=partial(_finished, api, view)))).value
    if answer.error:
        raise _failed(answer.error)
    return answer


def without_results() -> Failed:
    """Return the error for a response without numbers."""
    return Failed(
        "bad_upstream_response",
        "PostHog sent no results.",
        "Call again with refresh: true.",
        source="posthog",
    )


def results[T](answer: InsightAnswer, shape: type[T]) -> T:
    """Return the results in the shape of this kind of query. Raises Failed (`bad_upstream_response`)."""
    try:
        return in_shape(answer.results, shape)
    except ValidationError as error:
        raise unexpected_shape("this kind of query", misfits(error)) from error


def in_shape[T](value: object, shape: type[T]) -> T:
    """Return a value in a shape. Raises ValidationError."""
    return _validator(shape).validate_python(value)


@cache
def _validator(shape: Any) -> TypeAdapter[Any]:
    """Return the validator of a shape, which takes milliseconds to build: longer than most results take to validate."""
    return TypeAdapter(shape)


async def _finished[A: InsightAnswer](api: Call, view: type[A], response: Any) -> A:
    """Return the response with its results, after polling a query that PostHog made asynchronous."""
    answer = read(view, response)
    status = answer.query_status
    for pause in _PAUSES_S:
        if status is None or answer.results is not None:
            return answer
        if status.error:
            raise _failed(status.error_message or "The query failed.")
        if status.complete:
            return read(view, status.results)
        await anyio.sleep(pause)
        answer = read(view, await api.get(_STATUS, query_id=status.id or ""))
        status = answer.query_status
    raise Failed("timeout", "PostHog is still running the query.", _NARROWER, source="posthog")


def _failed(detail: str) -> Rejected:
    return Rejected(
        "validation_failed", "PostHog could not run the query.", _NARROWER, upstream=Upstream(excerpt(detail))
    )


def computed_at(text: str | None, now: datetime) -> datetime:
    """Return when numbers were computed, by PostHog's `last_refresh`; `now` without one."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return now
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
