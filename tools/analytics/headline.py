"""The one number that one would say of a result, and how it changed."""

from collections.abc import Mapping
from typing import Any

from ..table import Report, given

type Headline = dict[str, Any]
"""`{"what", "value", "unit"?, "change_percent"?, "change_of"?, "others"?}`."""


def headline_of(what: str, value: Any, unit: str | None = None) -> Headline | None:
    """Return the headline; None without a value."""
    return None if value is None else {"what": what, "value": value, **given(unit=unit)}


def changed(percent: Any, of: str) -> Headline:
    """Return the change as fields of a headline; empty when it is not known."""
    return {} if percent is None else {"change_percent": percent, "change_of": of}


def first_fact(report: Report) -> Mapping[str, Any]:
    """Return the first fact of a report; empty without facts."""
    facts = report.facts
    if isinstance(facts, Mapping):
        return facts
    return facts[0] if facts else {}
