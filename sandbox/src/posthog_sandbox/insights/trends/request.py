"""Parsing of a TrendsQuery's options."""

from dataclasses import dataclass

from ...errors import invalid
from ...values import Row, as_list, objects
from ..requests import choice, malformed_query, number, options
from .formulas import Formula

DISPLAYS = (
    "ActionsLineGraph",
    "ActionsBar",
    "ActionsUnstackedBar",
    "ActionsStackedBar",
    "ActionsAreaGraph",
    "ActionsLineGraphCumulative",
    "BoldNumber",
    "ActionsPie",
    "ActionsBarValue",
    "ActionsTable",
    "WorldMap",
    "CalendarHeatmap",
    "Auto",
)
AGGREGATE_DISPLAYS = frozenset(
    {"BoldNumber", "ActionsPie", "ActionsBarValue", "ActionsTable", "WorldMap", "CalendarHeatmap"}
)
_UNSUPPORTED = ("Metric", "TwoDimensionalHeatmap", "BoxPlot", "SlopeGraph")
_WORLD_MAP_LIMIT = 250
_LIMIT = 25


@dataclass(frozen=True, slots=True)
class NamedFormula:
    """A formula and its custom name."""

    formula: Formula
    custom_name: str | None

    @property
    def label(self) -> str:
        """The name of its results."""
        return self.custom_name or f"Formula ({self.formula.text})"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendsRequest:
    """The options of a TrendsQuery.

    `display` also decides whether there is one number per series (`aggregate`). `compare_to` None means the preceding
    period.
    """

    display: str
    formulas: tuple[NamedFormula, ...]
    smoothing: int
    compare: bool
    compare_to: str | None

    @property
    def aggregate(self) -> bool:
        """Whether there is one number per series instead of one per interval."""
        return self.display in AGGREGATE_DISPLAYS

    @property
    def cumulative(self) -> bool:
        """Whether numbers are running totals."""
        return self.display == "ActionsLineGraphCumulative"

    @property
    def breakdown_limit(self) -> int:
        """The default limit of breakdown values."""
        return _WORLD_MAP_LIMIT if self.display == "WorldMap" else _LIMIT


def read_trends_request(query: Row, series: int) -> TrendsRequest:
    """Return the `trendsFilter` and `compareFilter` of a query with `series` series. Raises ApiError 400."""
    given = options(query, "trendsFilter")
    place = "trendsFilter."
    compare, compare_to = read_compare(query)
    display = given.get("display")
    if display in _UNSUPPORTED:
        raise invalid(f"The sandbox does not support the display {display}.")
    return TrendsRequest(
        display=choice(given, "display", place, DISPLAYS, DISPLAYS[0]),
        formulas=_formulas(given, series),
        smoothing=number(given, "smoothingIntervals", place, 1, least=1),
        compare=compare,
        compare_to=compare_to,
    )


def read_compare(query: Row) -> tuple[bool, str | None]:
    """Return whether to compare, and the shift of the compared period. Raises ApiError 400."""
    given = options(query, "compareFilter")
    compare_to = given.get("compare_to")
    if compare_to is not None and not isinstance(compare_to, str):
        raise malformed_query("compareFilter.compare_to", "Input should be a valid string")
    return given.get("compare") is True, compare_to or None


def _formulas(given: Row, series: int) -> tuple[NamedFormula, ...]:
    """Return the formulas; `formulaNodes` take precedence over `formulas`, those over `formula`."""
    nodes = objects(given.get("formulaNodes"))
    if not nodes:
        nodes = [{"formula": text} for text in as_list(given.get("formulas")) or [given.get("formula")] if text]
    return tuple(_formula(node, series) for node in nodes)


def _formula(node: Row, series: int) -> NamedFormula:
    text, name = node.get("formula"), node.get("custom_name")
    if not isinstance(text, str):
        raise malformed_query("trendsFilter.formula", "Input should be a valid string")
    return NamedFormula(Formula(text, series), name if isinstance(name, str) and name else None)
