"""The one number of a trend: a total over the complete intervals, or the last of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

from ...schemas.analytics.events import ADDITIVE_MATHS
from ...schemas.analytics.results import TrendResult
from ...schemas.json import as_list, as_object
from ..table import Report, Role, Row, Table, given, number
from .computing import in_shape
from .headline import Headline, changed, first_fact, headline_of
from .labels import split_name
from .spec import Spec
from .stored import StoredQuery

TOTAL = "total"
"""The interval of one number for the whole range."""
_CUMULATIVE = "ActionsLineGraphCumulative"


@dataclass(frozen=True, slots=True)
class TrendOptions:
    formula: str | None = None
    """An expression over the series, called A, B, and so on."""


type TrendSpec = Spec[TrendOptions]


def is_additive(spec: TrendSpec, base: int = 0) -> bool:
    """Return whether the intervals and values of a series add up to a whole."""
    return spec.options.formula is None and spec.counted[base].math in ADDITIVE_MATHS


def headline(spec: TrendSpec, report: Report) -> Headline | None:
    """Return the total of a series that adds up, else its last complete interval."""
    table = report.table
    if not (table.rows if spec.interval == TOTAL else report.facts):
        return None
    if spec.splits and len(spec.counted) == 1 and is_additive(spec):
        value = number(sum(float(row[at] or 0) for row in _complete_rows(spec, report) for at in table.at(Role.VALUE)))
        last = (as_list(first_fact(report).get("last_complete")) or [None])[0] if spec.interval != TOTAL else None
        until = f" to {last}" if last and "incomplete_last" in report.marks else ""
        what = f"{spec.counted[0].label}: total of every {split_name(spec.splits)}{until}"
        return {"what": what, "value": value}
    return _total_headline(table) if spec.interval == TOTAL else _line_headline(spec, report)


def _complete_rows(spec: TrendSpec, report: Report) -> Sequence[Row]:
    """Return the rows of complete intervals; all rows when there are none, or when they are no intervals."""
    incomplete = (report.marks.get("incomplete_first"), report.marks.get("incomplete_last"))
    rows = [] if spec.interval == TOTAL else [row for row in report.table.rows if row[0] not in incomplete]
    return rows or report.table.rows


def _total_headline(table: Table) -> Headline:
    """Return the first row, with up to three more."""
    (name, *_), (value, *_), change_at = table.at(Role.DIMENSION), table.at(Role.VALUE), table.at(Role.CHANGE)
    first, *others = table.rows[:4]
    moved = changed(first[change_at[0]] if change_at else None, "the period before")
    rest = {str(row[name]): row[value] for row in others}
    return {"what": str(first[name]), "value": first[value], **moved, **given(others=rest or None)}


def _line_headline(spec: TrendSpec, report: Report) -> Headline | None:
    """Return the total of a series that adds up, else its last complete interval."""
    fact = first_fact(report)
    name = str(fact["series"])
    last = as_list(fact.get("last_complete")) or [None, None]
    total = _total(fact)
    until = f" to {last[0]}" if "total_with_incomplete" in fact and last[0] else ""
    what, value = (f"{name}: total{until}", total) if total is not None else (f"{name}: {last[0]}", last[1])
    if value is None:
        return None
    if compared := fact.get("compared"):
        moved = changed(compared.get("change_percent"), "the period before")
    elif "vs_week_before_percent" in fact:
        moved = changed(fact["vs_week_before_percent"], f"{last[0]} against the week before")
    else:
        moved = changed(fact.get("vs_one_before_percent"), f"{last[0]} against the {spec.interval} before")
    facts = cast("Sequence[Mapping[str, Any]]", report.facts)[1:4]
    others = {
        str(one["series"]): (one.get("last_complete") or [None, None])[1] if _total(one) is None else _total(one)
        for one in facts
    }
    return {"what": what, "value": value, **moved, **given(others=None if spec.splits else others or None)}


def _total(fact: Mapping[str, Any]) -> Any:
    """Return the total of the complete intervals, or of the incomplete ones alone; None for maths without totals."""
    return fact.get("total", fact.get("total_with_incomplete"))


def unread_headline(source: StoredQuery, result: Any) -> Headline | None:
    """Return where lines that add up over time have come to."""
    if as_object(source.get("trendsFilter")).get("display") != _CUMULATIVE:
        return None
    try:
        first = in_shape(result, list[TrendResult])[0]
    except (ValidationError, IndexError):
        return None
    counted = [point for point in first.data or [] if point is not None]
    return headline_of(f"{first.label or 'series 1'}: total", number(counted[-1]) if counted else None)
