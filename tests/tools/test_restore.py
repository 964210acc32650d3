from typing import Any, get_args

import pytest
from pydantic import ValidationError

from maton_posthog.gateway.errors import Failed
from maton_posthog.schemas.restore import RESTORABLE, Restorable, RestoreDeleted
from maton_posthog.tools.operation import Effect
from maton_posthog.tools.restore import OPERATIONS

from .posthog.fake import PROJECT_ID, FakeCall, Sent, answer, run

pytestmark = pytest.mark.anyio

(RESTORE,) = OPERATIONS
OBJECTS = {"dashboards": "dashboard_list_row"}
"""Names in answers.json that are not the singular of the resource."""
SHOWN: dict[str, dict[str, Any]] = {
    "feature_flags": {"key": "my-feature-flag", "active": True},
    "annotations": {"content": "New feature launched"},
}
"""Fields other than the name that identify an object."""


@pytest.mark.parametrize("resource", RESTORABLE)
async def test_every_soft_delete_can_be_undone(resource: str) -> None:
    stored = answer(OBJECTS.get(resource, resource.removesuffix("s")), deleted=False)
    api = FakeCall({f"PATCH /api/projects/{{project_id}}/{resource}/{{id}}/": stored})
    shown = await run(RESTORE, api, resource=RESTORABLE[resource], id=stored["id"])
    assert api.sent == [Sent("PATCH", f"/api/projects/{PROJECT_ID}/{resource}/{stored['id']}/", {}, {"deleted": False})]
    named = {"name": stored["name"]} if "name" in stored else {}
    special = SHOWN.get(resource, {})
    undo = shown.pop("undo")
    assert undo["tool"] == f"delete_{RESTORABLE[resource]}"
    assert shown.pop("changed") == {"deleted": {"before": True, "after": False}}
    assert shown == {"restored": RESTORABLE[resource], "id": stored["id"], **named, **special, "deleted": False}


def test_exactly_the_soft_deletable_resources_can_be_restored() -> None:
    assert sorted(get_args(Restorable.__value__)) == sorted(RESTORABLE.values())
    assert RESTORE.effect is Effect.UPDATE


@pytest.mark.parametrize("deleted", [True, None])
async def test_a_response_that_does_not_confirm_the_restore_raises_an_error(deleted: bool | None) -> None:
    api = FakeCall({"PATCH /api/projects/{project_id}/cohorts/{id}/": answer("cohort", deleted=deleted)})
    with pytest.raises(Failed, match="does not confirm deleted: false"):
        await run(RESTORE, api, resource="cohort", id=7)


async def test_a_restore_that_is_answered_with_another_object_is_no_success() -> None:
    api = FakeCall({"PATCH /api/projects/{project_id}/cohorts/{id}/": answer("cohort", id=8, deleted=False)})
    with pytest.raises(Failed, match="another object") as caught:
        await run(RESTORE, api, resource="cohort", id=7)
    assert caught.value.outcome == "unknown"


@pytest.mark.parametrize("arguments", [{"resource": "survey", "id": 1}, {"resource": "flag", "id": "key"}, {"id": 1}])
def test_a_resource_without_soft_delete_is_rejected(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RestoreDeleted.model_validate(arguments)
