"""The target of a call: its connection and its project, resolved before anything else is sent."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any, Literal

from . import paths
from .connections import Connection, ControlPlane, Send
from .directory import Directory
from .errors import Refused, read_only
from .named import Destination
from .projects import CURRENT, Project, unresolved


@dataclass(frozen=True, slots=True)
class Target:
    """A connection and a project, each None where the call has none."""

    connection: Connection | None = None
    """None leaves the choice to Maton: only for reads while the control plane cannot be reached."""
    project: Project | None = None
    resolved_now: bool = False
    """True when the project was resolved for this call."""
    by_default: bool = False
    """True when neither the call nor a pin chose the connection."""
    is_current: bool = False
    """True for the project of `@current`."""

    @property
    def destination(self) -> Destination:
        """The target as results name it."""
        return Destination(self.connection, self.project, self.by_default, self.is_current)

    def as_json(self) -> dict[str, Any]:
        """Return `project` and `connection` as every result carries them."""
        shown: dict[str, Any] = {"project": self.project.as_json()} if self.project else {}
        if self.connection is None:
            return {**shown, "connection": {"resolved": False}}
        others = {"others": self.connection.others} if self.connection.others else {}
        return {**shown, "connection": {"id": self.connection.id} | others}


async def resolve_target(
    directory: Directory,
    send: Send,
    connection_id: str | None,
    project_id: int | Literal["@current"] | None,
    *,
    writes: bool,
    caller: Hashable = None,
) -> Target:
    """Return the target of a call on PostHog.

    Without a named connection, reads and writes go through the oldest ACTIVE one. `project_id` is None for account
    tools. A write goes where the results of its `caller` said. Raises Refused (`project_pinned`, `connection_pinned`,
    `read_only`, `project_unresolved`, `missing_connection`).
    """
    config = directory.config
    chosen = project_id if project_id is None else pinned_project(directory, project_id)
    if writes and config.read_only:
        raise read_only()
    named = pinned_connection(directory, connection_id)
    if named:
        connection = Connection(paths.connection_id(named))
    else:
        ask = directory.connections.of_write if writes else directory.connections.of_read
        connection = await ask(ControlPlane(send))
    target = Target(connection, by_default=not named)
    if chosen is not None:
        through = connection.id if connection else None
        resolved_now = directory.projects.known(through, chosen) is None
        project = await directory.projects.resolve(send, through, chosen)
        if writes and not project.resolved:
            raise unresolved(project)
        target = replace(target, project=project, resolved_now=resolved_now, is_current=chosen == CURRENT)
    if writes:
        directory.named.check(caller, target.destination)
    return target


def pinned_connection(directory: Directory, connection_id: str | None) -> str | None:
    """Return the pinned connection where there is one. Raises Refused (`connection_pinned`) for any other."""
    pin = directory.config.connection_id
    if pin and connection_id not in (None, pin):
        raise Refused(
            "connection_pinned",
            f"This server is pinned to connection {pin}.",
            "Omit `connection_id`; the operator sets MATON_CONNECTION_ID / --connection.",
        )
    return pin or connection_id


def pinned_project(directory: Directory, project_id: int | Literal["@current"]) -> int | Literal["@current"]:
    """Return the pinned project where there is one. Raises Refused (`project_pinned`) for any other."""
    pin = directory.config.project_id
    if pin is None:
        return project_id
    if project_id not in (CURRENT, pin):
        raise Refused(
            "project_pinned",
            f"This server is pinned to project {pin}.",
            "Omit `project_id`; the operator sets POSTHOG_PROJECT_ID / --project.",
        )
    return pin
