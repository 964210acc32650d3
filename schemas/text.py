"""Cleaning of text that other people wrote, before a model or a terminal sees it.

PostHog's ingest key is public, so anybody can put text into event names, properties, person names and error messages.
Characters that carry no visible text (controls, bidirectional overrides, Unicode tags, zero-width marks) are removed;
emoji joiners and CJK variation selectors stay. Secrets are replaced by `[redacted]`.
"""

import re
from collections.abc import Sequence
from typing import Any, cast

REDACTED = "[redacted]"

_ZERO_WIDTH_JOINERS = "\u200c\u200d"
INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 controls but tab and newline: ANSI and OSC sequences begin with one
    # Soft hyphen, zero-width characters, bidirectional controls.
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f"  # Unicode tags: invisible ASCII
    "]"
    # Joiners and variation selectors only mean something inside emoji and non-Latin scripts.
    f"|(?<![^\x00-\x7f])[{_ZERO_WIDTH_JOINERS}\ufe00-\ufe0e]"
    f"|[{_ZERO_WIDTH_JOINERS}](?![^\x00-\x7f])"
    "|(?<![\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])[\U000e0100-\U000e01ef]+"
)
SECRET = re.compile(r"\bph[xsar]_[A-Za-z0-9]{8,}|(?<=session_token=)[^&\"'\s\\]+")
_SECRET_FIELD = re.compile(r"^(secret_api_token.*|live_events_token|personal_api_key)$")


class Cleaner:
    """Cleans values of one answer and counts what it removed.

    `secrets` are literal values (the Maton key in each of its encodings) that must not leave in any answer.
    """

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)
        self.removed = 0
        """Invisible characters removed so far."""

    def text(self, value: str) -> str:
        """The text without invisible characters and secrets."""
        if not value.isascii() or not value.isprintable():
            value, removed = INVISIBLE.subn("", value)
            self.removed += removed
        if "_" in value:
            value = SECRET.sub(REDACTED, value)
        for secret in self._secrets:
            if secret in value:
                value = value.replace(secret, REDACTED)
        return value

    def value(self, value: Any) -> Any:
        """The same JSON value with every string, keys included, cleaned."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            return {
                self.text(key): REDACTED if item and _SECRET_FIELD.match(key) else self.value(item)
                for key, item in fields.items()
            }
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in cast("Sequence[Any]", value)]
        return value


def excerpt(value: str, limit: int = 500) -> str:
    """The beginning of a foreign text, cleaned, on one line, at most `limit` characters."""
    line = " ".join(Cleaner().text(value).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
