"""pytest fixtures: one sandbox for the test run, and a project in its first state for each test.

pytest loads this file in every run, so it loads nothing until a fixture is used.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class SandboxProject:
    """The project with events, and how a client connects to it."""

    sandbox: "Sandbox"
    id: int

    @property
    def host(self) -> str:
        """The URL that a PostHog client takes as its host."""
        return self.sandbox.posthog_url

    @property
    def api_url(self) -> str:
        """The base URL of the project's resources, with a trailing slash."""
        return f"{self.host}/api/projects/{self.id}/"

    @property
    def key(self) -> str:
        """The personal API key."""
        return self.sandbox.key


@pytest.fixture(scope="session")
def posthog_sandbox_options() -> dict[str, Any]:
    """Return the arguments of `Sandbox`. Override this fixture in a conftest.py to change them."""
    return {}


@pytest.fixture(scope="session")
def posthog_sandbox(posthog_sandbox_options: dict[str, Any]) -> "Iterator[Sandbox]":
    """Provide a sandbox that runs from its first use to the end of the test run."""
    from .sandbox import Sandbox

    with Sandbox(**posthog_sandbox_options) as sandbox:
        yield sandbox


@pytest.fixture
def posthog_project(posthog_sandbox: "Sandbox") -> Iterator[SandboxProject]:
    """Provide a project in its initial state, and reset it after the test."""
    from ..identity import DATA_PROJECT

    posthog_sandbox.reset()
    yield SandboxProject(posthog_sandbox, DATA_PROJECT)
    posthog_sandbox.reset()
