"""What readers see of PostHog's markers, and of what was counted when."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ...schemas.analytics.events import Breakdown
from ...schemas.analytics.results import InsightAnswer, Labels
from .dates import Intervals, Range

NONE, OTHER = "(none)", "(other)"
_LONGEST_VALUE = 200
"""Anybody can send a value of any length, and it would stand in the columns, the rows and the facts."""
_MARKERS = {
    "$$_posthog_breakdown_null_$$": NONE,
    "$$_posthog_breakdown_other_$$": OTHER,
    "": NONE,
    "Other": OTHER,
}


def value_label(value: Labels, *, names_other: bool = False) -> str:
    """A breakdown value; several are joined. Funnels write `Other` in full (`names_other`), where others have a
    marker that no value can be taken for.
    """
    if isinstance(value, list):
        return " / ".join(value_label(one, names_other=names_other) for one in value) or NONE
    if value is None:
        return NONE
    text = str(value)
    if len(text) > _LONGEST_VALUE:
        return f"{text[:_LONGEST_VALUE]}… ({len(text)} characters)"
    return text if text == "Other" and not names_other else _MARKERS.get(text, text)


def span_marks(answer: InsightAnswer, span: Range) -> dict[str, Any]:
    """`{"range": [from, to]}` of what was counted, as PostHog says, else as its rules are known here."""
    said = answer.resolved_date_range
    start = _local(said and said.date_from, span) or span.start
    end = _local(said and said.date_to, span) or span.end
    return {"range": [_shown(start, "00:00") if start else "all", _shown(end, "23:59")]}


def interval_marks(found: Intervals) -> dict[str, Any]:
    """`{"incomplete_last", "incomplete_first"}`: the intervals whose numbers are not to be compared."""
    marks: dict[str, Any] = {}
    if found.incomplete_last is not None:
        marks["incomplete_last"] = found.incomplete_last
    if found.incomplete_first and len(found.days) > 1:
        marks["incomplete_first"] = found.days[0]
    return marks


class Doubt(str):
    """A note that something counted nothing: perhaps its name is misspelt."""

    __slots__ = ()


def nothing_found(names: Sequence[str], *, conditions: bool) -> Doubt:
    """The note on events that did not happen at all in the range. `conditions`: filters may be the reason too."""
    filtered = " Perhaps nothing meets the filters: describe_data with property gives its values." if conditions else ""
    return Doubt(f"Nothing counted in this range: {', '.join(names)}.{filtered}")


def nobody_reached(name: str) -> Doubt:
    """The note on a later event that nobody came to."""
    return Doubt(f"Nobody came to {name}.")


def split_name(breakdowns: Sequence[Breakdown]) -> str:
    """The column of the values of a breakdown."""
    return " / ".join("cohort" if one.type == "cohort" else str(one.property) for one in breakdowns)


def _local(said: str | None, span: Range) -> datetime | None:
    try:
        moment = datetime.fromisoformat(said or "")
    except ValueError:
        return None
    return moment.astimezone(span.now.tzinfo) if moment.tzinfo else moment


def _shown(moment: datetime, edge: str) -> str:
    """The day alone where it is counted from its beginning, or to its end."""
    return f"{moment:%Y-%m-%d %H:%M}".removesuffix(f" {edge}")
