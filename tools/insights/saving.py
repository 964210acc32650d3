"""The query of an insight, as PostHog stores it."""

from collections.abc import Mapping
from typing import Any

from hogql_lang import Statement
from hogql_lang.check import without_schema

from ...gateway.call import Call
from ...gateway.errors import Refused
from ...schemas.analytics.queries import Analysis
from ...schemas.analytics.saved import InsightQuery, ToolQuery, wrapped
from ...schemas.json import as_object
from ...schemas.models import as_sentence, query_flaws
from ...schemas.query import RunHogql
from ..analytics.kinds import KINDS, read_typed
from ..query.operations import read_statement
from ..query.plan import plan
from ..query.verdict import refusal, statement_of

_AS_POSTHOG = "PostHog would store it, and fail or count something else when it runs. Or pass `tool` and `arguments`."
_AS_A_TOOL = 'Send one SELECT in HogQL. To store it anyway, pass `tool` run_hogql with `check` "off" in its arguments.'


def stored_sql(query: InsightQuery | None) -> dict[str, Any] | None:
    """Return the node for the SQL of run_hogql; None for other queries. Raises Refused for SQL that cannot run."""
    if query is not None and not isinstance(query, ToolQuery):
        _check_node(query)
    if not isinstance(query, ToolQuery) or not isinstance(query.arguments, RunHogql):
        return None
    args = query.arguments
    statement: Statement = read_statement(args)
    values = args.values or {}
    # PostHog's own limit is the default of run_hogql, so only another one has to be stored.
    planned = plan(statement, args.limit - 1, values)
    sql = planned.sql if "limit" in args.model_fields_set else statement.sql
    return wrapped({"kind": "HogQLQuery", "query": sql} | ({"values": values} if values else {}))


def _check_node(node: Mapping[str, Any]) -> None:
    """Raise Refused for SQL that cannot be parsed, or is no SELECT. Its placeholders can be those of a dashboard."""
    source = as_object(node.get("source", node))
    if source.get("kind") != "HogQLQuery":
        return
    statement = statement_of(str(source.get("query")))
    verdict = without_schema(statement, {})
    found = next((each for each in verdict.errors if each.code == "hogql_syntax_error"), None) if verdict else None
    if found is not None:
        raise refusal(found, statement.sql).with_(hint=_AS_A_TOOL)
    plan(statement, 1, {})


def check_model(query: InsightQuery | None, stored: object = None) -> None:
    """Raise Refused (`invalid_argument`) for a query of PostHog's that its models reject, or fields that its kind
    ignores. What the stored query has at the same place is accepted: PostHog can be newer than the models here.
    """
    if query is None or isinstance(query, ToolQuery):
        return
    try:
        known = set(query_flaws(as_object(stored)))
        found = [flaw for flaw in query_flaws(query) if flaw not in known]
    except RecursionError:
        raise Refused("invalid_argument", "query: it is nested too deeply.") from None
    if found:
        raise Refused("invalid_argument", f"query: {as_sentence(found)}.", _AS_POSTHOG)


async def stored_query(api: Call, query: InsightQuery, stored: object = None) -> dict[str, Any]:
    """Return the node for a query, which replaces the stored one. Raises Refused for one that its tool would reject."""
    if not isinstance(query, ToolQuery):
        check_model(query, stored)
        return query
    if not isinstance(query.arguments, Analysis):
        return stored_sql(query) or {}
    kind = next(kind for kind in KINDS if kind.tool == query.tool)
    return wrapped(dict(kind.compile(await read_typed(api, kind, query.arguments, to_store=True))))
