"""The identity of the sandbox: one user, two organizations, three projects, all named as synthetic."""

from datetime import UTC, datetime, timedelta

from .values import Row, stable_uuid, timestamp

ORGANIZATION_ID = stable_uuid("organization")
ORGANIZATION_NAME = "Sandbox (synthetic data)"
SECOND_ORGANIZATION_ID = stable_uuid("organization", 2)
ORGANIZATION_NAMES = {
    ORGANIZATION_ID: ORGANIZATION_NAME,
    SECOND_ORGANIZATION_ID: "Sandbox (second organization, synthetic)",
}
USER_UUID = stable_uuid("user", 1)

DATA_PROJECT = 1
"""The only project with events."""
EMPTY_PROJECT = 2
FOREIGN_PROJECT = 3
"""Another project without events, in the second organization."""
PROJECT_NAMES = {
    DATA_PROJECT: "Sandbox (synthetic data)",
    EMPTY_PROJECT: "Sandbox (empty project, synthetic)",
    FOREIGN_PROJECT: "Sandbox (project of the second organization, synthetic)",
}

CONNECTION_ID = stable_uuid("connection", 1)
"""The Maton connection that exists from the start."""


def user_basic() -> Row:
    """Return the user as other objects embed it (`created_by`, `last_modified_by`)."""
    return {
        "id": 1,
        "uuid": USER_UUID,
        "distinct_id": "sandbox-user",
        "first_name": "Sandbox",
        "last_name": "User",
        "email": "sandbox@quillboard.example",
        "is_email_verified": True,
        "hedgehog_config": None,
        "role_at_organization": "engineering",
    }


def founded(today: datetime) -> str:
    """Return the creation time of organization, user and projects: 200 days before `today`."""
    return timestamp(today.astimezone(UTC) - timedelta(days=200))
