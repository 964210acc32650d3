"""Restoring objects that were deleted softly, and the one table of what can be."""

from collections.abc import Mapping
from typing import Literal

from .base import Id, InProject, View
from .shown import Text

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
"""PostHog's resources that take a soft delete, and what `restore_deleted` calls them. Elsewhere `{"deleted": true}`
is ignored (surveys return 200 and keep the object) or rejected."""


class RestoreDeleted(InProject):
    resource: Restorable
    id: Id


class RestoredView(View):
    """What was restored, by what identifies it. `active` says whether a flag is on."""

    id: int
    key: Text = None
    name: Text = None
    derived_name: Text = None
    content: Text = None
    active: bool | None = None
    deleted: bool | None = None
