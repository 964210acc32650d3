"""Breakdowns of trends: a text per event, or a pass per cohort."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from ..errors import invalid
from ..hogql import HogqlError, column_kind, escape, parse_expression
from ..http.routing import Call
from ..queries.project import Project
from ..queries.property_filters import TRUE
from ..values import Row, as_list, objects
from .requests import choice, malformed_query, number, options

NULL = "$$_posthog_breakdown_null_$$"
OTHER = "$$_posthog_breakdown_other_$$"
MOST_BREAKDOWNS = 3
TYPES = ("event", "person", "group", "session", "cohort", "hogql", "event_metadata")
MOST_BINS = 1_000
_LIMIT = 25

type Value = tuple[str, ...]
"""The values of an event, one per breakdown."""


@dataclass(frozen=True, slots=True)
class Pass:
    """A pass over the events that match `condition`.

    `value` and `label` are those of its results; None without a cohort.
    """

    condition: str = TRUE
    value: Any = None
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """A parsed breakdown.

    `expressions` are HogQL texts, none without a breakdown. `listed`: values of results are lists. `limit` values are
    kept per series; the others are combined, or dropped with `hide_other`. An expression with a number of `bins` is
    numeric; `binned` turns it into text once the range is known.
    """

    expressions: tuple[str, ...] = ()
    passes: tuple[Pass, ...] = (Pass(),)
    listed: bool = False
    limit: int = _LIMIT
    hide_other: bool = False
    bins: tuple[int | None, ...] = ()

    @property
    def has_bins(self) -> bool:
        """Whether any expression is a histogram."""
        return any(bins is not None for bins in self.bins)

    def binned(self, ends: list[tuple[float, float] | None]) -> tuple[str, ...]:
        """Return the expressions as text. `ends` has the minimum and maximum of each, None if there are no values."""
        return tuple(
            text if bins is None else _bins(text, bins, end)
            for text, bins, end in zip(self.expressions, self.bins, ends, strict=True)
        )

    @property
    def by_cohort(self) -> bool:
        """Whether every pass is a cohort."""
        return self.passes[0].label is not None

    def shown(self, value: Value) -> Any:
        """Return PostHog's `breakdown_value`."""
        return list(value) if self.listed else value[0]


def read_breakdown(call: Call, query: Row, project: Project, default_limit: int = _LIMIT) -> Breakdown:
    """Return the `breakdownFilter` of a query. Blocking: it reads cohorts. Raises ApiError 400."""
    given = options(query, "breakdownFilter")
    place = "breakdownFilter."
    kind = choice(given, "breakdown_type", place, TYPES, "event")
    several, single = objects(given.get("breakdowns")), given.get("breakdown")
    cleaning = given.get("breakdown_path_cleaning") is True
    make = partial(
        Breakdown,
        limit=number(given, "breakdown_limit", place, default_limit, least=1),
        hide_other=given.get("breakdown_hide_other_aggregation") is True,
    )
    if several:
        if len(several) > MOST_BREAKDOWNS:
            raise invalid(f"An insight has {MOST_BREAKDOWNS} breakdowns at most.")
        bins = tuple(_bin_count(item, "histogram_bin_count", f"{place}breakdowns.") for item in several)
        texts = [_of(item, project, index, cleaning=cleaning) for index, item in enumerate(several)]
        return make(expressions=tuple(texts), bins=bins, listed=True)
    if single is None or single == "" or single == []:
        return make()
    if kind == "cohort":
        return make(passes=tuple(_cohort(call, value) for value in as_list(single) or [single]))
    bins = _bin_count(given, "breakdown_histogram_bin_count", place)
    item = {
        "property": single,
        "type": kind,
        "group_type_index": given.get("breakdown_group_type_index"),
        "normalize_url": given.get("breakdown_normalize_url"),
        "histogram_bin_count": bins,
    }
    return make(expressions=(_of(item, project, 0, cleaning=cleaning),), bins=(bins,))


def _bin_count(given: Row, name: str, place: str) -> int | None:
    if given.get(name) is None:
        return None
    bins = number(given, name, place, 1, least=1)
    if bins > MOST_BINS:
        raise malformed_query(f"{place}{name}", f"Input should be less than or equal to {MOST_BINS}")
    return bins


def _bins(expression: str, bins: int, ends: tuple[float, float] | None) -> str:
    """Return the bin of a number, `[10,20]`: bins of equal width from the minimum to just above the maximum."""
    if ends is None:
        return escape.string(NULL)
    least, greatest = ends
    width = (greatest - least) / bins
    terms: list[str] = []
    for index in range(bins):
        lower, upper = width * index + least, width * (index + 1) + least + (0.01 if index + 1 == bins else 0)
        shown = escape.string(f"[{_shown_number(lower)},{_shown_number(upper)}]")
        within = f"{expression} >= {escape.constant(lower)} AND {expression} < {escape.constant(upper)}"
        terms += [within, shown]
    return f"multiIf({', '.join(terms)}, {escape.string(NULL)})"


def _shown_number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _of(item: Row, project: Project, index: int, *, cleaning: bool) -> str:
    """Return the text of an event; missing and empty values become the null marker. A histogram's is a number."""
    place = f"breakdownFilter.breakdowns.{index}."
    key = item.get("property")
    listed = as_list(key)
    if listed is not None and len(listed) == 1:
        key = listed[0]
    if not isinstance(key, str) or not key:
        raise malformed_query(f"{place}property", "Input should be a valid string")
    kind = choice(item, "type", place, TYPES, "event")
    try:
        text = f"toString({_expression(kind, key, item, project)})"
        if item.get("histogram_bin_count") is not None:
            return f"toFloat({text})"
        for regex, alias in project.scope.path_cleaning if cleaning else ():
            text = f"replaceRegexpAll({text}, {escape.string(regex)}, {escape.string(alias)})"
    except HogqlError as error:
        raise invalid(error.message, error.code) from error
    if item.get("normalize_url") is True:
        trimmed = f"replaceRegexpOne({text}, '[/?#]*$', '')"
        text = f"if(empty({trimmed}), '/', {trimmed})"
    return f"ifNull(nullIf({text}, ''), {escape.string(NULL)})"


def _expression(kind: str, key: str, item: Row, project: Project) -> str:
    name = escape.hogql_identifier(key)
    match kind:
        case "event":
            return "elements_chain" if key == "$elements_chain" else f"properties.{name}"
        case "person":
            return "distinct_id" if key == "distinct_id" else f"person.properties.{name}"
        case "group":
            index = number(item, "group_type_index", "breakdownFilter.", 0)
            if index > 4:
                raise malformed_query("breakdownFilter.group_type_index", "Input should be less than or equal to 4")
            return f"group_{index}.properties.{name}"
        case "session":
            return f"session.{_known('sessions', key, name)}"
        case "event_metadata":
            return _known("events", key, name)
        case "hogql":
            parse_expression(key)
            return f"({key}\n)"  # the line break ends a trailing comment
        case _:
            raise invalid(f"The sandbox does not support breakdowns by {kind} here.")


def _known(table: str, key: str, name: str) -> str:
    if column_kind(table, key) in (None, "array"):
        raise invalid(f"The {table} have no property {key[:100]}.")
    return name


def _cohort(call: Call, value: object) -> Pass:
    if value in ("all", 0):
        return Pass(TRUE, "all", "all users")
    identity = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 10 else value
    if not isinstance(identity, int) or isinstance(identity, bool):
        raise malformed_query("breakdownFilter.breakdown", "Input should be the number of a cohort or 'all'")
    with call.services.store.transaction() as rows:
        found = [row for row in rows.all("cohorts", call.project_id) if row["id"] == identity and not row["deleted"]]
    if not found:
        raise invalid(f"Cohort {identity} does not exist.")
    return Pass(f"person_id IN COHORT {identity}", identity, str(found[0]["name"] or ""))


def ranked(totals: dict[Value, float], breakdown: Breakdown) -> tuple[list[Value], list[Value]]:
    """Return the shown values in PostHog's order, and the values to be combined.

    Values are ordered by total, then by value; those with a missing part come last.
    """

    def order(value: Value) -> tuple[bool, float, Value]:
        return (NULL in value, -totals[value], value)

    ordered = sorted(totals, key=order)
    return ordered[: breakdown.limit], ordered[breakdown.limit :]
