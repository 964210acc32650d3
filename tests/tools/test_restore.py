from typing import Any

import pytest
from pydantic import ValidationError

from maton_posthog.gateway.call import RESTORABLE
from maton_posthog.gateway.errors import Failed
from maton_posthog.schemas.restore import RestoreDeleted
from maton_posthog.tools.operation import Effect
from maton_posthog.tools.restore import OPERATIONS, PATHS

from .fake import PROJECT_ID, FakeCall, Sent, answer, run

pytestmark = pytest.mark.anyio

(RESTORE,) = OPERATIONS
OBJECTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "flag": ("feature_flags", "feature_flag", {"key": "my-feature-flag", "active": True}),
    "dashboard": ("dashboards", "dashboard_list_row", {}),
    "insight": ("insights", "insight", {}),
    "cohort": ("cohorts", "cohort", {}),
    "action": ("actions", "action", {}),
    "annotation": ("annotations", "annotation", {"content": "New feature launched"}),
    "experiment": ("experiments", "experiment", {}),
}


@pytest.mark.parametrize("resource", OBJECTS)
async def test_every_soft_delete_can_be_undone(resource: str) -> None:
    place, name, special = OBJECTS[resource]
    stored = answer(name, deleted=False)
    api = FakeCall({f"PATCH /api/projects/{{project_id}}/{place}/{{id}}/": stored})
    shown = await run(RESTORE, api, resource=resource, id=stored["id"])
    assert api.sent == [Sent("PATCH", f"/api/projects/{PROJECT_ID}/{place}/{stored['id']}/", {}, {"deleted": False})]
    named = {"name": stored["name"]} if "name" in stored else {}
    assert shown == {"restored": resource, "id": stored["id"], **named, **special, "deleted": False}


def test_it_restores_what_the_gateway_deletes_and_nothing_else() -> None:
    assert sorted(PATHS) == sorted(RESTORABLE.values()) == sorted(OBJECTS)
    assert RESTORE.effect is Effect.UPDATE


@pytest.mark.parametrize("deleted", [True, None])
async def test_an_answer_that_does_not_say_restored_is_an_error(deleted: bool | None) -> None:
    api = FakeCall({"PATCH /api/projects/{project_id}/cohorts/{id}/": answer("cohort", deleted=deleted)})
    with pytest.raises(Failed, match="does not say deleted: false"):
        await run(RESTORE, api, resource="cohort", id=7)


@pytest.mark.parametrize("arguments", [{"resource": "survey", "id": 1}, {"resource": "flag", "id": "key"}, {"id": 1}])
def test_what_has_no_soft_delete_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RestoreDeleted.model_validate(arguments)
