"""The types of properties in release conditions."""

from typing import Any

import pytest

from ..posthog.fake import FakeCall, run
from .test_operations import ALL_USERS, CREATE, FLAG, FLAGS, UPDATE, stored, with_groups

pytestmark = pytest.mark.anyio


PRO: dict[str, Any] = {"key": "plan", "value": ["pro"]}


@pytest.mark.parametrize(
    ("index", "given", "sent"),
    [
        (None, PRO, {**PRO, "type": "person"}),
        (None, {**PRO, "type": "flag"}, {**PRO, "type": "flag"}),
        (
            None,
            {"key": "id", "operator": "in", "value": 7},
            {"key": "id", "operator": "in", "value": 7, "type": "cohort"},
        ),
        (0, PRO, {**PRO, "type": "group", "group_type_index": 0}),
    ],
)
async def test_a_property_without_a_type_gets_the_only_one_it_can_have(
    index: int | None, given: dict[str, Any], sent: dict[str, Any]
) -> None:
    condition = {"properties": [given], "rollout_percentage": 10, "aggregation_group_type_index": index}
    whole: dict[str, Any] = {"groups": [condition]}
    api = FakeCall({f"POST {FLAGS}": stored, f"GET {FLAG}": with_groups(ALL_USERS), f"PATCH {FLAG}": stored})
    await run(CREATE, api, key="k", filters=whole)
    await run(UPDATE, api, flag=42, filters=whole)
    await run(UPDATE, api, flag=42, conditions=[condition])
    changes = [one.body["filters"] for one in api.sent if one.body and "filters" in one.body]
    assert [filters["groups"][-1]["properties"] for filters in changes] == [[sent]] * 3


async def test_a_changed_condition_takes_the_type_from_what_it_counts() -> None:
    by_company: dict[str, Any] = {"properties": [], "rollout_percentage": 10, "aggregation_group_type_index": 1}
    api = FakeCall({f"GET {FLAG}": with_groups(by_company), f"PATCH {FLAG}": stored})
    shown = await run(UPDATE, api, flag=42, conditions=[{"condition": 1, "properties": [PRO]}])
    assert shown["filters"]["groups"][0]["properties"] == [{**PRO, "type": "group", "group_type_index": 1}]


async def test_what_was_not_named_gets_no_type() -> None:
    api = FakeCall(
        {f"GET {FLAG}": with_groups({"properties": [PRO], "rollout_percentage": 5}), f"PATCH {FLAG}": stored}
    )
    shown = await run(UPDATE, api, flag=42, rollout_percentage=6)
    assert shown["filters"]["groups"] == [{"properties": [PRO], "rollout_percentage": 6}]
