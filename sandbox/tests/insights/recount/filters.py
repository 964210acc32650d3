"""Property filters in plain Python: evaluation, and random filters."""

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from ..hand_made import Event
from .dataset import QUOTED, TYPES, Action, Setting, World
from .dates import parsed

type Filter = Mapping[str, Any]

NEGATIVE = frozenset({"is_not", "not_icontains", "not_regex"})
"""Operators that match an event without the property; several values are combined with AND."""

TEST_ACCOUNTS: list[Filter] = [{"type": "person", "key": "email", "operator": "not_icontains", "value": "@EXAMPLE"}]
"""The `test_account_filters` of the project."""
PATH_CLEANING = [{"regex": "/a[?].*", "alias": "/<a>"}, {"regex": "pri[a-z]+", "alias": "price"}]
"""Its `path_cleaning_filters`."""


def text(value: Any) -> str | None:
    """Return a property without a defined type: null, or its JSON without surrounding quotes but with escapes."""
    if value is None:
        return None
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).removeprefix('"').removesuffix('"')


def number(value: Any) -> float | None:
    """Return a value as a number; None if it is not one."""
    read = text(value)
    try:
        return None if read is None or read != read.strip() else float(read)
    except ValueError:
        return None


def passes(event: Event, properties: Any, world: World, setting: Setting) -> bool:
    """Return whether an event matches a list of filters, a group of them, or none."""
    match properties:
        case None:
            return True
        case {"type": "AND", "values": values}:
            return all(passes(event, item, world, setting) for item in values)
        case {"type": "OR", "values": values}:
            return not values or any(passes(event, item, world, setting) for item in values)
        case dict():
            return _passes(event, cast("Filter", properties), world, setting)
        case _:
            return all(passes(event, item, world, setting) for item in properties)


def _passes(event: Event, item: Filter, world: World, setting: Setting) -> bool:
    kind, key = str(item["type"]), str(item["key"])
    value: Any = item.get("value")
    if kind == "flag" or value == []:
        return True
    if kind == "hogql":
        return HOGQL[key](event)
    operator = item.get("operator", "exact")
    if kind == "cohort":
        return (event.person.id in world.cohort(int(value)).persons) != (operator == "not_in")
    if kind == "person" and key == "distinct_id":
        ids = {other.sent_as for other in world.events if other.person == event.person} | {event.person.name}
        return any(_compares(one, None, operator, value, setting) for one in ids)
    defined = "Numeric" if kind == "session" else TYPES.get((kind, key))
    return _compares(_read(event, item, world), defined, operator, value, setting)


def _read(event: Event, item: Filter, world: World) -> Any:
    key = item["key"]
    match item["type"]:
        case "person":
            return event.person.properties.get(key)
        case "group":
            group = world.groups.get(event.group)
            return group.properties.get(key) if group else None
        case "session":
            return world.session_seconds.get(event.session)
        case "event_metadata":
            return {"event": event.event, "distinct_id": event.sent_as, "$group_0": event.group}[key]
        case _:
            return property_of(event, key)


def property_of(event: Event, key: str) -> Any:
    """Return a property of an event, including its session."""
    return event.session or None if key == "$session_id" else event.properties.get(key)


def typed(value: Any, kind: str | None, setting: Setting) -> Any:
    """Return a value as its defined type: number, boolean, moment, else text; None if it does not fit."""
    match kind:
        case "Numeric":
            return number(value)
        case "Boolean":
            return {"true": True, "false": False}.get(text(value) or "")
        case "DateTime":
            return moment(value, setting)
        case _:
            return text(value)


def moment(value: Any, setting: Setting) -> datetime | None:
    """Parse a text as a moment in UTC."""
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return (read if read.tzinfo else read.replace(tzinfo=setting.timezone)).astimezone(UTC)


def _compares(value: Any, kind: str | None, operator: str, wanted: Any, setting: Setting) -> bool:
    values: Sequence[Any] = cast("list[Any]", wanted) if isinstance(wanted, list) else [wanted]
    if operator in ("between", "not_between"):
        return _between(number(value), values, operator)
    if operator in ("in", "not_in"):
        operator = "exact" if operator == "in" else "is_not"
    combine = all if operator in NEGATIVE else any
    return combine(_holds(value, kind, operator, one, setting) for one in values)


def _between(value: float | None, values: Sequence[Any], operator: str) -> bool:
    if value is None:
        return False
    return (float(values[0]) <= value <= float(values[1])) == (operator == "between")


def _holds(value: Any, kind: str | None, operator: str, wanted: Any, setting: Setting) -> bool:
    read = typed(value, kind, setting)
    # The values of a query are text already, not JSON.
    other = wanted if isinstance(wanted, str) and kind is None else typed(wanted, kind, setting)
    match operator:
        case "exact" | "is_not":
            return (read is not None and read == other) == (operator == "exact")
        case "is_set" | "is_not_set":
            return (read is not None) == (operator == "is_set")
        case "icontains" | "not_icontains":
            shown = text(value)
            return (shown is not None and str(wanted).lower() in shown.lower()) == (operator == "icontains")
        case "regex" | "not_regex":
            shown = text(value)
            return (shown is not None and re.search(wanted, shown) is not None) == (operator == "regex")
        case "gt" | "gte" | "lt" | "lte" | "min" | "max":
            return read is not None and _ordered(read, other, operator)
        case "is_date_exact" | "is_date_before" | "is_date_after":
            return _dated(moment(value, setting), wanted, operator, setting)
        case _:
            return read is not None and _version(str(value), str(wanted), operator)


def _ordered(one: Any, other: Any, operator: str) -> bool:
    match operator:
        case "gt":
            return one > other
        case "gte" | "min":
            return one >= other
        case "lt":
            return one < other
        case _:
            return one <= other


def _dated(read: datetime | None, wanted: str, operator: str, setting: Setting) -> bool:
    if read is None:
        return False
    other = parsed(wanted.replace(" ", "T"), setting)[0].astimezone(UTC)
    match operator:
        case "is_date_before":
            return read < other
        case "is_date_after":
            return read > other
        case _:
            return read == other


def _version(one: str, other: str, operator: str) -> bool:
    left, right = [int(part) for part in one.split(".")], [int(part) for part in other.split(".")]
    return left == right if operator == "semver_eq" else _ordered(left, right, operator.removeprefix("semver_"))


def matches_action(event: Event, action: Action, world: World, setting: Setting) -> bool:
    """Return whether any step of an action matches."""
    return any(_matches_step(event, step, world, setting) for step in action.steps)


def _matches_step(event: Event, step: Mapping[str, Any], world: World, setting: Setting) -> bool:
    if step.get("event") is not None and event.event != step["event"]:
        return False
    url = step.get("url")
    shown = text(event.properties.get("$current_url"))
    if url is not None:
        match step.get("url_matching", "contains"):
            case "exact":
                found = shown == url
            case "regex":
                found = shown is not None and re.search(url, shown) is not None
            case _:
                found = shown is not None and url in shown
        if not found:
            return False
    return passes(event, step.get("properties"), world, setting)


def _is_free(event: Event) -> bool:
    return text(event.properties.get("plan")) == "free"


def _is_not_bought(event: Event) -> bool:
    return event.event != "buy"


def _has_no_browser(event: Event) -> bool:
    return event.properties.get("$browser") is None


HOGQL: Mapping[str, Callable[[Event], bool]] = {
    "properties.plan = 'free'": _is_free,
    "event != 'buy'": _is_not_bought,
    "properties.$browser is null": _has_no_browser,
}
"""The expressions in random filters."""

_BY_TYPE: Sequence[tuple[str, str, Sequence[tuple[str, Any]]]] = (
    (
        "event",
        "plan",
        (
            ("exact", "free"),
            ("exact", ["free", "Pro", ""]),
            ("is_not", "pro"),
            ("is_not", ["free", "a::b"]),
            ("icontains", "PR"),
            ("icontains", ["%", "'"]),
            ("not_icontains", ["fre", "pro"]),
            ("not_icontains", "_"),
            ("regex", "^p.o$"),
            ("not_regex", "^[fF]"),
            ("not_regex", ["^f", "o$"]),
            ("is_set", None),
            ("is_not_set", None),
            ("exact", []),
            ("is_set", []),
            ("exact", "it's 100% so"),
            ("exact", QUOTED),
            ("is_not", [QUOTED, "free"]),
            ("icontains", '"'),
            ("in", ["free", "pro"]),
            ("not_in", ["free", "pro"]),
            ("gt", "f"),
            ("lte", "free"),
        ),
    ),
    (
        "event",
        "price",
        (
            ("exact", 2),
            ("exact", ["2.5", 10]),
            ("is_not", [1, 2]),
            ("gt", 1),
            ("gte", 2.5),
            ("lt", "3"),
            ("lte", 0),
            ("min", 2),
            ("max", 2),
            ("between", [0, 3]),
            ("not_between", ["1", "5"]),
            ("is_set", None),
            ("is_not_set", None),
        ),
    ),
    ("event", "amount", (("exact", "3"), ("exact", 2.5), ("is_not", 2), ("between", [1, 10]), ("is_set", None))),
    (
        "event",
        "beta",
        (
            ("exact", True),
            ("exact", "false"),
            ("exact", ["true", "false"]),
            ("is_not", "true"),
            ("is_not", [False]),
            ("is_set", None),
        ),
    ),
    (
        "event",
        "kind",
        (("exact", True), ("exact", "7"), ("exact", 7), ("is_not", "false"), ("icontains", "B"), ("regex", r"^\[")),
    ),
    (
        "event",
        "when",
        (
            ("is_date_before", "2026-11-01T00:00:00"),
            ("is_date_after", "-400d"),
            ("is_date_exact", "2026-11-20T08:00:00"),
            ("is_set", None),
        ),
    ),
    (
        "event",
        "version",
        (("semver_gt", "1.9.0"), ("semver_lte", "1.2.10"), ("semver_eq", "1.2.0"), ("semver_lt", "1.10.0")),
    ),
    ("event", "$session_id", (("is_set", None), ("is_not_set", None), ("icontains", "s1"))),
    (
        "person",
        "email",
        (
            ("icontains", "@example.com"),
            ("is_set", None),
            ("is_not", ""),
            ("regex", "^a"),
            ("exact", "ann@example.com"),
        ),
    ),
    ("person", "age", (("gt", 18), ("exact", 30), ("is_not", "44"), ("lt", 30.5), ("is_not_set", None))),
    ("person", "distinct_id", (("exact", "person 1"), ("exact", ["person 0 on the phone", "person 2"]))),
    ("session", "$session_duration", (("gt", 0), ("gte", 86400), ("exact", [60, 3600, 86400]))),
    ("group", "tier", (("exact", "gold"), ("is_not", "gold"), ("is_set", None), ("is_not_set", None))),
    ("event_metadata", "event", (("exact", "buy"), ("is_not", ["$pageview", "buy"]), ("icontains", "PAGE"))),
    ("event_metadata", "distinct_id", (("icontains", "phone"), ("is_not", "person 1"))),
    ("flag", "some-flag", (("flag_evaluates_to", True),)),
    ("hogql", "properties.plan = 'free'", (("exact", None),)),
    ("hogql", "event != 'buy'", (("exact", None),)),
    ("hogql", "properties.$browser is null", (("exact", None),)),
)


def drawn_filter(chance: random.Random, world: World) -> dict[str, Any]:
    """Return a random filter of any type."""
    if world.cohorts and chance.random() < 0.08:
        cohort = chance.choice(world.cohorts)
        operator = chance.choice(("in", "not_in"))
        return {"type": "cohort", "key": "id", "value": cohort.id, "operator": operator}
    kind, key, choices = chance.choice(_BY_TYPE)
    operator, value = chance.choice(choices)
    item = {"type": kind, "key": key, "operator": operator, "value": value}
    if kind == "group":
        item["group_type_index"] = 0
    if operator == "exact" and chance.random() < 0.3:
        del item["operator"]
    return item


def drawn_properties(chance: random.Random, world: World) -> Any:
    """Return random `properties` of a query or series: none, a list, or nested groups."""
    match chance.randrange(6):
        case 0 | 1 | 2:
            return None
        case 3 | 4:
            return [drawn_filter(chance, world) for _ in range(chance.randrange(1, 3))]
        case _:
            return drawn_group(chance, world)


def drawn_group(chance: random.Random, world: World, depth: int = 0) -> dict[str, Any]:
    """Return random nested groups of filters."""
    values: list[dict[str, Any]] = []
    for _ in range(chance.randrange(3) if depth else chance.randrange(1, 3)):
        nested = depth < 2 and chance.random() < 0.4
        values.append(drawn_group(chance, world, depth + 1) if nested else drawn_filter(chance, world))
    if depth == 0:
        values = [value if "values" in value else {"type": "AND", "values": [value]} for value in values]
    return {"type": chance.choice(("AND", "OR")), "values": values}
