"""Pages of PostHog's app: where each kind of object is shown, and which object a pasted address names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from .base.forms import from_text
from .json import is_list, is_object

PAGES: Mapping[str, str] = {
    "flag": "feature_flags/{id}",
    "dashboard": "dashboard/{id}",
    "insight": "insights/{short_id}",
    "cohort": "cohorts/{id}",
    "action": "data-management/actions/{id}",
    "annotation": "data-management/annotations/{id}",
    "experiment": "experiments/{id}",
    "survey": "surveys/{id}",
    "person": "persons/{uuid}",
    "recording": "replay/{id}",
    "error": "error_tracking/{id}",
}
"""The path of an object's page behind `/project/{project_id}/`, with the field that it names (PostHog's frontend)."""

_INSIGHT = PAGES["insight"].partition("{")[0]
_FORMER_PATHS = {"actions": "action", "annotations": "annotation"}
_KINDS = {path.rpartition("/")[0]: kind for kind, path in PAGES.items()} | _FORMER_PATHS
_ARGUMENTS: Mapping[str, str] = {
    **{f"{kind}_id": kind for kind in PAGES},
    "flag": "flag",
    "error": "error",
    "dashboards": "dashboard",
    "add_to_dashboards": "dashboard",
    "remove_from_dashboards": "dashboard",
    "add_insights": "insight",
    "remove_insights": "insight",
}
"""The kind of object that an argument names, one or a list."""
_OR_TEXT = ("error",)
"""Arguments that can also be text, which can contain any address."""
_PROJECTS = ("project_id", "copy_from")
"""Arguments that name a project."""
_LONGEST = 2000
_MOST_ITEMS = 1000


class WrongPage(ValueError):
    """An address that does not name what the argument takes. `argument` is its name."""

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(problem)
        self.argument = argument


@dataclass(frozen=True, slots=True)
class AppPage:
    """What an address names. `kind` is None for the page of a project, `project` without one in the address."""

    kind: str | None
    identifier: str | None
    project: int | None


@dataclass(frozen=True, slots=True)
class Unpasted:
    """Arguments with identifiers in place of addresses, and the argument and project of each address."""

    arguments: Mapping[str, Any]
    projects: tuple[tuple[str, int], ...] = ()


def insight_page(insight: Mapping[str, Any]) -> dict[str, str]:
    """Return `{"url"}` with the path of an insight's page below its project; empty for one without a short id."""
    short_id: object = insight.get("short_id")
    return {"url": _INSIGHT + quote(short_id, safe="")} if isinstance(short_id, str) and short_id else {}


def with_address(tile: Any, project: str | None) -> Any:
    """Return a tile with the whole address of its insight, or without one if that of the project is not known."""
    url: object = tile.get("url") if is_object(tile) else None
    if not isinstance(url, str) or not url.startswith(_INSIGHT):
        return tile
    others = {name: value for name, value in tile.items() if name != "url"}
    return {name: f"{project}/{url}" if name == "url" else tile[name] for name in (tile if project else others)}


def unpasted(arguments: Mapping[str, Any]) -> Unpasted:
    """Return the arguments of a tool with identifiers in place of pasted addresses.

    Raises WrongPage for an address of another kind of object.
    """
    plain = dict(arguments)
    projects: list[tuple[str, int]] = []
    for name, value in arguments.items():
        if name in _PROJECTS:
            plain[name] = _read_project(name, value)
        elif (kind := _kind_of(name, arguments)) is not None:
            plain[name] = _read(name, kind, value, projects)
    return Unpasted(plain, tuple(projects))


def parse(address: str) -> AppPage | None:
    """Return what an address of PostHog's app names; None for anything else."""
    address = address.strip()
    if len(address) > _LONGEST or not re.match(r"https?://", address, re.IGNORECASE):
        return None
    try:
        path = urlsplit(address).path
    except ValueError:
        return None
    parts = [unquote(part) for part in path.split("/") if part]
    project = None
    if "project" in parts:
        start = parts.index("project")
        if not (number := parts[start + 1 : start + 2]) or not re.fullmatch(r"[1-9][0-9]{0,18}", number[0]):
            return None
        project, parts = int(number[0]), parts[start + 2 :]
    for length in (1, 2):
        kind = _KINDS.get("/".join(parts[:length]))
        if kind is not None and len(parts) > length and parts[length] != "new":
            return AppPage(kind, parts[length], project)
    return AppPage(None, None, project) if project is not None else None


def _kind_of(name: str, arguments: Mapping[str, Any]) -> str | None:
    """Return the kind of object that an argument names. In restore_deleted, `resource` decides what `id` is."""
    if name == "id":
        resource: object = arguments.get("resource")
        return resource.strip().lower() if isinstance(resource, str) else None
    return _ARGUMENTS.get(name)


def _read(name: str, kind: str, value: Any, projects: list[tuple[str, int]]) -> Any:
    items: Any = from_text(value) if isinstance(value, str) else value
    if is_list(items):
        return (
            items
            if len(items) > _MOST_ITEMS
            else [_read(name, kind, item, projects) if isinstance(item, str) else item for item in items]
        )
    if not isinstance(value, str) or "://" not in value:
        return value
    page = parse(value)
    if name in _OR_TEXT and (page is None or page.kind is None):
        return value
    if page is None or page.kind != kind or page.identifier is None:
        found = f"the page of {_with_article(page.kind)}" if page and page.kind else "an address without one"
        raise WrongPage(name, f"must name {_with_article(kind)}; this is {found}")
    if page.project is not None:
        projects.append((name, page.project))
    return page.identifier


def _read_project(name: str, value: Any) -> Any:
    if not isinstance(value, str) or "://" not in value:
        return value
    page = parse(value)
    if page is None or page.project is None:
        raise WrongPage(name, "must name a project; this address has no /project/ and number")
    return str(page.project)


def _with_article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeio" else f"a {kind}"
