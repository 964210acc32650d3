"""Completion of arguments: names that the project really has, from lists remembered for some minutes.

It runs while somebody types, so it is silent: what cannot be looked up has no proposals.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import anyio
from mcp.types import CompleteRequestParams, CompleteResult, Completion, PromptReference

from ..gateway.call import Call
from ..gateway.errors import GatewayError
from .calling import clean
from .runtime import Runtime

MOST_VALUES = 100
"""The most that MCP lets a completion hold (specification, "Completion")."""
_AGE_S = 300.0
_PAGES = 3
_PATIENCE_S = 5.0
"""Who types does not wait longer for proposals."""
_LONGEST_NAME = 200


async def complete(runtime: Runtime, params: CompleteRequestParams) -> CompleteResult:
    """The names that begin with what was typed, then those that hold it."""
    source = _SOURCES.get(params.argument.name)
    if source is None or not _expects(params):
        return _result([], complete=True)
    given = (params.context.arguments if params.context else None) or {}
    try:
        call = await runtime.call()
        with anyio.fail_after(_PATIENCE_S):
            found = await _names(call, params.argument.name, source, given.get("project", ""))
    except (GatewayError, TimeoutError):
        return _result([], complete=True)
    shown = [name for name in matching(found.names, params.argument.value) if clean(runtime, name) == name]
    return _result(shown, complete=found.complete)


def matching(names: Sequence[str], typed: str) -> list[str]:
    """Those that begin with `typed`, then those that hold it, each in their order, in any case."""
    wanted = typed.strip().lower()
    begin = [name for name in names if name.lower().startswith(wanted)]
    return list(dict.fromkeys([*begin, *(name for name in names if wanted in name.lower())]))


def _expects(params: CompleteRequestParams) -> bool:
    """Only prompts and the table template take arguments; `table` is the one of the template."""
    return isinstance(params.ref, PromptReference) is (params.argument.name != "table")


def _result(values: list[str], *, complete: bool) -> CompleteResult:
    """Of an incomplete list nobody knows how many there are, only that there may be more."""
    more = len(values) > MOST_VALUES or not complete
    total = len(values) if complete else None
    return CompleteResult(completion=Completion(values=values[:MOST_VALUES], total=total, has_more=more))


@dataclass(frozen=True, slots=True)
class _Found:
    names: Sequence[str]
    complete: bool


type _Source = Callable[[Call], Awaitable[_Found]]


async def _names(call: Call, argument: str, source: _Source, project: str) -> _Found:
    project = project.strip()
    chosen = int(project) if project.isascii() and project.isdecimal() and argument != "project" else "@current"
    await call.aim(None, chosen)
    found = (await call.remembered(("completion", argument), _AGE_S, partial(source, call))).value
    return _Found([name for name in found.names if _can_be_typed(name)], found.complete)


def _can_be_typed(name: str) -> bool:
    """Foreign text with line breaks or hidden characters is no proposal."""
    return 0 < len(name) <= _LONGEST_NAME and name.isprintable()


async def _rows(call: Call, path: str, query: Mapping[str, Any], name: str) -> _Found:
    """A field of the rows of a list, as far as some pages go."""
    from ..tools.pages import Rows

    rows = Rows(call, path, query, pages=_PAGES)
    fields = [cast("dict[str, Any]", row).get(name) async for row in rows if isinstance(row, dict)]
    return _Found([str(value) for value in fields if isinstance(value, (str, int))], not rows.cut)


async def _events(call: Call) -> _Found:
    from ..tools.query.seen_names import event_names

    found = await event_names(call)
    return _Found(found.known, found.complete)


async def _flags(call: Call) -> _Found:
    return await _rows(call, "/api/projects/{project_id}/feature_flags/", {}, "key")


async def _insights(call: Call) -> _Found:
    query = {"basic": True, "saved": True, "order": "-last_modified_at"}
    return await _rows(call, "/api/projects/{project_id}/insights/", query, "short_id")


async def _dashboards(call: Call) -> _Found:
    return await _rows(call, "/api/projects/{project_id}/dashboards/", {}, "name")


async def _experiments(call: Call) -> _Found:
    return await _rows(call, "/api/projects/{project_id}/experiments/", {}, "name")


async def _projects(call: Call) -> _Found:
    return await _rows(call, "/api/projects/", {}, "id")


async def _tables(call: Call) -> _Found:
    from ..tools.query.schema import schema_of

    return _Found(list((await schema_of(call)).value.tables), True)


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
