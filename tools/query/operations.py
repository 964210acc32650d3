"""Tools for HogQL, PostHog's SQL over events, persons, sessions and groups: run a query, read its rows, cancel it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from hogql_lang import Statement

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.errors import Refused
from ...gateway.queries.background import KEPT_S, Query
from ...schemas.json.rows import Rows
from ...schemas.query import CancelQuery, GetQueryResult, Plot, RunHogql
from ...schemas.text import LONGEST_TEXT
from ..charts.drawing import illustrated
from ..charts.plot import plotted
from ..operation import Effect, Operation, Reply, Result, Toolset
from .aggregated import NOTE, aggregated
from .check import checked, reject_at_sight
from .export import export, export_directory
from .meanings import text_numbers, timezone_of
from .persons_then import note_on
from .plan import MOST_ROWS, plan
from .running import PlannedQuery, QueryRows, ask
from .verdict import statement_of

_FOR_THE_ANSWER_S = 5.0
"""Reserved at the end of the deadline to build the result in."""
MOST_SHOWN = 10_000
_LARGE_BYTES = 30_000
"""Rows beyond this may not fit into one result."""
_WRITTEN_AT_ONCE = 50
_LONGEST_NAME = 40
"""Characters of a column's name that nobody chose."""
_WHOLE_TEXTS = "get_query_result with this query_id and full: true shows long texts whole."


async def _run_hogql(api: Call, args: RunHogql) -> Result | Reply:
    directory = export_directory(api.export_dir, args.export) if args.export else None
    values = args.values or {}
    statement: Statement = api.prepared or read_statement(args)
    about_groups = aggregated(statement) if api.privacy.aggregate_only else None
    planned = plan(
        about_groups.statement if about_groups else statement, MOST_ROWS - 1 if args.export else args.limit, values
    )
    if about_groups:
        planned = replace(planned, names=about_groups.names)
    warnings = await checked(api, statement, values) if args.check == "full" else ()
    query = ask(
        api,
        PlannedQuery(plan=planned, values=values, name=args.name, refresh=args.refresh, background=args.background),
    )
    said: dict[str, Any] = {"warnings": list(warnings)} if warnings else {}
    if note := note_on(statement.sql):
        said["person_values"] = note
    said |= timezone_of(api, statement.sql)
    if args.check == "full":
        said |= await text_numbers(api, statement.sql)
    if about_groups:
        said["note"] = NOTE
    if not await _wait(api, query):
        return _running(query) | said
    answer: QueryRows = query.answer
    if args.export and directory:
        return await export(
            directory, args.export, args.name, answer.columns, _visible(answer), _cut(answer) | said, clean=api.clean
        )
    shown = _whole(query) | said
    return await _plotted(api, args.plot, shown, answer, args.name) if args.plot else shown


def _prepared(args: RunHogql, directory: Path | None) -> Statement:
    """Return the statement. Raises Refused for what cannot be run, or not be exported."""
    if args.export:
        export_directory(directory, args.export)
    return read_statement(args)


def read_statement(args: RunHogql) -> Statement:
    """Return the statement. Raises Refused for one that is not a SELECT or cannot be parsed."""
    statement = statement_of(args.query)
    if args.check == "full":
        reject_at_sight(statement, args.values or {})
    return statement


async def _plotted(api: Call, plot: Plot, shown: dict[str, Any], answer: QueryRows, name: str | None) -> Result | Reply:
    """Add a picture of the rows to the result."""
    rows = _visible(answer)
    draw = partial(plotted, plot, answer.columns)
    table = draw(list(rows)) if rows.is_small else await api.in_thread(lambda: draw(list(rows)))
    if isinstance(table, str):
        return shown | {"chart": table}
    title = name or f"{plot.y} by {plot.x}"
    return await illustrated(shown, table, {}, title, within_s=api.left_s - 2, clean=api.clean)


async def _get_query_result(api: Call, args: GetQueryResult) -> Result:
    query = _find(api, args.query_id)
    if not await _wait(api, query):
        return _running(query)
    answer: QueryRows = query.answer
    visible = _visible(answer)
    rows = visible[args.offset : args.offset + args.limit]
    rows = rows if args.full else rows.cut(LONGEST_TEXT)
    shown: dict[str, Any] = {"columns": _names(answer), "rows": _shown(rows), "rows_returned": len(rows)}
    shown["rows_total"] = len(visible)
    if rows.cuts():
        shown["long_texts"] = "full: true shows them whole."
    end = args.offset + len(rows)
    return shown | ({"next_offset": end} if end < len(visible) else _cut(answer)) | _age(query)


async def _cancel_query(api: Call, args: CancelQuery) -> Result:
    query = _find(api, args.query_id)
    cancelled = query.cancel()
    return {"query_id": query.id, "cancelled": cancelled} | (
        {} if cancelled else {"note": "The query had already finished; get_query_result shows its rows."}
    )


async def _wait(api: Call, query: Query) -> bool:
    return await query.wait(max(api.left_s - _FOR_THE_ANSWER_S, 0.0), api.progress)


def _find(api: Call, query_id: str) -> Query:
    query = api.queries.find(query_id, api.place)
    if query is None:
        raise Refused(
            "not_found",
            f"query_id: unknown query_id. Results are kept for {KEPT_S / 60:.0f} minutes, per project.",
            "Run the query again with run_hogql.",
        )
    return query


def _running(query: Query) -> dict[str, Any]:
    return {
        "status": "running",
        "query_id": query.id,
        "seconds": round(query.seconds),
        "progress": query.news,
        "how_to_continue": "get_query_result waits for it without running another query; cancel_query stops it.",
    }


def _whole(query: Query) -> dict[str, Any]:
    """Return columns and rows, and whether there are more."""
    answer: QueryRows = query.answer
    visible = _visible(answer).cut(LONGEST_TEXT)
    rows = _shown(visible)
    shown: dict[str, Any] = {"columns": _names(answer), "rows": rows, "rows_returned": len(rows)}
    if (has_long := visible.cuts()) or _is_large(rows):
        shown["query_id"] = query.id
    if has_long:
        shown["long_texts"] = _WHOLE_TEXTS
    if answer.plan.shown is not None:
        shown["limit"] = answer.plan.shown
    return shown | _cut(answer) | _age(query)


def _shown(rows: Rows) -> Sequence[list[Any]]:
    """Return the rows of a result, which are parsed now only when they are few."""
    return list(rows) if rows.is_small else rows


def _names(answer: QueryRows) -> list[str]:
    """Return the names of the columns. Expressions without an alias are cut, and numbered where that makes them equal;
    exports have them whole.
    """
    names: list[str] = []
    for at, column in enumerate(answer.columns):
        name = column
        if len(name) > _LONGEST_NAME and "(" in name and not any(f"{mark}{name}" in answer.plan.sql for mark in '`"'):
            name = f"{name[: _LONGEST_NAME - 1]}…"
            name = f"{name} #{at + 1}" if name in names else name
        names.append(name)
    return names


def _is_large(rows: Sequence[list[Any]]) -> bool:
    if isinstance(rows, Rows):
        if rows.begins_large or rows.is_plain:
            return True
    elif 2 * len(to_json(rows)) <= _LARGE_BYTES:  # even if a space follows each character
        return False
    left = iter(rows)
    size = 0
    while size <= _LARGE_BYTES and (more := list(islice(left, _WRITTEN_AT_ONCE))):
        size += len(json.dumps(more, ensure_ascii=False)) - 2 * len(more)
    return size > _LARGE_BYTES


def _visible(answer: QueryRows) -> Rows:
    """Return the rows without the one that only shows whether there are more."""
    return answer.rows if answer.plan.shown is None else answer.rows[: answer.plan.shown]


def _cut(answer: QueryRows) -> dict[str, Any]:
    """Return whether rows are missing, and how to get them."""
    count, own_limit = len(_visible(answer)), answer.plan.own_limit
    if count < len(answer.rows) or answer.more:
        return {"truncated": True, "how_to_continue": _how_to_continue(count, ordered=answer.plan.ordered)}
    if own_limit is not None and count and count == min(own_limit, MOST_ROWS):
        return {"limit_reached": True}
    return {}


def _age(query: Query) -> dict[str, Any]:
    """Return when PostHog computed the result, and how long ago this server received it."""
    answer: QueryRows = query.answer
    computed = {"computed_at": answer.computed_at} if answer.computed_at else {}
    return computed | ({"age_s": round(query.age_s)} if query.age_s >= 1 else {})


def _how_to_continue(count: int, *, ordered: bool) -> str:
    """Return how to page by a key: PostHog rejects OFFSET for API keys, and pages would overlap while events arrive."""
    arbitrary = "" if ordered else " Without ORDER BY, which rows are returned is arbitrary."
    wider = " raise limit (up to 10000)," if count < MOST_SHOWN else ""
    return (
        f"There are more rows than these {count}.{arbitrary} Aggregate,{wider} or page by a key: "
        "ORDER BY a unique column and add WHERE that column > its last value here."
    )


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name="run_hogql",
        about="Run a HogQL query (ClickHouse-like SQL) over events, persons, sessions and groups, and get its rows: "
        "counts, funnels, any analytics question.",
        toolset=Toolset.QUERY,
        effect=Effect.READ,
        budget=Budget.QUERY,
        input=RunHogql,
        run=_run_hogql,
        prepare=_prepared,
    ),
    Operation(
        name="get_query_result",
        about="Get more rows of a run_hogql query, or the result of one that was still running.",
        toolset=Toolset.QUERY,
        effect=Effect.READ,
        budget=Budget.QUERY,
        input=GetQueryResult,
        run=_get_query_result,
    ),
    Operation(
        name="cancel_query",
        about="Stop a run_hogql query that is still running.",
        toolset=Toolset.QUERY,
        effect=Effect.STOP,
        budget=Budget.QUERY,
        input=CancelQuery,
        run=_cancel_query,
    ),
)
