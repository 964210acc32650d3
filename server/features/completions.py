"""Completion of arguments with names of the project, from lists that are cached for five minutes.

A client requests it while a person types, so failed lookups return no suggestions instead of an error.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
from mcp.types import CompleteRequestParams, CompleteResult, Completion, PromptReference

from ...gateway.call import Call
from ...gateway.errors import GatewayError
from ...schemas.json import as_object
from ..runtime import Runtime
from .prompts import offered
from .resources import TABLE_URI

MOST_VALUES = 100
"""MCP's limit for one completion (specification, "Completion")."""
_AGE_S = 300.0
_PAGES = 3
_PATIENCE_S = 5.0
"""Slow suggestions are dropped."""
_LONGEST_NAME = 200


async def complete(runtime: Runtime, params: CompleteRequestParams) -> CompleteResult:
    """Return the names that begin with the typed text, then the names that contain it."""
    source = _SOURCES.get(params.argument.name)
    if source is None or _TOOLS[params.argument.name] not in runtime.offered or not _expects(runtime, params):
        return _result([], complete=True)
    given = (params.context.arguments if params.context else None) or {}
    try:
        call = await runtime.call()
        with anyio.fail_after(_PATIENCE_S):
            found = await _names(call, params.argument.name, source, given.get("project", ""))
    except (GatewayError, TimeoutError):
        return _result([], complete=True)
    shown = [name for name in matching(found.names, params.argument.value) if runtime.door.value(name) == name]
    return _result(shown, complete=found.complete)


def matching(names: Sequence[str], typed: str) -> list[str]:
    """Return the names that begin with `typed`, then those that contain it, each in their order, ignoring case."""
    wanted = typed.strip().lower()
    begin = [name for name in names if name.lower().startswith(wanted)]
    return list(dict.fromkeys([*begin, *(name for name in names if wanted in name.lower())]))


def _expects(runtime: Runtime, params: CompleteRequestParams) -> bool:
    """Return whether the reference is a prompt or the template, is offered, and has such an argument."""
    if not isinstance(params.ref, PromptReference):
        return params.argument.name == "table" and params.ref.uri == TABLE_URI
    plan = offered(runtime.offered).get(params.ref.name)
    return plan is not None and params.argument.name in {argument.name for argument in plan.arguments}


def _result(values: list[str], *, complete: bool) -> CompleteResult:
    """Return the completion. The total of an incomplete list is unknown."""
    more = len(values) > MOST_VALUES or not complete
    total = len(values) if complete else None
    return CompleteResult(completion=Completion(values=values[:MOST_VALUES], total=total, has_more=more))


@dataclass(frozen=True, slots=True)
class _Suggestions:
    """Names for one argument; `complete` is False when the project has more."""

    names: Sequence[str]
    complete: bool


type _Suggest = Callable[[Call], Awaitable[_Suggestions]]


async def _names(call: Call, argument: str, source: _Suggest, project: str) -> _Suggestions:
    project = project.strip()
    chosen = int(project) if project.isascii() and project.isdecimal() and argument != "project" else "@current"
    await call.aim(None, chosen)
    async with call.remembered(("completion", argument), _AGE_S) as slot:
        found = (slot.found or slot.fill(await source(call))).value
    return _Suggestions([name for name in found.names if _can_be_typed(name)], found.complete)


def _can_be_typed(name: str) -> bool:
    """Return whether a name is short and printable: text of other people can have line breaks or hidden characters."""
    return 0 < len(name) <= _LONGEST_NAME and name.isprintable()


async def _rows(call: Call, path: str, query: Mapping[str, Any], name: str) -> _Suggestions:
    """Return one field of the rows of a list, from at most three pages."""
    from ...tools.operation.pages import PagedRows

    rows = PagedRows(call, path, query, pages=_PAGES)
    fields = [as_object(row).get(name) async for row in rows]
    return _Suggestions([str(value) for value in fields if isinstance(value, (str, int))], not rows.cut)


async def _events(call: Call) -> _Suggestions:
    from ...tools.query.seen_names import event_names

    found = await event_names(call)
    return _Suggestions(found.known, found.complete)


async def _flags(call: Call) -> _Suggestions:
    return await _rows(call, "/api/projects/{project_id}/feature_flags/", {}, "key")


async def _insights(call: Call) -> _Suggestions:
    query = {"basic": True, "saved": True, "order": "-last_modified_at"}
    return await _rows(call, "/api/projects/{project_id}/insights/", query, "short_id")


async def _dashboards(call: Call) -> _Suggestions:
    return await _rows(call, "/api/projects/{project_id}/dashboards/", {}, "name")


async def _experiments(call: Call) -> _Suggestions:
    return await _rows(call, "/api/projects/{project_id}/experiments/", {}, "name")


async def _projects(call: Call) -> _Suggestions:
    return await _rows(call, "/api/projects/", {}, "id")


async def _tables(call: Call) -> _Suggestions:
    from ...tools.query.schema import schema_of

    return _Suggestions(list((await schema_of(call)).value.tables), True)


_SOURCES: Mapping[str, _Suggest] = {
    "event": _events,
    "flag": _flags,
    "insight": _insights,
    "dashboard": _dashboards,
    "experiment": _experiments,
    "project": _projects,
    "table": _tables,
}
"""The source of suggestions for each argument of the prompts and of the resource template."""
_TOOLS: Mapping[str, str] = {
    "event": "describe_data",
    "flag": "list_flags",
    "insight": "list_insights",
    "dashboard": "list_dashboards",
    "experiment": "list_experiments",
    "project": "list_projects",
    "table": "describe_data",
}
"""The tool that shows the same names: without it, they are not suggested."""
