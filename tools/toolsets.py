"""Toolsets and effects. The start of the server reads them before anything heavy is loaded."""

from enum import StrEnum


class Effect(StrEnum):
    """The effect of a tool on PostHog or Maton; all MCP hints follow from it."""

    READ = "read"
    STOP = "stop"
    """Ends work that only reads, such as a running query. Nothing stored changes, so read-only servers offer it."""
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    MANAGE = "manage"
    """Reads, creates or deletes, as an argument chooses; the hints are those of the worst."""

    @property
    def writes(self) -> bool:
        """Return whether every call changes something."""
        return self not in (Effect.READ, Effect.STOP)


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
    ERRORS = "errors"
    DEFINITIONS = "definitions"


SINGLE_PERSONS = frozenset(["list_persons", "get_person", "list_recordings", "get_recording", "list_actors"])
"""The tools about single persons, which `--aggregate-only` removes."""
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
