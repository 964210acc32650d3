"""What a FunnelsQuery asks for, with PostHog's refusals."""

from dataclasses import dataclass, replace
from typing import Literal, cast

from ..errors import invalid
from ..queries.project import Project
from ..routing import Call
from ..values import Row, objects
from .funnel_steps import FunnelRules, Order
from .requests import choice, malformed_query, number, options
from .series import FUNNEL_MATHS, Series, read_node, read_series, unknown_action

type Attribution = Literal["first_touch", "last_touch", "all_events", "step"]

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 31 * 86_400}
_DEFAULT_WINDOW = 14
_PLACE = "funnelsFilter."
_MOST_BINS = 90
_MOST_STEPS = 30


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Events that must not happen after step `from_step` and before step `to_step`, both from 0."""

    series: Series
    from_step: int
    to_step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelRequest:
    """A funnel. `from_step` and `to_step` are from 0. `attributed_step`, from 0, is for attribution by step only."""

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
    """The funnel of a query. Blocking: it reads actions. Raises ApiError 400."""
    series = read_series(call, query, project, maths=FUNNEL_MATHS)
    wanted = options(query, "funnelsFilter")
    if len(series) < 2:
        raise invalid("Funnels require at least two steps.", "funnels_require_at_least_two_steps")
    if len(series) > _MOST_STEPS:
        raise malformed_query("series", f"List should have at most {_MOST_STEPS} items")
    order = cast(Order, choice(wanted, "funnelOrderType", _PLACE, ("ordered", "strict", "unordered"), "ordered"))
    from_step, to_step = _step_range(wanted, len(series))
    exclusions = _exclusions(call, wanted, project, series)
    attribution, attributed_step = _attribution(wanted, len(series))
    _check_unordered(order, exclusions, attributed_step, len(series))
    bins, actor = wanted.get("binCount"), wanted.get("funnelAggregateByHogQL")
    return FunnelRequest(
        series=series,
        exclusions=exclusions,
        rules=FunnelRules(
            steps=len(series),
            window=_window(wanted),
            order=order,
            optional=_optional(series) if order != "unordered" else frozenset(),
            attributed_step=None if attributed_step is None else attributed_step + 1,
        ),
        display=choice(wanted, "funnelVizType", _PLACE, ("steps", "time_to_convert", "trends", "flow"), "steps"),
        from_step=from_step,
        to_step=to_step,
        attribution=attribution,
        attributed_step=attributed_step,
        bins=None if bins is None else min(max(number(wanted, "binCount", _PLACE, 1), 1), _MOST_BINS),
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
        raise invalid(f"funnelFromStep is out of bounds. It must be between 0 and {steps - 2}.")
    if not 1 <= to_step <= steps - 1:
        raise invalid(f"funnelToStep is out of bounds. It must be between 1 and {steps - 1}.")
    if to_step <= from_step:
        raise invalid("Funnel step range is invalid. funnelToStep should be greater than funnelFromStep.")
    return from_step, to_step


def _exclusions(call: Call, wanted: Row, project: Project, series: tuple[Series, ...]) -> tuple[Exclusion, ...]:
    found: list[Exclusion] = []
    for order, node in enumerate(objects(wanted.get("exclusions"))):
        excluded = read_node(call, node, project, order)
        if excluded is None:
            raise unknown_action(node.get("id"))
        from_step = number(node, "funnelFromStep", f"{_PLACE}exclusions.{order}.", 0)
        to_step = number(node, "funnelToStep", f"{_PLACE}exclusions.{order}.", len(series) - 1)
        if from_step >= to_step or to_step >= len(series):
            raise invalid("Exclusion event range is invalid. End of range should be greater than start.")
        if any(_same(excluded, step) for step in series[from_step : to_step + 1]):
            raise invalid("Exclusion steps cannot contain an event that's part of funnel steps.")
        found.append(Exclusion(excluded, from_step, to_step))
    return tuple(found)


def _same(one: Series, other: Series) -> bool:
    return (one.kind, one.key, one.filters, one.entity) == (other.kind, other.key, other.filters, other.entity)


def _attribution(wanted: Row, steps: int) -> tuple[Attribution, int | None]:
    allowed = ("first_touch", "last_touch", "all_events", "step")
    kind = cast(Attribution, choice(wanted, "breakdownAttributionType", _PLACE, allowed, "first_touch"))
    if kind != "step":
        return kind, None
    step = number(wanted, "breakdownAttributionValue", _PLACE, 0)
    if step >= steps:
        raise malformed_query(f"{_PLACE}breakdownAttributionValue", f"Input should be less than {steps}")
    return kind, step


def _check_unordered(order: Order, exclusions: tuple[Exclusion, ...], attributed: int | None, steps: int) -> None:
    if order != "unordered":
        return
    if any(exclusion.from_step != 0 or exclusion.to_step != steps - 1 for exclusion in exclusions):
        raise invalid("Partial Exclusions not allowed in unordered funnels")
    if attributed:
        raise invalid("Only the first step can be used for breakdown attribution in unordered funnels")


def _optional(series: tuple[Series, ...]) -> frozenset[int]:
    optional = frozenset(order for order, step in enumerate(series, 1) if step.node.get("optionalInFunnel") is True)
    if 1 in optional:
        raise invalid("The first step of a funnel cannot be optional.")
    return optional
