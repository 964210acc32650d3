"""Typed queries: PostHog's own trends, funnels, retention, paths, stickiness and lifecycle, each in one call.

They are counted as `analytics`: PostHog's limit of 120 an hour is of HogQLQuery alone, and its other kinds go by the
limits of insights, 240 a minute and 1200 an hour (its throttles `clickhouse_burst` and `clickhouse_sustained`).
"""

from collections.abc import Callable, Mapping
from typing import Any

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...schemas.analytics.queries import (
    Analysis,
    QueryFunnel,
    QueryLifecycle,
    QueryPaths,
    QueryRetention,
    QueryStickiness,
    QueryTrends,
)
from ..charts.drawing import illustrated
from ..operation import Effect, Operation, Reply, Result, Toolset
from ..table import Answer
from . import queries
from .asking import Asked, ask, save
from .behavior import lifecycle_answer, paths_answer, stickiness_answer
from .dates import End, Range, check, resolve
from .funnel import funnel_answer
from .names import with_names
from .retention import retention_answer
from .trends import trends_answer


def _operation[A: Analysis](
    name: str,
    about: str,
    takes: type[A],
    compiled: Callable[[A], dict[str, Any]],
    answer: Callable[[A, Asked, Range], Answer],
    *,
    dates: Callable[[A], tuple[End, str]],
    sent: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> Operation[A]:
    """A typed query: compiled, sent, told; and with `save_as` stored once it is known to run. `dates` gives where the
    range begins, and the interval that it is cut by; `sent` makes of the query that is stored the one that is asked.
    """

    title = name.removeprefix("query_").capitalize()

    async def run(api: Call, args: A) -> Result | Reply:
        (start, interval), zone = dates(args), api.timezone
        span = resolve(start, args.date_to, now=api.now(), zone=zone, interval=interval)
        check(start, args.date_to, span, interval=interval)
        query = compiled(args)
        asked = await ask(api, sent(query), tool=name, refresh=args.refresh)
        counted = resolve(start, args.date_to, now=asked.computed_at, zone=zone, interval=interval)
        found = await with_names(api, args, answer(args, asked, counted))
        shown: Mapping[str, Any] = found.as_json()
        if args.save_as:
            shown = {**shown, "saved": await save(api, args.save_as, query)}
        if not args.chart:
            return shown
        return await illustrated(shown, found.table, found.marks, args.save_as or title, within_s=api.left_s - 2)

    return Operation(
        name=name,
        about=about,
        toolset=Toolset.ANALYTICS,
        effect=Effect.SAVE,
        budget=Budget.ANALYTICS,
        input=takes,
        run=run,
    )


OPERATIONS: tuple[Operation[Any], ...] = (
    _operation(
        "query_trends",
        "Count events or users over time or in total, split by properties, compared, or in a formula.",
        QueryTrends,
        queries.trends,
        trends_answer,
        dates=lambda args: (args.date_from, args.interval),
    ),
    _operation(
        "query_funnel",
        "How many users go through a series of steps: conversion, biggest drop, time.",
        QueryFunnel,
        queries.funnel,
        funnel_answer,
        dates=lambda args: (args.date_from, args.interval if args.view == "trend" else "day"),
    ),
    _operation(
        "query_retention",
        "How many users come back in the periods after they did an event.",
        QueryRetention,
        queries.retention,
        retention_answer,
        dates=lambda args: (args.date_from, args.period.lower()),
    ),
    _operation(
        "query_paths",
        "Which pages, screens or events users go to one after the other.",
        QueryPaths,
        queries.paths,
        paths_answer,
        dates=lambda args: (args.date_from, "day"),
        sent=queries.with_all_edges,
    ),
    _operation(
        "query_stickiness",
        "In how many days (or other intervals) users did an event.",
        QueryStickiness,
        queries.stickiness,
        stickiness_answer,
        dates=lambda args: (args.date_from, args.interval),
    ),
    _operation(
        "query_lifecycle",
        "Users of an event who are new, returning, resurrecting or dormant, by interval.",
        QueryLifecycle,
        queries.lifecycle,
        lifecycle_answer,
        dates=lambda args: (args.date_from, args.interval),
    ),
)
