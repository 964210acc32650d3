"""The outcome that a failed call reports: rejected, unknown, not sent, or applied."""

from typing import Any

import pytest

from maton_posthog.gateway.budget import Budget
from maton_posthog.gateway.call import Call
from maton_posthog.gateway.errors import Failed, GatewayError, Rejected

from .conftest import FLAG, FLAGS, SENT_FLAG, Caller
from .fake_gateway import CONNECTION, FakeGateway, bomb, drop, posthog, reply

pytestmark = pytest.mark.anyio


async def failing(api: Call, *steps: Any) -> GatewayError:
    *before, last = steps
    for step in before:
        await step
    with pytest.raises(GatewayError) as error:
        await last
    return api.settle(error.value)


async def test_a_read_that_fails_has_no_outcome_to_worry_about(fake: FakeGateway, call: Caller) -> None:
    fake.answers(reply(200, b"<html>"), drop)
    for code in ("bad_upstream_response", "unavailable"):
        api = call(writes=False)
        error = await failing(api, api.get(FLAGS))
        assert (error.code, error.outcome) == (code, None)
        assert "outcome" not in error.as_json()["error"]


async def test_a_read_that_fails_before_the_write_means_not_sent(fake: FakeGateway, call: Caller) -> None:
    fake.on("GET", SENT_FLAG, reply(200, b"<html>"))
    api = call()
    error = await failing(api, api.get(FLAG, flag_id=42))
    assert (error.code, error.outcome) == ("bad_upstream_response", "not_sent")


@pytest.mark.parametrize(
    ("behaviour", "code", "outcome"),
    [
        (reply(400, posthog("Taken.", "unique", "key")), "validation_failed", "rejected"),
        (reply(200, b"<html>"), "bad_upstream_response", "unknown"),
        (reply(204, b""), "bad_upstream_response", "unknown"),
        (reply(200, []), "bad_upstream_response", "unknown"),
        (reply(200, "ok"), "bad_upstream_response", "unknown"),
        (reply(200, {}), "bad_upstream_response", "unknown"),
        (reply(200, {"message": "ok"}), "bad_upstream_response", "unknown"),
        (reply(200, {"id": None}), "bad_upstream_response", "unknown"),
        (reply(201, bomb(), content_encoding="gzip"), "response_too_large", "unknown"),
        (reply(200, b"plain", content_encoding="gzip"), "bad_upstream_response", "unknown"),
        (reply(502, b""), "outcome_unknown", "unknown"),
        (drop, "outcome_unknown", "unknown"),
        (reply(429, posthog("x"), retry_after="3600"), "rate_limited", "rejected"),
    ],
)
async def test_a_failed_write_reports_its_own_outcome(
    fake: FakeGateway, call: Caller, behaviour: Any, code: str, outcome: str
) -> None:
    fake.answers(behaviour)
    for creates in (True, False):
        api = call()
        change = api.post(FLAGS, {}) if creates else api.patch(FLAG, {"active": True}, flag_id=42)
        error = await failing(api, change)
        assert (error.code, error.outcome) == (code, outcome)
        assert error.hint
        assert not api.wrote


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (reply(404, posthog("Not found.")), "not_found"),
        (reply(503, b""), "unavailable"),
        (reply(200, b"<html>"), "bad_upstream_response"),
        (reply(429, posthog("x"), retry_after="3600"), "rate_limited"),
    ],
)
async def test_a_failure_after_an_accepted_write_is_applied_and_not_retryable(
    fake: FakeGateway, call: Caller, behaviour: Any, code: str
) -> None:
    fake.on("GET", SENT_FLAG, behaviour)
    api = call()
    error = await failing(api, api.post(FLAGS, {}), api.get(FLAG, flag_id=42))
    assert (error.code, error.outcome, error.retryable) == (code, "applied", False)


async def test_a_response_that_a_tool_cannot_show_leaves_the_write_applied(fake: FakeGateway, call: Caller) -> None:
    news = Failed("bad_upstream_response", "not as expected")
    api = call()
    assert api.settle(Failed("bad_upstream_response", "x")).outcome == "not_sent"
    await api.post(FLAGS, {})
    assert api.settle(news).outcome == "applied"
    reading = call(writes=False)
    assert reading.settle(Rejected("not_found", "x")).outcome == "rejected"


async def test_a_new_connection_counts_as_a_change(fake: FakeGateway, call: Caller) -> None:
    fake.on("POST", "/connections", reply(201, {"connection_id": CONNECTION}))
    fake.on("GET", f"/connections/{CONNECTION}", reply(500, b""))
    api = call(budget=Budget.CONTROL, project=None)
    error = await failing(api, api.control.create(), api.control.get(CONNECTION))
    assert (error.code, error.outcome) == ("unavailable", "applied")
