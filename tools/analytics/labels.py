"""The texts that readers see for PostHog's markers, for ranges, and for events that were not found."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from ...schemas.analytics.results import InsightAnswer, Labels
from ...schemas.text import named
from ..table import Note
from .dates import Intervals, Range
from .spec import Split

NONE, OTHER = "(none)", "(other)"
_LONGEST_VALUE = 200
"""A value can have any length, and is repeated in the columns, the rows and the facts."""
_MARKERS = {
    "$$_posthog_breakdown_null_$$": NONE,
    "$$_posthog_breakdown_other_$$": OTHER,
    "": NONE,
    "Other": OTHER,
}


def value_label(value: Labels, *, names_other: bool = False) -> str:
    """Return a breakdown value; several are joined. Funnels write `Other` in full (`names_other`); the other kinds have
    a marker that no value can be confused with.
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
    """Return `{"range": [from, to]}` as PostHog reports it, else by its rules for ranges."""
    resolved = answer.resolved_date_range
    start = _local(resolved and resolved.date_from, span) or span.start
    end = _local(resolved and resolved.date_to, span) or span.end
    return {"range": [_shown(start, "00:00") if start else "all", _shown(end, "23:59")]}


def interval_marks(found: Intervals) -> dict[str, Any]:
    """Return `{"incomplete_last", "incomplete_first"}`: the intervals whose numbers must not be compared."""
    marks: dict[str, Any] = {}
    if found.incomplete_last is not None:
        marks["incomplete_last"] = found.incomplete_last
    if found.incomplete_first and len(found.days) > 1:
        marks["incomplete_first"] = found.days[0]
    return marks


def nothing_found(names: Sequence[str], *, is_filtered: bool) -> Note:
    """Return the note on events that did not happen in the range; filters can be the reason."""
    filters = " The filters may match nothing: describe_data with `property` lists its values." if is_filtered else ""
    return Note(f"No matching events in this range: {', '.join(map(named, names))}.{filters}", doubts_names=True)


def nobody_reached(name: str) -> Note:
    """Return the note on a later event that no users reached."""
    return Note(f"No users reached {named(name)}.", doubts_names=True)


def no_values(splits: Sequence[Split], values: Iterable[str | None]) -> tuple[Note, ...]:
    """Return the note on a breakdown that splits nothing: no event has a value for it."""
    if not splits or set(values) != {NONE}:
        return ()
    name = named(split_name(splits))
    return (Note(f"No event counted here has a value for {name}: the breakdown splits nothing."),)


def split_name(splits: Sequence[Split]) -> str:
    """Return the name of the column with the values of a breakdown."""
    return " / ".join(dict.fromkeys(one.label() for one in splits))


def _local(resolved: str | None, span: Range) -> datetime | None:
    try:
        moment = datetime.fromisoformat(resolved or "")
    except ValueError:
        return None
    return moment.astimezone(span.now.tzinfo) if moment.tzinfo else moment


def _shown(moment: datetime, edge: str) -> str:
    """Return the day alone when it is counted from its beginning, or to its end."""
    return f"{moment:%Y-%m-%d %H:%M}".removesuffix(f" {edge}")
