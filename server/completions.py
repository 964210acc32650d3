"""Completion of arguments: names that the project really has, from lists remembered for some minutes.

It runs while somebody types, so it is silent: what cannot be looked up has no proposals.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from mcp.types import CompleteRequestParams, CompleteResult, Completion, PromptReference
from pydantic import ValidationError

from ..gateway.budget import Budget
from ..gateway.call import Call
from ..gateway.errors import GatewayError
from ..schemas.base import View
from .runtime import Runtime

MOST_VALUES = 100
"""The most that MCP lets a completion hold (specification, "Completion")."""
_AGE_S = 300.0
_PAGE = 100


async def complete(runtime: Runtime, params: CompleteRequestParams) -> CompleteResult:
    """The names that begin with what was typed, then those that hold it."""
    source = _SOURCES.get(params.argument.name)
    if source is None or not _expects(params):
        return _result([])
    given = (params.context.arguments if params.context else None) or {}
    try:
        names = await _names(runtime, params.argument.name, source, given)
    except (GatewayError, ValidationError):
        return _result([])
    return _result(matching(names, params.argument.value))


def matching(names: Sequence[str], typed: str) -> list[str]:
    """Those that begin with `typed`, then those that hold it, each in their order, in any case."""
    wanted = typed.strip().lower()
    begin = [name for name in names if name.lower().startswith(wanted)]
    return list(dict.fromkeys([*begin, *(name for name in names if wanted in name.lower())]))


def _expects(params: CompleteRequestParams) -> bool:
    """Only prompts and the table template take arguments; `table` is the one of the template."""
    return isinstance(params.ref, PromptReference) is (params.argument.name != "table")


def _result(values: list[str]) -> CompleteResult:
    more = len(values) > MOST_VALUES
    return CompleteResult(completion=Completion(values=values[:MOST_VALUES], total=len(values), has_more=more))


type _Source = Callable[[Call], Awaitable[list[str]]]


async def _names(runtime: Runtime, argument: str, source: _Source, given: Mapping[str, str]) -> list[str]:
    call = Call(await runtime.gateway(), runtime.directory, budget=Budget.CRUD, writes=False)
    project = given.get("project", "").strip()
    await call.aim(None, int(project) if project.isdecimal() and argument != "project" else "@current")
    return (await call.remembered(("completion", argument), _AGE_S, partial(source, call))).value


class _Row(View):
    id: int | str | None = None
    key: str | None = None
    name: str | None = None
    short_id: str | None = None


class _Rows(View):
    results: list[_Row]


class _Tables(View):
    tables: dict[str, Any]


async def _rows(call: Call, path: str, query: Mapping[str, Any], name: str) -> list[str]:
    """A field of the first hundred rows of a list."""
    found = _Rows.model_validate(await call.get(path, {**query, "limit": _PAGE}))
    return [str(value) for row in found.results if (value := getattr(row, name)) not in (None, "")]


async def _events(call: Call) -> list[str]:
    return await _rows(call, "/api/projects/{project_id}/event_definitions/", {}, "name")


async def _flags(call: Call) -> list[str]:
    return await _rows(call, "/api/projects/{project_id}/feature_flags/", {}, "key")


async def _insights(call: Call) -> list[str]:
    query = {"basic": True, "saved": True, "order": "-last_modified_at"}
    return await _rows(call, "/api/projects/{project_id}/insights/", query, "short_id")


async def _dashboards(call: Call) -> list[str]:
    return await _rows(call, "/api/projects/{project_id}/dashboards/", {}, "name")


async def _experiments(call: Call) -> list[str]:
    return await _rows(call, "/api/projects/{project_id}/experiments/", {}, "name")


async def _projects(call: Call) -> list[str]:
    return await _rows(call, "/api/projects/", {}, "id")


async def _tables(call: Call) -> list[str]:
    return list(_Tables.model_validate(await call.query({"query": {"kind": "DatabaseSchemaQuery"}})).tables)


_SOURCES: Mapping[str, _Source] = {
    "event": _events,
    "flag": _flags,
    "insight": _insights,
    "dashboard": _dashboards,
    "experiment": _experiments,
    "project": _projects,
    "table": _tables,
}
"""What each argument of the prompts and of the resource template names."""
