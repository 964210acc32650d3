"""A smaller sandbox, which starts within seconds."""

from typing import Any

import pytest


@pytest.fixture(scope="session")
def posthog_sandbox_options() -> dict[str, Any]:
    return {"events": 1000}
