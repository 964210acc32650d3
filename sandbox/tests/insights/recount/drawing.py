"""Random parts of queries: date ranges, series, comparisons."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from .dataset import EVENT_NAMES, Setting, World
from .dates import highest, lowest
from .filters import drawn_properties

_RELATIVE: dict[str, Sequence[str]] = {
    "minute": ("-30M", "-1h", "-2h", "-90M", "-45M"),
    "hour": ("-24h", "-1d", "-2d", "-3d", "-5h", "dStart", "-36h", "-4d"),
    "day": ("-7d", "-14d", "-3d", "-1d", "-30d", "mStart", "-1mStart", "-48h", "-2w", "dStart", "-1m", "7d"),
    "week": ("-14d", "-30d", "-8w", "-1m", "-2m", "mStart", "-21d", "-72h"),
    "month": ("-1m", "-2m", "-90d", "yStart", "-3m", "-1q", "-1mStart"),
}
_UPPER: dict[str, Sequence[str]] = {
    "minute": ("-10M", "-5M"),
    "hour": ("-2h", "-1h", "-1d", "dStart"),
    "day": ("-1d", "dStart", "-2d", "-1dEnd", "-1h", "-1mEnd"),
    "week": ("-1d", "-1w", "-10d", "-1mEnd"),
    "month": ("-1d", "-1mEnd", "-40d"),
}
_LENGTH = {"minute": 90, "hour": 60 * 40, "day": 1440 * 12, "week": 1440 * 40, "month": 1440 * 100}
"""Maximum length of an absolute range in minutes."""


def drawn_dates(chance: random.Random, world: World, setting: Setting, interval: str) -> dict[str, Any] | None:
    """Return a random `dateRange` that does not end before it begins; None for the default one."""
    if interval in ("day", "week") and chance.random() < 0.08:
        return None
    while True:
        dates = _drawn_dates(chance, world, setting, interval)
        earliest = min(event.timestamp for event in world.events)
        since = lowest(dates, setting, interval, exact=False, earliest=earliest).astimezone(UTC)
        until = highest(dates, setting, interval).astimezone(UTC)
        # A range that ends where it begins covers a single instant.
        if since <= until and until - since <= timedelta(minutes=_LENGTH[interval] * 12):
            return dates


def _drawn_dates(chance: random.Random, world: World, setting: Setting, interval: str) -> dict[str, Any]:
    dates: dict[str, Any] = {}
    if chance.random() < 0.5:
        dates["date_from"] = chance.choice(_RELATIVE[interval])
        if chance.random() < 0.3:
            dates["date_to"] = chance.choice(_UPPER[interval])
    else:
        event = chance.choice(world.events)
        since = event.timestamp - timedelta(minutes=chance.randrange(_LENGTH[interval]))
        until = event.timestamp + timedelta(minutes=chance.randrange(_LENGTH[interval]))
        dates["date_from"] = _absolute(chance, since, setting, interval)
        if chance.random() < 0.9 or interval in ("minute", "hour"):
            dates["date_to"] = _absolute(chance, until, setting, interval)
    if interval in ("day", "week", "month") and chance.random() < 0.1:
        dates["date_from"] = "all"
    if chance.random() < 0.1 and not names_edge(dates):
        dates["explicitDate"] = True
    return dates


def names_edge(dates: dict[str, Any] | None) -> bool:
    """Return whether a range names the start or end of a month or year.

    Their time of day is not defined, and shows where nothing truncates it.
    """
    return any(str(text).endswith(("mStart", "mEnd", "yStart")) for text in (dates or {}).values())


def _absolute(chance: random.Random, moment: datetime, setting: Setting, interval: str) -> str:
    local = moment.astimezone(setting.timezone).replace(microsecond=0)
    if interval == "minute":
        return local.replace(tzinfo=None).isoformat()
    match chance.randrange(4):
        case 0:
            return local.replace(tzinfo=None).isoformat()
        case 1:
            return local.isoformat()
        case _:
            return local.date().isoformat()


def drawn_node(chance: random.Random, world: World) -> dict[str, Any]:
    """Return a random series of events or of an action, without math."""
    node: dict[str, Any]
    if world.actions and chance.random() < 0.2:
        action = chance.choice(world.actions)
        node = {"kind": "ActionsNode", "id": action.id, "name": action.name}
    else:
        node = {"kind": "EventsNode", "event": chance.choice((*EVENT_NAMES, "$pageview", "$pageview", None, "never"))}
    properties = drawn_properties(chance, world) if chance.random() < 0.4 else None
    if isinstance(properties, list):
        node["properties"] = properties
    if chance.random() < 0.1:
        node["custom_name"] = "Mine"
    return node


def drawn_common(chance: random.Random, world: World, setting: Setting, interval: str) -> dict[str, Any]:
    """Return the parts common to all kinds: range, property filters, the filter for test accounts."""
    common: dict[str, Any] = {}
    dates = drawn_dates(chance, world, setting, interval)
    if dates is not None or chance.random() < 0.5:
        common["dateRange"] = dates
    properties = drawn_properties(chance, world)
    if properties is not None or chance.random() < 0.3:
        common["properties"] = properties
    if chance.random() < 0.2:
        common["filterTestAccounts"] = True
    return common


def drawn_compare(chance: random.Random) -> dict[str, Any] | None:
    """Return a random `compareFilter`."""
    match chance.randrange(8):
        case 0:
            return {"compare": True}
        case 1:
            return {"compare": True, "compare_to": chance.choice(("-1w", "-2d", "-1m", "-30d", "-1d", "-5h"))}
        case 2:
            return {"compare": False}
        case _:
            return None
