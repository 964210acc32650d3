"""Links of results into PostHog's app, and addresses of it in arguments."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from ..gateway.budget import Budget
from ..gateway.call import Call
from ..gateway.errors import GatewayError, Refused
from ..gateway.paths import check_base_url
from ..gateway.projects import Project, label
from ..schemas.json import as_object, is_list
from ..schemas.links import PAGES, Unpasted, with_address
from .operation import Result
from .toolsets import Toolset

_KINDS: Mapping[Toolset, str] = {
    Toolset.FLAGS: "flag",
    Toolset.DASHBOARDS: "dashboard",
    Toolset.INSIGHTS: "insight",
    Toolset.COHORTS: "cohort",
    Toolset.ACTIONS: "action",
    Toolset.ANNOTATIONS: "annotation",
    Toolset.EXPERIMENTS: "experiment",
    Toolset.SURVEYS: "survey",
    Toolset.PERSONS: "person",
    Toolset.RECORDINGS: "recording",
    Toolset.ERRORS: "error",
}
"""The kinds of object that each area shows."""
_DEFINITIONS = "/api/projects/{project_id}/event_definitions/"
_MAX_AGE_S, _FAILED_S = 86_400.0, 600.0
_LONGEST_ASK_S = 3.0
"""Longest time that a link is worth."""


def check_project(pasted: Unpasted, project: Project | None) -> None:
    """Raise Refused (`invalid_argument`) for an address of another project than that of the call."""
    for argument, number in pasted.projects:
        if project is None or project.id != number:
            here = label(project.id, project.name) if project and project.resolved else "the current project"
            raise Refused(
                "invalid_argument",
                f"`{argument}`: this address belongs to project {number}, and the call goes to {here}.",
                f"Pass project_id {number} to act there.",
            )


async def linked(call: Call, toolset: Toolset | None, result: Result, app_url: str | None) -> Result:
    """Return the links of a result: `url` of an object, `row_url` of a list or of the recordings of an object, nothing
    for a result without a page. The `tiles` of a new dashboard are returned with the addresses of their insights.

    `row_url` contains the name of the field that each row fills in. Without `app_url`, PostHog is asked once for each
    project; if it does not tell in time, there is no link.
    """
    pages = [page for page in (_page_of(toolset, result), _recordings_of(toolset, result)) if page]
    if not pages or call.project is None or not call.project.resolved:
        return {}
    app = app_url or await _ask_app_url(call)
    project = f"{app}/project/{call.project.id}" if app else None
    tiles: object = result.get("tiles") if toolset is Toolset.DASHBOARDS else None
    linked_tiles = {"tiles": [with_address(tile, project) for tile in tiles]} if is_list(tiles) else {}
    return {**({name: f"{project}/{page}" for name, page in pages} if project else {}), **linked_tiles}


async def _ask_app_url(call: Call) -> str | None:
    """Return the address of PostHog's app: what precedes `/api/` in the `next` of
    `GET /api/projects/{project_id}/event_definitions/`. None for a project with one definition or none, and for a
    token that cannot read them. A failure is remembered for ten minutes, so that it does not slow down each call.
    """
    async with call.remembered("address of the app", _MAX_AGE_S) as known:
        if known.found:
            return known.found.value
        async with call.remembered("no address of the app", _FAILED_S) as failed:
            if failed.found:
                return None
            asking = call.counted_as(Budget.CRUD).detached(min(_LONGEST_ASK_S, call.left_s))
            try:
                page = await asking.get(_DEFINITIONS, {"limit": 1})
            except GatewayError:
                return failed.fill(None).value
        return known.fill(_before_api(page)).value


def _before_api(page: object) -> str | None:
    address: object = as_object(page).get("next")
    if isinstance(address, str) and "/api/" in address:
        with suppress(ValueError):
            return check_base_url(address.partition("/api/")[0], "next")
    return None


def _page_of(toolset: Toolset | None, result: Result) -> tuple[str, str] | None:
    """Return the name of a result's link and its path below `/project/{project_id}/`; None for one without a page."""
    kind = str(result.get("restored", "")) if toolset is None else _KINDS.get(toolset)
    if kind is None or kind not in PAGES:
        return None
    page, _, identifier = PAGES[kind].partition("{")
    identifier = identifier.rstrip("}")
    found: Mapping[str, Any] = result if identifier in result else as_object(result.get(kind))
    if found.get("deleted") is True:
        return None
    if isinstance(value := found.get(identifier), int | str):
        return "url", page + quote(str(value), safe="")
    return _rows_of(result.get(toolset.value) if toolset else None, kind)


def _recordings_of(toolset: Toolset | None, result: Result) -> tuple[str, str] | None:
    """Return the link of the recordings in a result about something else."""
    recordings = Toolset.RECORDINGS
    return None if toolset is recordings else _rows_of(result.get(recordings.value), _KINDS[recordings])


def _rows_of(rows: object, kind: str) -> tuple[str, str] | None:
    identifier = PAGES[kind].partition("{")[2].rstrip("}")
    return ("row_url", PAGES[kind]) if is_list(rows) and rows and identifier in as_object(rows[0]) else None
