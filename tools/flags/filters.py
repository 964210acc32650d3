"""Changes of a flag's `filters`, which PostHog replaces as a whole: everything that is not named is kept."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...gateway.errors import Refused
from ...schemas.flags import UpdateFlag, check_filters
from ...schemas.json import as_list, as_object, is_object
from ...schemas.text import excerpt
from ..operation import unexpected_shape
from ..operation.merging import merged, merged_by, reverting
from .targeting import typed, with_typed_groups

_EVERYBODY = 100
"""The rollout of a condition without one, in percent."""


def changed_filters(args: UpdateFlag, flag: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the filters that the flag should have; None when the arguments change nothing in them. Raises Refused."""
    stored = as_object(flag.get("filters"))
    if not args.changes_filters:
        return None
    if flag.get("has_encrypted_payloads"):
        _check_payloads(args, stored)
    filters = _merged(stored, args.filters) if args.filters is not None else dict(stored)
    if args.variants is not None or args.remove_variants is not None:
        variants = [each.model_dump(exclude_none=True) for each in args.variants or ()]
        filters = _with_variants(filters, variants, args.remove_variants or ())
    if args.payloads is not None:
        filters["payloads"] = merged(filters.get("payloads"), args.payloads)
        _check_payload_keys(args.payloads, filters)
    if args.conditions is not None:
        filters["groups"] = _with_conditions(filters, args.conditions)
    if args.rollout_percentage is not None:
        filters["groups"] = _with_rollout(groups_of(filters), args.rollout_percentage, args.condition)
    if args.serve_variant is not None:
        filters = _serving(filters, args.serve_variant)
    _check_payload_of_true(filters)
    return filters


def filters_back(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the argument `filters` that makes the filters what they were before."""
    changes = reverting(before, after)
    was, now = (as_list(as_object(side.get("multivariate")).get("variants")) for side in (before, after))
    known = {as_object(variant).get("key") for variant in was}
    removed = [
        {"key": key, "rollout_percentage": None} for each in now if (key := as_object(each).get("key")) not in known
    ]
    if is_object(changes.get("multivariate")):
        changes["multivariate"] = {**changes["multivariate"], "variants": [*was, *removed]}
    return changes


def groups_of(filters: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the release conditions. Raises Failed (`bad_upstream_response`)."""
    groups = as_list((filters or {}).get("groups"))
    if not all(map(is_object, groups)):
        raise unexpected_shape("FlagView", "filters.groups")
    return groups


def rollout_of(group: Mapping[str, Any]) -> float:
    """Return the rollout of a condition in percent; PostHog treats a missing one as 100."""
    rollout = group.get("rollout_percentage")
    return _EVERYBODY if rollout is None else rollout


def condition_text(number: int, group: Mapping[str, Any]) -> str:
    """Return a release condition by the names of its properties, such as `2: plan, country 10%`."""
    names = ", ".join(str(as_object(item).get("key")) for item in as_list(group.get("properties"))) or "all users"
    return f"{number}: {names} {rollout_of(group):g}%"


def _check_payloads(args: UpdateFlag, stored: Mapping[str, Any]) -> None:
    """Raise Refused if payloads that cannot be read would have to be sent back."""
    given = args.payloads if args.payloads is not None else (args.filters or {}).get("payloads", {})
    known = set(as_object(stored.get("payloads")))
    kept = known - set(as_object(given))
    if given is None or (known and not kept):
        return
    names = excerpt(", ".join(sorted(kept)) or "they are hidden", 200)
    raise Refused(
        "invalid_argument",
        "This flag has encrypted payloads, which cannot be read and so cannot be sent back.",
        f"Give all of its payloads again ({names}), or change the flag in PostHog.",
    )


def _merged(stored: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    filters = merged(stored, {name: value for name, value in given.items() if name != "multivariate"})
    if "groups" in given:
        filters = with_typed_groups(filters)
    if "multivariate" not in given:
        return filters
    multivariate = given["multivariate"]
    if multivariate is None:
        return _without_idle_payloads({**filters, "multivariate": None}, given)
    variants = as_list(multivariate.get("variants"))
    removed = [each["key"] for each in variants if each.get("rollout_percentage", 0) is None]
    others = {name: value for name, value in multivariate.items() if name != "variants"}
    filters["multivariate"] = merged(filters.get("multivariate"), others)
    kept = [each for each in variants if each["key"] not in removed]
    return _without_idle_payloads(_with_variants(filters, kept, removed), given)


def _without_idle_payloads(filters: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Drop payloads of variants that are gone; PostHog rejects them."""
    variants = as_list(as_object(filters.get("multivariate")).get("variants"))
    keys = {as_object(each).get("key") for each in variants} | {"true"} | set(as_object(given.get("payloads")))
    if "payloads" in filters:
        filters["payloads"] = {k: v for k, v in as_object(filters["payloads"]).items() if k in keys}
    return filters


def _with_variants(
    filters: Mapping[str, Any], given: Sequence[Mapping[str, Any]], removed: Sequence[str]
) -> dict[str, Any]:
    """Return the filters with variants merged by key. Raises Refused if they would not add up to 100."""
    before = as_object(filters.get("multivariate"))
    known = {as_object(each).get("key") for each in as_list(before.get("variants"))}
    if unknown := [key for key in removed if key not in known]:
        raise Refused(
            "invalid_argument",
            f"`remove_variants`: the flag has no variant {excerpt(unknown[0], 100)}.",
            f"Its variants: {excerpt(', '.join(map(str, known)) or 'none', 200)}.",
        )
    left = merged_by(("key",), before.get("variants"), given, removed)
    changed = {**before, "variants": left}
    try:
        check_filters({"groups": [{}], "multivariate": changed})
    except ValueError as error:
        shares = ", ".join(f"{variant['key']} {variant.get('rollout_percentage')}" for variant in left)
        raise Refused(
            "invalid_argument",
            f"`variants`: {error}. With unnamed variants, the shares are {excerpt(shares, 200)}.",
            "Set the shares of all variants; remove_variants removes some of them.",
        ) from None
    return _without_idle_payloads({**filters, "multivariate": changed if left else None}, {})


def _check_payload_keys(payloads: Mapping[str, Any], filters: Mapping[str, Any]) -> None:
    """Raise Refused for the payload of a variant that the flag does not have."""
    variants = [as_object(each).get("key") for each in as_list(as_object(filters.get("multivariate")).get("variants"))]
    keys = variants or ["true"]
    unknown = [key for key, value in payloads.items() if value is not None and key not in keys]
    if unknown:
        raise Refused(
            "invalid_argument",
            f"`payloads`: {excerpt(unknown[0], 100)} is no value of this flag.",
            f"Keys of payloads: {excerpt(', '.join(map(str, keys)), 200)}.",
        )


def _check_payload_of_true(filters: Mapping[str, Any]) -> None:
    """Raise Refused for variants beside the payload of a flag without them, which PostHog rejects."""
    variants = [as_object(each).get("key") for each in as_list(as_object(filters.get("multivariate")).get("variants"))]
    if variants and "true" not in variants and "true" in as_object(filters.get("payloads")):
        raise Refused(
            "invalid_argument",
            "`variants`: the flag has a payload for true, which a flag with variants cannot have.",
            'Remove it in the same call with payloads {"true": null}, and set payloads by variant.',
        )


def _with_conditions(filters: Mapping[str, Any], changes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the conditions with some changed, removed and added. Raises Refused if none is left."""
    groups = groups_of(filters)
    conditions: list[dict[str, Any] | None] = list(groups)
    for change in changes:
        fields = {name: value for name, value in change.items() if name not in ("condition", "remove")}
        if "condition" not in change:
            conditions.append(typed({"properties": [], **fields}, filters))
            continue
        at = _position(groups, change["condition"])
        changed = merged(groups[at], fields)
        conditions[at] = (
            None if change.get("remove") else typed(changed, filters) if "properties" in fields else changed
        )
    left = [each for each in conditions if each is not None]
    if not left:
        raise Refused(
            "invalid_argument",
            "`conditions`: no release condition would be left.",
            "Keep one, or turn the flag off with active false.",
        )
    return left


def _position(groups: Sequence[Mapping[str, Any]], number: int) -> int:
    if not 1 <= number <= len(groups):
        raise Refused(
            "invalid_argument",
            f"`condition`: the flag has {len(groups)} release conditions, and no number {number}.",
            f"Conditions: {excerpt(_list(groups), 400)}",
        )
    return number - 1


def _with_rollout(groups: list[dict[str, Any]], rollout: float, number: int | None) -> list[dict[str, Any]]:
    """Return the conditions with the rollout of one changed. Raises Refused if it is not clear which one."""
    if not groups and number is None:
        return [{"properties": [], "rollout_percentage": rollout}]
    for_everybody = [at for at, group in enumerate(groups) if not group.get("properties")]
    if number is not None:
        position = _position(groups, number)
    elif len(groups) == 1:
        position = 0
    elif len(for_everybody) == 1:
        position = for_everybody[0]
    else:
        raise Refused(
            "invalid_argument",
            f"`rollout_percentage`: this flag has {len(groups)} release conditions, and it is not clear which one to "
            f"change: {excerpt(_list(groups), 400)}",
            "Pass its number as `condition`.",
        )
    return [{**group, "rollout_percentage": rollout} if at == position else group for at, group in enumerate(groups)]


def _list(groups: Sequence[Mapping[str, Any]]) -> str:
    return "; ".join(map(condition_text, range(1, len(groups) + 1), groups))


def _serving(filters: Mapping[str, Any], variant: str) -> dict[str, Any]:
    """Return filters that give one variant to everybody; the others stay defined, with a share of 0. Raises Refused."""
    multivariate = as_object(filters.get("multivariate"))
    variants = [as_object(each) for each in as_list(multivariate.get("variants"))]
    keys = [str(each.get("key")) for each in variants]
    if variant not in keys:
        raise Refused(
            "invalid_argument",
            f"`serve_variant`: the flag has no variant {excerpt(variant, 100)}.",
            f"Its variants: {excerpt(', '.join(keys) or 'none', 200)}.",
        )
    shares = [{**each, "rollout_percentage": _EVERYBODY if each.get("key") == variant else 0} for each in variants]
    groups = groups_of(filters)
    first = groups[0] if groups else {}
    reaches_all = not first.get("properties") and rollout_of(first) == _EVERYBODY and not first.get("variant")
    if not groups or not reaches_all:
        everybody: dict[str, Any] = {"properties": [], "rollout_percentage": _EVERYBODY}
        groups = [everybody, *groups]
    return {**filters, "groups": groups, "multivariate": {**multivariate, "variants": shares}}
