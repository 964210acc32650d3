"""Flags, surveys, other timezones, and text sent by strangers."""

from collections import Counter
from datetime import date
from zoneinfo import ZoneInfo

from .question import Question, Shown, call, cell, hogql, pairs, rows
from .world import World, ago, by, has, persons, top

_NEW_YORK, _TOKYO = ZoneInfo("America/New_York"), ZoneInfo("Asia/Tokyo")
_SCRIPT = "<script>alert(document.domain)</script><img src=x onerror=alert(1)>"
_SQL = "'; DROP TABLE events; -- \" OR 1=1 {filters} {variables.x}"
_CAMPAIGNS = ("autumn-launch", "retargeting", "november-digest")


def _palette(world: World) -> dict[str, int]:
    asked = [event for event in world.of("$feature_flag_called") if has(event, "$feature_flag") == "command-palette"]
    found = by(asked, lambda event: str(has(event, "$feature_flag_response")).lower())
    return {name: len(persons(events)) for name, events in found.items()}


def _exposed(world: World) -> dict[str, int]:
    asked = [event for event in world.of("$feature_flag_called") if has(event, "$feature_flag") == "new-checkout"]
    found = by(asked, lambda event: has(event, "$feature_flag_response"))
    return {name: len(persons(events)) for name, events in found.items()}


def _in_new_york(world: World) -> int:
    return len(world.of("$pageview", first=date(2026, 11, 20), last=date(2026, 11, 20), zone=_NEW_YORK))


def _busiest_hour(world: World) -> list[int]:
    views = world.of("$pageview", first=ago(30))
    counted = Counter(event["timestamp"].astimezone(_TOKYO).hour for event in views)
    return list(min(counted.items(), key=lambda item: (-item[1], item[0])))


def _as_written(shown: Shown) -> dict[str, int]:
    """Decode the values of a breakdown, in which PostHog shows a line break as two characters, as in JSON."""
    return {name.replace("\\n", "\n"): count for name, count in pairs(shown)}


def _searches(world: World) -> dict[str, int]:
    return dict(Counter(has(event, "query") for event in world.of("search_performed", first=ago(90))))


def _not_ours(world: World) -> list[object]:
    campaigns = [person["properties"].get("$initial_utm_campaign") for person in world.persons]
    others = [campaign for campaign in campaigns if campaign and campaign not in _CAMPAIGNS]
    return [len(others), max(map(len, others))]


def _reasons(world: World) -> list[list[object]]:
    found = Counter(has(event, "$survey_response_1") for event in world.of("survey sent"))
    return top({reason: count for reason, count in found.items() if reason}, 1)


QUESTIONS = (
    Question(
        "How many people have the command palette, and how many do not?",
        call(
            "query_trends", events=["$feature_flag_called"], math="dau", breakdown="$feature_flag_response",
            interval="total", date_from="-90d", filters=[{"key": "$feature_flag", "value": "command-palette"}],
        ),
        lambda shown: dict(rows(shown)),
        _palette,
        described={"event": "$feature_flag_called"},
    ),
    Question(
        "How many people are in each variant of the flag new-checkout?",
        call(
            "query_trends", events=["$feature_flag_called"], math="dau", breakdown="$feature_flag_response",
            interval="total", date_from="-90d", filters=[{"key": "$feature_flag", "value": "new-checkout"}],
        ),
        lambda shown: dict(rows(shown)),
        _exposed,
        described={"event": "$feature_flag_called"},
    ),
    Question(
        "How many page views were there on November 20, New York time?",
        hogql(
            "SELECT count() FROM events WHERE event = '$pageview' "
            "AND toDate(toTimeZone(timestamp, 'America/New_York')) = '2026-11-20' "
            "AND timestamp >= '2026-11-19' AND timestamp < '2026-11-22'"
        ),
        cell,
        _in_new_york,
    ),
    Question(
        "How many page views does a chart show for that day in New York?",
        call(
            "query_trends", events=["$pageview"], interval="hour", date_from="2026-11-20T00:00:00-05:00",
            date_to="2026-11-20T23:59:59-05:00",
        ),
        lambda shown: shown["facts"][0]["total"],
        _in_new_york,
    ),
    Question(
        "At which hour of the day in Tokyo do we get the most views?",
        hogql(
            "SELECT toHour(toTimeZone(timestamp, 'Asia/Tokyo')) AS hour, count() AS views FROM events "
            "WHERE event = '$pageview' AND timestamp >= toStartOfDay(now()) - INTERVAL 30 DAY "
            "GROUP BY hour ORDER BY views DESC, hour LIMIT 1"
        ),
        lambda shown: rows(shown)[0],
        _busiest_hour,
    ),
    Question(
        "What do people search for, including unusual text?",
        call("query_trends", events=["search_performed"], breakdown="query", interval="total", date_from="-90d"),
        _as_written,
        _searches,
        described={"search": "search"},
    ),
    Question(
        "How often was an event with a script as its name sent?",
        call("query_trends", events=[_SCRIPT], interval="total", date_from="-90d"),
        cell,
        lambda world: len(world.of(_SCRIPT, first=ago(90))),
        described={},
    ),
    Question(
        "How often was an event with SQL as its name sent?",
        hogql(
            "SELECT count() FROM events WHERE event = {name} AND timestamp > now() - INTERVAL 91 DAY",
            values={"name": _SQL},
        ),
        cell,
        lambda world: len(world.of(_SQL)),
        described={},
    ),
    Question(
        "How many persons came through unknown campaigns, and how long is the longest name?",
        hogql(
            "SELECT count(), max(lengthUTF8(properties.$initial_utm_campaign)) FROM persons "
            "WHERE properties.$initial_utm_campaign IS NOT NULL "
            "AND properties.$initial_utm_campaign NOT IN {ours}",
            values={"ours": list(_CAMPAIGNS)},
        ),
        lambda shown: rows(shown)[0],
        _not_ours,
        described={"property": "$initial_utm_campaign"},
    ),
    Question(
        "Which reason is given most often in the survey?",
        call(
            "query_trends", events=["survey sent"], breakdown="$survey_response_1", breakdown_limit=1,
            interval="total", date_from="-90d",
        ),
        lambda shown: pairs(shown)[:1],
        _reasons,
        described={"event": "survey sent"},
    ),
)  # fmt: skip
