"""Names that count nothing: an event that the project has never seen, and what was probably meant."""

from collections.abc import Sequence
from dataclasses import replace

from ..gateway.call import Call
from ..gateway.errors import GatewayError
from ..schemas.analytics import (
    Analysis,
    QueryFunnel,
    QueryLifecycle,
    QueryRetention,
    QueryStickiness,
    QueryTrends,
)
from ..schemas.analytics_events import EventChoice
from ..schemas.text import excerpt
from .analytics_labels import Doubt
from .nearest import nearest
from .project_names import unseen_events
from .table import Answer

_MOST_TOLD = 5
_SEARCH = "describe_data with search finds names."


async def with_names(api: Call, args: Analysis, answer: Answer) -> Answer:
    """The answer, and where something counted nothing, the events that were never seen with the nearest real names.

    PostHog answers zeros for a misspelt event; a misspelt exclusion excludes nothing. The names are remembered, and
    looking them up is no query.
    """
    excludes = isinstance(args, QueryFunnel) and args.exclude
    doubted = excludes or any(isinstance(note, Doubt) for note in answer.notes)
    if not doubted:
        return answer
    names = [event.event for event in _events(args) if event.event and event.event != "*"]
    return replace(answer, notes=(*answer.notes, *await _never_seen(api, list(dict.fromkeys(names)))))


async def _never_seen(api: Call, wanted: Sequence[str]) -> list[str]:
    if not wanted:
        return []
    try:
        missing, names = await unseen_events(api, wanted)
    except GatewayError:
        return [f"Are the names right? {_SEARCH}"]
    return [_said(name, nearest(name, names.known)) for name in wanted if name in missing][:_MOST_TOLD]


def _said(name: str, near: Sequence[str]) -> str:
    meant = f"did you mean {' or '.join(f'`{excerpt(one, 60)}`' for one in near)}?" if near else _SEARCH
    return f"`{excerpt(name, 60)}` has never been seen: {meant}"


def _events(args: Analysis) -> Sequence[EventChoice]:
    match args:
        case QueryTrends() | QueryStickiness():
            return args.events
        case QueryFunnel():
            return [*args.steps, *(args.exclude or [])]
        case QueryRetention():
            return [args.event, *([args.returning_event] if args.returning_event else [])]
        case QueryLifecycle():
            return [args.event]
        case _:
            return []
