"""Query results cached as PostHog caches them: how long they stay fresh, and what `refresh` does."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from ..values import Row, as_list, as_object, timestamp

type Mode = Literal[
    "blocking",
    "async",
    "async_except_on_cache_miss",
    "lazy_async",
    "force_blocking",
    "force_async",
    "force_cache",
]
MODES: tuple[Mode, ...] = get_args(Mode.__value__)
"""The accepted values of `refresh`."""

_MOST_ROWS = 100_000
_ALREADY_PAST = timedelta(seconds=10)
_NEXT_REFRESH = timedelta(minutes=1)
_TIMES = ("last_refresh", "cache_target_age", "next_allowed_client_refresh")


def mode_named(name: object) -> Mode | None:
    """Return the mode with this name, else None."""
    for mode in MODES:
        if mode == name:
            return mode
    return None


@dataclass(frozen=True, slots=True)
class Lifetime:
    """The time a result stays fresh, and the longer time it is fresh enough for `lazy_async`."""

    fresh: timedelta
    lazy: timedelta


_BY_INTERVAL: Mapping[str, Lifetime] = {
    "minute": Lifetime(timedelta(minutes=5), timedelta(minutes=15)),
    "hour": Lifetime(timedelta(hours=1), timedelta(hours=2)),
    "day": Lifetime(timedelta(hours=6), timedelta(hours=12)),
    "week": Lifetime(timedelta(days=1), timedelta(days=1)),
    "month": Lifetime(timedelta(days=2), timedelta(days=2)),
}
_DAY, _HOUR = (Lifetime(span, span) for span in (timedelta(days=1), timedelta(hours=1)))
_BY_KIND: Mapping[str, Lifetime] = {
    "HogQLQuery": _BY_INTERVAL["day"],
    "PathsQuery": _BY_INTERVAL["day"],
    "ExperimentQuery": _DAY,
    "ExperimentExposureQuery": _DAY,
    "EventTaxonomyQuery": _HOUR,
    "TeamTaxonomyQuery": _HOUR,
}
_WITH_INTERVAL = frozenset({"TrendsQuery", "FunnelsQuery", "LifecycleQuery", "StickinessQuery"})


def lifetime(query: Row) -> Lifetime:
    """Return the lifetime of a query's result: for insights by interval, five minutes for unknown kinds."""
    kind = str(query.get("kind"))
    if kind in _BY_KIND:
        return _BY_KIND[kind]
    interval = "minute"
    if kind in _WITH_INTERVAL:
        interval = str(query.get("interval") or "day")
    elif kind == "RetentionQuery":
        interval = str((as_object(query.get("retentionFilter")) or {}).get("period") or "Day").lower()
    return _BY_INTERVAL.get(interval, _BY_INTERVAL["day"])


def cache_key(project_id: int, query: Row, settings: Row) -> str:
    """Return a key that is equal for equal queries in a project with equal settings."""
    text = json.dumps([project_id, query, settings], sort_keys=True)
    return f"cache_{project_id}_{hashlib.sha256(text.encode()).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class Kept:
    """A cached result with its computation time and lifetime; with `is_over` it stays fresh forever."""

    result: Row
    computed: datetime
    lifetime: Lifetime
    is_over: bool

    def is_fresh(self, now: datetime, *, lazily: bool = False) -> bool:
        """Return whether the result can be served without computing it again."""
        return self.is_over or now <= self.computed + (self.lifetime.lazy if lazily else self.lifetime.fresh)


def kept_result(query: Row, result: Row, key: str, now: datetime) -> Kept:
    """Return a new result for the cache, with its timestamps added."""
    span = lifetime(query)
    times = (now, now + span.fresh, now + _NEXT_REFRESH)
    ages: Row = {name: timestamp(moment) for name, moment in zip(_TIMES, times, strict=True)}
    return Kept({**result, **ages, "cache_key": key, "is_cached": False}, now, span, _is_over(query, result, now))


def _is_over(query: Row, result: Row, now: datetime) -> bool:
    """Return whether the insight's date range ended before it was computed, so that its result cannot change."""
    end = (as_object(result.get("resolved_date_range")) or {}).get("date_to")
    if not isinstance(end, str) or query.get("kind") not in _WITH_INTERVAL:
        return False
    return datetime.fromisoformat(end) < now - _ALREADY_PAST


class ResultCache:
    """The most recently used results, limited by their total number of rows."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._rows = 0

    def get(self, key: str) -> Kept | None:
        """Return the result for a key, else None."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: str, kept: Kept) -> None:
        """Cache a result and evict the least recently used ones. A result larger than the whole cache is not stored."""
        self._drop(key)
        if _weight(kept) > _MOST_ROWS:
            return
        self._kept[key] = kept
        self._rows += _weight(kept)
        while self._rows > _MOST_ROWS:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        found = self._kept.pop(key, None)
        if found is not None:
            self._rows -= _weight(found)


def _weight(kept: Kept) -> int:
    """Return the weight of a result: its rows plus a fixed share."""
    return 50 + len(as_list(kept.result.get("results")) or [])
