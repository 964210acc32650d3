"""Find the name that was probably meant."""

import difflib
from collections.abc import Iterable
from itertools import islice

_MOST = 3
_LONGEST = 200
_MOST_KNOWN = 10_000
"""The time of a comparison grows with the length of the name and the number of known names."""
_MEANT = {
    "user_id": ("person_id", "distinct_id"),
    "userid": ("person_id", "distinct_id"),
    "user": ("person_id", "distinct_id"),
    "users": ("persons",),
    "customers": ("persons",),
    "people": ("persons",),
    "person": ("persons", "person_id"),
    "time": ("timestamp",),
    "ts": ("timestamp",),
    "date": ("timestamp",),
    "datetime": ("timestamp",),
    "event_time": ("timestamp",),
    "event_name": ("event",),
    "event_type": ("event",),
    "name": ("event",),
    "props": ("properties",),
    "session_id": ("$session_id",),
    "session": ("sessions",),
    "feature_flags": ("system.feature_flags",),
    "flags": ("system.feature_flags",),
    "recordings": ("session_replay_events",),
    "session_recordings": ("session_replay_events",),
    "person_properties": ("persons",),
    "group_key": ("key",),
    "person_id": ("distinct_id",),
    "flag": ("key",),
    "flag_key": ("key",),
    "url": ("$current_url",),
    "page": ("$pathname", "$current_url"),
    "page_url": ("$current_url",),
    "start_time": ("$start_timestamp",),
    "end_time": ("$end_timestamp",),
    "entry_url": ("$entry_current_url",),
    "exit_url": ("$end_current_url",),
    "landing_page": ("$entry_current_url",),
    "pageviews": ("$pageview_count",),
}
"""Names that other databases and tools use, each with its names in HogQL."""


def nearest(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return up to three known names that `name` probably misspells, best first; none if none is near."""
    name = name[:_LONGEST]
    names = list(dict.fromkeys(islice(known, _MOST_KNOWN)))
    by_lower = {candidate.lower(): candidate for candidate in names}
    wanted = name.lower()
    found = [candidate for candidate in (by_lower.get(wanted), *_MEANT.get(wanted, ())) if candidate in names]
    bare = {_bare(candidate): candidate for candidate in names}
    if _bare(name) in bare:
        found.append(bare[_bare(name)])
    close = difflib.get_close_matches(wanted, by_lower, n=_MOST, cutoff=0.6)
    found += [by_lower[candidate] for candidate in close]
    if len(wanted) >= 4:
        found += sorted((candidate for candidate in names if wanted in candidate.lower()), key=len)
    return tuple(dict.fromkeys(found))[:_MOST]


def _bare(name: str) -> str:
    """Return a name in one form for all conventions: `$current_url`, `currentUrl`, `current-url`, `Current URL`."""
    return "".join(filter(str.isalnum, name.lower()))
