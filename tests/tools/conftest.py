"""A sandbox that files of tests share: it starts once in a run, and each file finds it as new."""

from collections.abc import Generator

import pytest

from posthog_sandbox import Sandbox

from .posthog.live import EVENTS, NOW, LiveSandbox


@pytest.fixture(scope="session")
def started() -> Generator[Sandbox]:
    with Sandbox(events=EVENTS, today=NOW.date(), now=NOW) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def sandbox(started: Sandbox) -> LiveSandbox:
    started.reset()
    return LiveSandbox(started.url)
