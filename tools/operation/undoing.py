"""The exact call that undoes a change, as every answer of a write carries it."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ...gateway.call import Call
from ...schemas.restore import RESTORABLE

NO_REMOVAL = "No tool deletes it."
_NONE = "No single call brings it back; `changed` shows what was stored before."
_NOT_SHOWN = (
    "What was stored before is not shown as it is (pseudonyms, secrets or hidden characters), and a call with what is "
    "shown would not bring it back. Undo it in PostHog."
)


def undo_call(api: Call, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"undo": {"tool", "arguments"}}` for the project and connection of this call.

    A call with values that are shown redacted would store what is shown, or be rejected, so it is not given.
    """
    aimed: dict[str, Any] = {}
    if api.project and api.project.resolved:
        aimed["project_id"] = str(api.project.id)
    if api.connection:
        aimed["connection_id"] = api.connection
    undo = {"undo": {"tool": tool, "arguments": {**arguments, **aimed}}}
    return undo if _text(api.clean(undo)) == _text(undo) else no_undo(_NOT_SHOWN)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def restoring(api: Call, path: str, identifier: object) -> dict[str, Any]:
    """Return the call that undoes a soft delete of `path`.

    Ids are text, as the schema shows them: some hosts check arguments against it.
    """
    return undo_call(api, "restore_deleted", {"resource": RESTORABLE[path.split("/")[4]], "id": str(identifier)})


type Removal = Callable[[Mapping[str, Any]], tuple[str, Mapping[str, Any]]]
"""Returns the tool and the arguments that delete a new object."""


def removal(path: str, target: str | None = None) -> Removal | None:
    """Return how new objects of `path` are deleted; None if no tool deletes them."""
    resource = RESTORABLE.get(path.split("/")[4])
    if resource is None:
        return None
    return lambda stored: (f"delete_{resource}", {target or f"{resource}_id": str(stored["id"])})


def no_undo(why: str = _NONE) -> dict[str, Any]:
    """Return the field for a change that no call undoes."""
    return {"undo": {"impossible": why}}
