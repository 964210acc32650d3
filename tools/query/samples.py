"""The properties of the most frequent events and their frequent values: one HogQL query for all of these events."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.errors import Rejected
from ...schemas.json import as_list, as_object
from .described import CONTEXT

MOST_EVENTS = 40
LATEST = 100
"""Events of each name that are read."""
_MANY = 3_000
"""Events of 30 days above which the last two days have enough of them."""
_VALUES = 3
_ROWS = 20_000
_AGENT = ""
"""The name under which the query counts the events that look automated: no property has it."""
_LEFT_OUT = (
    *CONTEXT, "$set", "$unset", "$feature/", "$feature_flag_", "$active_feature_flags", "$time", "$sent_at", "$config_",
    "$process_person_profile", "$prev_pageview_", "$session_entry_", "$recording_status", "$replay_", "$had_persisted_",
    "$web_vitals", "$dead_clicks", "$exception_capture", "$sent_", "$epik", "$configured_", "$surveys_", "$pageview_id",
    "distinct_id", "token", "__", "utm_", "gclid", "fbclid", "msclkid", "gad_source",
)  # fmt: skip
"""Beginnings of properties that PostHog sets itself, which no question is about."""
_READ = (
    "SELECT event, properties AS held, properties.$raw_user_agent AS agent, {automated} AS automated FROM events "
    "WHERE event = {{event_{at}}} AND timestamp >= toDateTime({{since_{at}}}) ORDER BY timestamp DESC LIMIT {latest}"
)
_COUNTED = """SELECT event, pair.1 AS name, pair.2 AS value, count() AS seen FROM (
SELECT event, arrayJoin(arrayConcat(
arrayFilter(kept -> NOT match(kept.1, {left_out}), arrayMap(raw -> (raw.1, substring(raw.2, 1, 80)),
JSONExtractKeysAndValuesRaw(held))),
[('', if(ifNull(agent, '') = '', '', toString(automated)))])) AS pair FROM ("""
_RANKED = """))
GROUP BY event, name, value ORDER BY event, name, seen DESC, value LIMIT 3 BY event, name LIMIT """


_UNKNOWN_FUNCTION = ("hogql_query_error", "hogql_syntax_error", "validation_failed")
"""How a server without `isLikelyBot`, which is of 2026, rejects the query."""


@dataclass(frozen=True, slots=True)
class Volume:
    """An event with its count of 30 days and the day of its last arrival."""

    name: str
    count: float
    last_seen: str | None


@dataclass(slots=True)
class Sampled:
    """A property: its frequent values with the number of events that have them, and the events that carry it."""

    values: dict[str, int] = field(default_factory=dict[str, int])
    events: list[str] = field(default_factory=list[str])

    def top(self) -> list[Any]:
        """Return the most frequent values; one when none is frequent, as of ids and free text."""
        ranked = sorted(self.values, key=lambda value: (-self.values[value], value))
        is_frequent = bool(ranked) and self.values[ranked[0]] > 1
        return [_plain(value) for value in ranked[: _VALUES if is_frequent else 1]]


@dataclass(frozen=True, slots=True)
class Samples:
    """The properties of the sampled events, by name, and the percentage of events that look automated."""

    properties: Mapping[str, Sampled]
    events: Mapping[str, tuple[str, ...]]
    automated_percent: Mapping[str, int]


NO_SAMPLES = Samples({}, {}, {})


async def ask_samples(api: Call, events: Sequence[Volume]) -> Samples:
    """Return the properties of these events. Raises GatewayError."""
    if not events:
        return NO_SAMPLES
    try:
        rows = await _ask(api, events, "isLikelyBot(properties.$raw_user_agent)")
    except Rejected as error:
        if error.code not in _UNKNOWN_FUNCTION:
            raise
        rows = await _ask(api, events, "false")
    return _read(rows, [event.name for event in events])


async def _ask(api: Call, events: Sequence[Volume], automated: str) -> list[Any]:
    values: dict[str, Any] = {"left_out": f"^(?:{'|'.join(map(re.escape, _LEFT_OUT))})"}
    for at, event in enumerate(events):
        values |= {f"event_{at}": event.name, f"since_{at}": _since(event, api.now())}
    read = " UNION ALL ".join(_READ.format(automated=automated, at=at, latest=LATEST) for at in range(len(events)))
    query = {"kind": "HogQLQuery", "query": f"{_COUNTED}{read}{_RANKED}{_ROWS}", "values": values}
    answer = await api.counted_as(Budget.QUERY).query({"query": query, "name": "describe_data"})
    return as_list(as_object(answer).get("results"))


def _since(event: Volume, now: datetime) -> str:
    """Return the start of the days that are read, which are few for a frequent event: PostHog sorts all its events."""
    try:
        last = date.fromisoformat(event.last_seen or "")
    except ValueError:
        last = now.astimezone(UTC).date()
    return f"{last - timedelta(days=2 if event.count > _MANY else 30)} 00:00:00"


def _read(rows: Sequence[Any], events: Sequence[str]) -> Samples:
    """Return the samples in rows of event, property, value and count. Other rows are left out."""
    ranks = {name: at for at, name in enumerate(events)}
    found = [row for row in map(as_list, rows) if len(row) == 4 and row[0] in ranks and isinstance(row[3], int)]
    properties: dict[str, Sampled] = {}
    agents: dict[str, dict[bool, int]] = {}
    for event, name, value, count in sorted(found, key=lambda row: ranks[row[0]]):
        if name == _AGENT:
            if value:
                seen = agents.setdefault(event, {True: 0, False: 0})
                seen[value in ("true", "1")] += count
            continue
        one = properties.setdefault(str(name), Sampled())
        one.values[str(value)] = one.values.get(str(value), 0) + count
        if event not in one.events:
            one.events.append(event)
    own: dict[str, list[str]] = {}
    for name, one in properties.items():
        for event in one.events:
            own.setdefault(event, []).append(name)
    return Samples(
        properties,
        {event: tuple(names) for event, names in own.items()},
        {event: round(100 * seen[True] / sum(seen.values())) for event, seen in agents.items()},
    )


def _plain(raw: str) -> Any:
    """Return the value of JSON that may be cut."""
    try:
        value = json.loads(raw, parse_constant=str)
    except ValueError:
        return raw.removeprefix('"')
    return value if isinstance(value, (str, int, float, bool)) else raw
