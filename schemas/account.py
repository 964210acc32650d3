"""The account behind a connection: organization, projects, user."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from .base import InAccount, InProject, View
from .base.shown import Items, Text


class GetOrganization(InAccount):
    full: bool = False


class ListProjects(InAccount):
    limit: int = Field(default=20, ge=1, le=100)
    offset: int = Field(default=0, ge=0, le=1_000_000)
    search: str | None = None


class GetProject(InProject):
    full: bool = False


class GetCurrentUser(InAccount):
    pass


def _level(value: Any) -> Any:
    return _LEVELS.get(value, str(value)) if isinstance(value, int) else value


_LEVELS = {1: "member", 8: "admin", 15: "owner"}
type Level = Annotated[str | None, BeforeValidator(_level)]
"""The `membership_level`, named."""


class Named(View):
    """An object by its id and name."""

    id: int | str
    name: str | None = None


class MembershipView(Named):
    """An organization that the user belongs to."""

    membership_level: Level = None


class OrganizationView(MembershipView):
    """The user's current organization and its projects."""

    slug: Text = None
    created_at: str | None = None
    member_count: int | None = None
    projects: list[Named] | None = None


class ProjectRow(Named):
    """A project in a list."""

    organization: str | None = None
    timezone: str | None = None
    ingested_event: bool | None = None
    is_demo: bool | None = None


class ProjectView(ProjectRow):
    """A project and the settings that queries and flags depend on. `api_token` is the public ingest key."""

    product_description: Text = None
    created_at: str | None = None
    effective_membership_level: Level = None
    api_token: str | None = None
    app_urls: Items = None
    primary_dashboard: int | None = None
    week_start_day: int | None = None
    base_currency: str | None = None
    test_account_filters: Items = None
    group_types: Items = None
    person_display_name_properties: Items = None
    session_recording_opt_in: bool | None = None
    autocapture_opt_out: bool | None = None
    heatmaps_opt_in: bool | None = None
    surveys_opt_in: bool | None = None


class CurrentProject(Named):
    """The project that the user last opened in PostHog."""

    timezone: str | None = None


class UserView(View):
    """The PostHog user who authorized a connection. `team` is the current project."""

    id: int | None = None
    uuid: str | None = None
    email: str | None = None
    first_name: Text = None
    last_name: Text = None
    distinct_id: str | None = None
    role_at_organization: Text = None
    team: CurrentProject | None = None
    organization: Named | None = None
    organizations: list[MembershipView] | None = None
    date_joined: str | None = None


class OwnOrganization(View):
    """The part of `/api/users/@me/` that replaces the list of projects."""

    projects: list[Named] | None = None
    teams: list[Named] | None = None


class OwnProjects(View):
    """The projects named in a user's own record."""

    team: Named | None = None
    organization: OwnOrganization | None = None

    def all(self) -> list[Named]:
        """Return the projects without duplicates, the current one first."""
        organization = self.organization or OwnOrganization()
        found = [self.team, *(organization.projects or organization.teams or [])]
        return list({project.id: project for project in found if project is not None}.values())
