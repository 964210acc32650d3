"""Parsing and validation of a FunnelsQuery."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, cast

from ...errors import ApiError, invalid
from ...http.routing import Call
from ...queries.project import Project
from ...values import Row, objects
from ..requests import choice, malformed_query, number, options
from ..series import FUNNEL_MATHS, Series, read_node, read_series, unknown_action
from .steps import FunnelRules, Order

type Attribution = Literal["first_touch", "last_touch", "all_events", "step"]

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 31 * 86_400}
_DEFAULT_WINDOW = 14
_PLACE = "funnelsFilter."
_SHOWN_AS = {"funnelStepReference": ("total", "previous"), "layout": ("horizontal", "vertical")}
"""Options that only PostHog's pages use."""
_MOST_BINS = 90
_MOST_STEPS = 30
_MOST_EXCLUSIONS = 30


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Events that must not happen after step `from_step` and before step `to_step`, both from 0."""

    series: Series
    from_step: int
    to_step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelRequest:
    """A funnel. `from_step` and `to_step` are from 0. `attributed_step`, from 0, is only for attribution by step."""

    series: tuple[Series, ...]
    exclusions: tuple[Exclusion, ...]
    rules: FunnelRules
    display: str
    from_step: int
    to_step: int
    attribution: Attribution
    attributed_step: int | None
    bins: int | None
    actor: str | None

    @property
    def trend_rules(self) -> FunnelRules:
        """The rules of the funnel that ends at `to_step`."""
        return replace(self.rules, steps=self.to_step + 1, optional=frozenset[int]())


def read_funnel(call: Call, query: Row, project: Project) -> FunnelRequest:
    """Return the funnel of a query. Blocking: it reads actions. Raises ApiError 400."""
    series = read_series(call, query, project, maths=FUNNEL_MATHS)
    wanted = options(query, "funnelsFilter")
    if len(series) < 2:
        raise invalid("Funnels require at least two steps.", "funnels_require_at_least_two_steps")
    if len(series) > _MOST_STEPS:
        raise malformed_query("series", f"List should have at most {_MOST_STEPS} items")
    order = cast(Order, choice(wanted, "funnelOrderType", _PLACE, ("ordered", "strict", "unordered"), "ordered"))
    from_step, to_step = _step_range(wanted, len(series))
    exclusions = _exclusions(call, wanted, project)
    for name, allowed in _SHOWN_AS.items():
        choice(wanted, name, _PLACE, allowed, allowed[0])
    display = choice(wanted, "funnelVizType", _PLACE, ("steps", "time_to_convert", "trends", "flow"), "steps")
    _check_exclusions(order, exclusions, series)
    optional = _optional(series, order, display)
    attribution, attributed_step = _attribution(wanted, len(series))
    if order == "unordered" and attributed_step:
        raise invalid("Only the first step can be used for breakdown attribution in unordered funnels")
    bins = wanted.get("binCount")
    actor = wanted.get("funnelAggregateByHogQL")
    return FunnelRequest(
        series=series,
        exclusions=exclusions,
        rules=FunnelRules(
            steps=len(series),
            window=_window(wanted),
            order=order,
            optional=optional,
            attributed_step=None if attributed_step is None else attributed_step + 1,
        ),
        display=display,
        from_step=from_step,
        to_step=to_step,
        attribution=attribution,
        attributed_step=attributed_step,
        bins=None
        if bins is None
        else min(max(number(wanted, "binCount", _PLACE, 1, least=-_MOST_BINS), 1), _MOST_BINS),
        actor=actor if isinstance(actor, str) and actor else None,
    )


def _window(wanted: Row) -> int:
    interval = number(wanted, "funnelWindowInterval", _PLACE, _DEFAULT_WINDOW, least=1)
    unit = choice(wanted, "funnelWindowIntervalUnit", _PLACE, tuple(_SECONDS), "day")
    return interval * _SECONDS[unit] * 1_000_000


def _step_range(wanted: Row, steps: int) -> tuple[int, int]:
    from_step = number(wanted, "funnelFromStep", _PLACE, 0, least=-1_000)
    to_step = number(wanted, "funnelToStep", _PLACE, steps - 1, least=-1_000)
    if not 0 <= from_step <= steps - 2:
        raise _bad_range(f"funnelFromStep is out of bounds. It must be between 0 and {steps - 2}.")
    if not 1 <= to_step <= steps - 1:
        raise _bad_range(f"funnelToStep is out of bounds. It must be between 1 and {steps - 1}.")
    if to_step <= from_step:
        raise _bad_range("Funnel step range is invalid. funnelToStep should be greater than funnelFromStep.")
    return from_step, to_step


def _bad_range(detail: str) -> ApiError:
    return invalid(detail, "funnel_step_range_invalid")


def _exclusions(call: Call, wanted: Row, project: Project) -> tuple[Exclusion, ...]:
    found: list[Exclusion] = []
    nodes = objects(wanted.get("exclusions"))
    if len(nodes) > _MOST_EXCLUSIONS:
        raise malformed_query(f"{_PLACE}exclusions", f"List should have at most {_MOST_EXCLUSIONS} items")
    for order, node in enumerate(nodes):
        excluded = read_node(call, node, project, order)
        if excluded is None:
            raise unknown_action(node.get("id"))
        place = f"{_PLACE}exclusions.{order}."
        if missing := [name for name in ("funnelFromStep", "funnelToStep") if node.get(name) is None]:
            raise malformed_query(f"{place}{missing[0]}", "Field required")
        from_step, to_step = number(node, "funnelFromStep", place, 0), number(node, "funnelToStep", place, 0)
        found.append(Exclusion(excluded, from_step, to_step))
    return tuple(found)


def _check_exclusions(order: Order, exclusions: tuple[Exclusion, ...], series: tuple[Series, ...]) -> None:
    last = len(series) - 1
    if order == "unordered" and any((item.from_step, item.to_step) != (0, last) for item in exclusions):
        raise _bad_exclusion("Partial Exclusions not allowed in unordered funnels")
    for item in exclusions:
        if item.from_step >= item.to_step:
            raise _bad_exclusion("Exclusion event range is invalid. End of range should be greater than start.")
        if item.from_step >= last:
            raise _bad_exclusion("Exclusion event range is invalid. Start of range is greater than number of steps.")
        if item.to_step > last:
            raise _bad_exclusion("Exclusion event range is invalid. End of range is greater than number of steps.")
        if any(_covers(step, item.series) for step in series[item.from_step : item.to_step + 1]):
            raise _bad_exclusion("Exclusion steps cannot contain an event that's part of funnel steps.")


def _bad_exclusion(detail: str) -> ApiError:
    return invalid(detail, "funnel_exclusions_invalid")


def _covers(step: Series, other: Series) -> bool:
    """Return whether two steps have the same event or action and the first has no filters that the other lacks."""
    if (step.node.get("kind"), step.key) != (other.node.get("kind"), other.key):
        return False
    return all(_filters(step, name) <= _filters(other, name) for name in ("properties", "fixedProperties"))


def _filters(series: Series, name: str) -> Counter[str]:
    filters = [item for item in objects(series.node.get(name)) if item]
    return Counter(
        json.dumps([item.get("type"), item.get("key"), item.get("operator") or "exact", item.get("value")])
        for item in filters
    )


def _attribution(wanted: Row, steps: int) -> tuple[Attribution, int | None]:
    allowed = ("first_touch", "last_touch", "all_events", "step")
    kind = cast(Attribution, choice(wanted, "breakdownAttributionType", _PLACE, allowed, "first_touch"))
    if kind != "step":
        return kind, None
    step = number(wanted, "breakdownAttributionValue", _PLACE, 0)
    if step >= steps:
        raise malformed_query(f"{_PLACE}breakdownAttributionValue", f"Input should be less than {steps}")
    return kind, step


def _optional(series: tuple[Series, ...], order: Order, display: str) -> frozenset[int]:
    optional = frozenset(order for order, step in enumerate(series, 1) if step.node.get("optionalInFunnel") is True)
    if not optional:
        return optional
    if order == "unordered" or display not in ("steps", "flow"):
        raise _bad_optional(
            "Optional funnel steps are only supported in funnels with step order Sequential or Strict and the graph "
            'type "Conversion Steps".'
        )
    if 1 in optional:
        raise _bad_optional("The first step of a funnel cannot be optional.")
    for place, (step, following) in enumerate(pairwise(series), 1):
        if place in optional and place + 1 not in optional and _covers(following, step):
            raise _bad_optional("An optional step cannot be the same as the following required step.")
    return optional


def _bad_optional(detail: str) -> ApiError:
    return invalid(detail, "funnel_optional_steps_invalid")
