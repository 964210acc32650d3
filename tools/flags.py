"""Feature flags. PostHog looks them up by id only and replaces `filters` whole, so updates read the flag first."""

import difflib
from collections.abc import Mapping
from typing import Any, cast

from ..gateway.call import Call
from ..gateway.errors import Failed, GatewayError, Refused, Rejected
from ..schemas.base.shown import Whole
from ..schemas.flags import (
    CreateFlag,
    DeleteFlag,
    FlagRow,
    FlagState,
    FlagView,
    GetFlag,
    ListFlags,
    UpdateFlag,
    check_filters,
)
from ..schemas.json import as_list, as_object
from ..schemas.text import excerpt
from .operation import Effect, Operation, Result, Toolset, listing, route, show
from .operation.merging import merged
from .operation.pages import PagedRows

FLAGS = "/api/projects/{project_id}/feature_flags/"
FLAG = "/api/projects/{project_id}/feature_flags/{flag_id}/"
_NEAR_KEYS = 5
_LONGEST_KEY = 400


async def _get_flag(api: Call, args: GetFlag) -> Result:
    return show(Whole if args.full else FlagView, await _find(api, args.flag))


async def _find(api: Call, flag: int | str) -> Any:
    """Return the flag with this id or key. A string of digits is an id unless only a flag with that key exists."""
    if isinstance(flag, str) and not flag.isdecimal():
        return await _by_key(api, flag)
    try:
        return await api.get(FLAG, flag_id=flag)
    except GatewayError as error:
        if isinstance(flag, int) or error.code != "not_found":
            raise
        return await _by_key(api, flag)


async def _by_key(api: Call, key: str) -> Any:
    """Return the flag with this key. PostHog has no lookup by key, so search and compare."""
    seen: list[str] = []
    async for row in PagedRows(api, FLAGS, {"search": key}):
        flag = _row(row)
        if flag.key == key:
            return await api.get(FLAG, flag_id=flag.id)
        seen.append(flag.key)
    if not seen:
        seen = [_row(row).key async for row in PagedRows(api, FLAGS, {}, pages=1)]
    near = (
        difflib.get_close_matches(key[:_LONGEST_KEY], dict.fromkeys(seen), n=_NEAR_KEYS, cutoff=0.5)
        or seen[:_NEAR_KEYS]
    )
    raise Rejected(
        "not_found",
        f"`flag`: no flag has the key {excerpt(key, 100)}.",
        f"Similar keys: {excerpt(', '.join(near))}. " * bool(near)
        + "Pass the numeric id to get a deleted or archived flag.",
    )


def _row(row: object) -> FlagRow:
    return FlagRow.model_validate(show(FlagRow, row))


async def _create_flag(api: Call, args: CreateFlag) -> Result:
    filters = args.filters or {"groups": [{"properties": [], "rollout_percentage": args.rollout_percentage}]}
    if args.variants:
        variants = [variant.model_dump(exclude_none=True) for variant in args.variants]
        filters = {**filters, "multivariate": {"variants": variants}}
    body = {
        "key": args.key,
        "name": args.name,
        "active": args.active,
        "filters": filters,
        "tags": args.tags,
        "_should_create_usage_dashboard": args.create_usage_dashboard,
    }
    return show(FlagView, await api.post(FLAGS, {name: value for name, value in body.items() if value is not None}))


async def _update_flag(api: Call, args: UpdateFlag) -> Result:
    changes = args.changes()
    if args.rollout_percentage is None and args.filters is None:
        return show(FlagView, await api.patch(FLAG, changes, flag_id=args.flag_id))
    before = await api.get(FLAG, flag_id=args.flag_id)
    flag = FlagView.model_validate(show(FlagView, before))
    if args.filters is not None:
        return await _patch(api, args, before, {**changes, "filters": _merged(flag, args.filters)})
    return await _set_rollout(api, args, before, flag)


async def _patch(api: Call, args: UpdateFlag, before: Any, changes: dict[str, Any]) -> dict[str, Any]:
    """Send the changes with the version they are based on, so that PostHog returns 409 on conflicting changes."""
    fields = as_object(before)
    if fields.get("version") is not None:
        original = {name: fields.get(name) for name in changes}
        changes = changes | {"version": fields["version"], "original_flag": original}
    return show(FlagView, await api.patch(FLAG, changes, flag_id=args.flag_id))


async def _set_rollout(api: Call, args: UpdateFlag, before: Any, flag: FlagView) -> Result:
    rollout = cast("float", args.rollout_percentage)
    filters, position, earlier = _with_rollout(flag, rollout)
    shown = await _patch(api, args, before, {**args.changes(), "filters": filters})
    later = _rollout(_groups(shown.get("filters"))[position : position + 1])
    if later != rollout:
        raise Failed(
            "bad_upstream_response",
            f"PostHog accepted the change but stored a rollout of {later}% instead of {rollout}%.",
            "Check the flag with get_flag.",
            source="posthog",
        )
    return {"rollout_percentage": {"condition": position + 1, "before": earlier, "after": later}, **shown}


def _merged(flag: FlagView, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flag's filters with the given changes. PostHog replaces the whole object, so all of it is sent.

    Raises Refused if the variants would not add up to 100.
    """
    stored = flag.filters or {}
    payloads: Mapping[str, Any] = given.get("payloads") or {}
    kept = set(stored.get("payloads") or {}) - set(payloads)
    if flag.has_encrypted_payloads and kept and given.get("payloads", kept) is not None:
        raise Refused(
            "invalid_argument",
            "`filters`: this flag has encrypted payloads, which cannot be read and so cannot be sent back.",
            f"Give all of its payloads again ({excerpt(', '.join(sorted(kept)), 200)}), or change the flag in PostHog.",
        )
    filters = merged(stored, {name: value for name, value in given.items() if name != "multivariate"})
    if "multivariate" in given:
        filters["multivariate"] = multivariate = _variants(stored.get("multivariate"), given["multivariate"])
        # PostHog rejects payloads of variants that no longer exist.
        keys = {variant["key"] for variant in (multivariate or {}).get("variants", ())} or {"true"}
        left = as_object(filters.get("payloads"))
        filters["payloads"] = {key: value for key, value in left.items() if key in keys or key in payloads}
    return filters


def _variants(stored: Any, given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the variants merged by key: unnamed ones are kept, a null share removes one, null removes all."""
    if given is None:
        return None
    before = as_object(stored)
    changed = merged(before, given)
    by_key: dict[str, dict[str, Any]] = {variant["key"]: variant for variant in before.get("variants", ())}
    for variant in given.get("variants", ()):
        by_key[variant["key"]] = by_key.get(variant["key"], {}) | variant
    removed = {key for key, variant in by_key.items() if variant.get("rollout_percentage", 0) is None}
    left = [variant for key, variant in by_key.items() if key not in removed]
    changed["variants"] = left
    try:
        check_filters({"groups": [{}], "multivariate": changed})
    except ValueError as error:
        shares = ", ".join(f"{variant['key']} {variant.get('rollout_percentage')}" for variant in left)
        raise Refused(
            "invalid_argument",
            f"`filters.multivariate`: {error}. With unnamed variants, the shares are {excerpt(shares, 200)}.",
            "Set the shares of all variants. "
            '"rollout_percentage": null removes a variant; "multivariate": null removes all of them.',
        ) from None
    return changed if left else None


def _with_rollout(flag: FlagView, rollout: float) -> tuple[dict[str, Any], int, float | None]:
    """Return the filters with one condition's rollout changed, the condition's position, and its previous rollout.

    Raises Refused if it is not clear which condition to change.
    """
    filters = flag.filters or {}
    if flag.has_encrypted_payloads:
        raise Refused(
            "invalid_argument",
            "`rollout_percentage`: this flag has encrypted payloads, which cannot be read and so cannot be sent back.",
            "Change its rollout in PostHog.",
        )
    groups = _groups(filters)
    if not groups:
        return {**filters, "groups": [{"properties": [], "rollout_percentage": rollout}]}, 0, None
    for_everybody = [position for position, group in enumerate(groups) if not group.get("properties")]
    if len(groups) == 1:
        position = 0
    elif len(for_everybody) == 1:
        position = for_everybody[0]
    else:
        raise Refused(
            "invalid_argument",
            f"`rollout_percentage`: this flag has {len(groups)} release conditions, and it is not clear which one to "
            f"change: {excerpt('; '.join(map(_condition, range(1, len(groups) + 1), groups)), 400)}",
            "Pass `filters` with all groups as get_flag shows them, and change the rollout of one.",
        )
    changed = [{**group, "rollout_percentage": rollout} if at == position else group for at, group in enumerate(groups)]
    return {**filters, "groups": changed}, position, _rollout(groups[position : position + 1])


def _groups(filters: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    return as_list((filters or {}).get("groups"))


def _rollout(groups: list[dict[str, Any]]) -> float | None:
    """Return the rollout of the first group; PostHog treats a missing one as 100."""
    if not groups:
        return None
    rollout = groups[0].get("rollout_percentage")
    return 100 if rollout is None else rollout


def _condition(number: int, group: Mapping[str, Any]) -> str:
    """Return a release condition by the names of its properties, such as `2: plan, country 10%`."""
    properties = cast("list[dict[str, Any]]", group.get("properties") or [])
    names = ", ".join(str(item.get("key")) for item in properties) or "all users"
    return f"{number}: {names} {_rollout([dict(group)])}%"


OPERATIONS: tuple[Operation[Any], ...] = (
    listing(
        "GET /api/projects/{project_id}/feature_flags/",
        ListFlags,
        FlagRow,
        name="list_flags",
        about="List feature flags, newest first, or search keys and descriptions. Use it to find a flag_id.",
        toolset=Toolset.FLAGS,
    ),
    Operation(
        name="get_flag",
        about="Show one feature flag: release conditions (filters.groups), variants and payloads.",
        toolset=Toolset.FLAGS,
        effect=Effect.READ,
        input=GetFlag,
        run=_get_flag,
    ),
    Operation(
        name="create_flag",
        about="Create a feature flag. Set rollout_percentage for all users, or filters for targeting.",
        toolset=Toolset.FLAGS,
        effect=Effect.CREATE,
        input=CreateFlag,
        run=_create_flag,
    ),
    Operation(
        name="update_flag",
        about="Change a feature flag: turn it on or off, or change its rollout or targeting. Takes effect immediately.",
        toolset=Toolset.FLAGS,
        effect=Effect.UPDATE,
        input=UpdateFlag,
        run=_update_flag,
    ),
    route(
        "SOFT_DELETE /api/projects/{project_id}/feature_flags/{flag_id}/",
        DeleteFlag,
        FlagState,
        name="delete_flag",
        about="Delete a feature flag, which turns it off immediately. "
        "Undo with restore_deleted until its key is reused.",
        toolset=Toolset.FLAGS,
    ),
)
