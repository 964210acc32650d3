"""Toolsets and effects. The start of the server reads them before anything heavy is loaded."""

from enum import StrEnum


class Effect(StrEnum):
    """The effect of a tool on PostHog or Maton; all MCP hints follow from it."""

    READ = "read"
    SAVE = "save"
    """Reads, and creates an object when `save_as` names one; without `save_as` it is a READ."""
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"

    @property
    def writes(self) -> bool:
        """Return whether every call changes something."""
        return self not in (Effect.READ, Effect.SAVE)


class Toolset(StrEnum):
    """The areas that `--toolsets` selects."""

    CONNECTIONS = "connections"
    ACCOUNT = "account"
    QUERY = "query"
    ANALYTICS = "analytics"
    INSIGHTS = "insights"
    DASHBOARDS = "dashboards"
    FLAGS = "flags"
    COHORTS = "cohorts"
    ACTIONS = "actions"
    PERSONS = "persons"
    RECORDINGS = "recordings"
    ANNOTATIONS = "annotations"
    SURVEYS = "surveys"
    EXPERIMENTS = "experiments"
    DEFINITIONS = "definitions"


SAVE_AS = "save_as"
"""The argument that makes a reading operation store its result."""

RESTORE = "restore_deleted"
"""The tool that undoes deletes of all areas: it restores objects of the areas that are offered."""
RESTORED: dict[str, Toolset] = {
    "flag": Toolset.FLAGS,
    "dashboard": Toolset.DASHBOARDS,
    "insight": Toolset.INSIGHTS,
    "cohort": Toolset.COHORTS,
    "action": Toolset.ACTIONS,
    "annotation": Toolset.ANNOTATIONS,
    "experiment": Toolset.EXPERIMENTS,
}
"""The area of each resource that can be restored."""
