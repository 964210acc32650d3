"""A running fake gateway, and clients that do not wait between tries."""

import asyncio
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import anyio.lowlevel
import pytest

from maton_posthog.gateway.budget import Budget, Ledger
from maton_posthog.gateway.call import Call
from maton_posthog.gateway.client import Gateway, GatewayConfig
from maton_posthog.gateway.directory import Directory
from maton_posthog.gateway.http.retry import Backoff
from maton_posthog.gateway.projects import Project
from maton_posthog.gateway.target import Target

from .fake_gateway import CANARY, FakeGateway

FLAGS = "/api/projects/{project_id}/feature_flags/"
FLAG = "/api/projects/{project_id}/feature_flags/{flag_id}/"
SENT_FLAG = "/posthog/api/projects/1/feature_flags/42/"
ONE = Project(1, "One")


class NoJitter(Random):
    """The shortest wait of each range."""

    def uniform(self, a: float, b: float) -> float:
        return min(a, b)


class Clock:
    """A clock that only moves when all tasks sleep on it, to the time when the first one wakes."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._wake: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        self.slept.append(seconds)
        self._wake.append(until)
        try:
            for _ in range(20):
                await anyio.lowlevel.checkpoint()
            while min(self._wake) < until:
                await anyio.lowlevel.checkpoint()
            self.now = max(self.now, until)
        finally:
            self._wake.remove(until)


class Waits(list[float]):
    """Waits between tries, recorded instead of slept."""

    async def sleep(self, seconds: float) -> None:
        self.append(seconds)
        await anyio.lowlevel.checkpoint()


def inside(thing: object) -> Any:
    """Return the object untyped, for a test that needs its private parts."""
    return thing


type Opener = Callable[..., Gateway]
type Caller = Callable[..., Call]


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
async def fake() -> AsyncIterator[FakeGateway]:
    async with FakeGateway() as running:
        yield running


@pytest.fixture
async def gateway(fake: FakeGateway, waits: Waits) -> AsyncIterator[Opener]:
    """Return a function that makes gateways to the fake, such as `gateway(read_only=True)`, and close them."""
    made: list[Gateway] = []

    def make(ledger: Ledger | None = None, **changes: Any) -> Gateway:
        config: dict[str, Any] = {
            "api_key": CANARY,
            "gateway_urls": (fake.url,),
            "control_urls": (fake.url,),
            "deadline_s": 10.0,
        }
        opened = Gateway(
            GatewayConfig(**{**config, **changes}), ledger=ledger, backoff=Backoff(NoJitter()), sleep=waits.sleep
        )
        made.append(opened)
        return opened

    yield make
    for opened in made:
        await opened.aclose()


def shared(opened: Gateway) -> Directory:
    return Directory(opened.config, opened.ledger)


@pytest.fixture
def call(gateway: Opener) -> Caller:
    """Return a call whose project is 1."""

    def make(
        *, writes: bool = True, budget: Budget = Budget.CRUD, project: Project | None = ONE, **config: Any
    ) -> Call:
        opened = gateway(**config)
        target = Target(project=project) if project else None
        return Call(opened.send, shared(opened), budget=budget, writes=writes, target=target)

    return make


def pending_timers() -> list[asyncio.TimerHandle]:
    """The timers of the running loop that were not cancelled."""
    scheduled: list[asyncio.TimerHandle] = inside(asyncio.get_running_loop())._scheduled
    return [timer for timer in scheduled if not timer.cancelled()]
