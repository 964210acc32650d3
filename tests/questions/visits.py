"""Visits: sessions, pages, channels, campaigns, paths and recordings."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import mean, median

from .question import Question, Shown, call, fact, hogql, pairs, rows
from .world import TODAY, Row, World, ago, by, has, percent, person_has, persons, top

_GAP = timedelta(minutes=30)
_PRICING = "https://www.quillboard.example/pricing"
_SINCE = "$start_timestamp >= toStartOfDay(now()) - INTERVAL 30 DAY"


def _sessions(world: World) -> list[Row]:
    return [session for session in world.sessions if session["$start_timestamp"].date() >= ago(30)]


def _length(world: World) -> list[float]:
    lengths = [session["$session_duration"] for session in _sessions(world)]
    return [mean(lengths), float(median(lengths))]


def _bounces(world: World) -> list[list[object]]:
    found = by(_sessions(world), lambda session: session["$channel_type"])
    return [
        [channel, len(own), percent(sum(session["$is_bounce"] for session in own), len(own))]
        for channel, own in sorted(found.items())
    ]


def _landing_pages(world: World) -> list[list[object]]:
    return top(Counter(session["$entry_pathname"] for session in _sessions(world)), 5)


def _by_campaign(world: World) -> list[list[object]]:
    """Count sign-ups by the campaign of the person's first visit."""
    found = by(world.of("signed_up", first=ago(60)), lambda event: person_has(event, "$initial_utm_campaign"))
    return top({name: len(events) for name, events in found.items() if name}, 3)


def _sittings(own: list[Row]) -> Iterator[list[str]]:
    """Split the pages of a person at gaps of half an hour or more; repeated pages are counted once."""
    pages: list[str] = []
    before = datetime.min.replace(tzinfo=UTC)
    for event in own:
        url = has(event, "$current_url") or ""
        page = url.removesuffix("/") if len(url) > 1 else url
        if event["timestamp"] - before >= _GAP:
            if pages:
                yield pages
            pages = []
        if not pages or pages[-1] != page:
            pages.append(page)
        before = event["timestamp"]
    if pages:
        yield pages


def _paths(world: World) -> list[list[str]]:
    own = by(world.of("$pageview", first=ago(30)), lambda event: event["person_id"]).values()
    return [pages for events in own for pages in _sittings(events)]


def _after_pricing(world: World) -> list[list[object]]:
    """Return the three most frequent pages after the first view of the pricing page in a sitting."""
    nexts: Counter[str] = Counter()
    for pages in _paths(world):
        if _PRICING in pages and pages.index(_PRICING) + 1 < len(pages):
            nexts[pages[pages.index(_PRICING) + 1]] += 1
    return top(nexts, 3)


def _next_pages(shown: Shown) -> list[list[object]]:
    return [[target, count] for step, _, target, count, _ in rows(shown) if step == 1][:3]


def _busiest_edge(world: World) -> list[object]:
    edges: Counter[tuple[int, str, str]] = Counter()
    for pages in _paths(world):
        edges.update((at, one, other) for at, (one, other) in enumerate(pairwise(pages[:5]), start=1))
    (_, source, target), count = min(edges.items(), key=lambda edge: (-edge[1], f"{edge[0][0]}_{edge[0][1]}"))
    return [source, target, count]


def _most_frequent(shown: Shown) -> list[object]:
    found = fact("most_frequent")(shown)
    return [found["from"], found["to"], found["paths"]]


def _longest(world: World) -> list[object]:
    recorded = [one for one in world.replays if one["start_time"].date() >= ago(7)]
    best = max(recorded, key=lambda one: one["recording_duration"])
    return [best["session_id"], best["recording_duration"]]


def _first_recording(shown: Shown) -> list[object]:
    first = shown["recordings"][0]
    return [first["id"], first["recording_duration"]]


def _on_phones(world: World) -> float:
    views = world.of("$pageview", first=ago(30))
    return percent(sum(1 for event in views if has(event, "$device_type") == "Mobile"), len(views))


def _mobile_share(shown: Shown) -> float:
    return next(share for device, _, share in rows(shown) if device == "Mobile")


def _screens(world: World) -> list[list[object]]:
    return top(Counter(has(event, "$screen_name") for event in world.of("$screen", first=ago(30))), 3)


def _depth(world: World) -> float:
    views = world.of("$pageview", first=ago(1), last=ago(1))
    return round(len(views) / len({event["$session_id"] for event in views}), 4)


def _blog_to_sign_up(world: World) -> int:
    landed = {one["person_id"] for one in world.sessions if one["$entry_pathname"].startswith("/blog/")}
    return len(landed & persons(world.of("signed_up", first=ago(89), last=TODAY)))


QUESTIONS = (
    Question(
        "How long do visits take on average, and what is the median?",
        hogql(f"SELECT avg($session_duration), median($session_duration) FROM sessions WHERE {_SINCE}"),
        lambda shown: rows(shown)[0],
        _length,
        described={"table": "sessions"},
    ),
    Question(
        "Which channel has the highest bounce rate?",
        hogql(
            "SELECT $channel_type, count(), round(100 * countIf($is_bounce) / count(), 1) FROM sessions "
            f"WHERE {_SINCE} GROUP BY 1 ORDER BY 1"
        ),
        rows,
        _bounces,
        described={"table": "sessions"},
    ),
    Question(
        "What are our top five landing pages?",
        hogql(
            f"SELECT $entry_pathname AS page, count() AS visits FROM sessions WHERE {_SINCE} "
            "GROUP BY page ORDER BY visits DESC, page LIMIT 5"
        ),
        rows,
        _landing_pages,
        described={"table": "sessions"},
    ),
    Question(
        "Which campaigns bring sign-ups?",
        call(
            "query_trends", events=["signed_up"], breakdown="person.$initial_utm_campaign", interval="total",
            date_from="-60d",
        ),
        lambda shown: [pair for pair in pairs(shown) if pair[0] != "(none)"][:3],
        _by_campaign,
        described={"search": "utm_campaign"},
    ),
    Question(
        "Which pages do people visit after the pricing page?",
        call("query_paths", start=_PRICING, date_from="-30d", steps=2, edges=10),
        _next_pages,
        _after_pricing,
        described={"event": "$pageview", "property": "$current_url"},
    ),
    Question(
        "What is the most frequent step from one page to another?",
        call("query_paths", date_from="-30d", edges=1),
        _most_frequent,
        _busiest_edge,
    ),
    Question(
        "Which recording of the last week is the longest?",
        call("list_recordings", date_from="-7d", order="duration", limit=1),
        _first_recording,
        _longest,
    ),
    Question(
        "What share of page views comes from phones?",
        call("query_trends", events=["$pageview"], breakdown="$device_type", interval="total", date_from="-30d"),
        _mobile_share,
        _on_phones,
        described={"search": "device"},
    ),
    Question(
        "Which screens of the mobile app are used the most?",
        call(
            "query_trends", events=["$screen"], breakdown="$screen_name", breakdown_limit=3, interval="total",
            date_from="-30d",
        ),
        lambda shown: pairs(shown)[:3],
        _screens,
        described={"search": "screen"},
    ),
    Question(
        "How many pages did a visit have on average yesterday?",
        call(
            "query_trends", events=["$pageview", {"event": "$pageview", "math": "sessions"}], formula="A / B",
            interval="total", date_from="-1d", date_to="-1d",
        ),
        lambda shown: rows(shown)[0][1],
        _depth,
    ),
    Question(
        "How many of the people who arrived through the blog have signed up?",
        hogql(
            "SELECT uniq(person_id) FROM events WHERE event = 'signed_up' AND timestamp > now() - INTERVAL 90 DAY "
            "AND person_id IN (SELECT person_id FROM events WHERE session.$entry_pathname LIKE '/blog/%' "
            "AND timestamp > now() - INTERVAL 90 DAY)"
        ),
        lambda shown: rows(shown)[0][0],
        _blog_to_sign_up,
        described={"table": "sessions"},
    ),
)  # fmt: skip
