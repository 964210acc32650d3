"""RetentionQuery: of the actors with an event in a period, those who came back in each later period."""

from dataclasses import dataclass
from typing import Any

from ...http.routing import Call
from ...queries.project import Project
from ...queries.property_filters import TRUE
from ...values import Row
from ..breakdowns import OTHER
from ..dates import iso, wants_all
from ..requests import malformed_query
from ..running import Session, reading
from .cells import retention_cells
from .periods import Periods, read_periods
from .request import RetentionRequest, read_retention_request

_EARLIEST = "2015-01-01"
_MOST_CELLS = 250_000
_MOST_ROWS = 100_000

type Cells = dict[tuple[int, int], tuple[int | float, float]]
"""By row and cell, the number of actors and the sum or average of their events."""


@dataclass(frozen=True, slots=True)
class Retention:
    """A parsed RetentionQuery with its periods."""

    request: RetentionRequest
    periods: Periods


async def retention_query(call: Call, query: Row, project: Project) -> Row:
    """Return one row per period and breakdown value. Raises ApiError 400."""
    session = Session(call, project)
    retention = await read_retention(session, query)
    found: dict[str, Cells] = {}
    if retention.periods.starts:
        breakdown = retention.request.breakdown
        for cohort in breakdown.cohorts if breakdown else ():
            rows = await session.rows(_counts(retention, cohort.condition))
            found |= _cells_by_value(retention.request, rows, cohort.id)
        if breakdown is None or not breakdown.cohorts:
            found = _cells_by_value(retention.request, await session.rows(_counts(retention)))
    return session.response(query, await reading(lambda: _results(retention, found)))


async def read_retention(session: Session, query: Row) -> Retention:
    """Parse a RetentionQuery and its dates. Raises ApiError 400."""
    request = await reading(lambda: read_retention_request(session.call, query, session.project))
    earliest = await session.earliest(TRUE, _EARLIEST) if wants_all(query) else None
    periods = read_periods(query, session.project, request.period, request.total, earliest)
    if len(periods.starts) * len(request.labels) > _MOST_CELLS:
        raise malformed_query("dateRange", f"The retention has more than {_MOST_CELLS:,} cells.")
    return Retention(request, periods)


def _counts(retention: Retention, condition: str = TRUE) -> str:
    """Return HogQL for breakdown value, row, cell, number of actors and, except for plain counts, the sum."""
    request = retention.request
    cells = retention_cells(request, retention.periods, condition)
    width = len(request.labels)
    keys = "retention_value, retention_row, retention_cell"
    if request.value is not None:
        pairs = f"SELECT *, arrayJoin(retention_cells) AS retention_pair FROM ({cells})"
        added = "sum(tupleElement(retention_pair, 2))"
        actors = "count(DISTINCT retention_actor)"
        return (
            f"SELECT retention_value, retention_row, tupleElement(retention_pair, 1) AS retention_cell, {actors}, "
            f"{f'{added} / {actors}' if request.average else added} FROM ({pairs}) WHERE retention_cell < {width} "
            f"GROUP BY {keys} ORDER BY {keys} LIMIT {_MOST_ROWS}"
        )
    shown = f"arrayFilter(cell -> cell < {width}, retention_cells)"
    if request.cumulative:
        shown = f"range(0, toInt(arrayMax({shown})) + 1)"
    return (
        f"SELECT retention_value, retention_row, arrayJoin({shown}) AS retention_cell, count() "
        f"FROM ({cells}) GROUP BY {keys} ORDER BY {keys} LIMIT {_MOST_ROWS}"
    )


def _cells_by_value(request: RetentionRequest, rows: list[list[Any]], cohort: str | None = None) -> dict[str, Cells]:
    """Return the cells by breakdown value ("" without a breakdown), corrected for sampling as in PostHog."""
    found: dict[str, Cells] = {}
    for value, row, cell, actors, *added in rows:
        number = float(added[0] or 0) if added else 0.0
        if request.sampling < 1:
            actors, number = round(actors / request.sampling), round(number / request.sampling)
        found.setdefault(value if cohort is None else cohort, {})[int(row), int(cell)] = (int(actors), number)
    return found


def _results(retention: Retention, found: dict[str, Cells]) -> list[Row]:
    breakdown = retention.request.breakdown
    if breakdown is None:
        return _shown(retention, found.get("", {}), None)
    ranked = sorted(found, key=lambda value: (-_size(found[value]), value))
    kept = {value: found[value] for value in ranked[: breakdown.limit]}
    others = [found[value] for value in ranked[breakdown.limit :]]
    if others:
        kept[OTHER] = _added(others)
    return [row for value, cells in kept.items() for row in _shown(retention, cells, value)]


def _size(cells: Cells) -> int | float:
    """Return the number of starting actors, over all rows."""
    return sum(actors for (_, cell), (actors, _) in cells.items() if cell == 0)


def _added(parts: list[Cells]) -> Cells:
    """Combine several values; as in PostHog, averages are added up too."""
    total: Cells = {}
    for part in parts:
        for place, (actors, number) in part.items():
            before = total.get(place, (0, 0.0))
            total[place] = (before[0] + actors, before[1] + number)
    return total


def _shown(retention: Retention, cells: Cells, value: str | None) -> list[Row]:
    """Return the rows of one value. As in PostHog, empty cells are 0.0 without a breakdown and 0 with one."""
    request = retention.request
    empty = (0.0 if value is None else 0, 0.0)
    valued = request.value is not None
    labels = list(enumerate(request.labels))

    def cell(row: int, place: int, label: str) -> Row:
        actors, number = cells.get((row, place), empty)
        return {"count": actors, **({"aggregation_value": number} if valued else {}), "label": label}

    return [
        {
            "values": [cell(row, place, label) for place, label in labels],
            "label": f"{request.period} {row}",
            "date": iso(start),
            "breakdown_value": value,
        }
        for row, start in enumerate(retention.periods.starts)
    ]
