"""Cleaning of text written by other people, before a model or a terminal shows it.

PostHog's ingest key is public, so anyone can put text into event names, properties, person names and error messages.
Characters that carry no visible text (controls, bidirectional overrides, Unicode tags, zero-width marks, halves of
surrogate pairs, variation selectors) are removed; the joiners of emoji and of Indic or Persian words, and the one
selector that an emoji can have, are kept. Secrets are replaced by `[redacted]`. This is best effort: it removes hidden
channels, not visible instructions.
"""

import json
import re
from collections.abc import Mapping, Sequence
from operator import is_
from typing import Any, cast

from .json import is_list, is_object

LONGEST_TEXT = 300
"""Characters of a text that tables and lists show. Anyone can write into events, and one text can be longer than all
rows together.
"""
REDACTED = "[redacted]"
MARK = re.compile(r"\[redacted\]|… \(\d+ (?:characters|items)\)|… \d+ more: search")
"""The marks that results contain in place of a redacted or truncated value."""

_HIDDEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 controls but tab and newline: ANSI and OSC sequences begin with one
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u3164\uffa0"  # soft hyphen, fillers
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb"  # zero width, bidirectional controls
    "\ud800-\udfff"  # cannot be written as UTF-8
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\ufe00-\ufe0d\U000e0100-\U000e01ef"  # variation selectors: 256 of them can spell any byte
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"  # Unicode tags: invisible ASCII
)
_INVISIBLE = re.compile(f"[{_HIDDEN}]")
_JOINERS = "\u200c\u200d"
_MONGOLIAN_SELECTORS = "\u180b-\u180d\u180f"
_EMOJI_SELECTORS = "\ufe0e\ufe0f"
_EMOJI = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u25fe\u2600-\u27bf"
    "\u2934\u2935\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_SHOWN = rf"[^\x00-\x7f{_JOINERS}{_MONGOLIAN_SELECTORS}{_EMOJI_SELECTORS}]"
# These are meaningful only next to a visible character of an emoji or a non-Latin script, one at a time; a run of them
# can spell out hidden text.
_MISPLACED = re.compile(
    rf"(?<!{_SHOWN})(?<!{_SHOWN}[{_EMOJI_SELECTORS}])[{_JOINERS}]|[{_JOINERS}](?!{_SHOWN})"
    rf"|(?<![{_EMOJI}])(?!(?<=[0-9#*])\ufe0f\u20e3)[{_EMOJI_SELECTORS}]"
    rf"|(?<![\u1820-\u18aa])[{_MONGOLIAN_SELECTORS}]"
)
# Most texts have none of these, and one search shows it.
_SUSPECT = re.compile(f"[{_HIDDEN}{_JOINERS}{_MONGOLIAN_SELECTORS}{_EMOJI_SELECTORS}]")
_SUSPECT_ESCAPES = ("\\u", "\\r", "\\b", "\\f")
"""How JSON writes control characters."""
_POSTHOG_KEY = re.compile(r"(?<![A-Za-z0-9])ph[xsar]_[A-Za-z0-9_-]{8,}")
_SESSION_TOKEN = re.compile(r"(?<=session_token=)[^&\"'\s\\]+")
_HEAD = 12
"""A text that was cut before it is cleaned can end in part of a secret: this many of its first characters count."""
_SECRET_FIELD = re.compile(r"secret_api_token.*|live_events_token|personal_api_key|slack_incoming_webhook")
# Found in every text that `_POSTHOG_KEY`, `_SESSION_TOKEN` or `_SECRET_FIELD` matches. The underscore comes first
# because a search that begins with one character takes a fraction of the time.
_SUSPECT_WORD = re.compile(
    "_(?:(?<=ph[xsar]_)|(?<=session_)token=|(?<=secret_)api_token|(?<=live_)events_token|(?<=personal_)api_key"
    "|(?<=slack_)incoming_webhook)"
)

_WORD = re.compile(r"(?!.*//)[\w$/][\w$.:@/+-]{0,39}")
"""A name that can stand in a sentence: no spaces, no quotes, no markup and no address."""


def may_need_cleaning(text: str, secrets: Sequence[str] = ()) -> bool:
    """Return whether a Cleaner could change a value, given as JSON that escapes only what it must. Errs to True."""
    return (
        ("\\" in text and any(escape in text for escape in _SUSPECT_ESCAPES))
        or ("_" in text and _SUSPECT_WORD.search(text) is not None)
        or any(_is_in(text, secret) for secret in secrets if secret)
        or ("\x7f" in text if text.isascii() else _SUSPECT.search(text) is not None)
    )


def _is_in(text: str, secret: str) -> bool:
    """Return whether the JSON could contain the secret, which is not in it literally when JSON escapes a character."""
    head = secret[:_HEAD]
    # Most texts lack a character of it, which is found in a tenth of the time.
    is_in = all(map(text.__contains__, head)) and head in text
    return is_in or "\\" in secret or '"' in secret or not secret.isprintable()


class Cleaner:
    """A cleaner of the values of one result that counts the characters it removes.

    `secrets` are literal values that no result is allowed to contain, not even their beginnings (`secret_forms`).
    With `rendered`, the texts were cleaned before, so the session tokens in them are meant for their readers.
    """

    def __init__(self, secrets: Sequence[str] = (), *, rendered: bool = False) -> None:
        self._secrets = tuple(secret for secret in secrets if secret)
        self._rendered = rendered
        self.removed = 0
        """The number of invisible characters removed so far."""

    def text(self, value: str) -> str:
        """Return the text without invisible characters and secrets; lines end with a newline only."""
        value = self._visible(value)
        if "_" in value:
            value = _POSTHOG_KEY.sub(REDACTED, value)
            if not self._rendered:
                value = _SESSION_TOKEN.sub(REDACTED, value)
        return self._without_keys(value)

    def revealed(self, value: Any) -> Any:
        """Return the JSON value cleaned, except that its session tokens are kept, because the reader needs them."""
        cleaner = Cleaner(self._secrets, rendered=True)
        return cleaner.value(value)

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
            if secret[:_HEAD] in value:
                value = _without(value, secret)
        return value


def _without(value: str, secret: str) -> str:
    """Return the text without the secret and without beginnings of it of at least `_HEAD` characters."""
    head = secret[:_HEAD]
    parts: list[str] = []
    start = 0
    while (at := value.find(head, start)) >= 0:
        end = at + len(head)
        while end < len(value) and end - at < len(secret) and value[end] == secret[end - at]:
            end += 1
        parts += [value[start:at], REDACTED]
        start = end
    return "".join([*parts, value[start:]])


def hides(value: str) -> bool:
    """Return whether a text contains hidden characters."""
    if (value.isascii() and value.isprintable()) or not _SUSPECT.search(value):
        return False
    cleaner = Cleaner()
    cleaner.text(value)
    return cleaner.removed > 0


def shortened[T](value: T, longest: int = LONGEST_TEXT) -> T:
    """Return a JSON value in which longer texts are cut and tell their length; the value itself if there are none."""
    changed: Any = value
    if isinstance(value, str):
        changed = value if len(value) <= longest else f"{value[:longest]}… ({len(value)} characters)"
    elif is_list(value):
        items = [shortened(item, longest) for item in value]
        changed = value if all(map(is_, items, value)) else items
    elif is_object(value):
        fields = {name: shortened(item, longest) for name, item in value.items()}
        changed = value if all(map(is_, fields.values(), value.values())) else fields
    return changed


def excerpt(value: str, limit: int = 500) -> str:
    """Return the start of a foreign text, cleaned, on one line, at most `limit` characters."""
    line = " ".join(Cleaner().text(value[: 40 * limit]).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def named(value: str, limit: int = 80) -> str:
    """Return a foreign name for a sentence of this server: one short word as it is, anything else as a JSON string, so
    that no reader takes it for the sentence.
    """
    line = excerpt(value, limit)
    return line if _WORD.fullmatch(line) else json.dumps(line, ensure_ascii=False)


def code(value: str, limit: int = 80) -> str:
    """Return a foreign name that is to be written exactly so, in backticks; with backticks in it, as a JSON string."""
    line = excerpt(value, limit)
    return f"`{line}`" if line and "`" not in line else json.dumps(line, ensure_ascii=False)
