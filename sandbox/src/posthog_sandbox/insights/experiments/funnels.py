"""Funnel metrics of experiments: PostHog's funnel with the exposure as its first step."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from anyio import to_thread

from ...http.routing import Call
from ...queries.project import Project
from ...storage.engine import MAX_RESULT_ROWS
from ...values import Row, as_list, timestamp
from ..filters import all_of, any_of
from ..funnels.steps import Attempt, FunnelEvent, FunnelRules, Order, furthest
from ..requests import choice, malformed_query
from ..running import Session
from .request import MULTIPLE, Exposures, conversion_seconds, node_condition, within
from .statistics import VariantNumbers

_MICROSECONDS = 1_000_000
_NO_WINDOW = 3 * 365 * 86_400
_MOST_SESSIONS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FunnelMetric:
    """The conditions of the steps after the exposure, the conversion window in seconds (0 for none), the order."""

    steps: tuple[str, ...]
    window: int
    order: Order


class _EntityEvent(NamedTuple):
    """An event of an entity: microseconds since 1970, its steps (1 is the exposure), and its identifiers."""

    time: int
    steps: tuple[int, ...]
    variant: str
    uuid: str
    session: str


@dataclass(slots=True)
class _Counted:
    """The counts of a variant: entities that reached each step, and sessions of those who stopped there."""

    reached: list[int]
    sessions: list[list[Row]] = field(default_factory=list[list[Row]])


def read_funnel_metric(call: Call, project: Project, metric: Row) -> FunnelMetric:
    """Return a funnel metric. Blocking: it reads actions. Raises ApiError 400."""
    nodes = as_list(metric.get("series"))
    if nodes is None:
        raise malformed_query("metric.series", "Field required")
    order = choice(metric, "funnel_order_type", "metric.", ("ordered", "unordered", "strict"), "ordered")
    orders: dict[str, Order] = {"ordered": "ordered", "unordered": "unordered", "strict": "strict"}
    return FunnelMetric(
        steps=tuple(node_condition(call, project, node, f"metric.series.{place}") for place, node in enumerate(nodes)),
        window=conversion_seconds(metric),
        order=orders[order],
    )


async def funnel_numbers(session: Session, metric: FunnelMetric, exposures: Exposures) -> list[VariantNumbers]:
    """Return the conversions of every observed variant. Raises ApiError."""
    rows = await session.rows(f"{_query(metric, exposures)} LIMIT {MAX_RESULT_ROWS}")
    return await to_thread.run_sync(_numbers, metric, exposures, rows)


def _query(metric: FunnelMetric, exposures: Exposures) -> str:
    """Return HogQL with one row per exposed entity: its events' times, steps as bits, variants, uuids and sessions."""
    end = exposures.end + timedelta(seconds=metric.window)
    steps = [exposures.where, *(all_of([*within(exposures.start, end), step]) for step in metric.steps)]
    bits = " + ".join(f"if({step}, {1 << place}, 0)" for place, step in enumerate(steps))
    names = ("time", "bits", "variant", "uuid", "session")
    arrays = ", ".join(f"groupArray(experiment_{name})" for name in names)
    return (
        f"SELECT experiment_entity, {arrays} FROM (SELECT {exposures.entity} AS experiment_entity, "
        f"toUnixTimestamp64Micro(timestamp) AS experiment_time, {bits} AS experiment_bits, "
        f"ifNull({exposures.variant}, '') AS experiment_variant, toString(uuid) AS experiment_uuid, "
        f"ifNull($session_id, '') AS experiment_session FROM events WHERE {any_of(steps)}) "
        "GROUP BY experiment_entity HAVING bitAnd(groupBitOr(toUInt64(experiment_bits)), 1) = 1"
    )


def _numbers(metric: FunnelMetric, exposures: Exposures, rows: list[list[Any]]) -> list[VariantNumbers]:
    counted: dict[str, _Counted] = {}
    for entity, *columns in rows:
        seen = sorted(_seen(columns), key=lambda event: event.time)
        exposed = [event for event in seen if 1 in event.steps]
        variants = {event.variant for event in exposed}
        variant = MULTIPLE if len(variants) > 1 and not exposures.first_seen else exposed[0].variant
        if metric.order == "unordered":
            seen = [event for event in seen if event.time >= exposed[0].time]
        attempt = furthest([FunnelEvent(event.time, event.steps) for event in seen], _rules(metric))
        last = 0 if attempt is None else attempt.taken.bit_count() - 1
        found = counted.setdefault(variant, _fresh(metric))
        found.reached[last] += 1
        if len(found.sessions[last]) < _MOST_SESSIONS:
            found.sessions[last].append(_session(str(entity), _shown_event(seen, attempt) or exposed[0]))
    return [_variant_numbers(key, found) for key, found in counted.items()]


def _rules(metric: FunnelMetric) -> FunnelRules:
    window = (metric.window or _NO_WINDOW) * _MICROSECONDS
    return FunnelRules(steps=len(metric.steps) + 1, window=window, order=metric.order)


def _fresh(metric: FunnelMetric) -> _Counted:
    count = len(metric.steps) + 1
    return _Counted([0] * count, [[] for _ in range(count)])


def _seen(columns: list[list[Any]]) -> Iterable[_EntityEvent]:
    for time, bits, variant, uuid, session in zip(*columns, strict=True):
        steps = tuple(place + 1 for place in range(int(bits).bit_length()) if bits >> place & 1)
        yield _EntityEvent(int(time), steps, str(variant), str(uuid), str(session))


def _shown_event(seen: list[_EntityEvent], attempt: Attempt | None) -> _EntityEvent | None:
    """Return the event of the last step reached, if the order of the funnel determines it."""
    return seen[attempt.events[-1]] if attempt is not None and attempt.events else None


def _session(entity: str, event: _EntityEvent) -> Row:
    return {
        "person_id": entity,
        "session_id": event.session,
        "event_uuid": event.uuid,
        "timestamp": timestamp(datetime.fromtimestamp(0, UTC) + timedelta(microseconds=event.time)),
    }


def _variant_numbers(key: str, found: _Counted) -> VariantNumbers:
    at_least = [sum(found.reached[step:]) for step in range(len(found.reached))]
    return VariantNumbers(
        key=key,
        samples=at_least[0],
        total=found.reached[-1],
        squares=found.reached[-1],
        step_counts=at_least[1:],
        step_sessions=found.sessions,
    )
