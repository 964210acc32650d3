"""Test code that calls PostHog, without PostHog: `pytest test_with_the_sandbox.py`.

The fixtures come with `posthog-sandbox`. The sandbox starts once per test run; each test gets a project in its initial
state.
"""

import json
import urllib.request
from typing import Any

from posthog_sandbox.testing.plugin import SandboxProject


def flags_of(project: SandboxProject) -> dict[str, Any]:
    """Return whether each flag is active, by key. This is the code under test."""
    request = urllib.request.Request(
        f"{project.api_url}feature_flags/?limit=200", headers={"Authorization": f"Bearer {project.key}"}
    )
    with urllib.request.urlopen(request) as response:
        return {flag["key"]: flag["active"] for flag in json.load(response)["results"]}


def create_flag(project: SandboxProject, key: str) -> None:
    request = urllib.request.Request(
        f"{project.api_url}feature_flags/",
        json.dumps({"key": key, "active": True, "filters": {"groups": [{"rollout_percentage": 100}]}}).encode(),
        {"Authorization": f"Bearer {project.key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        assert response.status == 201


def test_a_new_flag_is_listed(posthog_project: SandboxProject) -> None:
    create_flag(posthog_project, "from-a-test")
    assert flags_of(posthog_project)["from-a-test"] is True


def test_each_test_starts_without_the_changes_of_other_tests(posthog_project: SandboxProject) -> None:
    assert "from-a-test" not in flags_of(posthog_project)
