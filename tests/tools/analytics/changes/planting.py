"""Events with a planted cause: each case has a separate event name, over nine weeks that end at NOW."""

import json
import random
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import exp, log
from typing import Any

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
TODAY = NOW.replace(hour=0, minute=0)
WEEKS = 9
_EVENTS_A_WEEK = 700
_PEOPLE = 400
_WEEKDAYS = (1.0, 1.1, 1.05, 1.0, 0.95, 0.6, 0.55)
VALUES: Mapping[str, Mapping[str, float]] = {
    "$browser": {"Chrome": 55, "Safari": 25, "Firefox": 12, "Microsoft Edge": 8},
    "$os": {"Windows": 45, "Mac OS X": 30, "Linux": 10, "Android": 15},
    "$device_type": {"Desktop": 70, "Mobile": 30},
    "$geoip_country_code": {"US": 40, "DE": 25, "GB": 15, "FR": 12, "IN": 8},
    "$lib": {"web": 75, "posthog-python": 25},
    "utm_source": {"": 60, "google": 25, "newsletter": 15},
    "plan": {"free": 60, "pro": 30, "team": 10},
    "region": {"north": 35, "south": 35, "east": 30},
}
"""The values of each dimension and how frequent they are; dimensions are independent."""

type Values = dict[str, str]
type Shape = Callable[["Case", Values, int, random.Random], float]
"""Returns how many times as many events there are of these values, `day` days after the beginning of the period."""


@dataclass(frozen=True, slots=True)
class Case:
    """A case: what is planted, and what the answer has to name."""

    number: int
    kind: str
    where: Mapping[str, str] = field(default_factory=dict[str, str])
    """The dimension and value to be named first, two for a pair."""
    factor: float = 1.0
    since: int = 0
    """The day of the period in which it begins."""
    trend: float = 0.0
    """Growth per week, as a logarithm."""
    odd_week: int = 0
    """A week before with half as many events."""
    noise: float = 0.0
    """The spread of the days, as a logarithm."""

    @property
    def event(self) -> str:
        """The name of its event."""
        return f"case_{self.number}"

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of explain_change."""
        if self.kind in ("mix", "paradox", "rate"):
            series = [f"{self.event}_bought", self.event]
            return {"of": {"tool": "query_trends", "arguments": {"events": series, "formula": "A/B"}}}
        if self.kind == "missing":
            return {"event": self.event, "filters": [{"key": "plan", "value": ["free", "pro", "team"]}]}
        return {"event": self.event, "dimensions": ["region"]}


def cases(seed: int) -> list[Case]:
    """Return 50 cases with a cause and 20 without one."""
    chance = random.Random(seed)
    kinds = (
        *("drop",) * 9, *("rise",) * 8, *("pair",) * 9, *("mix",) * 5, *("paradox",) * 4, *("rate",) * 3,
        *("lost",) * 3, *("missing",) * 2, *("bots",) * 3, *("release",) * 2, *("everybody",) * 2, *("nothing",) * 20,
    )  # fmt: skip
    return [_case(number, kind, chance) for number, kind in enumerate(kinds)]


def _case(number: int, kind: str, chance: random.Random) -> Case:
    since = chance.choice((0, 0, 0, 1, 2))
    match kind:
        case "drop" | "rise" | "rate":
            where = dict([_value(chance, 25, 60)])
            factor = chance.uniform(0.1, 0.35) if kind == "drop" else chance.uniform(2.2, 3.5)
            return Case(
                number, kind, where, 0.15 if kind == "rate" else factor, since // 2 if kind == "rate" else since
            )
        case "pair":
            factor = chance.choice((0.02, 4.0, 5.0))
            (one, value), (other, other_value) = _two(chance, 40 if factor < 1 else 30)
            return Case(number, kind, {one: value, other: other_value}, factor, since // 2)
        case "mix" | "paradox":
            return Case(number, kind, {"utm_source": "newsletter"}, chance.uniform(5.5, 7.0), 0)
        case "lost":
            return Case(number, kind, {"$lib": "posthog-python"}, 0.0, since)
        case "missing":
            return Case(number, kind, {"plan": "(none)"}, chance.uniform(0.5, 0.8), since)
        case "bots":
            return Case(number, kind, {"looks automated": "yes"}, chance.uniform(0.6, 1.2), since)
        case "release":
            return Case(number, kind, {"$app_version": "4.2.0"}, chance.uniform(0.3, 0.5), since)
        case "everybody":
            return Case(number, kind, {}, chance.choice((0.5, 1.7)), since)
        case _:
            trend, noise = chance.choice((0.0, 0.0, 0.03)), chance.choice((0.0, 0.05, 0.12))
            return Case(number, kind, trend=trend, odd_week=chance.choice((0, 0, 0, 2, 4)), noise=noise)


def _value(chance: random.Random, least: float, most: float) -> tuple[str, str]:
    sized = [(name, value, size) for name, values in VALUES.items() for value, size in values.items() if value]
    return chance.choice([(name, value) for name, value, size in sized if least <= size <= most])


def _two(chance: random.Random, least: float) -> tuple[tuple[str, str], tuple[str, str]]:
    while True:
        one, other = _value(chance, least, 60), _value(chance, least, 60)
        if one[0] != other[0]:
            return one, other


@dataclass(frozen=True, slots=True)
class Planted:
    """An event to insert."""

    event: str
    at: datetime
    person: int
    properties: Values


def events_of(case: Case, seed: int) -> Iterator[Planted]:
    """Yield the events of a case."""
    chance = random.Random(f"{seed}-{case.number}")
    for back in range(7 * WEEKS, 0, -1):
        start = TODAY - timedelta(days=back)
        day = 7 - back
        week = (back - 1) // 7
        level = _EVENTS_A_WEEK / sum(_WEEKDAYS) * _WEEKDAYS[start.weekday()]
        level *= exp(-case.trend * week + chance.gauss(0, case.noise))
        if case.odd_week and week == case.odd_week:
            level *= 0.5
        begun = day >= case.since
        if case.kind == "everybody" and begun:
            level *= case.factor
        for _ in range(_poisson(chance, level)):
            yield from _one(case, start, begun=begun, chance=chance)
        if case.kind == "bots" and begun:
            yield from _bots(case, start, level * case.factor, chance)


def _one(case: Case, start: datetime, *, begun: bool, chance: random.Random) -> Iterator[Planted]:
    values = {name: _drawn(chance, sizes) for name, sizes in VALUES.items()}
    person = chance.randrange(_PEOPLE)
    values["$app_version"] = "4.2.0" if case.kind == "release" and begun and chance.random() < 0.7 else "4.1.0"
    copies = 1
    affected = bool(case.where) and all(values.get(name) == value for name, value in case.where.items())
    if case.kind in ("mix", "paradox"):
        affected = values["utm_source"] == "newsletter"
    if case.kind == "release":
        affected = values["$app_version"] == "4.2.0"
    if begun and affected and case.kind not in ("rate", "missing"):
        copies = int(case.factor) + (chance.random() < case.factor % 1)
    if case.kind == "missing" and begun and chance.random() < case.factor:
        del values["plan"]
    at = start + timedelta(seconds=chance.randrange(86_400))
    sent = {name: value for name, value in values.items() if value}
    for _ in range(copies):
        yield Planted(case.event, at, person, sent)
        if case.kind in ("mix", "paradox", "rate") and chance.random() < _conversion(case, values, begun, affected):
            yield Planted(f"{case.event}_bought", at + timedelta(seconds=1), person, sent)


def _conversion(case: Case, values: Values, begun: bool, affected: bool) -> float:
    """Return the conversion of these values: newsletter readers buy rarely."""
    if case.kind == "rate":
        return 0.4 * (case.factor if begun and affected else 1)
    base = 0.1 if values["utm_source"] == "newsletter" else 0.5
    return base * (1.15 if begun and case.kind == "paradox" else 1)


def _bots(case: Case, start: datetime, level: float, chance: random.Random) -> Iterator[Planted]:
    for _ in range(_poisson(chance, level)):
        values = {name: _drawn(chance, sizes) for name, sizes in VALUES.items()}
        values |= {"$browser": "Chrome", "$raw_user_agent": "Mozilla/5.0 HeadlessChrome/129.0", "$app_version": "4.1.0"}
        at = start + timedelta(seconds=chance.randrange(86_400))
        yield Planted(case.event, at, _PEOPLE + chance.randrange(5), {name: one for name, one in values.items() if one})


def _drawn(chance: random.Random, sizes: Mapping[str, float]) -> str:
    left = chance.random() * sum(sizes.values())
    for value, size in sizes.items():
        left -= size
        if left < 0:
            return value
    return next(iter(sizes))


def _poisson(chance: random.Random, mean: float) -> int:
    """Return a Poisson number."""
    passed, count = 0.0, -1
    while passed < mean:
        passed -= log(1 - chance.random())
        count += 1
    return count


def lines(planted: Sequence[Planted], chance: random.Random) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Return events, persons and distinct ids as tab-separated text."""
    people = sorted({one.person for one in planted})
    ids = {person: str(uuid.UUID(int=chance.getrandbits(128), version=4)) for person in people}
    created = _micros(TODAY - timedelta(days=200))
    events = [_event_line(one, ids[one.person], created, chance) for one in planted]
    persons = [f"{ids[one]}\t{created}\t{{}}\ttrue\t{created}\tuser_{one}\t{one + 1}\n".encode() for one in people]
    return events, persons, [f"user_{one}\t{ids[one]}\n".encode() for one in people]


def _event_line(one: Planted, person: str, created: int, chance: random.Random) -> bytes:
    at, properties = str(_micros(one.at)), _escaped(json.dumps(one.properties))
    identity = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    columns = (identity, one.event, properties, at, f"user_{one.person}", at, "full", person, str(created), "{}")
    return ("\t".join(columns) + "\n").encode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\")


def _micros(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000
