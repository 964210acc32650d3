"""Retention metrics of experiments: of the users who started after exposure, those who came back in the window."""

from dataclasses import dataclass
from datetime import timedelta

from ...errors import invalid
from ...http.routing import Call
from ...queries.project import Project
from ...values import Row
from ..filters import all_of
from ..requests import choice, malformed_query, number
from ..running import Session
from .request import UNIT_SECONDS, Exposures, conversion_seconds, node_condition, within
from .statistics import VariantNumbers

_TRUNCATED = {"day": "toStartOfDay", "hour": "toStartOfHour"}
"""The units whose windows are truncated to whole units: day 7 is any time of that day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionMetric:
    """The conditions of starting and of returning between `earliest` and `latest` units after the start, inclusive.

    `window` is the time after the exposure in which the start must happen, in seconds; 0 for no limit.
    """

    start: str
    completion: str
    earliest: int
    latest: int
    unit: str
    first_start: bool
    window: int


def read_retention_metric(call: Call, project: Project, metric: Row) -> RetentionMetric:
    """Return a retention metric. Blocking: it reads actions. Raises ApiError 400."""
    for name in ("retention_window_start", "retention_window_end", "retention_window_unit", "start_handling"):
        if metric.get(name) is None:
            raise malformed_query(f"metric.{name}", "Field required")
    if isinstance(metric.get("start_event"), dict) and metric["start_event"].get("kind") == "ExperimentExposureNode":
        raise invalid("The sandbox does not support retention that starts at the exposure.")
    return RetentionMetric(
        start=node_condition(call, project, metric.get("start_event"), "metric.start_event"),
        completion=node_condition(call, project, metric.get("completion_event"), "metric.completion_event"),
        earliest=number(metric, "retention_window_start", "metric.", 0),
        latest=number(metric, "retention_window_end", "metric.", 0),
        unit=choice(metric, "retention_window_unit", "metric.", tuple(UNIT_SECONDS), "day"),
        first_start=choice(metric, "start_handling", "metric.", ("first_seen", "last_seen"), "") == "first_seen",
        window=conversion_seconds(metric),
    )


async def retention_numbers(session: Session, metric: RetentionMetric, exposures: Exposures) -> list[VariantNumbers]:
    """Return for each variant the number of users who started, and of those who came back. Raises ApiError."""
    rows = await session.rows(
        f"SELECT variant, count(), sum(came_back) FROM ({_entities(metric, exposures)}) GROUP BY variant"
    )
    return [
        VariantNumbers(
            key=str(variant),
            samples=int(started),
            total=float(back),
            squares=float(back),
            denominator=float(started),
            denominator_squares=float(started),
            products=float(back),
        )
        for variant, started, back in rows
    ]


def _entities(metric: RetentionMetric, exposures: Exposures) -> str:
    """Return HogQL with one row per entity that started: `variant` and `came_back`."""
    seconds = metric.latest * UNIT_SECONDS[metric.unit]
    end = exposures.end + timedelta(seconds=metric.window + seconds)
    completions = (
        f"SELECT {exposures.entity} AS completed_entity, uuid AS completed_uuid, timestamp AS completed_time "
        f"FROM events WHERE {all_of([*within(exposures.start, end, including_end=False), metric.completion])}"
    )
    buffer = UNIT_SECONDS[metric.unit] if metric.unit in _TRUNCATED else 0
    began, done = (
        f"{_TRUNCATED[metric.unit]}({time})" if metric.unit in _TRUNCATED else time
        for time in ("started.start_time", "completed.completed_time")
    )
    interval = f"toInterval{metric.unit.capitalize()}"
    came_back = all_of(
        [
            "completed.completed_time >= started.start_time",
            f"completed.completed_time <= started.start_time + toIntervalSecond({seconds + buffer})",
            "completed.completed_uuid != started.start_uuid",
            f"{done} >= {began} + {interval}({metric.earliest})",
            f"{done} <= {began} + {interval}({metric.latest})",
        ]
    )
    return (
        f"SELECT started.variant AS variant, max(if({came_back}, 1, 0)) AS came_back "
        f"FROM ({_starts(metric, exposures)}) AS started LEFT JOIN ({completions}) AS completed "
        "ON started.entity = completed.completed_entity GROUP BY started.entity, started.variant"
    )


def _starts(metric: RetentionMetric, exposures: Exposures) -> str:
    """Return HogQL with one row per exposed entity that started: its first or last start."""
    end = exposures.end + timedelta(seconds=metric.window)
    terms = [*within(exposures.start, end, including_end=False), metric.start]
    terms.append("timestamp >= exposed.experiment_first")
    if metric.window:
        terms.append(f"timestamp <= exposed.experiment_first + toIntervalSecond({metric.window})")
    least = "Min" if metric.first_start else "Max"
    return (
        "SELECT exposed.experiment_entity AS entity, any(exposed.experiment_variant) AS variant, "
        f"{least.lower()}(timestamp) AS start_time, arg{least}(uuid, timestamp) AS start_uuid "
        f"FROM events JOIN ({exposures.query()}) AS exposed ON {exposures.entity} = exposed.experiment_entity "
        f"WHERE {all_of(terms)} GROUP BY exposed.experiment_entity"
    )
