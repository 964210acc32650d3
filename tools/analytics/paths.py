"""Paths: which pages, screens or events users go to one after the other."""

import re
from dataclasses import dataclass

from ...schemas.analytics.queries import QueryPaths
from ...schemas.analytics.results import PathEdge
from ...schemas.json import as_object
from ...schemas.text import named
from ..table import Cell, Column, Note, Report, Role, Table, also, dimension, given, number
from . import inputs, stored
from .compiling import PosthogQuery, shared, unless_empty
from .computing import Computed, results
from .dates import Range, Rounding
from .headline import Headline, first_fact, headline_of
from .kind import Kind
from .labels import span_marks
from .spec import Spec

MOST_EDGES = 1000
_MOST_STARTS = 3
_NODE = re.compile(r"([0-9]+)_(.*)", re.DOTALL)
_COLUMNS = (
    dimension("step"),
    dimension("from"),
    dimension("to"),
    Column("paths", Role.COUNT),
    Column("average_s", Role.DURATION),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _PathOptions:
    include: tuple[str, ...] = ()
    """Types of items; every event without one."""
    exclude: tuple[str, ...] = ()
    start: str | None = None
    end: str | None = None
    steps: int = 5
    edges: int = MOST_EDGES
    """The number of edges that are shown."""
    groupings: tuple[str, ...] = ()


def _read(args: QueryPaths) -> Spec[_PathOptions]:
    options = _PathOptions(
        include=tuple(args.include),
        exclude=tuple(args.exclude or ()),
        start=args.start,
        end=args.end,
        steps=args.steps,
        edges=args.edges,
        groupings=tuple(args.groupings or ()),
    )
    return Spec(options=options, **inputs.shared(args, args.date_from))


def _read_stored(source: stored.StoredQuery) -> Spec[_PathOptions]:
    shown = as_object(source.get("pathsFilter"))
    options = _PathOptions(
        include=stored.texts(shown.get("includeEventTypes")),
        exclude=stored.texts(shown.get("excludeEvents")),
        start=stored.text(shown.get("startPoint")),
        end=stored.text(shown.get("endPoint")),
        steps=stored.whole(shown.get("stepLimit"), 5),
        edges=stored.whole(shown.get("edgeLimit"), MOST_EDGES),
        groupings=stored.texts(shown.get("pathGroupings")),
    )
    return Spec(options=options, **stored.shared(source))


def _compile(spec: Spec[_PathOptions]) -> PosthogQuery:
    options = spec.options
    shown = unless_empty(
        includeEventTypes=list(options.include),
        excludeEvents=list(options.exclude),
        startPoint=options.start,
        endPoint=options.end,
        stepLimit=options.steps,
        edgeLimit=options.edges,
        pathGroupings=list(options.groupings),
    )
    return {**shared(KIND.node, spec), "pathsFilter": shown}


def _with_all_edges(query: PosthogQuery) -> PosthogQuery:
    """Return the query for as many edges as PostHog has. It applies `edgeLimit` before it leaves out the edges that are
    no longer connected, so a smaller limit does not show whether there are more.
    """
    return {**query, "pathsFilter": {**query["pathsFilter"], "edgeLimit": MOST_EDGES}}


def _report(spec: Spec[_PathOptions], computed: Computed, span: Range) -> Report:
    """Return a row per edge, most frequent first. A path is one session of a person: these are paths, not persons."""
    rows = [_row(edge) for edge in results(computed.answer, list[PathEdge])]
    marks = {**span_marks(span), **computed.marks()}
    shown = spec.options.edges
    table = Table("paths", _COLUMNS, tuple(rows[:shown]))
    if not rows:
        return Report(table, {}, marks, (_no_paths(spec.options),))
    starts: dict[str, float] = {}
    for step, item, _, count, _ in rows:
        if step == 1:
            starts[item] = starts.get(item, 0) + (count or 0)
    _, source, target, count, _ = rows[0]
    first = sorted(starts.items(), key=lambda item: (-item[1], item[0]))[:_MOST_STARTS]
    tied = [f"{one} to {other}" for _, one, other, paths, _ in rows[1:] if paths == count]
    most = {"from": source, "to": target, "paths": count} | given(tied=also(tied))
    facts = {"most_frequent": most, "starts": dict(first)}
    of = f"{len(rows)}{' or more' if len(rows) >= MOST_EDGES else ''}"
    cut = f"These are the {shown} most frequent of {of} edges; raise `edges` to see more."
    return Report(table, facts, marks, (Note(cut),) if len(rows) > shown else ())


def _row(edge: PathEdge) -> tuple[int | None, str, str, int | float | None, Cell]:
    time = edge.average_conversion_time
    step, source = _node(edge.source)
    seconds = None if time is None else number(round(time / 1000, 1))
    return step, source, _node(edge.target)[1], number(edge.value), seconds


def _node(name: str) -> tuple[int | None, str]:
    """Return the step and item of `1_/pricing`."""
    found = _NODE.fullmatch(name)
    return (int(found[1]), found[2]) if found else (None, name)


def _no_paths(options: _PathOptions) -> Note:
    point = options.start or options.end
    if point:
        items = "Items are whole URLs ($current_url), screen names or event names, as in a result."
        return Note(f"No path contains {named(point)}. {items}")
    return Note("No paths in this range. Widen it, or check `include` (web: $pageview, apps: $screen).")


def _headline(spec: Spec[_PathOptions], report: Report) -> Headline | None:
    most = as_object(first_fact(report).get("most_frequent"))
    return headline_of(f"paths from {most.get('from')} to {most.get('to')}", most.get("paths"))


KIND = Kind(
    name="paths",
    about="Which pages, screens or events users go to one after the other.",
    input=QueryPaths,
    read=_read,
    read_stored=_read_stored,
    compile=_compile,
    report=_report,
    headline=_headline,
    rounding=lambda _: Rounding.DAYS,
    sent=_with_all_edges,
    tile_rows=7,
)
