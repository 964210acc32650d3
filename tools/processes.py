"""Child processes of this server: what they inherit."""

import os

_PRIVATE = ("MATON_", "POSTHOG_")
_SHARED = "POSTHOG_SANDBOX_CACHE"
"""A setting of the sandbox, not of this server."""


def child_environment() -> dict[str, str]:
    """Return the environment without the settings of this server, the Maton key among them."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE) or name == _SHARED}
