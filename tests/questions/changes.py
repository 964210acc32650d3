"""Changes: this period compared with the previous one, and the causes of a slow week."""

from datetime import date, timedelta

from .question import Question, Shown, call, fact, rows
from .world import NOW, World, ago, by, day, has, percent, persons

WEEK = timedelta(days=7)
SLOW_FROM, SLOW_TO = date(2026, 10, 12), date(2026, 10, 18)
_SLOW = {"interval": "total", "date_from": f"{SLOW_FROM}", "date_to": f"{SLOW_TO}", "compare": "-1w"}


def _change(before: float, after: float) -> float:
    return percent(after - before, before)


def _this_week(world: World) -> list[object]:
    """Count seven whole days; a range that ends now is compared by day with the same weekdays."""
    now = len(world.of("$pageview", first=ago(7), last=ago(1)))
    before = len(world.of("$pageview", first=ago(14), last=ago(8)))
    return [now, before, _change(before, now)]


def _compared(shown: Shown) -> list[object]:
    found = fact("compared")(shown)
    return [found["total"], found["before"], found["change_percent"]]


def _monday(one: date) -> date:
    """Return the first day of the week, a Monday in this project."""
    return one - timedelta(days=one.weekday())


def _slowest_week(world: World) -> list[object]:
    """Find the week with the fewest views among the complete weeks of the range."""
    weeks = by(world.of("$pageview", first=ago(70)), lambda event: _monday(day(event)))
    whole = [week for week in weeks if week >= ago(70) and week + WEEK <= NOW.date()]
    slowest = min(whole, key=lambda week: len(weeks[week]))
    return [f"{slowest}", len(weeks[slowest])]


def _least(shown: Shown) -> list[object]:
    partial = (shown.get("incomplete_first"), shown.get("incomplete_last"))
    return min((row for row in rows(shown) if row[0] not in partial), key=lambda row: row[1])


def _slow_week(world: World) -> list[object]:
    now = len(persons(world.of("$pageview", first=SLOW_FROM, last=SLOW_TO)))
    before = len(persons(world.of("$pageview", first=SLOW_FROM - WEEK, last=SLOW_TO - WEEK)))
    return [now, before, _change(before, now)]


def _by_channel(world: World) -> dict[str, list[int]]:
    """Count page views by the channel of their session, in the slow week and the week before."""
    channels = {session["session_id"]: session["$channel_type"] for session in world.sessions}

    def counted(first: date, last: date) -> dict[str, int]:
        found = by(world.of("$pageview", first=first, last=last), lambda event: channels[event["$session_id"]])
        return {name: len(events) for name, events in found.items()}

    now, before = counted(SLOW_FROM, SLOW_TO), counted(SLOW_FROM - WEEK, SLOW_TO - WEEK)
    return {name: [now[name], before.get(name, 0)] for name in now}


def _largest_loss(world: World) -> list[object]:
    """Find the countries that lost the most visitors in the last seven whole days, compared with the seven before."""
    now = by(world.of("$pageview", first=ago(7), last=ago(1)), lambda event: has(event, "$geoip_country_name"))
    before = by(world.of("$pageview", first=ago(14), last=ago(8)), lambda event: has(event, "$geoip_country_name"))
    lost = {name: len(persons(now[name])) - len(persons(before[name])) for name in now}
    worst = min(lost.values())
    return [sorted(name for name, value in lost.items() if value == worst), worst]


def _worst_rows(shown: Shown) -> list[object]:
    lost = {name: value - before for name, value, before, _ in rows(shown)}
    worst = min(lost.values())
    return [sorted(name for name, value in lost.items() if value == worst), worst]


def _month_to_date(world: World) -> list[object]:
    now = len(world.of("purchase_completed", first=date(2026, 11, 1), last=date(2026, 11, 22)))
    before = len(world.of("purchase_completed", first=date(2026, 10, 1), last=date(2026, 10, 22)))
    return [now, before, _change(before, now)]


def _pricing(world: World) -> int:
    return sum(
        1 for event in world.of("$pageview", first=ago(30)) if "/pricing" in (has(event, "$current_url") or "").lower()
    )


QUESTIONS = (
    Question(
        "Are page views up or down compared with the previous week?",
        call("query_trends", events=["$pageview"], compare=True),
        _compared,
        _this_week,
    ),
    Question(
        "Which week of the last ten had the least traffic?",
        call("query_trends", events=["$pageview"], interval="week", date_from="-70d"),
        _least,
        _slowest_week,
        described={},
    ),
    Question(
        "How many visitors did we lose in the week of October 12?",
        call("query_trends", events=["$pageview"], math="dau", **_SLOW),
        lambda shown: rows(shown)[0][1:],
        _slow_week,
    ),
    Question(
        "Did one channel drop in the week of October 12, or all of them?",
        call("query_trends", events=["$pageview"], breakdown="session.$channel_type", **_SLOW),
        lambda shown: {name: [now, before] for name, now, before, *_ in rows(shown)},
        _by_channel,
        described={"table": "sessions"},
    ),
    Question(
        "Which country lost the most visitors last week?",
        call(
            "query_trends", events=["$pageview"], math="dau", interval="total", date_from="-7d", date_to="-1d",
            compare="-7d", breakdown="$geoip_country_name", breakdown_limit=50,
        ),
        _worst_rows,
        _largest_loss,
        described={"search": "country"},
    ),
    Question(
        "How do this month's purchases compare with the same days in October?",
        call(
            "query_trends", events=["purchase_completed"], interval="total", date_from="2026-11-01",
            date_to="2026-11-22", compare="-1m",
        ),
        lambda shown: rows(shown)[0][1:],
        _month_to_date,
    ),
    Question(
        "How many views did pages with /pricing in their URL get in the last 30 days?",
        call(
            "query_trends", events=["$pageview"], interval="total", date_from="-30d",
            filters=[{"key": "$current_url", "operator": "contains", "value": "/pricing"}],
        ),
        lambda shown: rows(shown)[0][1],
        _pricing,
        described={"event": "$pageview"},
    ),
)  # fmt: skip
