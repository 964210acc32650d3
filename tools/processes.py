"""Child processes of this server: what they inherit."""

import os

_PRIVATE = ("MATON_", "POSTHOG_")


def child_environment() -> dict[str, str]:
    """Return the environment without the settings of this server, the Maton key among them."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE)}
