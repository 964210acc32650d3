"""PathsQuery: transitions between pages or events, by position within the paths of persons."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ...hogql import escape
from ...http.routing import Call
from ...queries.project import Project
from ...queries.running import Ran, response_fields
from ...values import Row, as_list, objects
from ..actor_events import actor_rows, date_range_of, expression
from ..dates import DateRange, interval_start
from ..filters import all_of, any_of, query_condition, sampling_factor
from ..funnels.paths import FunnelPaths, read_funnel_paths
from ..requests import malformed_query, number, options

_PLACE = "pathsFilter."
_SECOND = 1_000_000
_GAP = 30 * 60 * _SECOND
"""Microseconds after which a new path begins, unless a funnel's window decides."""
_STEPS, _EDGES = 5, 50
_KINDS = ("$pageview", "$screen", "custom_event", "hogql")
_CUT = "..."

type ItemVisit = tuple[str, int]
"""An item and its time in microseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _PathRequest:
    """A `pathsFilter`. `item` is the HogQL of an event's item; weights of 0 mean no limit."""

    item: str
    kinds: tuple[str, ...]
    excluded: tuple[str, ...]
    start: str | None
    end: str | None
    steps: int
    edges: int
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class CutPaths:
    """The paths of every person, each cut to the requested part, and the query that fetched them."""

    ran: Ran
    request: _PathRequest
    funnel: FunnelPaths | None

    def __iter__(self) -> Iterator[tuple[str, list[ItemVisit]]]:
        """Yield a person's id with one of the person's paths, which can be empty."""
        excluded = set(self.request.excluded)
        funnel = self.funnel
        gap = _GAP if funnel is None else funnel.gap * _SECOND
        for person, visits in self.ran.table.rows:
            seen = sorted(
                (time, item)
                for time, item, actor in visits
                if item not in excluded and (funnel is None or funnel.has(actor, time))
            )
            for path in _paths(seen, gap):
                yield person, _cut(path, self.request)


async def paths_query(call: Call, query: Row, project: Project) -> Row:
    """Return the edges between items, heaviest first. Raises ApiError 400."""
    paths = await read_paths(call, query, project)
    return {
        **response_fields(call, query, project),
        "results": _edges((path for _, path in paths), paths.request, sampling_factor(query)),
        "hogql": paths.ran.translated.hogql,
        "timings": paths.ran.timings,
        "modifiers": {},
        "error": None,
    }


async def read_paths(call: Call, query: Row, project: Project) -> CutPaths:
    """Return the paths of a PathsQuery. Raises ApiError 400."""
    if query.get("pathsFilter") is None:
        raise malformed_query("pathsFilter", "Field required")
    request = _read(query, project)
    funnel = await read_funnel_paths(call, query, project)
    within = await date_range_of(call, query, project, "day")
    within = DateRange(interval_start(within.start, "day", within.week_start), within.end, "day")
    terms = [*within.conditions(), query_condition(query, project), *_kind_conditions(request)]
    actor = "''" if funnel is None else funnel.actor
    ran = await actor_rows(
        call,
        project,
        f"SELECT toString(person_id), groupArray((path_time, path_item, path_actor)) FROM (SELECT person_id, "
        f"toUnixTimestamp64Micro(timestamp) AS path_time, {request.item} AS path_item, {actor} AS path_actor "
        f"FROM events WHERE {all_of(terms)}) GROUP BY person_id",
    )
    return CutPaths(ran, request, funnel)


def _read(query: Row, project: Project) -> _PathRequest:
    wanted = options(query, "pathsFilter")
    kinds = _texts(wanted, "includeEventTypes")
    for kind in kinds:
        if kind not in _KINDS:
            raise malformed_query(f"{_PLACE}includeEventTypes", f"Input should be {', '.join(map(repr, _KINDS))}")
    start, end = _text(wanted, "startPoint"), _text(wanted, "endPoint")
    if start is None or end is None:
        start, end = _without_slash(start), _without_slash(end)
    return _PathRequest(
        item=_item(wanted, project),
        kinds=kinds,
        excluded=_texts(wanted, "excludeEvents") if kinds else (),
        start=start,
        end=end,
        steps=number(wanted, "stepLimit", _PLACE, _STEPS) or _STEPS,
        edges=number(wanted, "edgeLimit", _PLACE, _EDGES) or _EDGES,
        least=number(wanted, "minEdgeWeight", _PLACE, 0),
        most=number(wanted, "maxEdgeWeight", _PLACE, 0),
    )


def _item(wanted: Row, project: Project) -> str:
    """Return the HogQL text of an event in a path."""
    reads = _own_text(wanted)
    item = "event"
    given = _text(wanted, "pathsHogQLExpression")
    groupings = _texts(wanted, "pathGroupings")
    if given is not None and "hogql" in reads:
        item = f"toString({expression(given)})"
    if "$pageview" in reads:
        url = r"replaceRegexpAll(ifNull(properties.$current_url, ''), '(.)/$', '\\1')"
        item = f"if(event = '$pageview', {url}, {item})"
    if "$screen" in reads:
        item = f"if(event = '$screen', properties.$screen_name, {item})"
    item = f"ifNull({item}, '')"
    rules = list(project.scope.path_cleaning) if wanted.get("pathReplacements") is True else []
    rules += [(str(r.get("regex")), str(r.get("alias"))) for r in objects(wanted.get("localPathCleaningFilters"))]
    for pattern, alias in rules:
        item = f"replaceRegexpAll({item}, {escape.string(pattern)}, {escape.string(alias)})"
    if not groupings:
        return item
    branches = (f"match({item}, {_pattern(grouping)}), {escape.string(grouping)}" for grouping in groupings)
    return f"multiIf({', '.join(branches)}, {item})"


def _own_text(wanted: Row) -> frozenset[str]:
    """Return the kinds with a text other than the event's name: the included ones, else all but the excluded."""
    kinds, excluded = _texts(wanted, "includeEventTypes"), _texts(wanted, "excludeEvents")
    return frozenset(kinds or _KINDS) - frozenset(() if kinds else excluded)


def _pattern(grouping: str) -> str:
    return escape.string(re.escape(grouping).replace("\\*", ".*"))


def _kind_conditions(request: _PathRequest) -> list[str]:
    conditions = {
        "$pageview": "event = '$pageview'",
        "$screen": "event = '$screen'",
        "custom_event": "NOT startsWith(event, '$')",
    }
    terms = [conditions[kind] for kind in request.kinds if kind in conditions]
    return [any_of(terms)] if terms else []


def _paths(visits: list[Any], gap: int) -> Iterator[list[ItemVisit]]:
    """Yield one person's paths: visits in time order, cut at pauses of `gap`, with equal neighbors merged.

    Merged neighbors have the time of the last one. As in PostHog, an empty item at the end of a path is dropped.
    """
    path: list[ItemVisit] = []
    before: int | None = None
    for time, item in visits:
        if before is not None and time - before >= gap:
            yield _compact(path)
            path = []
        path.append((item, time))
        before = time
    if path:
        yield _compact(path)


def _compact(path: list[ItemVisit]) -> list[ItemVisit]:
    following = [*(item for item, _ in path[1:]), ""]
    return [visit for visit, after in zip(path, following, strict=True) if visit[0] != after]


def _edges(paths: Iterator[list[ItemVisit]], request: _PathRequest, sampling: float) -> list[Row]:
    times: dict[tuple[str, str], list[int]] = {}
    for path in paths:
        for place, ((source, left), (target, reached)) in enumerate(pairwise(path), 1):
            times.setdefault((f"{place}_{source}", f"{place + 1}_{target}"), []).append(reached - left)
    ranked = sorted(times.items(), key=lambda edge: (-len(edge[1]), edge[0]))
    kept = [
        edge for edge in ranked if len(edge[1]) >= request.least and (not request.most or len(edge[1]) <= request.most)
    ][: request.edges]
    reachable = _reachable([edge for edge, _ in kept])
    return [
        {
            "source": source,
            "target": target,
            "value": round(len(spans) / sampling),
            "average_conversion_time": sum(spans) / len(spans) / 1_000,
        }
        for (source, target), spans in kept
        if source in reachable
    ]


def _cut(path: list[ItemVisit], request: _PathRequest) -> list[ItemVisit]:
    """Return the requested part of a path; empty if the path lacks its start or end."""
    items = [item for item, _ in path]
    if request.start is not None:
        if request.start not in items:
            return []
        path = path[items.index(request.start) :]
        items = [item for item, _ in path]
    if request.end is not None:
        if request.end not in items:
            return []
        path = path[: items.index(request.end) + 1]
    if request.start is None or request.end is None:
        return path[-request.steps :] if request.end is not None else path[: request.steps]
    if len(path) <= request.steps:
        return path
    half = request.steps // 2
    return [*path[:half], (_CUT, path[half][1]), *path[len(path) - half :]]


def _reachable(edges: list[tuple[str, str]]) -> set[str]:
    """Return the nodes reachable from the first position."""
    targets: dict[str, list[str]] = {}
    for source, target in edges:
        targets.setdefault(source, []).append(target)
    found: set[str] = set()
    waiting = [source for source in targets if source.startswith("1_")]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += targets.get(node, [])
    return found


def _without_slash(text: str | None) -> str | None:
    return text[:-1] if text is not None and len(text) > 1 and text.endswith("/") else text


def _text(wanted: Row, name: str) -> str | None:
    value = wanted.get(name)
    if value is not None and not isinstance(value, str):
        raise malformed_query(f"{_PLACE}{name}", "Input should be a valid string")
    return value or None


def _texts(wanted: Row, name: str) -> tuple[str, ...]:
    values = as_list(wanted.get(name) if wanted.get(name) is not None else [])
    if values is None or not all(isinstance(value, str) for value in values):
        raise malformed_query(f"{_PLACE}{name}", "Input should be a valid list of strings")
    return tuple(str(value) for value in values)
