"""The generator: simulates one person after another until the requested number of events is reached."""

from collections.abc import Iterator
from dataclasses import dataclass

from . import journeys
from .chance import Chance, Weighted
from .parameters import Parameters
from .people import Company, Person, found_companies, meet
from .rows import Batch, DistinctIdRow, PersonRow
from .story import DAY, DAYS, SECOND, Story
from .visit import Visit
from .vocabulary import DESKTOPS, DIRECT, LOCAL_HOURS, SOURCES

_BATCH_EVENTS = 5_000

_EVENTS_PER_COMPANY = 800


@dataclass(frozen=True, slots=True)
class _World:
    story: Story
    chance: Chance
    companies: tuple[Company, ...]
    arrivals: Weighted[int]
    plant: bool


def generate(parameters: Parameters) -> Iterator[Batch]:
    """Yield the rows of the dataset, person by person, in batches of about 5,000 events (fewer in a small dataset).

    The total is exactly `parameters.events`: the last person's events are cut off at that number. Events are not sorted
    by time. The groups are in the last batch.
    """
    story = parameters.story
    chance = Chance(parameters.seed)
    companies = found_companies(chance, max(4, parameters.events // _EVENTS_PER_COMPANY), story, parameters.hostile)
    world = _World(story, chance, companies, Weighted(enumerate(story.day_activity)), parameters.hostile)
    batch_size = min(_BATCH_EVENTS, parameters.events // 40)
    batch = Batch()
    number = 0
    left = parameters.events
    while left > 0:
        number += 1
        before = len(batch.sent)
        _record(batch, *_live(world, number), left, chance)
        left -= len(batch.sent) - before
        if left > 0 and len(batch.sent) >= batch_size:
            yield batch
            batch = Batch()
    batch.groups.extend(company.row(story.end - DAY) for company in companies)
    yield batch


def _record(batch: Batch, person: Person, visits: list[Visit], left: int, chance: Chance) -> None:
    """Add a person's rows to the batch, at most `left` events."""
    first, last, used = None, 0, set(person.distinct_ids[:1])
    several = len(person.distinct_ids) > 1
    for visit in visits:
        del visit.events[left:]
        if not visit.events:
            continue
        left -= len(visit.events)
        batch.sent.extend(visit.events)
        first = first or visit.events[0].timestamp
        last = visit.events[-1].timestamp
        if several:
            used |= visit.distinct_ids()
        session = visit.session_row()
        if session:
            batch.sessions.append(session)
            if chance.hit(0.3):
                batch.replays.append(visit.replay_row())
    if first is None or person.propertyless:
        return
    properties = person.properties
    name = properties.get("email") or properties.get("name") or person.distinct_id
    batch.persons.append(
        PersonRow(
            person.id, person.created_at, person.properties_json, person.identified, last, str(name), person.number
        )
    )
    batch.distinct_ids.extend([DistinctIdRow(known, person.id) for known in person.distinct_ids if known in used])


def _live(world: _World, number: int) -> tuple[Person, list[Visit]]:
    """Return one person with visits in time order."""
    chance = world.chance
    kind = chance.unit()
    customer = kind < 0.04
    day = 0 if customer else chance.pick(world.arrivals)
    person = meet(chance, number, _moment_on(world, day, 0), world.plant)
    visits: list[Visit] = []
    if customer:
        journeys.known_customer(chance, person, _employer(world), world.plant)
        _use(world, person, visits, day, engaged=True)
    elif kind < 0.24:
        _become_user(world, person, visits, day)
    else:
        person.propertyless = kind > 0.96
        _look_around(world, person, visits, day, 1 + int(chance.skewed(0.45)))
        if chance.hit(0.008):
            journeys.forge(visits[-1], chance, world.plant)
    return person, visits


def _become_user(world: _World, person: Person, visits: list[Visit], day: int) -> None:
    """Simulate a user who looks around, signs up, perhaps activates, and then uses the product for a while."""
    chance = world.chance
    if chance.hit(0.35):
        day = _look_around(world, person, visits, day, 1)
    visit = _visit(world, person, visits, day)
    journeys.browse(visit, chance, chance.between(1, 4))
    journeys.sign_up(visit, chance, _employer(world), world.plant)
    activated = chance.hit(0.58)
    if activated:
        journeys.activate(visit, chance)
    _close(visit)
    _use(world, person, visits, day + 1, engaged=activated)


def _look_around(world: _World, person: Person, visits: list[Visit], day: int, times: int) -> int:
    """Add `times` visits to the site and return the day after the last one."""
    chance = world.chance
    for _ in range(times):
        visit = _visit(world, person, visits, day)
        journeys.browse(visit, chance, 1 if chance.hit(0.55) else chance.between(2, 5))
        _close(visit)
        day += chance.between(1, 9)
    return day


def _use(world: _World, person: Person, visits: list[Visit], day: int, *, engaged: bool) -> None:
    """Add a user's visits from `day` until the person stops using the product."""
    chance, story = world.chance, world.story
    habit = chance.skewed(0.2) + 0.03
    last = day + (8 + int(chance.skewed(50)) if engaged else int(chance.skewed(5)))
    loyal = engaged and chance.hit(0.22)
    unit, activity = chance.unit, story.day_activity
    while day < DAYS:
        usual = habit if day <= last or loyal else 0.004
        if unit() < usual * activity[day]:
            start = max(_moment_on(world, day, person.country.offset), person.free_at)
            visit = _work_visit(world, person, visits, start, engaged)
            if engaged and visit.platform == "web":
                _prompt(world, visit)
            _close(visit)
        if person.renews_at:
            _renew(world, person, visits, day)
        day += 1


def _prompt(world: _World, visit: Visit) -> None:
    """Prompt an engaged user to buy and, once, to answer the survey."""
    chance, story, person = world.chance, world.story, visit.person
    if chance.hit(0.36):
        journeys.check_out(visit, chance, story)
    if not person.surveyed and visit.clock >= story.survey_from and chance.hit(0.15):
        person.surveyed = True
        journeys.answer_survey(visit, chance, world.plant)


def _renew(world: _World, person: Person, visits: list[Visit], day: int) -> None:
    """Renew a subscription that is due by the end of the day; the server sends the event without a session."""
    if person.renews_at >= world.story.start + (day + 1) * DAY:
        return
    server = Visit(person, world.story, world.chance, max(person.free_at, person.renews_at), platform="server")
    journeys.renew(server)
    visits.append(server)
    person.renews_at += 30 * DAY


def _work_visit(world: _World, person: Person, visits: list[Visit], start: int, engaged: bool) -> Visit:
    """Return a visit to the application: on the phone, on a new device, or on the usual device."""
    chance = world.chance
    luck = chance.unit()
    if luck < 0.1:
        visit = Visit(person, world.story, chance, start, platform="mobile", source=None)
        visits.append(visit)
        journeys.work_on_phone(visit, chance, world.plant)
        return visit
    visit = Visit(person, world.story, chance, start, source=DIRECT)
    visits.append(visit)
    if luck < 0.14:
        visit.device = chance.pick(DESKTOPS)
        journeys.log_in(visit, chance)
    journeys.work(visit, chance, world.plant)
    return visit


def _visit(world: _World, person: Person, visits: list[Visit], day: int) -> Visit:
    """Add a visit to the site on a day; the first one comes from the person's own source."""
    chance = world.chance
    start = max(person.created_at if not visits else _moment_on(world, day, person.country.offset), person.free_at)
    source = person.source if not visits else DIRECT if chance.hit(0.6) else chance.pick(SOURCES)
    visit = Visit(person, world.story, chance, start, source=source)
    visits.append(visit)
    return visit


def _close(visit: Visit) -> None:
    visit.leave()
    visit.person.free_at = visit.clock + 1_800 * SECOND + 1


def _employer(world: _World) -> Company | None:
    """Return a company for a new user: none for some, the product's own for a few."""
    chance = world.chance
    luck = chance.unit()
    if luck < 0.015:
        return world.companies[0]
    return world.companies[1 + chance.below(len(world.companies) - 1)] if luck < 0.62 else None


def _moment_on(world: _World, day: int, offset: int) -> int:
    """Return a moment on a day of the story at a typical hour of a time zone `offset` hours from UTC."""
    chance = world.chance
    hour = (chance.pick(LOCAL_HOURS) - offset) % 24
    return world.story.start + day * DAY + int((hour + chance.unit()) * 3_600 * SECOND)
