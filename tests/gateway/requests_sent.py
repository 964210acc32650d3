"""Requests that the tests of the client send."""

import time
from typing import Any

import pytest

from maton_posthog.gateway.budget import Budget
from maton_posthog.gateway.client import Gateway
from maton_posthog.gateway.errors import GatewayError
from maton_posthog.gateway.http.request import Request

from .fake_gateway import reply

PATH = "/api/projects/1/feature_flags/"
READ = Request(method="GET", path=PATH, writes=False, budget=Budget.CRUD)
WRITE = Request(method="POST", path=PATH, writes=True, budget=Budget.CRUD, body={"key": "a"})
BODY = {"results": [{"id": number, "name": "x" * 40} for number in range(50)]}
BUSY = reply(503, b"<html>Service Unavailable</html>")


async def send(client: Gateway, request: Request = READ, within: float = 10.0) -> Any:
    return await client.send(request, time.monotonic() + within)


async def error_of(client: Gateway, request: Request = READ, within: float = 10.0) -> GatewayError:
    with pytest.raises(GatewayError) as raised:
        await send(client, request, within)
    return raised.value
