"""The audit log: one line for every call that could change something, without arguments or results."""

import logging

import pytest

from ...gateway.fake_gateway import CONNECTION, Behaviour, drop, posthog, reply
from ...tools.posthog.fake import connection
from ..test_every_operation import served

pytestmark = pytest.mark.anyio

FLAG = {"key": "secret-launch", "name": "Do not tell", "rollout_percentage": 10}
FLAGS = "/posthog/api/projects/136209/feature_flags/"


@pytest.fixture
def audit(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, "maton_posthog.audit")
    return caplog


def lines(audit: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    """Return the lines of the audit log at a level."""
    return [
        record.getMessage()
        for record in audit.records
        if (record.name, record.levelno) == ("maton_posthog.audit", level)
    ]


async def test_a_write_is_audited_with_its_project_and_connection(audit: pytest.LogCaptureFixture) -> None:
    async with served() as (client, _):
        await client.call_tool("create_flag", FLAG)
    (line,) = lines(audit)
    for part in ("tool=create_flag", "effect=create", "outcome=ok", "project=136209", f"connection={CONNECTION}"):
        assert part in line.split()


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [(reply(400, posthog("This key exists already.")), "validation_failed"), (drop, "outcome_unknown")],
    ids=["rejected", "lost"],
)
async def test_a_write_that_fails_is_audited_with_its_error_code(
    audit: pytest.LogCaptureFixture, behaviour: Behaviour, outcome: str
) -> None:
    async with served() as (client, fake):
        fake.on("POST", FLAGS, behaviour)
        await client.call_tool("create_flag", FLAG)
    (line,) = lines(audit)
    assert f"outcome={outcome}" in line.split()


async def test_a_write_with_wrong_arguments_is_audited(audit: pytest.LogCaptureFixture) -> None:
    async with served() as (client, _):
        await client.call_tool("create_flag", {"key": "no spaces please"})
    (line,) = lines(audit)
    assert {"tool=create_flag", "outcome=invalid_argument"} <= set(line.split())


async def test_a_read_is_logged_at_debug_level_only(audit: pytest.LogCaptureFixture) -> None:
    async with served() as (client, _):
        await client.call_tool("list_flags", {"search": "secret-launch"})
    assert lines(audit) == []
    (line,) = lines(audit, logging.DEBUG)
    assert {"tool=list_flags", "effect=read", "outcome=ok"} <= set(line.split())


async def test_no_line_contains_arguments_or_results(audit: pytest.LogCaptureFixture) -> None:
    async with served() as (client, fake):
        fake.on("GET", FLAGS, reply(200, {"results": [{"id": 1, **FLAG}], "count": 1}))
        await client.call_tool("list_flags", {"search": FLAG["key"]})
        await client.call_tool("create_flag", FLAG)
    assert len(lines(audit) + lines(audit, logging.DEBUG)) == 2
    assert "secret-launch" not in audit.text
    assert "Do not tell" not in audit.text


@pytest.mark.parametrize(
    ("action", "effect"), [("list", "read"), ("get", "read"), ("create", "create"), ("delete", "delete")]
)
async def test_the_effect_is_that_of_the_action(audit: pytest.LogCaptureFixture, action: str, effect: str) -> None:
    chosen = {"connection_id": CONNECTION} if action in ("get", "delete") else {}
    async with served() as (client, fake):
        fake.on("GET", f"/connections/{CONNECTION}", reply(200, connection()))
        fake.on("POST", "/connections", reply(200, connection("PENDING")))
        await client.call_tool("manage_connection", {"action": action, **chosen})
    (line,) = lines(audit, logging.DEBUG if effect == "read" else logging.INFO)
    assert {"tool=manage_connection", f"effect={effect}", "outcome=ok"} <= set(line.split())
