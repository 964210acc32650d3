"""The forms in which upstream can echo a secret."""

import base64
import html
import json
from urllib.parse import quote, quote_plus

_SHORTEST = 8
"""Shorter texts are placeholders, and would be found inside ordinary words."""


def secret_forms(*secrets: str) -> tuple[str, ...]:
    """Return the secrets in each form in which upstream can echo them: unchanged, escaped for a URL, HTML or JSON, in
    hexadecimal, and in Base64 wherever they begin in a longer text.
    """
    forms: list[str] = []
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            data = secret.encode()
            forms += [secret, *_base64(data), quote(secret, safe=""), _lower_escapes(secret), quote_plus(secret)]
            forms += [data.hex(), data.hex().upper(), html.escape(secret), json.dumps(secret)[1:-1]]
    return tuple(dict.fromkeys(forms))


def _base64(data: bytes) -> list[str]:
    """Return the characters that are the same in every text that contains the data at one of the three alignments."""
    found: list[str] = []
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data).decode().rstrip("=")
        shared = whole[(0, 2, 3)[before] : len(whole) - bool((before + len(data)) % 3)]
        found += [shared, shared.replace("+", "-").replace("/", "_")]
    return found


def _lower_escapes(secret: str) -> str:
    return "".join(quote(character, safe="").lower() if not character.isalnum() else character for character in secret)
