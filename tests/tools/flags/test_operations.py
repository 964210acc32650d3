from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from maton_posthog.gateway.errors import Failed, Refused, Rejected
from maton_posthog.schemas.flags import CreateFlag, UpdateFlag
from maton_posthog.tools.flags.operations import OPERATIONS
from tests.oracle import WHOLES

from ..posthog.fake import PROJECT_ID, QUERY_PATH, FakeCall, Sent, answer, in_turn, page, run

pytestmark = pytest.mark.anyio

LIST, GET, CREATE, UPDATE, DELETE = OPERATIONS
FLAGS = "/api/projects/{project_id}/feature_flags/"
FLAG = FLAGS + "{flag_id}/"
ONE = f"/api/projects/{PROJECT_ID}/feature_flags/42/"
NOT_FOUND = Rejected("not_found", "Not found.")


def flag(**changes: Any) -> dict[str, Any]:
    return answer("feature_flag", **changes)


def with_groups(*groups: dict[str, Any], **others: Any) -> dict[str, Any]:
    return flag(filters={"groups": list(groups), **others})


def stored(sent: Sent) -> dict[str, Any]:
    """Return PostHog's response to a write: the flag with the fields of the body."""
    body = sent.body or {}
    return flag(**{name: value for name, value in body.items() if name in flag()})


async def test_list_shows_the_identifying_fields_and_next_offset() -> None:
    calls = {"results": [["my-feature-flag", 7]]}
    listed = page(flag(tags=["beta"]), count=30, next_offset=20)
    api = FakeCall({f"GET {FLAGS}": listed, f"POST {QUERY_PATH}": calls})
    shown = await run(LIST, api, search="check", active="STALE", tags=["beta"])
    assert api.sent[0].query == {"search": "check", "active": "STALE", "tags": ["beta"], "limit": 20, "offset": 0}
    assert shown["count"] == 30
    assert shown["next_offset"] == 20
    assert shown["flags"] == [
        {
            "id": 42,
            "key": "my-feature-flag",
            "name": "My Feature Flag",
            "active": True,
            "status": "ACTIVE",
            "tags": ["beta"],
            "created_at": "2026-11-20T10:00:00.000000Z",
            "updated_at": "2026-11-20T10:00:00.000000Z",
            "calls_30d": 7,
            "fully_rolled_out": True,
            "since": "2026-11-20T10:00:00.000000Z",
        }
    ]


async def test_stale_flags_are_listed_also_when_their_calls_cannot_be_counted() -> None:
    api = FakeCall({f"GET {FLAGS}": page(flag()), f"POST {QUERY_PATH}": Rejected("rate_limited", "Too many.")})
    shown = await run(LIST, api, active="STALE")
    assert shown["note"] == "The calls of the last 30 days could not be counted (rate_limited)."
    assert "calls_30d" not in shown["flags"][0]
    assert shown["flags"][0]["fully_rolled_out"] is True


async def test_a_flag_is_found_by_its_id() -> None:
    api = FakeCall({f"GET {FLAG}": flag()})
    shown = await run(GET, api, flag=42)
    assert api.sent == [Sent("GET", ONE)]
    assert shown["filters"]["groups"][0]["rollout_percentage"] == 100
    assert shown["created_by"] == "ann@example.com"


async def test_a_flag_is_found_by_its_exact_key_across_pages() -> None:
    others = page(flag(id=1, key="my-feature-flag-2"), next_offset=100)
    api = FakeCall({f"GET {FLAGS}": in_turn(others, page(flag())), f"GET {FLAG}": flag()})
    shown = await run(GET, api, flag="my-feature-flag")
    assert shown["id"] == 42
    assert [sent.query.get("offset") for sent in api.sent] == [0, 100, None]
    assert api.last.path == ONE


async def test_a_string_of_digits_is_an_id_first_and_a_key_second() -> None:
    by_id = FakeCall({f"GET {FLAG}": flag()})
    await run(GET, by_id, flag="42")
    assert by_id.sent == [Sent("GET", ONE)]
    by_key = FakeCall({f"GET {FLAG}": in_turn(NOT_FOUND, flag(key="2026")), f"GET {FLAGS}": page(flag(key="2026"))})
    assert (await run(GET, by_key, flag="2026"))["key"] == "2026"


async def test_an_unknown_key_suggests_similar_ones() -> None:
    existing = page(flag(key="checkout-v2"), flag(key="other"))
    api = FakeCall({f"GET {FLAGS}": in_turn(page(), existing)})
    with pytest.raises(Rejected) as caught:
        await run(GET, api, flag="chekout-v2")
    assert caught.value.code == "not_found"
    assert "checkout-v2" in str(caught.value.hint)
    assert "other" not in str(caught.value.hint)


async def test_full_shows_all_fields() -> None:
    shown = await run(GET, FakeCall({f"GET {FLAG}": flag()}), flag=42, full=True)
    assert shown["bucketing_identifier" if "bucketing_identifier" in shown else "features"] == []


async def test_create_sends_one_condition_for_all_users_and_makes_no_dashboard() -> None:
    api = FakeCall({f"POST {FLAGS}": stored})
    shown = await run(CREATE, api, key="checkout-v2", rollout_percentage=25)
    assert api.last.body == {
        "key": "checkout-v2",
        "active": True,
        "filters": {"groups": [{"properties": [], "rollout_percentage": 25}]},
        "_should_create_usage_dashboard": False,
    }
    assert shown["key"] == "checkout-v2"


async def test_create_turns_variants_into_a_multivariate_flag() -> None:
    api = FakeCall({f"POST {FLAGS}": stored})
    variants = [{"key": "a", "rollout_percentage": 33.5}, {"key": "b", "rollout_percentage": 66.5, "name": "B"}]
    await run(CREATE, api, key="x", rollout_percentage=100, variants=variants, create_usage_dashboard=True)
    assert api.last.body is not None
    assert api.last.body["filters"]["multivariate"] == {"variants": variants}
    assert api.last.body["_should_create_usage_dashboard"] is True


REJECTED_NEW: list[tuple[dict[str, Any], str]] = [
    ({}, "no default rollout"),
    ({"rollout_percentage": 5, "filters": {"groups": [{}]}}, "no default rollout"),
    ({"rollout_percentage": 101}, "less than or equal to 100"),
    ({"rollout_percentage": True}, "must be a number"),
    ({"filters": {}}, "filters.groups"),
    ({"filters": {"groups": []}}, "filters.groups"),
    ({"filters": {"groups": ["all users"]}}, "filters.groups"),
    ({"filters": {"groups": [{}], "multivariate": {"variants": [{"key": "a"}]}}}, "multivariate.variants"),
    (
        {"filters": {"groups": [{}], "multivariate": {"variants": [{"key": "a", "rollout_percentage": 99}]}}},
        r"add up to 100 \(got 99\)",
    ),
    ({"rollout_percentage": 5, "variants": [{"key": "a", "rollout_percentage": 99.9}]}, r"add up to 100 \(got 99\.9\)"),
    (
        {
            "rollout_percentage": 5,
            "variants": [{"key": "a", "rollout_percentage": 50}, {"key": "a", "rollout_percentage": 50}],
        },
        "unique key",
    ),
    ({"key": "with space", "rollout_percentage": 5}, "pattern"),
    ({"key": "umläut", "rollout_percentage": 5}, "pattern"),
    ({"rollout_percentage": 5, "rollout": 5}, "Extra inputs"),
]


@pytest.mark.parametrize(("arguments", "message"), REJECTED_NEW)
def test_a_flag_that_posthog_would_misread_is_rejected(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CreateFlag.model_validate({"key": "x", **arguments})


@given(st.lists(st.integers(0, 100), min_size=1, max_size=8) | WHOLES)
def test_variants_are_valid_if_and_only_if_they_add_up_to_100(shares: list[int]) -> None:
    variants = [{"key": f"v{number}", "rollout_percentage": share} for number, share in enumerate(shares)]
    arguments = {"key": "x", "rollout_percentage": 100, "variants": variants}
    if sum(shares) == 100:
        assert CreateFlag.model_validate(arguments).variants is not None
    else:
        with pytest.raises(ValidationError, match="add up to 100"):
            CreateFlag.model_validate(arguments)


@given(st.text(min_size=1, max_size=20))
def test_a_key_is_valid_if_and_only_if_posthog_accepts_it(key: str) -> None:
    fits = all(letter.isascii() and (letter.isalnum() or letter in "_-") for letter in key)
    if fits:
        assert CreateFlag.model_validate({"key": key, "rollout_percentage": 1}).key == key
    else:
        with pytest.raises(ValidationError):
            CreateFlag.model_validate({"key": key, "rollout_percentage": 1})


async def test_update_sends_only_the_given_fields() -> None:
    api = FakeCall({f"GET {FLAG}": flag(), f"PATCH {FLAG}": stored})
    shown = await run(UPDATE, api, flag=42, active=False, name=None)
    body = {"active": False, "version": 1, "original_flag": {"active": True}}
    assert api.sent == [Sent("GET", ONE), Sent("PATCH", ONE, {}, body)]
    assert shown["active"] is False
    assert shown["changed"] == {"active": {"before": True, "after": False}}
    assert shown["undo"]["arguments"] == {"flag": "42", "active": True, "project_id": str(PROJECT_ID)}


async def test_a_rollout_keeps_targeting_variants_and_payloads() -> None:
    targeting = {"properties": [{"key": "plan", "type": "person", "value": ["pro"]}], "rollout_percentage": 10}
    before = with_groups({**targeting, "variant": "b"}, multivariate={"variants": []}, payloads={"b": "1"})
    api = FakeCall({f"GET {FLAG}": before, f"PATCH {FLAG}": stored})
    shown = await run(UPDATE, api, flag_id=42, rollout_percentage=60)
    filters = {**before["filters"], "groups": [{**targeting, "variant": "b", "rollout_percentage": 60}]}
    assert api.last.body == {"filters": filters, "version": 1, "original_flag": {"filters": before["filters"]}}
    assert shown["changed"] == {"filters.groups.0.rollout_percentage": {"before": 10, "after": 60}}
    assert shown["filters"] == filters


ALL_USERS: dict[str, Any] = {"properties": [], "rollout_percentage": 100}
HALVES = [{"key": "a", "rollout_percentage": 50, "name": "A"}, {"key": "b", "rollout_percentage": 50}]
BEFORE: dict[str, Any] = {
    "groups": [ALL_USERS],
    "multivariate": {"variants": HALVES},
    "payloads": {"a": "1", "b": "2"},
    "super_groups": [{"properties": []}],
    "holdout": {"id": 1, "exclusion_percentage": 10},
}


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({"groups": [{"rollout_percentage": 5}]}, {"groups": [{"rollout_percentage": 5}]}),
        ({"payloads": {"b": "3"}}, {"payloads": {"a": "1", "b": "3"}}),
        ({"payloads": {"b": None}}, {"payloads": {"a": "1"}}),
        ({"holdout": {"exclusion_percentage": 20}}, {"holdout": {"id": 1, "exclusion_percentage": 20}}),
        ({"super_groups": []}, {"super_groups": []}),
        ({"multivariate": None}, {"multivariate": None, "payloads": {}}),
        ({"multivariate": None, "payloads": {"true": "9"}}, {"multivariate": None, "payloads": {"true": "9"}}),
        (
            {"multivariate": {"variants": [{"key": "b", "rollout_percentage": 50, "name": "B"}]}},
            {"multivariate": {"variants": [HALVES[0], {"key": "b", "rollout_percentage": 50, "name": "B"}]}},
        ),
        (
            {
                "multivariate": {
                    "variants": [{"key": "b", "rollout_percentage": None}, {"key": "a", "rollout_percentage": 100}]
                }
            },
            {
                "multivariate": {"variants": [{"key": "a", "rollout_percentage": 100, "name": "A"}]},
                "payloads": {"a": "1"},
            },
        ),
    ],
)
async def test_an_update_of_filters_keeps_unnamed_fields(given: dict[str, Any], changed: dict[str, Any]) -> None:
    api = FakeCall({f"GET {FLAG}": flag(filters=BEFORE), f"PATCH {FLAG}": stored})
    shown = await run(UPDATE, api, flag_id=42, filters=given, active=True)
    assert api.last.body == {
        "filters": {**BEFORE, **changed},
        "version": 1,
        "original_flag": {"filters": BEFORE},
    }
    assert shown["filters"] == {**BEFORE, **changed}


async def test_variants_that_do_not_add_up_with_the_kept_ones_are_rejected() -> None:
    api = FakeCall({f"GET {FLAG}": flag(filters=BEFORE)})
    variants = [{"key": "a", "rollout_percentage": 100}]
    with pytest.raises(Refused, match=r"\(got 150\)\. With unnamed variants, the shares are a 100, b 50\.") as caught:
        await run(UPDATE, api, flag_id=42, filters={"multivariate": {"variants": variants}})
    assert "remove_variants" in str(caught.value.hint)
    assert [sent.method for sent in api.sent] == ["GET"]


async def test_the_mask_of_encrypted_payloads_is_never_sent_back() -> None:
    hidden = flag(has_encrypted_payloads=True, filters={"groups": [ALL_USERS], "payloads": {"true": "*****"}})
    api = FakeCall({f"GET {FLAG}": hidden, f"PATCH {FLAG}": stored})
    with pytest.raises(Refused, match="encrypted"):
        await run(UPDATE, api, flag_id=42, filters={"groups": [{}]})
    await run(UPDATE, api, flag_id=42, filters={"groups": [{}], "payloads": {"true": "1"}})
    assert (api.last.body or {})["filters"] == {"groups": [{}], "payloads": {"true": "1"}}


async def test_a_rollout_changes_the_condition_for_all_users_among_several() -> None:
    staff = {"properties": [{"key": "email", "value": "@acme"}], "rollout_percentage": 100}
    api = FakeCall({f"GET {FLAG}": with_groups(staff, {"properties": []}), f"PATCH {FLAG}": stored})
    shown = await run(UPDATE, api, flag_id=42, rollout_percentage=60)
    assert shown["filters"]["groups"] == [staff, {"properties": [], "rollout_percentage": 60}]
    assert shown["changed"]["filters.groups.1.rollout_percentage"]["after"] == 60


async def test_a_rollout_adds_a_condition_for_all_users_to_a_flag_without_conditions() -> None:
    api = FakeCall({f"GET {FLAG}": flag(filters={}), f"PATCH {FLAG}": stored})
    shown = await run(UPDATE, api, flag_id=42, rollout_percentage=60)
    assert shown["filters"] == {"groups": [{"properties": [], "rollout_percentage": 60}]}


async def test_a_rollout_of_several_targeted_conditions_is_rejected_and_lists_them() -> None:
    conditions = [{"properties": [{"key": key}], "rollout_percentage": 10} for key in ("plan", "country\u202e")]
    api = FakeCall({f"GET {FLAG}": with_groups(*conditions)})
    with pytest.raises(Refused) as caught:
        await run(UPDATE, api, flag_id=42, rollout_percentage=60)
    assert "1: plan 10%; 2: country 10%" in caught.value.message
    assert [sent.method for sent in api.sent] == ["GET"]


async def test_a_rollout_of_a_flag_with_encrypted_payloads_is_rejected() -> None:
    api = FakeCall({f"GET {FLAG}": flag(has_encrypted_payloads=True)})
    with pytest.raises(Refused, match="encrypted"):
        await run(UPDATE, api, flag_id=42, rollout_percentage=60)


async def test_a_rollout_that_posthog_did_not_store_raises_an_error() -> None:
    api = FakeCall({f"GET {FLAG}": flag(), f"PATCH {FLAG}": flag()})
    with pytest.raises(Failed, match="did not store `filters`"):
        await run(UPDATE, api, flag_id=42, rollout_percentage=60)


REJECTED_CHANGES: list[tuple[dict[str, Any], str]] = [
    ({}, "nothing to change"),
    ({"filters": {}}, "`filters` is empty"),
    ({"filters": {"groups": []}}, "filters.groups"),
    ({"filters": {"groups": None}}, "filters.groups"),
    ({"filters": {"groups": ["all users"]}}, "filters.groups"),
    ({"filters": {"payloads": []}}, "filters.payloads"),
    ({"filters": {"payloads": "x"}}, "filters.payloads"),
    ({"filters": {"multivariate": "x"}}, "filters.multivariate"),
    ({"filters": {"multivariate": {"variants": {"a": 1}}}}, "key of a variant"),
    ({"filters": {"multivariate": {"variants": [{"rollout_percentage": 5}]}}}, "key of a variant"),
    ({"filters": {"multivariate": {"variants": ["a"]}}}, "key of a variant"),
    ({"rollout_percentage": 5, "filters": {"groups": [{}]}}, "not both"),
]


@pytest.mark.parametrize(("arguments", "message"), REJECTED_CHANGES)
def test_an_ambiguous_update_is_rejected(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        UpdateFlag.model_validate({"flag_id": 42, **arguments})


async def test_a_deleted_flag_shows_its_undo() -> None:
    api = FakeCall({f"GET {FLAG}": flag(), f"PATCH {FLAG}": flag(deleted=True)})
    shown = await run(DELETE, api, flag_id=42)
    assert api.sent == [Sent("GET", ONE), Sent("PATCH", ONE, {}, {"deleted": True})]
    assert shown["deleted"] is True
    assert shown["undo"] == {
        "tool": "restore_deleted",
        "arguments": {"resource": "flag", "id": "42", "project_id": str(PROJECT_ID)},
    }


@pytest.mark.parametrize("field", [name for name in flag() if name not in ("id", "key")])
async def test_older_servers_can_omit_any_field_but_the_id_and_key(field: str) -> None:
    old = {name: value for name, value in flag().items() if name != field}
    api = FakeCall({f"GET {FLAG}": old, f"GET {FLAGS}": page(old)})
    assert (await run(GET, api, flag=42))["key"] == "my-feature-flag"
    assert len((await run(LIST, api))["flags"]) == 1


async def test_continuity_is_set_and_changed() -> None:
    api = FakeCall({f"POST {FLAGS}": stored, f"GET {FLAG}": flag(), f"PATCH {FLAG}": stored})
    made = await run(CREATE, api, key="k", rollout_percentage=5, ensure_experience_continuity=True)
    assert made["ensure_experience_continuity"] is True
    changed = await run(UPDATE, api, flag=42, ensure_experience_continuity=True)
    assert changed["changed"] == {"ensure_experience_continuity": {"before": False, "after": True}}
    assert changed["undo"]["arguments"]["ensure_experience_continuity"] is False


async def test_variants_beside_a_payload_for_true_are_rejected_with_the_way_out() -> None:
    plain = with_groups(ALL_USERS, payloads={"true": '"a"'})
    api = FakeCall({f"GET {FLAG}": plain, f"PATCH {FLAG}": stored})
    halves = [{"key": "control", "rollout_percentage": 50}, {"key": "test", "rollout_percentage": 50}]
    with pytest.raises(Refused, match="a payload for true") as caught:
        await run(UPDATE, api, flag=42, variants=halves)
    assert 'payloads {"true": null}' in (caught.value.hint or "")
    shown = await run(UPDATE, api, flag=42, variants=halves, payloads={"true": None})
    assert "payloads" not in shown["filters"] or shown["filters"]["payloads"] == {}
