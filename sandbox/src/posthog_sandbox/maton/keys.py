"""The keys that the sandbox accepts, all public, and their permissions.

At Maton the scopes belong to the OAuth grant of a connection. Here they belong to the key, so that clients can be
tested with each set of scopes without any setup.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import maton_error, permission_denied
from ..identity import DATA_PROJECT, SECOND_ORGANIZATION_ID

KEY = "sandbox"
"""The key with full access."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key. `scopes` have PostHog's format; empty `projects` or `organizations` mean no limit."""

    name: str
    scopes: tuple[str, ...] = ("*",)
    projects: tuple[int, ...] = ()
    organizations: tuple[str, ...] = ()

    def has(self, scope_object: str, action: str) -> bool:
        """Return whether a scope grants `action`, `read` or `write`. Write access implies read access."""
        enough = {"read": ("read", "write"), "write": ("write",)}[action]
        given = {f"{of}:{kind}" for of in (scope_object, "*") for kind in enough}
        return "*" in self.scopes or not given.isdisjoint(self.scopes)


KEYS = (
    Key(KEY),
    Key("sandbox-read", scopes=("*:read",)),
    Key("sandbox-query", scopes=("query:read", "project:read")),
    Key("sandbox-scoped-1", projects=(DATA_PROJECT,)),
    Key("sandbox-organization-2", organizations=(SECOND_ORGANIZATION_ID,)),
)

_SCOPE_OBJECTS = {
    "users": "user",
    "organizations": "organization",
    "projects": "project",
    "environments": "project",
    "persons": "person",
    "dashboards": "dashboard",
    "insights": "insight",
    "feature_flags": "feature_flag",
    "cohorts": "cohort",
    "actions": "action",
    "session_recordings": "session_recording",
    "annotations": "annotation",
    "surveys": "survey",
    "experiments": "experiment",
    "event_definitions": "event_definition",
    "property_definitions": "property_definition",
    "query": "query",
    "error_tracking": "error_tracking",
    "groups": "group",
    "groups_types": "group",
    "data_catalog": "data_catalog",
    "activity": "activity_log",
    "activity_log": "activity_log",
}
_READING_POSTS = {"bulk_keys", "user_blast_radius", "cancel", "viewed"}
"""Actions that are POST but only need read access."""


def check_key(authorization: str | None) -> Key:
    """Return the key of an `Authorization: Bearer ...` header. Raises ApiError 401 for any other."""
    sent = (authorization or "").encode()
    for key in KEYS:
        if hmac.compare_digest(sent, f"Bearer {key.name}".encode()):
            return key
    raise maton_error(401, "Invalid API key. This is the sandbox: its key is 'sandbox'.")


def check_scope(key: Key, method: str, segments: Sequence[str]) -> None:
    """Raise ApiError 403 when the key lacks the scope for the resource of a path such as `projects/1/insights`."""
    if "*" in key.scopes:
        return
    nested = len(segments) > 2 and segments[0] != "users"
    named = "activity" if segments[-1] == "activity" else segments[2 if nested else 0]
    scope_object = _SCOPE_OBJECTS.get(named)
    if scope_object is None:
        raise permission_denied("This action does not support personal API key access")
    reads = method == "GET" or scope_object == "query" or segments[-1] in _READING_POSTS
    action = "read" if reads else "write"
    if not key.has(scope_object, action):
        raise permission_denied(f"API key missing required scope '{scope_object}:{action}'")


def check_reach(key: Key, segments: Sequence[str], project_id: int, organization_id: str | None) -> None:
    """Raise ApiError 403 when the key is limited to other projects or organizations.

    `project_id` is 0 outside a project. `organization_id` is that of the project or the path, None without either.
    These limits do not apply to the user.
    """
    if segments[0] == "users":
        return
    if key.projects and not project_id:
        raise permission_denied("API keys with scoped projects are only supported on project-based endpoints.")
    if key.projects and project_id not in key.projects:
        raise permission_denied(f"API key does not have access to the requested project: ID {project_id}.")
    if key.organizations and organization_id is not None and organization_id not in key.organizations:
        raise permission_denied(f"API key does not have access to the requested organization: ID {organization_id}.")
