"""People, cohorts and companies: their properties and their events."""

from collections import Counter

from .question import Question, Shown, Step, call, cell, hogql, rows
from .world import World, ago, by, has, persons

_MAIL = "femi.meyer185@blue-robotics-21.example"


def _story(world: World) -> list[list[object]]:
    """Count the events of one person by name, most frequent first."""
    (one,) = [person["id"] for person in world.persons if person["properties"].get("email") == _MAIL]
    counted = Counter(event["event"] for event in world.events if event["person_id"] == one)
    return [[name, count] for name, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))]


def _found_person(shown: Shown) -> dict[str, object]:
    return {"values": {"person": shown["persons"][0]["uuid"]}}


def _found_cohort(shown: Shown) -> dict[str, object]:
    cohort = next(one["id"] for one in shown["cohorts"] if one["name"] == "Paying customers")
    return {"filters": [{"type": "cohort", "value": cohort}]}


def _paying(world: World) -> set[str]:
    return {person["id"] for person in world.persons if person["properties"].get("plan") in ("pro", "team")}


def _paying_visitors(world: World) -> int:
    return len(persons(world.of("$pageview", first=ago(7))) & _paying(world))


def _count_of_cohort(shown: Shown) -> int:
    return next(one["count"] for one in shown["cohorts"] if one["name"] == "Paying customers")


def _from_germany(world: World) -> list[str]:
    return sorted(
        person["id"]
        for person in world.persons
        if person["properties"].get("plan") == "team" and person["properties"].get("$geoip_country_code") == "DE"
    )


def _companies(world: World) -> int:
    return len({event["$group_0"] for event in world.of(first=ago(30)) if event["$group_0"]})


def _busiest_companies(world: World) -> list[list[object]]:
    names = {group["key"]: group["properties"]["name"] for group in world.groups}
    found = by([event for event in world.of("task_created", first=ago(90)) if event["$group_0"]], _company)
    counted = sorted(((key, len(events)) for key, events in found.items()), key=lambda one: (-one[1], one[0]))
    return [[names[key], count] for key, count in counted[:3]]


def _company(event: dict[str, object]) -> object:
    return event["$group_0"]


def _identified(world: World) -> int:
    return sum(1 for person in world.persons if person["is_identified"])


def _own_staff(world: World) -> int:
    """Count views by people with an email address of the product's own domain."""
    found = [event for event in world.of("$pageview", first=ago(30)) if _is_own(event["person_properties"])]
    return len(found)


def _is_own(properties: dict[str, object]) -> bool:
    return "@quillboard.example" in str(properties.get("email", "")).lower()


def _inviters(world: World) -> int:
    return int(sum(has(event, "invite_count") for event in world.of("invite_sent", first=ago(30))))


QUESTIONS = (
    Question(
        f"What has {_MAIL} done so far?",
        (
            Step("list_persons", {"search": _MAIL}),
            Step(
                "run_hogql",
                {
                    "query": "SELECT event, count() AS times FROM events WHERE person_id = {person} "
                    "AND timestamp > now() - INTERVAL 90 DAY GROUP BY event ORDER BY times DESC, event"
                },
                _found_person,
            ),
        ),
        rows,
        _story,
    ),
    Question(
        "How many paying customers do we have?",
        call("list_cohorts", search="paying"),
        _count_of_cohort,
        lambda world: len(_paying(world)),
    ),
    Question(
        "How many of our paying customers viewed a page in the last 7 days?",
        (
            Step("list_cohorts", {"search": "paying"}),
            Step(
                "query_trends",
                {"events": ["$pageview"], "math": "dau", "interval": "total", "date_from": "-7d"},
                _found_cohort,
            ),
        ),
        cell,
        _paying_visitors,
    ),
    Question(
        "Who in Germany is on the team plan?",
        call(
            "list_persons", limit=50,
            properties=[{"key": "plan", "value": "team"}, {"key": "$geoip_country_code", "value": "DE"}],
        ),
        lambda shown: sorted(one["uuid"] for one in shown["persons"]),
        _from_germany,
        described={},
    ),
    Question(
        "How many companies used the product in the last 30 days?",
        call(
            "query_trends", events=[{"event": "*", "math": "unique_group", "group_type_index": 0}], interval="total",
            date_from="-30d",
        ),
        cell,
        _companies,
    ),
    Question(
        "Which three companies create the most tasks?",
        hogql(
            "SELECT any(organization.properties.name) AS company, count() AS tasks FROM events "
            "WHERE event = 'task_created' AND timestamp >= toStartOfDay(now()) - INTERVAL 90 DAY AND $group_0 != '' "
            "GROUP BY $group_0 ORDER BY tasks DESC, $group_0 LIMIT 3"
        ),
        rows,
        _busiest_companies,
        described={"table": "events"},
    ),
    Question(
        "How many persons are identified?",
        hogql("SELECT countIf(is_identified) FROM persons"),
        cell,
        _identified,
        described={"table": "persons"},
    ),
    Question(
        "How many page views in the last 30 days came from our own staff?",
        call(
            "query_trends", events=["$pageview"], interval="total", date_from="-30d",
            filters=[{"key": "person.email", "operator": "contains", "value": "@quillboard.example"}],
        ),
        cell,
        _own_staff,
        described={},
    ),
    Question(
        "How many invitations were sent in the last 30 days?",
        call(
            "query_trends", events=["invite_sent"], math="sum", property="invite_count", interval="total",
            date_from="-30d",
        ),
        cell,
        _inviters,
        described={"event": "invite_sent", "property": "invite_count"},
    ),
)  # fmt: skip
