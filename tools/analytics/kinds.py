"""The kinds of analyses, in the order in which their tools are listed. A new kind is one file and one entry here."""

from typing import Any

from ...gateway.call import Call
from ...schemas.analytics.queries import Analysis
from . import funnel, lifecycle, paths, retention, stickiness, trends
from .dates import check, resolve
from .group_types import with_group_types
from .kind import Kind
from .spec import Spec
from .stored import INTERVALS, StoredQuery, one_of

KINDS: tuple[Kind[Any, Any], ...] = (
    trends.KIND,
    funnel.KIND,
    retention.KIND,
    paths.KIND,
    stickiness.KIND,
    lifecycle.KIND,
)


def kind_of(source: StoredQuery) -> Kind[Any, Any] | None:
    """Return the kind of a stored PostHog query; None for other queries, such as SQL."""
    return next((kind for kind in KINDS if kind.node == source.get("kind")), None)


async def read_typed[I: Analysis, O](api: Call, kind: Kind[I, O], args: I) -> Spec[O]:
    """Return the Spec of a typed input. Raises Refused (`invalid_argument`) for dates that PostHog would misread, and
    for types of groups that do not exist.
    """
    spec = await with_group_types(api, kind.read(args))
    start, end, interval = spec.dates.start, spec.dates.end, kind.range_interval(spec)
    check(start, end, resolve(start, end, now=api.now(), zone=api.timezone, interval=interval), interval=interval)
    return spec


def read_stored(kind: Kind[Any, Any], source: StoredQuery) -> Spec[Any] | None:
    """Return the Spec of a stored query of this kind; None when its result would be reported wrongly."""
    if (
        one_of(INTERVALS, source.get("interval") or "day") is None
        or source.get("aggregation_group_type_index") is not None
    ):
        return None
    return kind.read_stored(source)
