"""The door through which everything leaves towards a client: no secret and no hidden character passes it.

Results of tools and resources were cleaned when they were rendered, where `hidden_characters_removed` is counted. The
door checks every message again, whatever made it: results, protocol errors, completions, prompts and progress. Those of
the SDK's server pass it in `app.py`.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pydantic_core import to_json

from ...schemas.text import Cleaner, may_need_cleaning

INTERNAL = "Internal error in this server."
"""What a client sees of an unexpected exception."""


class Door:
    """Cleans what the server sends. `secrets` are those of the process, in all forms."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = tuple(secrets)

    def value(self, value: Any) -> Any:
        """Return a JSON value without secrets and hidden characters."""
        return Cleaner(self._secrets).value(value)

    def passes(self, written: str) -> bool:
        """Return whether a result, given as JSON that escapes only what it must, is clean."""
        return not may_need_cleaning(written, self._secrets)

    def rendered(self, sent: Any) -> Any:
        """Return the JSON value of a result, which is not changed when it is clean already."""
        return Cleaner(self._secrets, rendered=True).value(sent) if self._may_need_cleaning(sent) else sent

    def json(self, sent: Any) -> bytes:
        """Return a result as clean JSON."""
        with suppress(ValueError):  # half a surrogate pair
            written = to_json(sent)
            if self.passes(written.decode()):
                return written
        return to_json(Cleaner(self._secrets, rendered=True).value(sent))

    def _may_need_cleaning(self, sent: Any) -> bool:
        try:
            return not self.passes(to_json(sent).decode())
        except ValueError:  # half a surrogate pair
            return True
