"""Errors: who they affect, since when, in which release, and what else happened then."""

from datetime import UTC, datetime

from posthog_sandbox.dataset import tell

from .question import Question, Shown, Step, call, cell, hogql, rows
from .world import TODAY, Row, World, ago, by, day, has, person_has, persons

_WALLET = "undefined is not an object (evaluating 'wallet.session.begin')"
_RECENT = "event = '$exception' AND timestamp >= toStartOfDay(now()) - INTERVAL 30 DAY"
_OF_WALLET = f"{_RECENT} AND properties.$exception_values LIKE '%wallet.session.begin%'"


def _raised(world: World) -> list[Row]:
    return world.of("$exception", first=ago(30))


def _of_wallet(world: World) -> list[Row]:
    return [event for event in _raised(world) if has(event, "$exception_values") == [_WALLET]]


def _most_frequent(world: World) -> list[object]:
    found = by(_raised(world), lambda event: has(event, "$exception_fingerprint"))
    worst = max(found, key=lambda name: len(found[name]))
    return [worst, len(found[worst]), len(persons(found[worst]))]


def _since_when(world: World) -> list[object]:
    times = [event["timestamp"] for event in _of_wallet(world)]
    return [_iso(min(times)), _iso(max(times))]


def _iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _mails(world: World) -> list[str | None]:
    """Return one email per person, sorted; persons without one come last."""
    known = {event["person_id"]: person_has(event, "email") for event in _of_wallet(world)}
    mails = sorted(mail for mail in known.values() if mail)
    return [*mails, *([None] * (len(known) - len(mails)))]


def _where(world: World) -> list[list[object]]:
    found = by(_of_wallet(world), lambda event: (has(event, "app_version"), has(event, "$browser")))
    return [[*place, len(events)] for place, events in sorted(found.items())]


def _rage(world: World) -> list[object]:
    found = by(world.of("$rageclick", first=ago(30)), day)
    worst = max(found, key=lambda one: (len(found[one]), one))
    return [f"{worst}", len(found[worst])]


def _worst_day(shown: Shown) -> list[object]:
    return max(rows(shown), key=lambda row: (row[1], row[0]))


def _on_safari(world: World, version: str) -> list[int]:
    """Count checkouts and purchases on Safari in one release."""
    own = [event for event in world.of(first=ago(30)) if has(event, "app_version") == version]
    safari = [event for event in own if has(event, "$browser") == "Safari"]
    return [sum(1 for event in safari if event["event"] == name) for name in ("checkout_started", "purchase_completed")]


def _pairs(shown: Shown) -> dict[str, list[int]]:
    return {version: [started, bought] for version, started, bought in rows(shown)}


def _versions(world: World) -> dict[str, list[int]]:
    return {version: _on_safari(world, version) for version in ("3.8.0", "3.8.1")}


def _releases(_: World) -> list[str]:
    """Read the releases from the story of the dataset, since annotations are not events."""
    at = [datetime.fromtimestamp(moment / 1_000_000, UTC) for moment, _ in tell(TODAY).releases]
    named = [f"Release {version}" for _, version in tell(TODAY).releases]
    return sorted(name for moment, name in zip(at, named, strict=True) if datetime(2026, 11, 9, tzinfo=UTC) <= moment
                  < datetime(2026, 11, 15, tzinfo=UTC))  # fmt: skip


def _worst_hit(world: World) -> list[object]:
    """Return the texts clicked in the session with the most errors, in order."""
    found = by(_raised(world), lambda event: event["$session_id"])
    worst = max(found, key=lambda session: (len(found[session]), session))
    own = [event for event in world.events if event["$session_id"] == worst]
    return [has(event, "$el_text") for event in own if event["event"] == "$autocapture"]


QUESTIONS = (
    Question(
        "What is our most frequent error, and how many people does it affect?",
        hogql(
            "SELECT properties.$exception_fingerprint AS error, count() AS times, uniq(person_id) AS people "
            f"FROM events WHERE {_RECENT} GROUP BY error ORDER BY times DESC LIMIT 1"
        ),
        lambda shown: rows(shown)[0],
        _most_frequent,
        described={"event": "$exception"},
    ),
    Question(
        "When did the wallet.session.begin error first and last occur?",
        hogql(f"SELECT min(timestamp), max(timestamp) FROM events WHERE {_OF_WALLET}"),
        lambda shown: rows(shown)[0],
        _since_when,
        described={"event": "$exception", "property": "$exception_values"},
    ),
    Question(
        "Which users should we email about the wallet error?",
        hogql(
            f"SELECT any(person.properties.email) AS email FROM events WHERE {_OF_WALLET} "
            "GROUP BY person_id ORDER BY email"
        ),
        lambda shown: [row[0] for row in rows(shown)],
        _mails,
        described={"event": "$exception", "property": "$exception_values"},
    ),
    Question(
        "In which release and browser does the wallet error happen?",
        call(
            "query_trends", events=["$exception"], breakdown=["app_version", "$browser"], interval="total",
            date_from="-30d",
            filters=[{"key": "$exception_values", "operator": "contains", "value": "wallet.session.begin"}],
        ),
        lambda shown: sorted([*row[0].split(" / "), row[1]] for row in rows(shown)),
        _where,
        described={"event": "$exception", "property": "$exception_values"},
    ),
    Question(
        "Did Safari recover with release 3.8.1?",
        hogql(
            "SELECT properties.app_version AS version, countIf(event = 'checkout_started'), "
            "countIf(event = 'purchase_completed') FROM events WHERE properties.$browser = 'Safari' "
            "AND version IN ('3.8.0', '3.8.1') AND timestamp >= toStartOfDay(now()) - INTERVAL 30 DAY "
            "GROUP BY version ORDER BY version"
        ),
        _pairs,
        _versions,
        described={"event": "checkout_started"},
    ),
    Question(
        "What did we release in the week of November 9?",
        call("list_annotations", date_from="2026-11-09", date_to="2026-11-14", search="Release"),
        lambda shown: sorted(one["content"] for one in shown["annotations"]),
        _releases,
    ),
    Question(
        "Which day had the most rage clicks?",
        call("query_trends", events=["$rageclick"], date_from="-30d"),
        _worst_day,
        _rage,
        described={"search": "rage"},
    ),
    Question(
        "What did the person with the most errors click on?",
        (
            Step(
                "run_hogql",
                {
                    "query": f"SELECT $session_id AS session, count() AS errors FROM events WHERE {_RECENT} "
                    "GROUP BY session ORDER BY errors DESC, session DESC LIMIT 1"
                },
            ),
            Step(
                "run_hogql",
                {
                    "query": "SELECT properties.$el_text FROM events WHERE $session_id = {session} "
                    "AND event = '$autocapture' AND timestamp > now() - INTERVAL 31 DAY ORDER BY timestamp"
                },
                lambda shown: {"values": {"session": rows(shown)[0][0]}},
            ),
        ),
        lambda shown: [row[0] for row in rows(shown)],
        _worst_hit,
        described={"event": "$autocapture"},
    ),
    Question(
        "How many people ran into any error in the last 30 days?",
        call("query_trends", events=["$exception"], math="dau", interval="total", date_from="-30d"),
        cell,
        lambda world: len(persons(_raised(world))),
    ),
)  # fmt: skip
