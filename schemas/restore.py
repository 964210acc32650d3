"""Restoring soft-deleted objects, and the table of resources that support it."""

from collections.abc import Mapping
from typing import Literal

from .base import AskedWrite, Id, View
from .base.shown import Text

type Restorable = Literal["flag", "dashboard", "insight", "cohort", "action", "annotation", "experiment"]

RESTORABLE: Mapping[str, Restorable] = {
    "feature_flags": "flag",
    "dashboards": "dashboard",
    "insights": "insight",
    "cohorts": "cohort",
    "actions": "action",
    "annotations": "annotation",
    "experiments": "experiment",
}
"""PostHog's resources that support soft delete, and their names in `restore_deleted`. Other resources ignore or reject
`{"deleted": true}`; surveys return 200 and keep the object."""


class RestoreDeleted(AskedWrite):
    resource: Restorable
    id: Id


class RestoredView(View):
    """A restored object, by the fields that identify it. `active` shows whether a flag is on."""

    id: int
    key: Text = None
    name: Text = None
    derived_name: Text = None
    content: Text = None
    active: bool | None = None
    deleted: bool | None = None
