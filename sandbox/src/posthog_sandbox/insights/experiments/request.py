"""Parsed experiment queries: the exposed entities, the time window, and the metric."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ...errors import ApiError, invalid
from ...hogql import HogqlError, escape
from ...http.routing import Call
from ...queries.project import Project
from ...values import Row, as_object, objects
from ..actor_events import GROUP_TYPES, property_name
from ..dates import moment_literal
from ..filters import all_of
from ..requests import choice, malformed_query, options
from ..series import read_node

MULTIPLE = "$multiple"
"""The variant of users who saw more than one."""

_FLAG_CALLED = "$feature_flag_called"
_FLAG_EVENTS = (_FLAG_CALLED, "$experiment_exposure")
_HANDLINGS = ("exclude", "first_seen")
_DRAFT_DAYS = 7
UNIT_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000}
"""The units of conversion windows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposures:
    """The exposures that an experiment counts.

    HogQL on events for the entity (a person or a group), for the condition of an exposure and for the variant. Both
    ends are inclusive, in whole seconds.
    """

    entity: str
    condition: str
    variant: str
    variants: tuple[str, ...]
    first_seen: bool
    start: datetime
    end: datetime

    @property
    def where(self) -> str:
        """The condition of an exposure."""
        return all_of([*within(self.start, self.end), self.condition])

    @property
    def attributed(self) -> str:
        """The aggregate for an entity's variant; `$multiple` when it saw several and that matters."""
        if self.first_seen:
            return f"argMin({self.variant}, timestamp)"
        return f"if(uniqExact({self.variant}) > 1, {escape.string(MULTIPLE)}, any({self.variant}))"

    def query(self, *, with_variant: bool = True) -> str:
        """Return HogQL with one row per entity: `experiment_entity`, `experiment_first`, `experiment_variant`."""
        variant = f", {self.attributed} AS experiment_variant" if with_variant else ""
        return (
            f"SELECT {self.entity} AS experiment_entity, min(timestamp) AS experiment_first{variant} "
            f"FROM events WHERE {self.where} GROUP BY experiment_entity"
        )


def within(start: datetime, end: datetime, *, including_end: bool = True) -> list[str]:
    """Return HogQL conditions on the time of events, with both ends in whole seconds as in PostHog."""
    first, last = (moment_literal(moment.replace(microsecond=0)) for moment in (start, end))
    return [f"timestamp >= {first}", f"timestamp {'<=' if including_end else '<'} {last}"]


def read_exposures(
    call: Call, project: Project, *, flag: Row, criteria: Row | None, start: datetime, end: datetime
) -> Exposures:
    """Return the exposures of an experiment on this flag. Blocking: it reads actions. Raises ApiError 400."""
    given = criteria or {}
    config = as_object(given.get("exposure_config"))
    condition, variant = _exposure(call, project, str(flag["key"]), config)
    variants = flag_variants(flag)
    terms = [condition, f"{variant} IN ({', '.join(map(_text, variants))})" if variants else "false"]
    if given.get("filterTestAccounts") is True:
        terms.append(project.test_accounts())
    handling = choice(given, "multiple_variant_handling", "exposure_criteria.", _HANDLINGS, "exclude")
    return Exposures(
        entity=_entity(flag),
        condition=all_of(terms),
        variant=variant,
        variants=variants,
        first_seen=handling == "first_seen",
        start=start,
        end=end,
    )


def flag_variants(flag: Row) -> tuple[str, ...]:
    """Return the keys of a flag's variants in order."""
    multivariate = as_object((as_object(flag.get("filters")) or {}).get("multivariate")) or {}
    return tuple(str(variant.get("key")) for variant in objects(multivariate.get("variants")))


def _exposure(call: Call, project: Project, key: str, config: Row | None) -> tuple[str, str]:
    """Return the condition of exposures and the variant's property: `$feature/...` except on flag call events."""
    if config is not None and config.get("kind") == "ActionsNode":
        return node_condition(call, project, config, "exposure_criteria.exposure_config"), _feature(key)
    event = (config or {}).get("event") or _FLAG_CALLED
    node: Row = {**(config or {}), "kind": "EventsNode", "event": event}
    condition = node_condition(call, project, node, "exposure_criteria.exposure_config")
    if event not in _FLAG_EVENTS:
        return condition, _feature(key)
    return all_of([condition, f"properties.$feature_flag = {_text(key)}"]), "properties.$feature_flag_response"


def _feature(key: str) -> str:
    return f"properties.{property_name(f'$feature/{key}')}"


def _entity(flag: Row) -> str:
    index = (as_object(flag.get("filters")) or {}).get("aggregation_group_type_index")
    if isinstance(index, int) and not isinstance(index, bool) and 0 <= index < GROUP_TYPES:
        return f"$group_{index}"
    return "person_id"


def node_condition(call: Call, project: Project, node: Any, place: str) -> str:
    """Return the condition of an event or action; no events for an action that does not exist. Blocking.

    Raises ApiError 400.
    """
    found = as_object(node)
    if found is None:
        raise malformed_query(place, "Field required" if node is None else "Input should be a valid dictionary")
    if found.get("kind") == "ExperimentDataWarehouseNode":
        raise invalid("The sandbox has no data warehouse tables. Use events or actions in metrics.")
    if found.get("kind") not in ("EventsNode", "ActionsNode"):
        raise malformed_query(f"{place}.kind", "Input should be 'EventsNode', 'ActionsNode'")
    series = read_node(call, found, project)
    return "false" if series is None else series.condition


def _text(value: str) -> str:
    try:
        return escape.string(value)
    except HogqlError as error:
        raise invalid(error.message, error.code) from error


def stored_experiment(call: Call, query: Row) -> tuple[Row, Row]:
    """Return the experiment of a query and its flag. Blocking. Raises ApiError 400."""
    identity = query.get("experiment_id")
    if identity is not None and (not isinstance(identity, int) or isinstance(identity, bool)):
        raise malformed_query("experiment_id", "Input should be a valid integer")
    if not identity:
        raise invalid("experiment_id is required")
    with call.services.store.transaction() as rows:
        experiment = rows.get("experiments", identity)
        if experiment is None or experiment["_project"] != call.project_id:
            raise invalid(f"Experiment with id {identity} not found")
        flag = rows.get("feature_flags", experiment["_feature_flag"])
    if flag is None:
        raise invalid("Experiment does not have a feature flag linked.")
    return experiment, flag


def analysis_window(project: Project, start: str | None, end: str | None) -> tuple[datetime, datetime]:
    """Return the experiment's start and its end or now, in the project's time zone; seven days for a draft.

    Raises ApiError 400 for invalid dates.
    """
    zone = ZoneInfo(project.context.timezone)
    last = read_moment(end, "end_date", zone) or project.scope.now.astimezone(zone)
    first = read_moment(start, "start_date", zone)
    if first is None:
        today = project.scope.now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        first = today - timedelta(days=_DRAFT_DAYS)
    return first, last


def read_moment(text: object, place: str, zone: ZoneInfo) -> datetime | None:
    """Parse a date of an experiment into a time zone, which is also the default. Raises ApiError 400."""
    if text is None or text == "":
        return None
    if not isinstance(text, str):
        raise malformed_query(place, "Input should be a valid string")
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)
    except (ValueError, OverflowError):
        raise malformed_query(place, f"Invalid isoformat string: {text[:100]!r}") from None


def conversion_seconds(metric: Row) -> int:
    """Return the conversion window of a metric, 0 without one. Raises ApiError 400."""
    length = metric.get("conversion_window")
    if length is not None and (not isinstance(length, int) or isinstance(length, bool)):
        raise malformed_query("metric.conversion_window", "Input should be a valid integer")
    unit = choice(metric, "conversion_window_unit", "metric.", tuple(UNIT_SECONDS), "")
    return length * UNIT_SECONDS[unit] if length and unit else 0


def metric_of(query: Row) -> Row:
    """Return the metric of an ExperimentQuery after the checks common to all types. Raises ApiError 400."""
    metric = options(query, "metric")
    if not metric:
        raise malformed_query("metric", "Field required")
    if metric.get("kind", "ExperimentMetric") != "ExperimentMetric":
        raise malformed_query("metric.kind", "Input should be 'ExperimentMetric'")
    if metric.get("metric_type") not in ("mean", "funnel", "ratio", "retention"):
        raise malformed_query("metric.metric_type", "Input should be 'mean', 'funnel', 'ratio' or 'retention'")
    breakdowns = objects(options(metric, "breakdownFilter").get("breakdowns"))
    if len(breakdowns) > 3:
        raise invalid("Maximum of 3 breakdowns are supported for experiment metrics")
    if breakdowns:
        raise _unsupported("metrics of experiments with breakdowns")
    return metric


def _unsupported(what: str) -> ApiError:
    return invalid(f"The sandbox does not support {what}.")
