"""Computed results of stored insights: the table and facts that the typed queries give, and one headline number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from ...gateway.errors import GatewayError
from ...schemas.analytics.results import InsightAnswer, ResolvedRange
from ...schemas.insights import InsightView
from ...schemas.json import as_list, as_object, is_list, is_object
from ...schemas.text import shortened
from ..analytics.computing import Computed, computed_at
from ..analytics.headline import Headline
from ..analytics.kind import Kind
from ..analytics.kinds import counted, kind_of, read_stored, reported
from ..analytics.left_out import filter_notes
from ..analytics.names import person_values
from ..analytics.spec import Spec
from ..analytics.stored import StoredQuery, sampling_of, source_of
from ..operation.dates import Calendar
from ..query.persons_then import note_on
from ..table import Column, Note, Report, Table, given, number

_BULKY = frozenset(
    ["filter", "action", "persons_urls", "people", "people_url", "converted_people_url", "dropped_people_url"]
)
"""Fields of a result that repeat the query or are links into PostHog's page."""
_TABLES = ("HogQLQuery", "EventsQuery", "ActorsQuery")


@dataclass(frozen=True, slots=True)
class Shown:
    """A result as it is shown, and its headline if it has a number."""

    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headline: Headline | None = None


def shown_result(
    insight: InsightView,
    calendar: Calendar,
    began: datetime | None = None,
    *,
    has_test_accounts: bool | None = None,
) -> Shown:
    """Return a computed result as the typed query for it would report it, as rows, or else as PostHog sends it without
    the bulky fields. Empty for an insight without a result. `began` is the first event of the project, and
    `has_test_accounts` whether it defines some.
    """
    if insight.result is None:
        return Shown()
    source = source_of(insight.query)
    rows: object = insight.result
    about = [note.text for note in filter_notes(_filters_of(source), has_test_accounts=has_test_accounts)]
    notes = {"notes": about} if about else {}
    if source.get("kind") in _TABLES and insight.columns and is_list(rows):
        rows_shown = _rows(insight, [str(column) for column in insight.columns], rows)
        return replace(rows_shown, fields={**rows_shown.fields, **notes, **_then(source)})
    kind = kind_of(source)
    if kind is None:
        return Shown({"result": _lean(insight.result), **notes})
    spec = read_stored(kind, source)
    report = None if spec is None else _report(kind, spec, insight, calendar, began, has_test_accounts)
    if spec is None or report is None:
        headline = kind.unread_headline(source, insight.result)
        return Shown({**given(headline=headline), "result": _lean(insight.result), **notes}, headline)
    headline = kind.headline(spec, report)
    return Shown({**given(headline=headline), **_without_age(report.as_json())}, headline)


def age_of(insight: InsightView, now: datetime) -> dict[str, Any]:
    """Return `{"last_refresh", "age_s"}` of a computed result."""
    if insight.last_refresh is None:
        return {}
    age = (now - computed_at(insight.last_refresh, now)).total_seconds()
    return {"last_refresh": insight.last_refresh, "age_s": max(round(age), 0)}


def is_analysis(insight: InsightView) -> bool:
    """Return whether an insight has the result of an analysis, which has intervals."""
    return insight.result is not None and kind_of(source_of(insight.query)) is not None


def _filters_of(source: StoredQuery) -> Spec[None]:
    """Return the filters of a query of any kind; SQL has them in `filters`."""
    filters = as_object(source.get("filters"))
    is_without = source.get("filterTestAccounts") is True or filters.get("filterTestAccounts") is True
    return Spec(options=None, without_test_accounts=is_without, sampling=sampling_of(source))


def _then(source: StoredQuery) -> dict[str, Any]:
    """Return the note on person properties of events in SQL."""
    return given(person_values=note_on(str(source.get("query") or "")))


def _report(
    kind: Kind[Any, Any],
    spec: Spec[Any],
    insight: InsightView,
    calendar: Calendar,
    began: datetime | None,
    has_test_accounts: bool | None,
) -> Report | None:
    """Return the report; None for a result that does not fit its query."""
    try:
        answer = InsightAnswer.model_validate({"results": insight.result, "hasMore": insight.hasMore})
        answer.resolved_date_range = _resolved(insight)
        computed = Computed(answer, computed_at(insight.last_refresh, calendar.now))
        span = counted(kind, spec, computed, calendar, began)
        report = reported(kind, spec, computed, span, has_test_accounts=has_test_accounts)
        return replace(report, notes=(*report.notes, *map(Note, person_values(spec))))
    except (GatewayError, ValidationError, ValueError, LookupError):
        return None


def _resolved(insight: InsightView) -> ResolvedRange | None:
    found = insight.resolved_date_range
    return ResolvedRange.model_validate(found) if isinstance(found, dict) else None


def _rows(insight: InsightView, columns: list[str], rows: list[Any]) -> Shown:
    headline = _headline_of_rows(columns, rows)
    whole = tuple(tuple(shortened(row)) if is_list(row) else (shortened(row),) for row in rows)
    table = Table("bars", tuple(map(Column, columns)), whole).as_json()
    if table.get("truncated"):
        table["how_to_continue"] = (
            f"Only the first {table['rows_returned']} of {len(rows)} rows fit: run its query with run_hogql."
        )
    elif insight.hasMore:
        table |= {"truncated": True, "how_to_continue": "PostHog has more rows: run its query with run_hogql."}
    return Shown({"headline": headline, **table}, headline)


def _headline_of_rows(columns: Sequence[str], rows: Sequence[Any]) -> Headline:
    """Return the only number of a table, or else its number of rows."""
    if len(rows) == 1:
        for name, cell in zip(columns, as_list(rows[0]), strict=False):
            if isinstance(cell, (int, float)) and not isinstance(cell, bool):
                return {"what": name, "value": number(cell)}
    return {"what": "rows", "value": len(rows)}


def _without_age(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report without the age, which the insight has itself."""
    return {name: value for name, value in shown.items() if name != "computed_at"}


def _lean(result: Any) -> Any:
    """Return the numbers of a result without links, repeated queries, and labels that repeat the days."""
    if is_list(result):
        return [_lean(item) for item in result]
    if not is_object(result):
        return shortened(result)
    doubled = {"labels"} if result.get("days") else set[str]()
    return {name: value for name, value in result.items() if name not in _BULKY | doubled and value is not None}
