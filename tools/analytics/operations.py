"""The tools of typed queries, made from KINDS: PostHog's own analyses, each in one call.

Their budget class is `analytics`: PostHog's limit of 120 an hour applies to HogQLQuery alone, and its other kinds have
the limits of insights, 240 a minute and 1200 an hour (its throttles `clickhouse_burst` and `clickhouse_sustained`).
"""

from dataclasses import replace
from typing import Any

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...schemas.analytics.queries import Analysis
from ...schemas.privacy import OPEN
from ..charts.drawing import illustrated
from ..operation import Effect, Operation, Reply, Result, Toolset
from ..operation.dates import calendar_of
from ..table import TABLE_META, Note, Report
from .comparing import range_before
from .computing import compute
from .dates import Range
from .groups import ShownGroups, kept, reject_single_persons
from .kind import Kind
from .kinds import KINDS, beginning, counted, read_typed, reported
from .names import with_names
from .spec import Spec

_TO_SEND_S = 2.0
"""Time kept to send the result after its chart was drawn."""


def operation_of[I: Analysis, O](kind: Kind[I, O]) -> Operation[I]:
    """Return the tool of a kind: the query is compiled, computed and reported."""

    async def run(api: Call, args: I) -> Result | Reply:
        spec = await read_typed(api, kind, args)
        if api.privacy.aggregate_only:
            reject_single_persons(spec)
        report, span = await _reported(api, kind, spec, refresh=args.refresh)
        if kind.compared is not None and spec.compare and not span.compares_before_data:
            past = replace(spec, dates=range_before(spec.compare, span), compare=None)
            before, its_span = await _reported(api, kind, past, refresh=args.refresh)
            report = kind.compared(report, before, its_span)
        report = await with_names(api, spec, report)
        shown: Result = await api.apart(report.as_json)
        title = kind.name.capitalize()
        return await _illustrated(api, shown, report, title) if args.chart else _reply(shown, report)

    return Operation(
        name=kind.tool,
        about=kind.about,
        toolset=Toolset.ANALYTICS,
        effect=Effect.READ,
        budget=Budget.ANALYTICS,
        input=kind.input,
        run=run,
    )


async def _reported[I: Analysis, O](
    api: Call, kind: Kind[I, O], spec: Spec[O], *, refresh: bool
) -> tuple[Report, Range]:
    """Return the report of a computed query without the groups that may not be shown, and the range that it counted.

    Raises GatewayError.
    """
    query = kind.sent(kind.compile(spec))
    computed = await compute(api, query, tool=kind.tool, refresh=refresh)
    shown_groups = ShownGroups(None) if api.privacy is OPEN else kept(api.privacy, query, computed.answer.results)
    if api.privacy is not OPEN:
        answer = computed.answer.model_copy(update={"results": shown_groups.results})
        computed = replace(computed, answer=answer)
    span = counted(kind, spec, computed, calendar_of(api), await beginning(api, spec, computed))
    known = api.project.has_test_accounts if api.project else None
    report = await api.apart(lambda: reported(kind, spec, computed, span, has_test_accounts=known))
    if shown_groups.note:
        report = replace(report, notes=(*report.notes, Note(shown_groups.note)))
    return report, span


async def _illustrated(api: Call, shown: Result, report: Report, title: str) -> Reply:
    within_s = api.left_s - _TO_SEND_S
    drawn = await illustrated(shown, report.table, report.marks, title, within_s=within_s, clean=api.clean)
    return replace(drawn, meta=_meta(report)) if isinstance(drawn, Reply) else _reply(drawn, report)


def _reply(shown: Result, report: Report) -> Reply:
    return Reply(shown, meta=_meta(report))


def _meta(report: Report) -> dict[str, Any]:
    return {TABLE_META: report.table.as_meta()}


OPERATIONS: tuple[Operation[Any], ...] = tuple(map(operation_of, KINDS))
