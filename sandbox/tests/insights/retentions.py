"""Retention queries, and events whose retention can be computed by hand."""

from typing import Any

from .hand_made import Event, Person, at

A, B, C, D = (
    Person("a", properties={"plan": "pro", "seats": 5}),
    Person("b", properties={"plan": "free"}),
    Person("c"),
    Person("d"),
)
_WEEKLY = {
    A: ("06-10", "06-11", "06-17", "06-24", "07-04", "07-11"),
    B: ("06-10", "06-11", "06-17", "07-04", "07-11", "07-25"),
}
_PLAYED = (
    (A, "01T10:59", "Chrome", 1.0),
    (A, "02T10:01", "Chrome", 2.0),
    (A, "02T11:30", "Safari", 4.0),
    (A, "04T09:00", "Chrome", 8.0),
    (B, "02T12:00", "Safari", 16.0),
    (B, "03T12:00", "Safari", 32.0),
    (B, "03T13:00", "Safari", 64.0),
    (C, "03T12:00", "", 128.0),
    (D, "04T23:30", "Edge", 256.0),
)
_BOUGHT = (
    (A, "01T09:00", 10.0),
    (A, "01T12:00", 20.0),
    (A, "03T12:00", 40.0),
    (B, "02T13:00", 80.0),
    (C, "05T12:00", 160.0),
)
_MET = ((A, "01", "acme"), (B, "01", "acme"), (C, "01", ""), (A, "02", "acme"), (D, "02", "beta"))
_TRIED = ((D, "2019-12-01", 1), (C, "2020-03-01", 2), (D, "2020-03-02", 2), (C, "2020-03-03", 0))

EACH = [[1, 1, 0, 1], [2, 1, 1], [2], [2], []]
"""Cells of the persons who played on each of five days of March, and on the days after."""
PLAYED, BOUGHT = {"id": "played", "type": "events"}, {"id": "bought", "type": "events"}


def retention_events() -> list[Event]:
    """Return pageviews of June and July (from PostHog's own test), and events of a few persons in March 2020."""
    return [
        *(Event(who, "$pageview", at(f"2020-{day}T12:00:00")) for who, days in _WEEKLY.items() for day in days),
        *(
            Event(who, "played", at(f"2020-03-{moment}:00"), {"price": paid, **({"$browser": name} if name else {})})
            for who, moment, name, paid in _PLAYED
        ),
        *(Event(who, "bought", at(f"2020-03-{moment}:00"), {"price": paid}) for who, moment, paid in _BOUGHT),
        *(Event(who, "met", at(f"2020-03-{day}T12:00:00"), group=group) for who, day, group in _MET),
        *(Event(who, "tried", at(f"{day}T12:00:00"), {"price": paid}) for who, day, paid in _TRIED),
    ]


def entity(name: str | None, **fields: Any) -> dict[str, Any]:
    """Return an event as an entity of a retention."""
    return {"id": name, "type": "events", **fields}


def price(operator: str, value: float) -> dict[str, Any]:
    """Return a filter on the price of an event."""
    return {"type": "event", "key": "price", "operator": operator, "value": value}


def retention(
    target: dict[str, Any] = PLAYED,
    returning: dict[str, Any] | None = None,
    dates: tuple[str | None, str] = ("2020-03-01", "2020-03-05"),
    query: dict[str, Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Return a RetentionQuery; `options` belong to its filter, `query` has its own fields."""
    since, until = dates
    shown = {"targetEntity": target, "returningEntity": returning or target, "totalIntervals": 5, **options}
    within = {"date_to": until, **({"date_from": since} if since else {})}
    return {"kind": "RetentionQuery", "dateRange": within, "retentionFilter": shown, **(query or {})}


def broken_down(by: Any, kind: str = "event", **fields: Any) -> dict[str, Any]:
    """Return a breakdown as fields of the query."""
    return {"breakdownFilter": {"breakdown": by, "breakdown_type": kind, **fields}}


def counts(rows: list[dict[str, Any]]) -> list[list[int]]:
    """Return the cells of every row, without trailing zeros."""
    found = [[int(cell["count"]) for cell in row["values"]] for row in rows]
    for row in found:
        while row and row[-1] == 0:
            row.pop()
    return found


def added(rows: list[dict[str, Any]]) -> list[list[float]]:
    """Return the sums in the cells of every row, without trailing zeros."""
    found = [[cell["aggregation_value"] for cell in row["values"]] for row in rows]
    for row in found:
        while row and row[-1] == 0:
            row.pop()
    return found


def by_value(rows: list[dict[str, Any]]) -> dict[str, list[list[int]]]:
    """Return the cells of every row by breakdown value, in the order of the results."""
    values = list(dict.fromkeys(row["breakdown_value"] for row in rows))
    return {value: counts([row for row in rows if row["breakdown_value"] == value]) for value in values}
