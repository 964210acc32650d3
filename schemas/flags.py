"""Feature flags: `/api/projects/{project_id}/feature_flags/`."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from .base import Id, InProject, Page, Part, View
from .base.forms import Clearable
from .base.shown import Author, Fields, IfTrue, Items, Text
from .json import as_list, as_object, is_list


def _number(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a number from 0 to 100")
    return value


def _whole_if_possible(value: float) -> float:
    return int(value) if value.is_integer() else value


type Percentage = Annotated[
    float, Field(ge=0, le=100, allow_inf_nan=False), BeforeValidator(_number), AfterValidator(_whole_if_possible)
]
type FlagKey = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$", max_length=400)]


class Variant(Part):
    """One variant of a multivariate flag."""

    key: str
    rollout_percentage: Percentage
    name: str | None = None


_ACTIVE = {"type": "string", "enum": ["true", "false", "STALE"]}


class ListFlags(Page):
    search: str | None = None
    active: Annotated[bool | Literal["STALE"], WithJsonSchema(_ACTIVE)] | None = None
    type: Literal["boolean", "multivariant", "experiment", "remote_config"] | None = None
    tags: list[str] | None = None


class GetFlag(InProject):
    flag: Id | str
    """Id or key."""
    full: bool = False


class CreateFlag(InProject):
    key: FlagKey
    name: str | None = None
    """Description."""
    active: bool = True
    rollout_percentage: Percentage | None = None
    """Percentage of all users."""
    filters: dict[str, Any] | None = None
    """Targeting: {"groups": [{"properties": [...], "rollout_percentage": 50}]}"""
    variants: list[Variant] | None = None
    """Percentages must add up to 100."""
    tags: list[str] | None = None
    create_usage_dashboard: bool = False

    @model_validator(mode="after")
    def _say_who_gets_it(self) -> Self:
        if (self.rollout_percentage is None) == (self.filters is None):
            raise ValueError(
                "set either `rollout_percentage` (0 to 100, percentage of all users) or `filters` (with groups); "
                "there is no default rollout"
            )
        if self.filters is not None:
            check_filters(self.filters)
            if self.variants and self.filters.get("multivariate"):
                raise ValueError("set `variants` or `filters.multivariate`, not both")
        check_variants([(variant.key, variant.rollout_percentage) for variant in self.variants or ()])
        return self


class UpdateFlag(InProject):
    flag_id: Id
    key: FlagKey | None = None
    name: Clearable | None = None
    """Description."""
    active: bool | None = None
    rollout_percentage: Percentage | None = None
    """Keeps the targeting."""
    filters: dict[str, Any] | None = None
    """Merged: omitted fields are kept, null removes. groups replaces all conditions."""
    tags: list[str] | None = None

    @model_validator(mode="after")
    def _say_one_thing(self) -> Self:
        if not self.changes() and self.rollout_percentage is None:
            raise ValueError(
                "nothing to change; set `key`, `name`, `active`, `rollout_percentage`, `filters` or `tags`"
            )
        if self.filters is not None:
            if self.rollout_percentage is not None:
                raise ValueError(
                    "set `rollout_percentage` or `filters`, not both; `filters` contain the rollout of each group"
                )
            _check_changes(self.filters)
        return self

    def changes(self) -> dict[str, Any]:
        """Return the fields that PostHog stores as given."""
        aim = {"flag_id", "project_id", "connection_id", "rollout_percentage"}
        return self.model_dump(mode="json", exclude=aim, exclude_unset=True, exclude_none=True)


class DeleteFlag(InProject):
    flag_id: Id


class FlagRow(View):
    """A flag in a list. PostHog's `name` is the description; the key identifies the flag."""

    id: int
    key: str
    name: Text = None
    active: bool | None = None
    status: str | None = None
    tags: Items = None
    experiment_set: Items = None
    created_at: str | None = None
    updated_at: str | None = None


class FlagView(FlagRow):
    """A flag with its release conditions (`filters.groups`), variants (`filters.multivariate`) and payloads."""

    filters: Fields = None
    archived: IfTrue = None
    deleted: IfTrue = None
    created_by: Author = None
    last_modified_by: Author = None
    last_called_at: str | None = None
    version: int | None = None
    evaluation_runtime: str | None = None
    evaluation_contexts: Items = None
    ensure_experience_continuity: bool | None = None
    is_remote_configuration: bool | None = None
    has_encrypted_payloads: bool | None = None
    usage_dashboard: int | None = None
    can_edit: bool | None = None


class FlagState(View):
    """A deleted flag."""

    id: int
    key: str
    name: Text = None
    active: bool | None = None
    deleted: bool | None = None


def check_filters(filters: dict[str, Any]) -> None:
    """Raise ValueError unless there is at least one release condition and the variants add up to 100.

    PostHog rejects a new flag without groups, and ignores their absence in a PATCH.
    """
    _check_conditions(filters.get("groups"))
    variants: object = as_object(filters.get("multivariate")).get("variants")
    if not is_list(variants):
        return
    shares: list[tuple[str, float]] = []
    for variant in variants:
        try:
            read = Variant.model_validate(variant, extra="ignore")
        except ValueError:
            raise ValueError(
                "`filters.multivariate.variants`: each variant needs a key and a rollout_percentage (0 to 100)"
            ) from None
        shares.append((read.key, read.rollout_percentage))
    check_variants(shares)


def _check_conditions(groups: object) -> None:
    conditions = as_list(groups)
    if not conditions or not all(isinstance(condition, dict) for condition in conditions):
        raise ValueError(
            "`filters.groups` must be a list with at least one release condition, such as "
            '{"properties": [], "rollout_percentage": 100}'
        )


def _check_changes(filters: dict[str, Any]) -> None:
    """Raise ValueError for changes that cannot be merged into stored filters."""
    if not filters:
        raise ValueError("`filters` is empty; set `groups`, `multivariate` or `payloads` in it")
    if "groups" in filters:
        _check_conditions(filters["groups"])
    for name in ("multivariate", "payloads"):
        if not isinstance(filters.get(name), dict | None):
            raise ValueError(f"`filters.{name}` must be an object, or null to remove it")
    variants: object = as_object(filters.get("multivariate")).get("variants", [])
    if not is_list(variants) or not all(map(_has_key, variants)):
        raise ValueError("`filters.multivariate.variants` must be a list of objects, each with the key of a variant")


def _has_key(variant: Any) -> bool:
    return isinstance(as_object(variant).get("key"), str)


def check_variants(shares: Sequence[tuple[str, float]]) -> None:
    """Raise ValueError unless the keys differ and the percentages add up to 100, as PostHog requires."""
    if not shares:
        return
    if len({key for key, _ in shares} - {""}) < len(shares):
        raise ValueError("each variant needs a unique key")
    total = sum(share for _, share in shares)
    if abs(total - 100) > 1e-9:
        raise ValueError(f"the rollout_percentage of all variants must add up to 100 (got {total:g})")
