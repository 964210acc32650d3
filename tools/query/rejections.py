"""What to do about errors that PostHog and its ClickHouse report for a query that passed the check."""

import re

_NAMES = "Fix the error that PostHog reports; describe_data shows the names that exist."
_KNOWN: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), hint)
    for pattern, hint in (
        (
            r"Illegal type (?:Nullable\()?String",
            "Properties not defined as numbers are strings: write toFloat(properties.x).",
        ),
        (
            r"There is no supertype for types",
            "Compare values of one type: a property that is not defined as a number is a string, so write '200' or "
            "toFloat(properties.x).",
        ),
        (
            r"not under aggregate function and not in GROUP BY",
            "Add the column to GROUP BY, or aggregate it, for example with any(x).",
        ),
        (
            r"Aggregate function .* is found (?:in|inside)|cannot be nested inside another aggregation",
            "Filter aggregates with HAVING; aggregate aggregates in an outer query.",
        ),
        (r"cannot be inside Nullable type", "Replace null before making an array: ifNull(properties.x, '[]')."),
        (
            r"array aggregation function cannot be performed",
            "Replace null in the items before adding them: ifNull(x, 0).",
        ),
        (
            r"Cannot parse uuid",
            "person_id and uuid are UUIDs; compare other identifiers of a person with distinct_id.",
        ),
        (
            r"Cannot (?:parse|read) Date|Cannot convert string .* to type Date",
            "Write times as '2026-01-31 12:00:00' or relative to now, such as now() - INTERVAL 7 DAY.",
        ),
        (
            r"Unsupported function call|Unknown (?:aggregate )?function",
            "Use a function of ClickHouse; the names of most are case-sensitive.",
        ),
        (r"(?i)memory limit", "Narrow the time range, select fewer columns, or group by fewer values."),
    )
)
"""Patterns of messages, each with what to do about them."""


def known_hint(detail: str) -> str | None:
    """Return what to do about an error, None for one that is not known."""
    return next((hint for pattern, hint in _KNOWN if pattern.search(detail)), None)


def hint_for(detail: str) -> str:
    """Return what to do about an error, in general terms for one that is not known."""
    return known_hint(detail) or _NAMES
