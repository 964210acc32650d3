"""What results named: the connection and the project that a caller knows, so that a write lands nowhere else.

The connection of calls that name none can change: the oldest one expires or is deleted, or reads went without one while
the control plane was away. `@current` can change, too. Reads then name the new target; a write waits until one did.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field

from .connections import Connection
from .errors import Advice, Refused
from .projects import Project, label

_MOST_CALLERS = 1000
_UNKNOWN = ""
"""The connection that Maton chose while the control plane was away."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A resolved target, and what of it the call chose itself."""

    connection: Connection | None
    project: Project | None
    by_default: bool
    """Neither the call nor a pin chose the connection."""
    is_current: bool
    """The project is the one of `@current`."""

    @property
    def where(self) -> str:
        """The id of the connection, "" while it is unknown."""
        return self.connection.id if self.connection else _UNKNOWN


@dataclass(slots=True)
class _Known:
    """What the results of one caller named."""

    default: str | None = None
    """The connection of the latest call that named none; None before the first one."""
    latest: str = _UNKNOWN
    """The connection of the latest call."""
    project: Project | None = None
    """The project of the latest call that had one."""
    current: dict[str, Project] = field(default_factory=dict[str, Project])
    """The project of `@current` by connection."""


class NamedTargets:
    """The targets that results named, for each caller."""

    def __init__(self) -> None:
        self._known: dict[Hashable, _Known] = {}

    def remember(self, caller: Hashable, target: Destination) -> None:
        """Remember that a result names this target."""
        known = self._known.pop(caller, None) or _Known()
        if len(self._known) >= _MOST_CALLERS:
            self._known.pop(next(iter(self._known)))
        self._known[caller] = known
        known.latest = target.where
        if target.by_default:
            known.default = target.where
            if target.where != _UNKNOWN:
                known.current.pop(_UNKNOWN, None)
        if target.project and target.project.resolved:
            known.project = target.project
            if target.is_current:
                known.current[target.where] = target.project

    def check(self, caller: Hashable, target: Destination) -> None:
        """Raise Refused (`project_unresolved`) for a write to another target than the caller's results named."""
        known = self._known.get(caller)
        if known is None:
            return
        expected = known.latest if known.default is None else known.default
        if target.by_default and expected not in (_UNKNOWN, target.where):
            raise Refused(
                "project_unresolved",
                f"Earlier results came through connection {expected}{_about(known.project)}; "
                f"this write would go through {target.where}{_about(target.project)}.",
                "Pass connection_id.",
                advice=Advice.LOOK_AT_PROJECT,
            )
        earlier = _expected_project(known, target)
        if earlier and target.project and not _same(earlier, target.project, through=known.latest == target.where):
            subject = "@current is now" if target.is_current else "This would be"
            here, there = (label(one.id, one.name) for one in (target.project, earlier))
            raise Refused(
                "project_unresolved",
                f"{subject} project {here}, but earlier results were about project {there}.",
                "Pass project_id as a number." if target.is_current else "Pass connection_id.",
                advice=Advice.LOOK_AT_PROJECT,
            )


def _expected_project(known: _Known, target: Destination) -> Project | None:
    """Return the project that the caller's results named for a call with these arguments; None when they named none."""
    if not target.is_current:
        is_same = known.project and target.project and known.project.id == target.project.id
        return known.project if is_same and target.by_default else None
    here = known.current.get(target.where) or (known.current.get(_UNKNOWN) if target.by_default else None)
    return here or (known.project if target.by_default or known.latest == target.where else None)


def _same(earlier: Project, found: Project, *, through: bool) -> bool:
    """Return whether both are one project. Hosts of PostHog number them independently, so another name counts when the
    results came through a connection that is not known to be the same.
    """
    return earlier.id == found.id and (through or None in (earlier.name, found.name) or earlier.name == found.name)


def _about(project: Project | None) -> str:
    return f" (project {label(project.id, project.name)})" if project else ""
