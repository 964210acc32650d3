"""Actions: named sets of event matchers. A list without `limit` returns all of them."""

from ...errors import invalid
from ...http.fields import Field, boolean, choice, json_list, moment, tags, text
from ...http.filters import Ordering, contains, created_by, tagged
from ...http.resource import Change, Resource, public
from ...storage.store import Rows
from ...values import Row, as_object

_MATCHING = ("contains", "regex", "exact")
_STEP: Row = {
    "event": None,
    "properties": None,
    "selector": None,
    "selector_regex": None,
    "tag_name": None,
    "text": None,
    "text_matching": None,
    "href": None,
    "href_matching": None,
    "url": None,
    "url_matching": "contains",
}
_FIELDS = (
    Field("name", text(400, blank=False), required=True),
    Field("description", text()),
    Field("tags", tags),
    Field("post_to_slack", boolean),
    Field("slack_message_format", text(1200)),
    Field("steps", json_list),
    Field("deleted", boolean),
    Field("pinned_at", moment, null=True),
)
_DEFAULTS: Row = {
    "name": "",
    "description": "",
    "tags": [],
    "post_to_slack": False,
    "slack_message_format": "",
    "steps": [],
    "deleted": False,
    "is_calculating": False,
    "last_calculated_at": None,
    "pinned_at": None,
}


def _check(change: Change, row: Row) -> Row:
    own = None if change.before is None else change.before["id"]
    for other in change.rows.all("actions", change.project_id):
        if other["name"] == row["name"] and not other["deleted"] and not row["deleted"] and other["id"] != own:
            raise invalid(f"This project already has an action with this name, ID {other['id']}", "unique", "name")
    row["steps"] = [_step(step) for step in row["steps"]]
    row["last_calculated_at"] = row["last_calculated_at"] or change.rows.now
    return row


def _step(sent: object) -> Row:
    step = as_object(sent)
    if step is None:
        raise invalid(f"Invalid data. Expected a dictionary, but got {type(sent).__name__}.", attr="steps")
    for name in ("text_matching", "href_matching", "url_matching"):
        if step.get(name) is not None:
            choice(*_MATCHING)(step[name], f"steps__{name}")
    return {name: step.get(name, default) for name, default in _STEP.items()}


def _show(rows: Rows, row: Row) -> Row:
    return {
        **public(rows, row),
        "team_id": row["_project"],
        "is_action": True,
        "bytecode_error": None,
        "creation_context": None,
        "user_access_level": "editor",
    }


ACTIONS = Resource(
    table="actions",
    fields=_FIELDS,
    defaults=_DEFAULTS,
    check=_check,
    show=_show,
    filters={"search": contains("name", "description"), "created_by": created_by, "tags": tagged},
    ordering=Ordering(
        "-created_at,-id",
        parameter="ordering",
        fields=("name", "created_at", "pinned_at", "created_by"),
        computed={"created_by": lambda row: row["created_by"]["id"]},
    ),
    paginated=False,
)
