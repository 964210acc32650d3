"""Worlds with other events than those they were generated with."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from ..hand_made import Event
from .dataset import World


def with_events(world: World, events: Iterable[Event]) -> World:
    """Return the world with these events, in time order, and their sessions."""
    ordered = sorted(events, key=lambda event: event.timestamp)
    times: dict[str, list[datetime]] = {}
    for event in ordered:
        if event.session:
            times.setdefault(event.session, []).append(event.timestamp)
    seconds = {session: (moments[-1] - moments[0]) // timedelta(seconds=1) for session, moments in times.items()}
    return replace(world, events=tuple(ordered), session_seconds=seconds)
