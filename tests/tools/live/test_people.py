"""The settings on people's data over the sandbox's synthetic persons."""

import json
from dataclasses import replace

import pytest

from maton_posthog.gateway.errors import Refused
from maton_posthog.schemas.privacy import Privacy
from maton_posthog.schemas.privacy.pseudonyms import Pseudonyms, is_pseudonym

from ..posthog.live import LiveSandbox

pytestmark = pytest.mark.anyio

KEY = Pseudonyms(b"a key of this test")
PEOPLE = "SELECT person.properties.email AS e, any(person.properties.name) AS n FROM events WHERE e != '' GROUP BY e"


async def test_rows_of_persons_are_pseudonyms_of_the_real_values(sandbox: LiveSandbox) -> None:
    real = (await sandbox.call("run_hogql", query=f"{PEOPLE} ORDER BY e LIMIT 50"))["rows"]
    shown = await replace(sandbox, privacy=Privacy(KEY)).call("run_hogql", query=f"{PEOPLE} ORDER BY e LIMIT 50")
    assert len(real) == 50
    for (email, name), row in zip(real, shown["rows"], strict=True):
        assert is_pseudonym(row[0])
        assert row[0] == KEY.text(email)
        assert name is None or is_pseudonym(row[1])
    assert not any(email in json.dumps(shown) for email, _ in real)


async def test_a_query_about_groups_counts_what_it_counts_without_the_setting(sandbox: LiveSandbox) -> None:
    sql = "SELECT event, count(), uniq(person_id) FROM events GROUP BY event ORDER BY event"
    every = (await sandbox.call("run_hogql", query=sql))["rows"]
    shown = await replace(sandbox, privacy=Privacy(aggregate_only=True)).call("run_hogql", query=sql)
    assert shown["columns"] == ["event", "count()", "uniq(person_id)"]
    assert shown["rows"] == [row for row in every if row[2] >= 5]


async def test_no_person_is_shown_by_a_query_about_groups(sandbox: LiveSandbox) -> None:
    groups = replace(sandbox, privacy=Privacy(aggregate_only=True))
    for sql in (PEOPLE, "SELECT distinct_id FROM events", "SELECT max(person.properties.email) FROM events"):
        with pytest.raises(Refused):
            await groups.call("run_hogql", query=sql)
        assert (await groups.call("check_hogql", query=sql))["valid"] is False
    assert (await groups.call("check_hogql", query="SELECT count() FROM events"))["valid"] is True


async def test_small_values_of_a_breakdown_are_left_out_of_a_trend(sandbox: LiveSandbox) -> None:
    asked = {"events": ["$pageview"], "breakdown": ["$browser"], "interval": "total", "date_from": "-7d"}
    every = await sandbox.call("query_trends", **asked)
    shown = await replace(sandbox, privacy=Privacy(aggregate_only=True)).call("query_trends", **asked)
    assert shown["rows"] == [row for row in every["rows"] if row[1] >= 5]
