"""Cleaning of text written by other people, before a model or a terminal shows it.

PostHog's ingest key is public, so anyone can put text into event names, properties, person names and error messages.
Characters that carry no visible text (controls, bidirectional overrides, Unicode tags, zero-width marks, halves of
surrogate pairs) are removed; the joiners and variation selectors of emoji, CJK and Indic or Persian words are kept.
Secrets are replaced by `[redacted]`. This is best effort: it removes hidden channels, not visible instructions.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote

from .json import is_object

REDACTED = "[redacted]"
MARK = re.compile(r"\[redacted\]|… \(\d+ (?:characters|items)\)|… \d+ more: search")
"""The marks that results contain in place of a redacted or truncated value."""

_HIDDEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 controls but tab and newline: ANSI and OSC sequences begin with one
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u3164\uffa0"  # soft hyphen, fillers
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"  # zero width, bidirectional controls
    "\ud800-\udfff"  # cannot be written as UTF-8
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"  # Unicode tags: invisible ASCII
)
_INVISIBLE = re.compile(f"[{_HIDDEN}]")
_JOINERS = "\u200c\u200d"
_SELECTORS = "\u180b-\u180d\u180f\ufe00-\ufe0e"
_EMOJI_SELECTOR = "\ufe0f"
_CJK_SELECTORS = "\U000e0100-\U000e01ef"
_SHOWN = rf"[^\x00-\x7f{_JOINERS}{_SELECTORS}{_EMOJI_SELECTOR}{_CJK_SELECTORS}]"
# These are meaningful only next to a visible character of an emoji or a non-Latin script, one at a time; a run of them
# can spell out hidden text.
_MISPLACED = re.compile(
    rf"(?<!{_SHOWN})(?<!{_SHOWN}{_EMOJI_SELECTOR})[{_JOINERS}]|[{_JOINERS}](?!{_SHOWN})"
    rf"|(?<!{_SHOWN})(?!(?<=[0-9#*]){_EMOJI_SELECTOR}\u20e3)[{_SELECTORS}{_EMOJI_SELECTOR}]"
    rf"|(?<![\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])[{_CJK_SELECTORS}]"
)
# Most texts have none of these, and one search shows it.
_SUSPECT = re.compile(f"[{_HIDDEN}{_JOINERS}{_SELECTORS}{_EMOJI_SELECTOR}{_CJK_SELECTORS}]")
_SUSPECT_ESCAPES = ("\\u", "\\r", "\\b", "\\f")
"""How JSON writes control characters."""
_SECRET = re.compile(r"(?<![A-Za-z0-9])ph[xsar]_[A-Za-z0-9_-]{8,}|(?<=session_token=)[^&\"'\s\\]+")
_SHORTEST_SECRET = 8
"""Shorter texts are placeholders, and would be found inside ordinary words."""
_SECRET_FIELD = re.compile(r"secret_api_token.*|live_events_token|personal_api_key|slack_incoming_webhook")
_SUSPECT_WORDS = (
    *("phx_", "phs_", "pha_", "phr_", "session_token="),
    *("secret_api_token", "live_events_token", "personal_api_key", "slack_incoming_webhook"),
)
"""One of them is in every text that `_SECRET` or `_SECRET_FIELD` matches."""


def secret_forms(*secrets: str) -> tuple[str, ...]:
    """Return the secrets in each form in which upstream can echo them: unchanged, in Base64, percent-encoded."""
    forms: list[str] = []
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            forms += [secret, base64.b64encode(secret.encode()).decode().rstrip("="), quote(secret, safe="")]
    return tuple(dict.fromkeys(forms))


def may_need_cleaning(text: str, secrets: Sequence[str] = ()) -> bool:
    """Return whether a Cleaner could change a value, given as JSON that escapes only what it must. Errs to True."""
    return (
        ("\\" in text and any(escape in text for escape in _SUSPECT_ESCAPES))
        or any(word in text for word in _SUSPECT_WORDS)
        or any(_is_in(text, secret) for secret in secrets if secret)
        or ("\x7f" in text if text.isascii() else _SUSPECT.search(text) is not None)
    )


def _is_in(text: str, secret: str) -> bool:
    """Return whether the JSON could contain the secret, which is not in it literally when JSON escapes a character."""
    return secret in text or "\\" in secret or '"' in secret or not secret.isprintable()


class Cleaner:
    """A cleaner of the values of one result that counts the characters it removes.

    `secrets` are literal values that no result is allowed to contain; see `secret_forms`.
    """

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)
        self.removed = 0
        """The number of invisible characters removed so far."""

    def text(self, value: str) -> str:
        """Return the text without invisible characters and secrets; lines end with a newline only."""
        value = self._visible(value)
        if "_" in value:
            value = _SECRET.sub(REDACTED, value)
        return self._without_keys(value)

    def value(self, value: Any) -> Any:
        """Return the JSON value with every string cleaned, keys included."""
        if isinstance(value, str):
            return self.text(value)
        if is_object(value):
            return self._object(value)
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in cast("Sequence[Any]", value)]
        return value

    def _object(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        cleaned: dict[str, Any] = {}
        for key, item in fields.items():
            name = self.text(key)
            while name in cleaned:  # keys that differed only in invisible characters
                name += " (again)"
            cleaned[name] = REDACTED if item and _SECRET_FIELD.fullmatch(name) else self.value(item)
        if cleaned.get("status") == "PENDING" and "connection_id" in cleaned and isinstance(fields.get("url"), str):
            # The user needs the url of a new connection as it is, with its session token.
            cleaned["url"] = self._without_keys(self._visible(fields["url"]))
        return cleaned

    def _visible(self, value: str) -> str:
        if (value.isascii() and value.isprintable()) or not _SUSPECT.search(value):
            return value
        value, controls = _INVISIBLE.subn("", value.replace("\r\n", "\n"))
        value, misplaced = _MISPLACED.subn("", value)
        self.removed += controls + misplaced
        return value

    def _without_keys(self, value: str) -> str:
        for secret in self._secrets:
            if secret in value:
                value = value.replace(secret, REDACTED)
        return value


def excerpt(value: str, limit: int = 500) -> str:
    """Return the start of a foreign text, cleaned, on one line, at most `limit` characters."""
    line = " ".join(Cleaner().text(value[: 40 * limit]).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
