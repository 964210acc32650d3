"""The query of an insight, as PostHog stores it."""

from typing import Any

from hogql_lang import Statement

from ...gateway.call import Call
from ...schemas.analytics.queries import Analysis
from ...schemas.analytics.saved import InsightQuery, ToolQuery, wrapped
from ...schemas.query import RunHogql
from ..analytics.kinds import KINDS, read_typed
from ..query.operations import read_statement
from ..query.plan import plan


def stored_sql(query: InsightQuery | None) -> dict[str, Any] | None:
    """Return the node for the SQL of run_hogql; None for other queries. Raises Refused for SQL that cannot run."""
    if not isinstance(query, ToolQuery) or not isinstance(query.arguments, RunHogql):
        return None
    args = query.arguments
    statement: Statement = read_statement(args)
    values = args.values or {}
    # PostHog's own limit is the default of run_hogql, so only another one has to be stored.
    planned = plan(statement, args.limit - 1, values)
    sql = planned.sql if "limit" in args.model_fields_set else statement.sql
    return wrapped({"kind": "HogQLQuery", "query": sql} | ({"values": values} if values else {}))


def stored_query(api: Call, query: InsightQuery) -> dict[str, Any]:
    """Return the node for a query. Raises Refused for one that its tool would reject."""
    if not isinstance(query, ToolQuery):
        return query
    if not isinstance(query.arguments, Analysis):
        return api.prepared or stored_sql(query) or {}
    kind = next(kind for kind in KINDS if kind.tool == query.tool)
    return wrapped(dict(kind.compile(read_typed(api, kind, query.arguments))))
