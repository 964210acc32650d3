"""Survey statistics against a recount in plain Python: partial submissions and several surveys."""

import random
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from posthog_sandbox.dataset import product

from ..insights.hand_made import Event, Person, open_engine
from ..oracle import EFFORTS, Effort
from ..sandbox_client import Serving, Shared, serving

pytestmark = [pytest.mark.anyio, pytest.mark.oracle]

SHOWN, DISMISSED, SENT = "survey shown", "survey dismissed", "survey sent"
OTHER = "01970000-0000-7000-8000-000000000001"
FIRST = datetime(2026, 9, 1, tzinfo=UTC)
DAYS = 80
FIRST_SEED = 1
CASES = 120
"""Drawn in a whole run for each data set."""


def drawn_events(seed: int) -> list[Event]:
    draw = random.Random(seed)
    people = [Person(f"p{number}") for number in range(40)]
    found: list[Event] = []
    for number in range(500):
        at = FIRST + timedelta(days=draw.uniform(0, DAYS), microseconds=number)
        name = draw.choice((SHOWN, SHOWN, DISMISSED, SENT, SENT))
        properties: dict[str, Any] = {"$survey_id": draw.choice((product.SURVEY_ID, product.SURVEY_ID, OTHER))}
        if name == DISMISSED and draw.random() < 0.4:
            properties["$survey_partially_completed"] = draw.choice((True, "true", False))
        if name == SENT and draw.random() < 0.8:
            properties["$survey_submission_id"] = f"{properties['$survey_id']} {draw.randint(1, 60)}"
        found.append(
            Event(draw.choice(people), name, at.replace(microsecond=at.microsecond // 1000 * 1000), properties)
        )
    moments: set[datetime] = set()
    return [event for event in found if not (event.timestamp in moments or moments.add(event.timestamp))]


@pytest.fixture(scope="module", params=EFFORTS, ids=lambda effort: f"seed {effort.seed}")
def effort(request: pytest.FixtureRequest) -> Effort:
    return request.param


@pytest.fixture(scope="module")
def recorded(effort: Effort, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    events = drawn_events(FIRST_SEED + effort.seed)
    with open_engine(tmp_path_factory.mktemp("surveys") / "data", events) as engine:
        yield events, engine


@pytest.fixture
async def sandbox(recorded: Any) -> AsyncGenerator[Serving]:
    async with serving(Shared(recorded[1])) as running:
        yield running


def recount(events: list[Event], surveys: set[str], start: datetime | None, end: datetime | None) -> dict[str, Any]:
    """Return `stats` and `rates`."""
    within = [
        event for event in events if (not start or event.timestamp >= start) and (not end or event.timestamp <= end)
    ]
    newest: dict[str, Event] = {}
    for event in sorted(within, key=lambda event: event.timestamp):
        if event.event == SENT:
            newest[event.properties.get("$survey_submission_id") or str(event.timestamp)] = event
    own = [event for event in within if event.properties["$survey_id"] in surveys and not is_half_answered(event)]
    stats: dict[str, Any] = {}
    for name in (SHOWN, DISMISSED, SENT):
        counted = [event for event in own if event.event == name and (name != SENT or event in newest.values())]
        times = sorted(event.timestamp for event in counted)
        stats[name] = {
            "total_count": len(counted),
            "unique_persons": len({event.person.name for event in counted}),
            "first_seen": shown(times[0]) if times else None,
            "last_seen": shown(times[-1]) if times else None,
            "total_count_only_seen": 0,
            "unique_persons_only_seen": 0,
        }
    dismissed, sent = ({event.person.name for event in own if event.event == name} for name in (DISMISSED, SENT))
    stats[DISMISSED]["unique_persons"] -= len(dismissed & sent)
    for name in ("total_count", "unique_persons"):
        rest = stats[SHOWN][name] - stats[DISMISSED][name] - stats[SENT][name]
        stats[SHOWN][f"{name}_only_seen"] = max(rest, 0)
    parts = {"response": SENT, "dismissal": DISMISSED}
    rates = {f"{word}_rate": percent(stats, name, "total_count") for word, name in parts.items()}
    rates |= {f"unique_users_{word}_rate": percent(stats, name, "unique_persons") for word, name in parts.items()}
    return {"stats": stats, "rates": rates}


def is_half_answered(event: Event) -> bool:
    return event.event == DISMISSED and event.properties.get("$survey_partially_completed") in (True, "true")


def percent(stats: dict[str, Any], name: str, count: str) -> float:
    return round(stats[name][count] / stats[SHOWN][count] * 100, 2) if stats[SHOWN][count] else 0.0


def shown(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat() + "Z"


async def test_the_statistics_of_a_survey_are_those_of_a_recount(
    sandbox: Serving, recorded: Any, effort: Effort
) -> None:
    survey = await sandbox.get(f"surveys/{product.SURVEY_ID}/")
    await sandbox.patch(f"surveys/{product.SURVEY_ID}/", {"end_date": shown(FIRST + timedelta(days=DAYS - 5))})
    begun, over = datetime.fromisoformat(survey["start_date"]), FIRST + timedelta(days=DAYS - 5)
    draw = effort.chance("a survey")
    answered = 0
    for _ in range(effort.cases(CASES)):
        start, end = sorted(FIRST + timedelta(days=draw.uniform(0, DAYS)) for _ in "ab")
        range_ = {"date_from": start, "date_to": end} if draw.random() < 0.8 else {}
        sent = await sandbox.get(
            f"surveys/{product.SURVEY_ID}/stats/", **{name: moment.isoformat() for name, moment in range_.items()}
        )
        expected = recount(
            recorded[0],
            {product.SURVEY_ID},
            max(begun, range_.get("date_from", begun)),
            min(over, range_.get("date_to", over)),
        )
        assert {name: sent[name] for name in expected} == expected
        answered += expected["stats"][SENT]["total_count"]
    assert answered > effort.cases(CASES)


async def test_the_statistics_of_all_surveys_are_those_of_a_recount(
    sandbox: Serving, recorded: Any, effort: Effort
) -> None:
    draw = effort.chance("all surveys")
    for _ in range(effort.cases(CASES // 3)):
        start = FIRST + timedelta(days=draw.uniform(0, DAYS))
        sent = await sandbox.get("surveys/stats/", date_from=start.isoformat())
        assert sent == recount(recorded[0], {product.SURVEY_ID}, start, None)
