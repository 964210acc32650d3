"""Sessions: their channel, their length, and the pages on which they begin and end."""

from collections import Counter
from datetime import date
from statistics import mean

from ..question import Question, call, cell, hogql, pairs, rows
from ..world import Row, World, ago, by, percent, persons, top

_NOVEMBER = date(2026, 11, 1)
_LONG_S = 300
_LAST_WEEK = "$start_timestamp >= '2026-11-16' AND $start_timestamp < '2026-11-23'"


def _started(world: World, first: date, last: date = date.max) -> list[Row]:
    return [session for session in world.sessions if first <= session["$start_timestamp"].date() <= last]


def _ids(events: list[Row]) -> set[str]:
    return {event["$session_id"] for event in events if event["$session_id"]}


def _channels(world: World) -> dict[str, int]:
    channels = {session["session_id"]: session["$channel_type"] for session in world.sessions}
    return dict(Counter(channels[one] for one in _ids(world.of("$pageview", first=ago(7), last=ago(1)))))


def _landed_on_pricing(world: World) -> int:
    landed = {session["session_id"] for session in world.sessions if session["$entry_pathname"] == "/pricing"}
    views = world.of("$pageview", first=ago(7), last=ago(1))
    return len(persons(event for event in views if event["$session_id"] in landed))


def _long_ones(world: World) -> int:
    lengths = {session["session_id"]: session["$session_duration"] for session in world.sessions}
    return sum(1 for one in _ids(world.of(first=ago(7), last=ago(1))) if lengths[one] > _LONG_S)


def _of_one_page(world: World) -> float:
    own = _started(world, ago(7), ago(1))
    return percent(sum(1 for session in own if session["$pageview_count"] == 1), len(own))


def _last_pages(world: World) -> list[list[object]]:
    own = [session["$end_pathname"] for session in _started(world, ago(7), ago(1))]
    return top(Counter(page for page in own if page), 3)


def _lengths(world: World) -> list[list[object]]:
    found = by(_started(world, _NOVEMBER), lambda session: session["$channel_type"])
    return [
        [channel, round(mean(one["$session_duration"] for one in own), 1)] for channel, own in sorted(found.items())
    ]


QUESTIONS = (
    Question(
        "Through which channels did last week's sessions come?",
        call(
            "query_trends", events=["$pageview"], math="unique_session", breakdown="session.$channel_type",
            interval="total", date_from="last_week",
        ),
        lambda shown: dict(pairs(shown)),
        _channels,
    ),
    Question(
        "How many people landed on the pricing page last week?",
        call(
            "query_trends", events=["$pageview"], math="dau", interval="total", date_from="last_week",
            filters=[{"key": "$entry_pathname", "value": "/pricing"}],
        ),
        cell,
        _landed_on_pricing,
    ),
    Question(
        "How many of last week's sessions lasted longer than five minutes?",
        call(
            "query_trends", events=["*"], math="unique_session", interval="total", date_from="last_week",
            filters=[{"key": "$session_duration", "operator": "gt", "value": _LONG_S}],
        ),
        cell,
        _long_ones,
    ),
    Question(
        "What share of last week's sessions saw one page only?",
        hogql(
            "SELECT round(100 * countIf($pageview_count = 1) / count(), 1) AS percent FROM sessions "
            f"WHERE {_LAST_WEEK}"
        ),
        cell,
        _of_one_page,
    ),
    Question(
        "On which three pages did most of last week's sessions end?",
        hogql(
            f"SELECT $end_pathname AS page, count() AS sessions FROM sessions WHERE {_LAST_WEEK} AND page != '' "
            "GROUP BY page ORDER BY sessions DESC, page LIMIT 3"
        ),
        rows,
        _last_pages,
    ),
    Question(
        "How long do sessions of each channel last on average this month?",
        hogql(
            "SELECT $channel_type AS channel, round(avg($session_duration), 1) AS seconds FROM sessions "
            "WHERE $start_timestamp >= '2026-11-01' GROUP BY channel ORDER BY channel"
        ),
        rows,
        _lengths,
    ),
)  # fmt: skip
