"""The Maton key is sent in one header to one host and never appears in output."""

import base64
import json
import logging
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from maton_posthog.gateway.budget import Budget
from maton_posthog.gateway.call import Call
from maton_posthog.gateway.client import Gateway
from maton_posthog.gateway.directory import Directory
from maton_posthog.gateway.errors import GatewayError
from maton_posthog.gateway.projects import Project
from maton_posthog.gateway.target import Target
from maton_posthog.schemas.text import Cleaner

from .conftest import Opener, inside
from .fake_gateway import (
    CANARY,
    CONNECTION,
    FakeGateway,
    after,
    drop,
    echo,
    echo_refusal,
    half,
    hang,
    redirect,
    reply,
)

pytestmark = pytest.mark.anyio

FORMS = (CANARY, base64.b64encode(CANARY.encode()).decode().rstrip("="), quote(CANARY, safe=""))
FLAGS = "/api/projects/{project_id}/feature_flags/"


def leaks(text: str) -> bool:
    return any(form in text for form in FORMS)


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Capture all loggers at DEBUG, including those of the HTTP library."""
    caplog.set_level(logging.DEBUG)
    for name in ("httpx2", "httpcore2", "maton_posthog", "asyncio"):
        caplog.set_level(logging.DEBUG, name)
    return caplog


def call(opened: Gateway, *, writes: bool) -> Call:
    directory = Directory(opened.config, opened.ledger)
    return Call(opened.send, directory, budget=Budget.CRUD, writes=writes, target=Target(project=Project(1, "One")))


FAULTS: dict[str, Any] = {
    "echo as 200": echo,
    "echo as 400": echo_refusal(400),
    "echo as 401": echo_refusal(401),
    "echo as 403": echo_refusal(403),
    "echo as 404": echo_refusal(404),
    "echo as 429": echo_refusal(429, retry_after="3600"),
    "echo as 500": echo_refusal(500),
    "echo as 503": echo_refusal(503),
    "html": reply(502, b"<html>"),
    "not json": reply(200, b"<html>"),
    "drop": drop,
    "half": half({"a": "b" * 100}),
    "hang": hang,
    "redirect": redirect(302, "https://evil.example/"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("writes", [False, True])
async def test_the_key_is_in_no_byte_that_comes_out(
    fake: FakeGateway,
    gateway: Opener,
    skip: Callable[[float], None],
    everything_logged: pytest.LogCaptureFixture,
    fault: str,
    writes: bool,
) -> None:
    fake.answers(after(lambda: skip(60.0), hang) if fault == "hang" else FAULTS[fault])
    api = call(gateway(deadline_s=60.0, connection_id=CONNECTION), writes=writes)
    out: list[str] = []
    try:
        answer = await (api.post(FLAGS, {"key": "a"}) if writes else api.get(FLAGS, {"search": "x"}))
    except GatewayError as error:
        settled = api.settle(error)
        # The server shows this after the same cleaning as a result.
        out += [json.dumps(Cleaner(FORMS).value(settled.as_json())), str(settled), repr(settled)]
        out += traceback.format_exception(settled)
    else:
        assert leaks(json.dumps(answer)), "the fake really did echo it"
        out.append(json.dumps(Cleaner(FORMS).value(answer)))
    out += [record.getMessage() for record in everything_logged.records]
    out.append(everything_logged.text)
    assert [text for text in out if leaks(text)] == []
    assert any(CANARY.encode() in request.raw for request in fake.received)


async def test_no_repr_shows_the_key(fake: FakeGateway, gateway: Opener) -> None:
    opened = gateway()
    await call(opened, writes=False).get(FLAGS)
    for thing in (opened, opened.config, opened.ledger, inside(opened)._http):
        assert not leaks(repr(thing))


async def test_a_url_never_contains_the_key(fake: FakeGateway, gateway: Opener) -> None:
    await call(gateway(), writes=False).get(FLAGS, {"search": "x"})
    [request] = fake.received
    assert not leaks(request.target)
    assert request.raw.count(CANARY.encode()) == 1
