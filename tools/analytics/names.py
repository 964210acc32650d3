"""Names that typed queries guess wrong.

PostHog counts zeros of an event that nobody has sent, and takes a property that nobody has for absent: a filter or a
breakdown then counts the wrong thing without a word.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from hogql_lang import nearest

from ...gateway.call import Call
from ...gateway.errors import GatewayError
from ...schemas.analytics.events import PROPERTY_MATHS, Breakdown, EventChoice, scoped
from ...schemas.analytics.queries import (
    Analysis,
    QueryFunnel,
    QueryLifecycle,
    QueryRetention,
    QueryStickiness,
    QueryTrends,
)
from ...schemas.text import excerpt
from ..query.seen_names import property_names, unseen_events, unseen_properties
from ..table import Answer
from .labels import Doubt

_MOST_TOLD = 5
_SEARCH = "describe_data with search finds names."
_OWNERS = {"event": "events", "person": "persons"}
_UNDEFINED = ("$feature/", "$virt_", "$session_duration", "$time", "$elements_chain", "distinct_id")
"""Beginnings of properties that work though PostHog lists no definition of them."""


async def with_names(api: Call, args: Analysis, answer: Answer) -> Answer:
    """The answer with a note on each name that the project has never seen, and what was probably meant.

    Events are looked up when something counted nothing, and for exclusions, which misspelt exclude nothing; properties
    whenever there are some. All is remembered, and looking up is no query.
    """
    excludes = isinstance(args, QueryFunnel) and args.exclude
    doubted = bool(excludes or any(isinstance(note, Doubt) for note in answer.notes))
    events = [event.event for event in _events(args) if event.event and event.event != "*"] if doubted else []
    try:
        notes = [*await _unseen_events(api, events), *await _unseen_properties(api, list(_properties(args)))]
    except GatewayError:
        notes = [f"Are the names right? {_SEARCH}"] if doubted else []
    return replace(answer, notes=(*answer.notes, *notes[:_MOST_TOLD]))


async def _unseen_events(api: Call, wanted: Iterable[str]) -> list[str]:
    names = dict.fromkeys(wanted)
    if not names:
        return []
    missing, seen = await unseen_events(api, names)
    unseen = islice((name for name in names if name in missing), _MOST_TOLD)
    return [_said(name, nearest(name, seen.known), "") for name in unseen]


async def _unseen_properties(api: Call, used: Sequence[tuple[str, str]]) -> list[str]:
    """`used` are pairs of `event` or `person` and a name."""
    notes: list[str] = []
    for kind, other in (("event", "person"), ("person", "event")):
        names = dict.fromkeys(name for owner, name in used if owner == kind and not name.startswith(_UNDEFINED))
        if not names:
            continue
        missing, seen = await unseen_properties(api, kind, names)
        for name in islice((name for name in names if name in missing), _MOST_TOLD):
            if name in (await property_names(api, other)).known:
                shown = excerpt(name, 60)
                written = f"person.{shown}" if other == "person" else shown
                notes.append(f"`{shown}` is a property of {_OWNERS[other]}: write `{written}`.")
            else:
                notes.append(_said(name, nearest(name, seen.known), f" as a property of {_OWNERS[kind]}"))
    return notes


def _said(name: str, near: Sequence[str], what: str) -> str:
    meant = f"did you mean {' or '.join(f'`{excerpt(one, 60)}`' for one in near)}?" if near else _SEARCH
    return f"`{excerpt(name, 60)}` has never been seen{what}: {meant}"


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


def _properties(args: Analysis) -> Iterator[tuple[str, str]]:
    """What conditions, maths and breakdowns name, each with whose property it is."""
    conditions = [*(args.filters or []), *(condition for event in _events(args) for condition in event.where)]
    yield from ((condition.type, condition.key) for condition in conditions)
    yield from ((one.type, str(one.property)) for one in _breakdowns(args))
    if isinstance(args, QueryTrends):
        for series in args.series():
            if series.math in PROPERTY_MATHS and series.property:
                name, scope = scoped(series.property)
                yield scope or "event", name


def _breakdowns(args: Analysis) -> Sequence[Breakdown]:
    match args:
        case QueryTrends() | QueryFunnel():
            return args.breakdown or []
        case QueryRetention():
            return [args.breakdown] if args.breakdown else []
        case _:
            return []
