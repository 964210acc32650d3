"""Organizations, projects and the user.

`@current` is the user's current project or its organization; PATCH of the user changes it.
"""

from collections.abc import Callable
from functools import partial
from zoneinfo import ZoneInfo

from anyio import to_thread
from starlette.responses import Response

from ..errors import invalid, missing_reference, not_found
from ..http.fields import Field, boolean, checked, choice, integer, json_list, json_object, json_value, text
from ..http.paging import DEFAULT_LIMIT, limit_offset
from ..http.responses import json_response
from ..http.routing import Call, Route
from ..identity import (
    DATA_PROJECT,
    FOREIGN_PROJECT,
    ORGANIZATION_ID,
    ORGANIZATION_NAMES,
    PROJECT_NAMES,
    SECOND_ORGANIZATION_ID,
    USER_UUID,
    founded,
    user_basic,
)
from ..storage.store import Rows
from ..values import Row, integer_id, stable_uuid


def _timezone(value: object, name: str) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (ValueError, OSError, LookupError):
        raise invalid(f'"{value}" is not a valid choice.', "invalid_choice", name) from None


_BASIC = (
    "id",
    "uuid",
    "organization",
    "api_token",
    "name",
    "completed_snippet_onboarding",
    "has_completed_onboarding_for",
    "ingested_event",
    "is_demo",
    "timezone",
    "access_control",
)
"""Fields of a project in lists and inside other objects."""

_PROJECT_FIELDS = (
    Field("name", text(200, blank=False)),
    Field("product_description", text(1000), null=True),
    Field("app_urls", json_list),
    Field("anonymize_ips", boolean),
    Field("completed_snippet_onboarding", boolean),
    Field("test_account_filters", json_list),
    Field("test_account_filters_default_checked", boolean, null=True),
    Field("path_cleaning_filters", json_list, null=True),
    Field("timezone", _timezone),
    Field("data_attributes", json_list),
    Field("person_display_name_properties", json_list, null=True),
    Field("correlation_config", json_object, null=True),
    Field("autocapture_opt_out", boolean, null=True),
    Field("session_recording_opt_in", boolean),
    Field("week_start_day", integer(0, 1), null=True),
    Field("primary_dashboard", integer(), null=True),
    Field("surveys_opt_in", boolean, null=True),
    Field("heatmaps_opt_in", boolean, null=True),
    Field("flags_persistence_default", boolean, null=True),
    Field("base_currency", text(3)),
    Field("access_control", boolean),
)
_USER_FIELDS = (
    Field("first_name", text(150, blank=False)),
    Field("last_name", text(150)),
    Field("theme_mode", choice("light", "dark", "system"), null=True),
    Field("events_column_config", json_object),
    Field("notification_settings", json_object),
    Field("has_seen_product_intro_for", json_value, null=True),
)


def current_project(rows: Rows) -> int:
    """Return the project id that `@current` refers to."""
    settings = rows.all("settings")
    return int(settings[0]["current_project"]) if settings else DATA_PROJECT


def find_project(rows: Rows, key: str) -> Row:
    """Return the project of a path's id or `@current`. Raises ApiError 404."""
    number = current_project(rows) if key == "@current" else integer_id(key)
    project = None if number is None else rows.get("projects", number)
    if project is None:
        raise not_found("Project not found.")
    return project


def find_organization(rows: Rows, key: str) -> str:
    """Return the organization id of a path's id or `@current`. Raises ApiError 404."""
    id = str(find_project(rows, "@current")["organization"]) if key == "@current" else key
    if id not in ORGANIZATION_NAMES:
        raise not_found("Organization not found.")
    return id


def new_project(id: int, since: str) -> Row:
    """Return the row of a new project."""
    name = PROJECT_NAMES.get(id, f"Project {id} (synthetic)")
    return {
        "organization": SECOND_ORGANIZATION_ID if id == FOREIGN_PROJECT else ORGANIZATION_ID,
        "name": name,
        "product_description": "Quillboard, a fictional project board sold by subscription. All data is synthetic.",
        "created_at": since,
        "effective_membership_level": 15,
        "has_group_types": id == DATA_PROJECT,
        "group_types": group_types(id),
        "live_events_token": f"synthetic-live-token-{id}",
        "updated_at": since,
        "uuid": stable_uuid("project", id),
        "api_token": f"phc_synthetic_{id}",
        "app_urls": ["https://app.quillboard.example"],
        "anonymize_ips": False,
        "completed_snippet_onboarding": True,
        "has_completed_onboarding_for": {"product_analytics": True},
        "ingested_event": id == DATA_PROJECT,
        "test_account_filters": _TEST_ACCOUNTS,
        "test_account_filters_default_checked": False,
        "path_cleaning_filters": [],
        "is_demo": True,
        "timezone": "UTC",
        "data_attributes": ["data-attr"],
        "person_display_name_properties": None,
        "correlation_config": None,
        "autocapture_opt_out": False,
        "session_recording_opt_in": True,
        "access_control": False,
        "week_start_day": 1,
        "primary_dashboard": None,
        "surveys_opt_in": True,
        "heatmaps_opt_in": False,
        "product_intents": [],
        "flags_persistence_default": False,
        "secret_api_token": f"phs_synthetic_secret_{id}",
        "secret_api_token_backup": None,
        "base_currency": "USD",
        "is_pending_deletion": False,
        "project_id": id,
        "user_access_level": "admin",
    }


_TEST_ACCOUNTS: list[Row] = [
    {"key": "email", "value": "@quillboard.example", "operator": "not_icontains", "type": "person"}
]


def group_types(project_id: int) -> list[Row]:
    """Return the group types in the events of a project."""
    if project_id != DATA_PROJECT:
        return []
    return [{"group_type": "organization", "group_type_index": 0, "name_singular": None, "name_plural": None}]


def _shown(project: Row) -> Row:
    return {"id": project["id"], **{name: value for name, value in project.items() if not name.startswith("_")}}


def _basic(project: Row) -> Row:
    return {name: project[name] for name in _BASIC}


def _team(project: Row) -> Row:
    return {**_basic(project), "project_id": project["id"]}


def _organization(rows: Rows, id: str, since: str) -> Row:
    projects = [project for project in rows.all("projects") if project["organization"] == id]
    return {
        "id": id,
        "name": ORGANIZATION_NAMES[id],
        "slug": "sandbox-synthetic-data" if id == ORGANIZATION_ID else "sandbox-second-organization",
        "logo_media_id": None,
        "created_at": since,
        "updated_at": since,
        "membership_level": 15,
        "plugins_access_level": 3,
        "teams": [_team(project) for project in projects],
        "projects": [
            {
                "id": project["id"],
                "organization_id": id,
                "api_token": project["api_token"],
                "name": project["name"],
            }
            for project in projects
        ],
        "available_product_features": [],
        "is_member_join_email_enabled": True,
        "metadata": {"instance_tag": "none"},
        "customer_id": None,
        "enforce_2fa": None,
        "members_can_invite": True,
        "members_can_use_personal_api_keys": True,
        "allow_publicly_shared_resources": True,
        "member_count": 1,
        "is_ai_data_processing_approved": True,
        "default_experiment_stats_method": "bayesian",
        "default_role_id": None,
    }


def _user(rows: Rows, call: Call) -> Row:
    since = founded(call.services.clock())
    organizations = {id: _organization(rows, id, since) for id in ORGANIZATION_NAMES}
    basic_keys = ("id", "name", "slug", "logo_media_id", "membership_level", "members_can_use_personal_api_keys")
    stored = (rows.all("settings") or [{}])[0].get("user", {})
    basics = user_basic()
    del basics["hedgehog_config"], basics["role_at_organization"]
    return {
        **basics,
        "date_joined": since,
        "uuid": USER_UUID,
        "pending_email": None,
        "notification_settings": {},
        "anonymize_data": False,
        "toolbar_mode": "toolbar",
        "has_password": True,
        "is_staff": False,
        "is_impersonated": False,
        "is_impersonated_until": None,
        "sensitive_session_expires_at": rows.now,
        "team": _team(find_project(rows, "@current")),
        "organization": organizations[find_organization(rows, "@current")],
        "organizations": [{name: each[name] for name in basic_keys} for each in organizations.values()],
        "events_column_config": {"active": "DEFAULT"},
        "is_2fa_enabled": False,
        "has_social_auth": False,
        "has_sso_enforcement": False,
        "has_seen_product_intro_for": None,
        "scene_personalisation": [],
        "theme_mode": None,
        "hedgehog_config": None,
        "role_at_organization": "engineering",
        **stored,
    }


def _change_user(rows: Rows, call: Call) -> Row:
    values = checked(_USER_FIELDS, call.body, partial=True)
    settings = rows.all("settings")[0]
    settings["user"] = {**settings.get("user", {}), **values}
    wanted = call.body.get("set_current_team")
    if wanted is not None:
        number = wanted if isinstance(wanted, int) else integer_id(str(wanted))
        if number is None or isinstance(number, bool) or rows.get("projects", number) is None:
            raise missing_reference(wanted, "set_current_team")
        settings["current_project"] = number
    elif (organization := call.body.get("set_current_organization")) is not None:
        ids = [project["id"] for project in rows.all("projects") if project["organization"] == organization]
        if not ids:
            raise missing_reference(organization, "set_current_organization")
        settings["current_project"] = ids[0]
    rows.save("settings", settings)
    return _user(rows, call)


def _get_organization(rows: Rows, call: Call) -> Row:
    return _organization(rows, find_organization(rows, call.arguments["id"]), founded(call.services.clock()))


def _list_organizations(rows: Rows, call: Call) -> Row:
    found = [_organization(rows, id, founded(call.services.clock())) for id in ORGANIZATION_NAMES]
    return limit_offset(call.address, call.query, call.params, found, lambda row: row, DEFAULT_LIMIT)


def _list_projects(rows: Rows, call: Call) -> Row:
    within = call.arguments.get("organization_id")
    organization = None if within is None else find_organization(rows, within)
    wanted = call.params.get("search", "").casefold()
    found = [project for project in rows.all("projects") if _is_listed(project, organization, wanted)]
    return limit_offset(call.address, call.query, call.params, found, _basic, DEFAULT_LIMIT)


def _is_listed(project: Row, organization: str | None, wanted: str) -> bool:
    return organization in (None, project["organization"]) and wanted in project["name"].casefold()


def _get_project(rows: Rows, call: Call) -> Row:
    project = find_project(rows, call.arguments["id"])
    within = call.arguments.get("organization_id")
    if within is not None and find_organization(rows, within) != project["organization"]:
        raise not_found("Project not found.")
    return _shown(project)


def _change_project(rows: Rows, call: Call) -> Row:
    project = find_project(rows, call.arguments["id"])
    changed = {**project, **checked(_PROJECT_FIELDS, call.body, partial=True), "updated_at": rows.now}
    return _shown(rows.save("projects", changed))


type _Act = Callable[[Rows, Call], Row]


def _run(act: _Act, call: Call) -> Row:
    with call.services.store.transaction() as rows:
        return act(rows, call)


async def _respond(act: _Act, call: Call) -> Response:
    return json_response(await to_thread.run_sync(_run, act, call))


ROUTES = tuple(
    Route(method, path, partial(_respond, act))
    for method, path, act in (
        ("GET", "users/@me", _user),
        ("PATCH", "users/@me", _change_user),
        ("GET", "organizations", _list_organizations),
        ("GET", "organizations/{id}", _get_organization),
        ("GET", "organizations/{organization_id}/projects", _list_projects),
        ("GET", "organizations/{organization_id}/projects/{id}", _get_project),
        ("GET", "projects", _list_projects),
        ("GET", "projects/{id}", _get_project),
        ("PATCH", "projects/{id}", _change_project),
    )
)
