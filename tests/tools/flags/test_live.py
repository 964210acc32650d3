"""What people do with flags every week, each in one call, against a sandbox."""

from collections.abc import Generator
from typing import Any

import pytest

from maton_posthog.gateway.errors import Refused

from ..posthog.live import LiveSandbox, running_sandbox

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def sandbox() -> Generator[LiveSandbox]:
    with running_sandbox(5_000) as running:
        yield running


async def new_flag(sandbox: LiveSandbox, key: str, **arguments: Any) -> dict[str, Any]:
    return await sandbox.call("create_flag", key=key, **{"rollout_percentage": 100, **arguments})


async def test_a_flag_says_what_one_person_gets_and_why(sandbox: LiveSandbox) -> None:
    (person,) = (await sandbox.call("list_persons", limit=1))["persons"]
    pro = [{"key": "email", "type": "person", "operator": "exact", "value": ["nobody@example.com"]}]
    await new_flag(sandbox, "for-all")
    await new_flag(sandbox, "for-one", rollout_percentage=None, filters={"groups": [{"properties": pro}]})
    await new_flag(sandbox, "off", active=False)
    for named in (person["uuid"], person["distinct_ids"][0]):
        shown = await sandbox.call("get_flag", flag="for-all", person=named)
        assert shown["person"]["value"] is True
        assert shown["person"]["why"] == "release condition 1 matches"
        assert shown["person"]["distinct_id"] in person["distinct_ids"]
    assert (await sandbox.call("get_flag", flag="for-one", person=person["uuid"]))["person"]["value"] is False
    assert (await sandbox.call("get_flag", flag="off", person=person["uuid"]))["person"]["value"] is False


async def test_a_dry_run_counts_whom_a_condition_reaches(sandbox: LiveSandbox) -> None:
    flag = await new_flag(sandbox, "counted")
    ((everybody,),) = await sandbox.rows("SELECT count() FROM persons")
    shown = await sandbox.call("update_flag", flag=str(flag["id"]), rollout_percentage=40, dry_run=True)
    reached = {"condition": 1, "persons": everybody, "of": everybody, "rollout_percentage": 40}
    assert shown["affects"] == [reached]
    assert (await sandbox.call("get_flag", flag="counted"))["filters"]["groups"][0]["rollout_percentage"] == 100


async def test_stale_flags_come_with_evidence(sandbox: LiveSandbox) -> None:
    listed = await sandbox.call("list_flags", active="STALE")
    assert listed["flags"]
    for row in listed["flags"]:
        ((calls,),) = await sandbox.rows(
            f"SELECT count() FROM events WHERE event = '$feature_flag_called' AND properties.$feature_flag = "
            f"'{row['key']}' AND timestamp >= now() - INTERVAL 30 DAY"
        )
        assert row["calls_30d"] == calls
        assert isinstance(row["fully_rolled_out"], bool)
        assert row["since"]


async def test_a_variant_is_served_to_everybody_and_the_others_stay_defined(sandbox: LiveSandbox) -> None:
    halves = [{"key": "control", "rollout_percentage": 50}, {"key": "test", "rollout_percentage": 50}]
    flag = await new_flag(sandbox, "shipped", variants=halves)
    shown = await sandbox.call("update_flag", flag="shipped", serve_variant="test")
    assert [each["rollout_percentage"] for each in shown["filters"]["multivariate"]["variants"]] == [0, 100]
    people = (await sandbox.call("list_persons", limit=10))["persons"]
    for person in people:
        assert (await sandbox.call("get_flag", flag="shipped", person=person["uuid"]))["person"]["value"] == "test"
    await sandbox.call("update_flag", **shown["undo"]["arguments"])
    assert (await sandbox.call("get_flag", flag="shipped"))["filters"] == flag["filters"]


async def test_a_flag_is_copied_to_another_project_and_is_off_there(sandbox: LiveSandbox) -> None:
    (source, *_) = [str(row["id"]) for row in (await sandbox.call("list_projects"))["projects"] if row["id"] != 1]
    await new_flag(sandbox, "copied", rollout_percentage=30, project_id=source, ensure_experience_continuity=True)
    shown = await sandbox.call("create_flag", key="copied", copy_from=source)
    assert (shown["active"], shown["copied_from"]) == (False, int(source))
    assert shown["filters"]["groups"][0]["rollout_percentage"] == 30
    assert shown["ensure_experience_continuity"] is True
    cohort = [{"key": "id", "type": "cohort", "value": 1}]
    await new_flag(
        sandbox, "tied", project_id=source, rollout_percentage=None, filters={"groups": [{"properties": cohort}]}
    )
    with pytest.raises(Refused, match="cohorts"):
        await sandbox.call("create_flag", key="tied", copy_from=source)
