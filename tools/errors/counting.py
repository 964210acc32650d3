"""HogQL over `$exception` events: what `ErrorTrackingQuery` does not count.

The events of an issue are those whose `issue_id` it is now: after a merge their property `$exception_issue_id` still
names the former one (PostHog's own instructions for its `query-error-tracking-issue-events`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.errors import Refused
from ...schemas.analytics.results import InsightAnswer
from ...schemas.base.dates import Bounded
from ...schemas.measures import Count
from ...schemas.privacy import SMALLEST_GROUP
from ..analytics.computing import response_to, results, without_results
from ..analytics.dates import Range
from ..analytics.labels import span_marks
from ..operation.dates import moments
from .exceptions import release_in

_RELEASE = (
    "coalesce(nullIf(toString(properties.$exception_releases), ''), nullIf(toString(properties.$app_version), ''), "
    "nullIf(toString(properties.app_version), ''))"
)
_SINCE, _UNTIL = "toDateTime({since})", "toDateTime({until})"
_MOST = 5
_EDGE = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` up to `until`, and the period of the same length before it."""

    since: datetime
    until: datetime
    is_open: bool
    """It ends when PostHog counts it."""

    @property
    def before(self) -> datetime:
        """The start of the period before."""
        return self.since - (self.until - self.since)

    @property
    def as_sent(self) -> dict[str, str]:
        """The range for PostHog, which counts whole seconds and takes both ends as included."""
        end = {} if self.is_open else {"date_to": self.until.isoformat()}
        return {"date_from": self.since.isoformat(), **end}

    @property
    def values(self) -> dict[str, str]:
        """The placeholders of a query, which HogQL reads in the project's timezone."""
        ends = {"before": self.before, "since": self.since, "until": self.until}
        return {name: f"{moment:%Y-%m-%d %H:%M:%S}" for name, moment in ends.items()}

    @property
    def marks(self) -> dict[str, Any]:
        """`{"range"}`, what was counted."""
        return span_marks(Range(self.since, self.until if self.is_open else self.until - _EDGE, self.until))

    def counted_at(self, moment: datetime) -> "Span":
        """Return the range that PostHog counted at this moment, which is earlier for numbers from its cache."""
        ends = moment.astimezone(self.since.tzinfo)
        return replace(self, until=max(ends, self.since + timedelta(seconds=1))) if self.is_open else self


def span_of(api: Call, start: Bounded, end: Bounded | None) -> Span:
    """Return the range of a call. Raises Refused (`invalid_argument`) for one that ends before it begins."""
    since, until = moments(api, start, end)
    stop = api.now().astimezone(api.timezone) if until is None else until + _EDGE
    if since is None or since >= stop:
        raise Refused("invalid_argument", "`date_from` is after `date_to`.", "Set `date_from` to an earlier date.")
    return Span(since.astimezone(api.timezone), stop, until is None)


@dataclass(frozen=True, slots=True)
class Course:
    """The occurrences of an issue in a period and before it, and the release of the latest one."""

    now: int
    before: int
    release: str | None


async def courses(api: Call, tool: str, ids: Sequence[str], span: Span) -> dict[str, Course]:
    """Return the course of each issue, by its id, in one query."""
    text = (
        f"SELECT toString(issue_id) AS id, countIf(timestamp >= {_SINCE}) AS now, countIf(timestamp < {_SINCE}) AS "
        f"before, argMaxIf({_RELEASE}, timestamp, timestamp >= {_SINCE}) AS release FROM events "
        f"WHERE {_exceptions()} AND toString(issue_id) IN {{ids}} GROUP BY id LIMIT 1000"
    )
    values = {**span.values, "ids": list(ids)}
    found = await _rows(api, tool, text, values, tuple[str, Count, Count, str | None])
    return {id: Course(now, before, release_in(release)) for id, now, before, release in found}


async def parts(api: Call, tool: str, issue: str, span: Span) -> tuple[Course, dict[str, list[list[Any]]]]:
    """Return the course of an issue, and its most frequent releases, pages and browsers with occurrences and users, in
    one query.
    """
    pages = "coalesce(nullIf(toString(properties.$pathname), ''), nullIf(toString(properties.$screen_name), ''))"
    pairs = (
        f"[tuple('releases', {_RELEASE}), tuple('pages', {pages}), "
        "tuple('browsers', nullIf(toString(properties.$browser), ''))]"
    )
    few = f" AND (users >= {SMALLEST_GROUP} OR kind = 'period')" if api.privacy.aggregate_only else ""
    text = (
        "SELECT tupleElement(pair, 1) AS kind, tupleElement(pair, 2) AS value, count() AS n, uniq(person_id) AS users "
        f"FROM (SELECT person_id, arrayJoin(if(timestamp < {_SINCE}, [tuple('period', 'before')], "
        f"arrayConcat([tuple('period', 'now')], {pairs}))) AS pair FROM events "
        f"WHERE {_exceptions()} AND toString(issue_id) = {{id}}) "
        f"GROUP BY kind, value HAVING isNotNull(value){few} ORDER BY n DESC, value ASC LIMIT {_MOST} BY kind"
    )
    found = await _rows(api, tool, text, {**span.values, "id": issue}, tuple[str, str, Count, Count])
    counts = {value: n for kind, value, n, _ in found if kind == "period"}
    shown: dict[str, list[list[Any]]] = {}
    for kind, value, n, users in found:
        if kind != "period":
            name = (release_in(value) or value) if kind == "releases" else value
            shown.setdefault(kind, []).append([name, n, users])
    return Course(counts.get("now", 0), counts.get("before", 0), None), shown


def _exceptions() -> str:
    return f"event = '$exception' AND timestamp >= toDateTime({{before}}) AND timestamp < {_UNTIL}"


async def _rows[T](api: Call, tool: str, text: str, values: Mapping[str, Any], shape: type[T]) -> list[T]:
    query = {"kind": "HogQLQuery", "query": text, "values": values}
    answer = await response_to(api.counted_as(Budget.QUERY), query, InsightAnswer, tool=tool, refresh=False)
    if answer.results is None:
        raise without_results()
    return results(answer, list[shape])
