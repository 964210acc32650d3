"""The account behind a connection. Tokens limited to some projects cannot read organization or project lists."""

from typing import Any

from ..gateway.call import Call
from ..gateway.errors import GatewayError
from ..gateway.projects import CURRENT, Project
from ..schemas.account import (
    GetCurrentUser,
    GetOrganization,
    GetProject,
    ListProjects,
    OrganizationView,
    OwnProjects,
    ProjectRow,
    ProjectView,
    UserView,
)
from ..schemas.base import Page
from ..schemas.base.shown import Whole
from .operation import Effect, Operation, Result, Toolset, route, show, show_page

_OWN_ONLY = "This connection is not allowed to list projects. These are the projects named in its user's own record."


async def _get_organization(api: Call, args: GetOrganization) -> Result:
    return show(Whole if args.full else OrganizationView, await api.get("/api/organizations/@current/"))


async def _list_projects(api: Call, args: ListProjects) -> Result:
    query = {"limit": args.limit, "offset": args.offset, "search": args.search}
    try:
        answer = await api.get("/api/projects/", query)
    except GatewayError as error:
        if error.code != "permission_denied":
            raise
        return await _own_projects(api, args)
    return await api.apart(lambda: show_page(ProjectRow, answer, Page(offset=args.offset), under="projects"))


async def _own_projects(api: Call, args: ListProjects) -> Result:
    """Return the list from `GET /api/users/@me/`, which tokens limited to some projects can still read."""
    own = OwnProjects.model_validate(show(OwnProjects, await api.get("/api/users/@me/"))).all()
    wanted = (args.search or "").casefold()
    found = [project for project in own if wanted in (project.name or "").casefold()]
    here = found[args.offset : args.offset + args.limit]
    shown: dict[str, Any] = {"projects": [project.model_dump(exclude_none=True) for project in here]}
    shown["count"] = len(found)
    if len(found) > args.offset + len(here):
        shown["next_offset"] = args.offset + len(here)
    return {**shown, "note": _OWN_ONLY}


async def _get_project(api: Call, args: GetProject) -> Result:
    moved = await _moved(api) if args.project_id == CURRENT else {}
    try:
        answer = await api.get("/api/projects/{project_id}/")
    except GatewayError as error:
        if error.code != "permission_denied" or api.project is None or not api.project.resolved:
            raise
        answer = {"id": api.project.id, "name": api.project.name, "timezone": api.project.timezone}
        moved = {**moved, "note": "This connection is not allowed to read the project's settings."}
    return {**show(Whole if args.full else ProjectView, answer), **moved}


async def _moved(api: Call) -> dict[str, Any]:
    """Return the previous and the current project if the user has opened another one in PostHog since."""
    now, before = await api.fresh_project()
    if before is None or before.id == now.id:
        return {}
    return {"current_project_changed": {"before": _brief(before), "now": _brief(now)}}


def _brief(project: Project) -> dict[str, Any]:
    return {"id": project.id} | ({"name": project.name} if project.name else {})


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name="get_organization",
        about="Show the current PostHog organization and its projects.",
        toolset=Toolset.ACCOUNT,
        effect=Effect.READ,
        input=GetOrganization,
        run=_get_organization,
    ),
    Operation(
        name="list_projects",
        about="List the projects that this connection can access. Use it to find a project_id.",
        toolset=Toolset.ACCOUNT,
        effect=Effect.READ,
        input=ListProjects,
        run=_list_projects,
    ),
    Operation(
        name="get_project",
        about="Show a project: timezone, group types, test account filters, settings. "
        "With @current, also report whether the current project changed.",
        toolset=Toolset.ACCOUNT,
        effect=Effect.READ,
        input=GetProject,
        run=_get_project,
    ),
    route(
        "GET /api/users/@me/",
        GetCurrentUser,
        UserView,
        name="get_current_user",
        about="Show the PostHog user behind this connection, with organizations and current project.",
        toolset=Toolset.ACCOUNT,
    ),
)
