"""Computed results of stored insights: the table and facts that the typed queries give, and one headline number."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from ...gateway.errors import GatewayError
from ...schemas.analytics.queries import (
    Analysis,
    QueryFunnel,
    QueryLifecycle,
    QueryPaths,
    QueryRetention,
    QueryStickiness,
    QueryTrends,
)
from ...schemas.analytics.results import InsightAnswer, ResolvedRange
from ...schemas.dates import RangeStart
from ...schemas.insights import InsightView
from ..analytics.asking import Asked, computed_at
from ..analytics.behavior import lifecycle_answer, paths_answer, stickiness_answer
from ..analytics.dates import Range, resolve
from ..analytics.funnel import funnel_answer
from ..analytics.retention import retention_answer
from ..analytics.trends import trends_answer
from ..table import Answer, Table, given
from .headlines import Headline, headline, of_cumulative, of_rows
from .stored_queries import fields_of, is_cumulative, read_back, source_of

INSIGHT = "/api/projects/{project_id}/insights/{insight_id}/"
_BULKY = frozenset(
    ["filter", "action", "persons_urls", "people", "people_url", "converted_people_url", "dropped_people_url"]
)
"""Fields of a result that repeat the query or are links into PostHog's page."""
_TABLES = ("HogQLQuery", "EventsQuery", "ActorsQuery")
_DEFAULT_START = "-7d"
_END: TypeAdapter[Any] = TypeAdapter(RangeStart)


@dataclass(frozen=True, slots=True)
class Told:
    """A result as it is shown, with its headline where it has a number."""

    shown: Mapping[str, Any] = field(default_factory=dict[str, Any])
    headline: Headline | None = None


def told(insight: InsightView, zone: tzinfo, now: datetime) -> Told:
    """What a computed result says: as the typed query that asks the same would, as rows, or else as PostHog gives it
    without what is bulky. Nothing for an insight without a result.
    """
    if insight.result is None:
        return Told()
    source = source_of(insight.query)
    rows: object = insight.result
    if source.get("kind") in _TABLES and insight.columns and isinstance(rows, list):
        return _rows(insight, [str(column) for column in insight.columns], cast("list[Any]", rows))
    args = read_back(source)
    answer = None if args is None else _answer(args, source, insight, zone, now)
    if args is None or answer is None:
        said = of_cumulative(insight.result) if is_cumulative(source) else None
        return Told({**given(headline=said), "result": _lean(insight.result)}, said)
    said = headline(args, answer)
    return Told({**given(headline=said), **_without_age(answer.as_json())}, said)


def age_of(insight: InsightView, now: datetime) -> dict[str, Any]:
    """`{"last_refresh", "age_s"}` of a computed result."""
    if insight.last_refresh is None:
        return {}
    age = (now - computed_at(insight.last_refresh, now)).total_seconds()
    return {"last_refresh": insight.last_refresh, "age_s": max(round(age), 0)}


def _answer(
    args: Analysis, source: Mapping[str, Any], insight: InsightView, zone: tzinfo, now: datetime
) -> Answer | None:
    """None for a result that is not as its query says."""
    try:
        said = InsightAnswer.model_validate({"results": insight.result, "hasMore": insight.hasMore})
        said.resolved_date_range = _resolved(insight)
        asked = Asked(said, computed_at(insight.last_refresh, now))
        return _tell(args, asked, _span(source, said.resolved_date_range, asked.computed_at, zone))
    except (GatewayError, ValidationError, ValueError, LookupError):
        return None


def _tell(args: Analysis, asked: Asked, span: Range) -> Answer | None:
    match args:
        case QueryTrends():
            return trends_answer(args, asked, span) if args.events else None
        case QueryFunnel():
            return funnel_answer(args, asked, span)
        case QueryRetention():
            return retention_answer(args, asked, span)
        case QueryPaths():
            return paths_answer(args, asked, span)
        case QueryStickiness():
            return stickiness_answer(args, asked, span)
        case QueryLifecycle():
            return lifecycle_answer(args, asked, span)
        case _:
            return None


def _span(source: Mapping[str, Any], said: ResolvedRange | None, now: datetime, zone: tzinfo) -> Range:
    """What was counted: as PostHog says, else by the rules of its ranges. Raises ValueError for a date of a form that
    is not known here.
    """
    if said is not None and said.date_from and said.date_to:
        ends = [datetime.fromisoformat(text).astimezone(zone) for text in (said.date_from, said.date_to)]
        return Range(ends[0], ends[1], now.astimezone(zone))
    dates = fields_of(source.get("dateRange"))
    start, end = (dates.get(name) for name in ("date_from", "date_to"))
    return resolve(
        _END.validate_python(start or _DEFAULT_START),
        None if end is None else _END.validate_python(end),
        now=now,
        zone=zone,
        interval=str(source.get("interval") or "day"),
    )


def _resolved(insight: InsightView) -> ResolvedRange | None:
    said = insight.resolved_date_range
    return ResolvedRange.model_validate(said) if isinstance(said, dict) else None


def _rows(insight: InsightView, columns: list[str], rows: list[Any]) -> Told:
    said = of_rows(columns, rows)
    whole = tuple(tuple(cast("list[Any]", row)) if isinstance(row, list) else (row,) for row in rows)
    table = Table("bars", tuple(columns), whole).as_json()
    if table.get("truncated"):
        table["how_to_continue"] = (
            f"Only the first {table['rows_returned']} of {len(rows)} rows fit: run its query with run_hogql."
        )
    elif insight.hasMore:
        table |= {"truncated": True, "how_to_continue": "PostHog has more rows: run its query with run_hogql."}
    return Told({"headline": said, **table}, said)


def _without_age(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Without what an insight says by itself."""
    return {name: value for name, value in shown.items() if name != "computed_at"}


def _lean(result: Any) -> Any:
    """The numbers of a result: without links, repeated queries, and day labels that repeat the days."""
    if isinstance(result, list):
        return [_lean(item) for item in cast("list[Any]", result)]
    if not isinstance(result, dict):
        return result
    fields = cast("dict[str, Any]", result)
    doubled = {"labels"} if fields.get("days") else set[str]()
    return {name: value for name, value in fields.items() if name not in _BULKY | doubled and value is not None}
