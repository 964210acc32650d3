"""Restoring what was deleted softly."""

from typing import Literal

from .base import Id, InProject, View
from .shown import Text

type Restorable = Literal["flag", "dashboard", "insight", "cohort", "action", "annotation", "experiment"]


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
