"""Feature flags: `/api/projects/{project_id}/feature_flags/`."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, WithJsonSchema, model_validator

from .base import OBJECTS, AskedWrite, Id, InProject, Page, Part, View, Write
from .base.forms import Clearable
from .base.shown import Author, Fields, IfTrue, Items, Text
from .json import as_list, as_object, is_list, is_object
from .measures import Count


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


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty; pass the id or the key of a flag")
    return value


type NonBlank = Annotated[str, AfterValidator(_not_blank)]
"""The key of a flag."""


class Variant(Part):
    """One variant of a multivariate flag."""

    key: str
    rollout_percentage: Percentage
    name: str | None = None


type Variants = Annotated[list[Variant], OBJECTS]

_ACTIVE = {"type": "string", "enum": ["true", "false", "STALE"]}


_STATUSES = {"active": True, "inactive": False, "stale": "STALE"}


def _status(value: object) -> object:
    """Return the filter for a status as results print it (`ACTIVE`)."""
    return _STATUSES.get(value.strip().casefold(), value) if isinstance(value, str) else value


class ListFlags(Page):
    search: str | None = None
    active: Annotated[bool | Literal["STALE"], BeforeValidator(_status), WithJsonSchema(_ACTIVE)] | None = None
    type: Literal["boolean", "multivariant", "experiment", "remote_config"] | None = None
    tags: list[str] | None = None


class GetFlag(InProject):
    flag: Id | NonBlank
    """Id or key."""
    person: str | None = Field(default=None, min_length=1, max_length=400)
    """Distinct id or uuid: what they get, and why."""
    full: bool = False


class CreateFlag(Write):
    key: FlagKey
    name: str | None = None
    """Description."""
    active: bool = True
    rollout_percentage: Percentage | None = None
    """Percentage of all users."""
    filters: dict[str, Any] | None = None
    """Targeting: {"groups": [{"properties": [...], "rollout_percentage": 50}]}"""
    variants: Variants | None = None
    """{key, rollout_percentage, name}; must add up to 100."""
    tags: list[str] | None = None
    ensure_experience_continuity: bool | None = None
    copy_from: Id | None = None
    """Project that has the flag; the copy is off unless active is set."""
    create_usage_dashboard: bool = False

    @model_validator(mode="after")
    def _say_who_gets_it(self) -> Self:
        if self.copy_from is not None:
            if self.rollout_percentage is not None or self.filters is not None or self.variants:
                raise ValueError("`copy_from` takes the rollout, filters and variants of the flag in that project")
            return self
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


class _OneFlag(AskedWrite):
    """The arguments of tools that change one flag. `flag_id` is the former name of `flag`."""

    flag: Id | NonBlank
    """Id or key."""

    @model_validator(mode="before")
    @classmethod
    def _take_the_former_name(cls, value: Any) -> Any:
        if not is_object(value) or "flag_id" not in value or value.get("flag") not in (None, ""):
            return value
        return {**{name: item for name, item in value.items() if name != "flag_id"}, "flag": value["flag_id"]}


class UpdateFlag(_OneFlag):
    key: FlagKey | None = None
    name: Clearable | None = None
    """Description."""
    active: bool | None = None
    rollout_percentage: Percentage | None = None
    """Of one condition; keeps the targeting."""
    condition: Annotated[int, Field(ge=1, le=1000), BeforeValidator(_number)] | None = None
    """Its number, from 1; needed if there are several."""
    conditions: list[dict[str, Any]] | None = None
    """Change {"condition": 2, "rollout_percentage": 50}, remove {"condition": 1, "remove": true}, or add
    {"properties": [...], "rollout_percentage": 10}."""
    variants: Variants | None = None
    """Merged by key."""
    remove_variants: list[str] | None = None
    payloads: dict[str, Any] | None = None
    """By variant, or true; null removes."""
    serve_variant: str | None = None
    """Gives one variant to everybody."""
    filters: dict[str, Any] | None = None
    """Merged: omitted fields are kept, null removes. groups replaces all conditions."""
    ensure_experience_continuity: bool | None = None
    tags: list[str] | None = None
    remove_tags: list[str] | None = None

    @model_validator(mode="after")
    def _say_one_thing(self) -> Self:
        if not self.changes_filters and not self.fields() and self.tags is None and self.remove_tags is None:
            raise ValueError(
                "nothing to change; set `key`, `name`, `active`, `rollout_percentage`, `conditions`, `variants`, "
                "`payloads`, `serve_variant`, `filters`, `ensure_experience_continuity` or `tags`"
            )
        if self.condition is not None and self.rollout_percentage is None:
            raise ValueError("`condition` needs `rollout_percentage`; use `conditions` for other changes")
        self._check_combination()
        _check_condition_changes(self.conditions or [])
        if self.filters is not None:
            _check_changes(self.filters)
        return self

    def _check_combination(self) -> None:
        """Raise ValueError for arguments that set the same fields."""
        for one, others in _APART.items():
            if getattr(self, one) is not None and (
                found := [name for name in others if getattr(self, name) is not None]
            ):
                raise ValueError(f"set `{one}` or `{found[0]}`, not both")

    @property
    def changes_filters(self) -> bool:
        """Return whether an argument changes the flag's filters."""
        return any(getattr(self, name) is not None for name in (*_APART["filters"], "filters"))

    def fields(self) -> dict[str, Any]:
        """Return the fields that PostHog stores as given."""
        return self.model_dump(mode="json", include=_STORED_AS_GIVEN, exclude_unset=True, exclude_none=True)


_STORED_AS_GIVEN = {"key", "name", "active", "ensure_experience_continuity"}
_APART: Mapping[str, tuple[str, ...]] = {
    "filters": ("rollout_percentage", "conditions", "variants", "remove_variants", "payloads", "serve_variant"),
    "rollout_percentage": ("conditions", "serve_variant"),
    "serve_variant": ("conditions", "variants", "remove_variants"),
}
"""Arguments that cannot be set together with others."""


class DeleteFlag(_OneFlag):
    pass


class FlagRow(View):
    """A flag in a list. PostHog's `name` is the description; the key identifies the flag."""

    id: Count
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


class Reach(View):
    """The persons that match a condition; PostHog's former names end in `users_affected` and `total_users`."""

    affected: Count = Field(validation_alias=AliasChoices("affected", "users_affected"))
    total: Count = Field(validation_alias=AliasChoices("total", "total_users"))


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


def _check_condition_changes(changes: Sequence[Mapping[str, Any]]) -> None:
    """Raise ValueError unless each entry changes, removes or adds one condition."""
    numbers = [change["condition"] for change in changes if "condition" in change]
    if len(set(map(str, numbers))) < len(numbers):
        raise ValueError("`conditions` names the same condition twice")
    for change in changes:
        number: object = change.get("condition", 1)
        if not isinstance(number, int) or isinstance(number, bool):
            raise ValueError("`condition` in `conditions` must be the number of a release condition, from 1")
        fields = change.keys() - {"condition", "remove"}
        if not fields and not ("condition" in change and change.get("remove") is True):
            raise ValueError(
                'each of `conditions` must be a change such as {"condition": 2, "rollout_percentage": 50}, a removal '
                'such as {"condition": 1, "remove": true}, or a new condition such as '
                '{"properties": [], "rollout_percentage": 10}'
            )
        rollout: object = change.get("rollout_percentage", 0)
        if rollout is not None and (
            isinstance(rollout, bool) or not isinstance(rollout, int | float) or not 0 <= rollout <= 100
        ):
            raise ValueError("`rollout_percentage` in `conditions` must be a number from 0 to 100")


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
