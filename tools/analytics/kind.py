"""The record of a kind of analysis: everything that differs between trends, funnels, retention and the others."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...schemas.analytics.queries import Analysis
from ..table import Report
from .compiling import PosthogQuery
from .computing import Computed
from .dates import Range, Rounding
from .headline import Headline
from .spec import Spec
from .stored import StoredQuery


def _interval(spec: Spec[Any]) -> str:
    return spec.interval


def _in_series(spec: Spec[Any]) -> Rounding:
    return Rounding.SERIES


def _never(spec: Spec[Any]) -> bool:
    return False


def _no_headline(source: StoredQuery, result: Any) -> Headline | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind[I: Analysis, O]:
    """One kind of analysis. `read` or `read_stored` makes a Spec; the other functions read nothing else."""

    name: str
    """The tool is `query_` and this name."""
    about: str
    input: type[I]
    read: Callable[[I], Spec[O]]
    """Return the Spec of a typed input."""
    read_stored: Callable[[StoredQuery], Spec[O] | None]
    """Return the Spec of a stored PostHog query; None when its result would be reported wrongly."""
    compile: Callable[[Spec[O]], PosthogQuery]
    """Return PostHog's query, as it is stored."""
    report: Callable[[Spec[O], Computed, Range], Report]
    """Return the table, facts and notes of PostHog's result."""
    headline: Callable[[Spec[O], Report], Headline | None]
    """Return the one number of a report."""
    range_interval: Callable[[Spec[O]], str] = _interval
    """Return the interval that the ends of the range are rounded to."""
    rounding: Callable[[Spec[O]], Rounding] = _in_series
    """Return what PostHog counts of the intervals at the ends of the range."""
    leaves_out_open: Callable[[Spec[O]], bool] = _never
    """Return whether the current interval would distort numbers that cannot be corrected afterwards."""
    compared: Callable[[Report, Report, Range], Report] | None = None
    """Return a report with the one of the range before, where PostHog does not compare: that takes a second query."""
    tile_rows: int = 5
    """The height that PostHog gives to its tile on a dashboard, in rows of the grid."""
    sent: Callable[[PosthogQuery], PosthogQuery] = dict
    """Return the query to compute, when it is not the one to store."""
    unread_headline: Callable[[StoredQuery, Any], Headline | None] = _no_headline
    """Return the headline of a result whose stored query is not read."""

    @property
    def tool(self) -> str:
        """The name of the tool."""
        return f"query_{self.name}"

    @property
    def node(self) -> str:
        """PostHog's name for the query."""
        return self.input.node
