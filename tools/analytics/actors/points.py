"""The query for the actors behind one number of an analysis, for each kind."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hogql_lang import nearest

from ....gateway.call import Call
from ....gateway.errors import Refused
from ....schemas.analytics.actors import ListActors
from ....schemas.json import as_object, is_list
from ....schemas.text import code
from ..compiling import PosthogQuery
from ..computing import compute
from ..kind import Kind
from ..labels import OTHER, value_label
from ..spec import Spec

_POINTS = ("series", "day", "breakdown", "step", "period", "days", "status", "edge")
"""Arguments that choose a number."""


@dataclass(frozen=True, slots=True)
class ActorPoint:
    """PostHog's query for the actors of a number."""

    source: PosthogQuery
    period: int | None = None
    """The period of a retention that the actors came back in; PostHog lists those of all periods."""
    has_counts: bool = False
    """True if PostHog counts what each actor did."""
    group: int | None = None
    """The group type, None for persons."""


@dataclass(frozen=True, slots=True)
class _PointRequest:
    """What one call asks for."""

    api: Call
    args: ListActors
    kind: Kind[Any, Any]
    spec: Spec[Any]
    query: PosthogQuery


async def point_of(api: Call, args: ListActors, kind: Kind[Any, Any], spec: Spec[Any]) -> ActorPoint:
    """Return the query for the actors. Raises Refused (`invalid_argument`) for a number that does not exist."""
    asked = _PointRequest(api, args, kind, spec, kind.sent(kind.compile(spec)))
    takes, make = POINTS[kind.tool]
    given = [name for name in _POINTS if getattr(args, name) is not None]
    for name in given:
        if name not in takes:
            raise _wrong(name, f"does not apply to {kind.tool}", f"It takes {', '.join(takes)}.")
    if "step" not in takes and args.outcome == "dropped":
        raise _wrong("outcome", f"does not apply to {kind.tool}", "It belongs to query_funnel.")
    return await make(asked)


async def _of_trend(asked: _PointRequest) -> ActorPoint:
    spec, args = asked.spec, asked.args
    if spec.options.formula:
        raise _wrong("of", "a formula has no actors", "Leave `formula` out and choose `series`.")
    place = _series(asked)
    source = _insight_actors(asked.query)
    source["series"] = place
    if spec.interval == "total":
        if args.day is not None:
            raise _wrong(
                "day", "the query has one number for the whole range", "Leave it out, or ask with interval day."
            )
    else:
        source["day"] = _day(asked)
    if args.breakdown is not None:
        source["breakdown"] = await _breakdown(asked)
    return ActorPoint(source, has_counts=True, group=_group(asked, place))


async def _of_lifecycle(asked: _PointRequest) -> ActorPoint:
    if asked.args.status is None:
        raise _required("status", "Choose new, returning, resurrecting or dormant.")
    source = _insight_actors(asked.query)
    return ActorPoint({**source, "day": _day(asked), "status": asked.args.status})


async def _of_stickiness(asked: _PointRequest) -> ActorPoint:
    if asked.args.days is None:
        raise _required("days", "Give the number of active intervals, as in the first column.")
    source = _insight_actors(asked.query)
    return ActorPoint({**source, "day": asked.args.days, "series": _series(asked)})


async def _of_funnel(asked: _PointRequest) -> ActorPoint:
    args, spec = asked.args, asked.spec
    source: PosthogQuery = {"kind": "FunnelsActorsQuery", "source": asked.query}
    if spec.options.view == "trend":
        if args.step is not None:
            raise _wrong(
                "step", "view trend has no steps", "Choose `day`, with outcome entered (converted) or dropped."
            )
        source["funnelTrendsDropOff"] = args.outcome == "dropped"
        source["funnelTrendsEntrancePeriodStart"] = _day(asked).replace("T", " ")
    else:
        if args.day is not None:
            raise _wrong("day", "only a funnel with view trend has days", "Choose `step`.")
        query = {**asked.query, "funnelsFilter": {**asked.query["funnelsFilter"], "funnelVizType": "steps"}}
        source |= {"source": query, "funnelStep": _step(asked)}
    if args.breakdown is not None:
        source["funnelStepBreakdown"] = await _breakdown(asked)
    elif spec.splits:
        raise _required("breakdown", "Choose a value as the result shows it.")
    return ActorPoint(source)


async def _of_retention(asked: _PointRequest) -> ActorPoint:
    """Return the actors of a row. Its number is that of the row in the result, so the result is needed."""
    args = asked.args
    if args.day is None:
        raise _required("day", "Give when the cohort began, as in the column `began`.")
    if asked.spec.splits and args.breakdown is None:
        raise _required("breakdown", "Choose a value as the result shows it.")
    rows = await _results(asked)
    shown = args.breakdown[0] if args.breakdown else None
    begun = [
        str(row.get("date"))
        for row in rows
        if shown is None or shown in (value_label(row.get("breakdown_value")), str(row.get("breakdown_value")))
    ]
    wanted = _day(asked)
    zone = asked.api.timezone
    place = next((at for at, text in enumerate(begun) if _local(text, zone)[: len(wanted)] == wanted), None)
    if place is None:
        days = ", ".join(_local(text, zone)[:10] for text in begun[:8])
        raise _wrong("day", f"no cohort began at {code(args.day, 40)}", f"Cohorts began at {days}.")
    if (args.period or 0) + place >= len(begun):
        raise _wrong("period", "lies beyond the range", "Later periods of this cohort are not known yet.")
    source = {**_insight_actors(asked.query), "interval": place}
    if args.breakdown is not None:
        source["breakdown"] = await _breakdown(asked)
    return ActorPoint(source, period=args.period or 0)


async def _of_paths(asked: _PointRequest) -> ActorPoint:
    args = asked.args
    if args.edge is None or args.step is None:
        raise _required("edge" if args.edge is None else "step", "Take both from a row: step 1, edge [from, to].")
    if len(args.edge) != 2:
        raise _wrong("edge", "needs two items", "Take them from a row: step 1, edge [from, to].")
    (first, second), step = args.edge, args.step
    ends = {"pathStartKey": f"{step}_{first}", "pathEndKey": f"{step + 1}_{second}"}
    query = {**asked.query, "pathsFilter": {**asked.query["pathsFilter"], **ends}}
    return ActorPoint(_insight_actors(query), has_counts=True)


def _insight_actors(query: PosthogQuery) -> PosthogQuery:
    return {"kind": "InsightActorsQuery", "source": query}


def _series(asked: _PointRequest) -> int:
    """Return the position of the series."""
    counted, given = asked.spec.counted, asked.args.series
    if given is None:
        if len(counted) > 1:
            raise _required("series", f"Choose one of {_listed(one.label for one in counted)}.")
        return 0
    names = [one.label for one in counted]
    found = [at for at, name in enumerate(names) if given == name or given.startswith((f"{name} (", f"{name} #"))]
    if found:
        return found[0]
    if given.isascii() and given.isdecimal() and 1 <= int(given) <= len(counted):
        return int(given) - 1
    raise _wrong("series", f"there is no {code(given, 60)}", f"Choose one of {_listed(names)}.")


def _group(asked: _PointRequest, place: int) -> int | None:
    one = asked.spec.counted[place]
    return one.group_type_index if one.math == "unique_group" else None


def _step(asked: _PointRequest) -> int:
    """Return PostHog's number of the step: negative for those who left before it."""
    step, steps = asked.args.step, len(asked.spec.counted)
    if step is None:
        raise _required("step", f"Choose 1 to {steps}.")
    if step > steps:
        raise _wrong("step", f"the funnel has {steps} steps", f"Choose 1 to {steps}.")
    if asked.args.outcome == "entered":
        return step
    if step == 1:
        raise _wrong(
            "step", "no users leave before the first step", "Choose step 2 for those who did not go on from step 1."
        )
    return -step


def _day(asked: _PointRequest) -> str:
    """Return the first moment of an interval, as results write it: a day, or a day and a time."""
    text = asked.args.day
    if text is None:
        raise _required("day", "Give the interval as the first column shows it.")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong("day", f"{code(text, 40)} is no interval", "Write it as the first column shows it.") from None
    if moment.tzinfo:
        moment = moment.astimezone(asked.api.timezone)
    in_hours = asked.spec.interval in ("hour", "minute")
    return f"{moment:%Y-%m-%dT%H:%M:%S}" if in_hours else f"{moment:%Y-%m-%d}"


async def _breakdown(asked: _PointRequest) -> Any:
    """Return PostHog's value for a breakdown value of the result, which is computed for this."""
    wanted = asked.args.breakdown or []
    if not asked.spec.splits:
        raise _wrong("breakdown", "the query has no breakdown", "Leave it out.")
    shown = " / ".join(wanted)
    if shown == OTHER:
        raise _wrong("breakdown", f"{OTHER} has no actors in PostHog", "Choose a value that is listed.")
    is_funnel = asked.kind.name == "funnel"
    labels: dict[str, Any] = {}
    for row in await _results(asked):
        fields = as_object(row[0] if is_list(row) and row else row)
        raw: Any = fields.get("breakdown_value")
        cohort = fields.get("breakdown") if is_funnel else fields.get("label")
        if asked.spec.is_by_cohort and cohort is not None:
            labels.setdefault(value_label(cohort, names_other=is_funnel), raw)
        labels.setdefault(value_label(raw, names_other=is_funnel), raw)
        labels.setdefault(str(raw), raw)
    if shown in labels:
        return labels[shown]
    near = nearest(shown, labels) or [one for one in labels if one != OTHER][:5]
    raise _wrong("breakdown", f"the result has no value {code(shown, 60)}", f"Choose one of {_listed(near)}.")


async def _results(asked: _PointRequest) -> Sequence[Any]:
    """Return the results of the query itself, which PostHog has computed a moment ago."""
    computed = await compute(asked.api, asked.query, tool="list_actors", refresh=False)
    return computed.answer.results if is_list(computed.answer.results) else ()


def _local(text: str, zone: Any) -> str:
    """Return the beginning of a period as results write it; servers write it with different offsets."""
    moment = datetime.fromisoformat(text)
    is_midnight = (moment.hour, moment.minute) == (0, 0)
    shown = moment if moment.tzinfo is None or is_midnight else moment.astimezone(zone)
    return f"{shown:%Y-%m-%dT%H:%M:%S}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(code(name, 60) for name in list(names)[:5])


def _required(field: str, hint: str) -> Refused:
    return Refused("invalid_argument", f"{field} is required.", hint)


def _wrong(field: str, what: str, hint: str) -> Refused:
    return Refused("invalid_argument", f"{field}: {what}.", hint)


type _Make = Callable[[_PointRequest], Any]
POINTS: Mapping[str, tuple[tuple[str, ...], _Make]] = {
    "query_trends": (("series", "day", "breakdown"), _of_trend),
    "query_funnel": (("step", "day", "breakdown"), _of_funnel),
    "query_retention": (("day", "period", "breakdown"), _of_retention),
    "query_paths": (("step", "edge"), _of_paths),
    "query_stickiness": (("series", "days"), _of_stickiness),
    "query_lifecycle": (("day", "status"), _of_lifecycle),
}
"""The arguments that choose a number, by tool, and what makes the query."""
