"""URLs: the one place that builds them, confines each value to one path segment, and checks the finished URL.

One Maton key reaches every app that the user connected, and HTTP libraries collapse dot segments, so an identifier like
`../../slack/api/x` would turn a PostHog request into another app's.
"""

import ipaddress
import re
import string
from collections.abc import Mapping
from urllib.parse import urlsplit

from .errors import Refused

DATA_PREFIX = "/posthog"
"""Maton proxies `{base}/posthog/{PostHog's own path}` to the PostHog instance of the connection."""

_SEGMENT = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9_@$:~.-]{1,200}")
_IDENTIFIER_HINT = "Use the identifier exactly as a list or get tool returned it."


def placeholders(template: str) -> frozenset[str]:
    """The names in `{braces}` of a path template."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name)


def fill(template: str, values: Mapping[str, object]) -> str:
    """The path with each value put into one segment, and no further.

    Raises Refused (`invalid_argument`) for a value that is empty, a dot segment, longer than 200 characters, or holds
    anything but letters, digits and `_ @ $ : ~ . -`: PostHog's identifiers are integers, UUIDs, short ids and session
    ids.
    """
    for name in placeholders(template):
        text = str(values[name])
        if not _SEGMENT.fullmatch(text):
            raise Refused("invalid_argument", f"{name}: not a usable identifier.", _IDENTIFIER_HINT)
    return template.format_map({name: str(value) for name, value in values.items()})


def check_base_url(url: str, setting: str) -> str:
    """The base URL without a trailing slash.

    Raises ValueError with one line naming `setting` unless the URL is https, or http on a loopback address, and holds
    nothing but scheme, host, port and path.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(f"{setting}: not a URL.") from None
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise ValueError(f"{setting}: must not hold a user name or password.")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError(f"{setting}: must not hold a query or fragment.")
    if not host or not re.fullmatch(r"[A-Za-z0-9.:-]+", host):
        raise ValueError(f"{setting}: has no usable host.")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise ValueError(f"{setting}: must be https (http only on a loopback address such as http://127.0.0.1:8000).")
    if any(segment in (".", "..") for segment in parts.path.split("/")) or re.search(r"[%\\;\s]", parts.path):
        raise ValueError(f"{setting}: its path must be plain.")
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def join(base: str, path: str) -> str:
    """`base` + `path`, re-checked after joining: no dot segment, no empty or encoded segment, no query, no way out of
    `base`.
    """
    segments = path.split("/")[1:]
    inner = segments[:-1] if segments and segments[-1] == "" else segments
    if not path.startswith("/") or not all(_SEGMENT.fullmatch(segment) for segment in inner):
        raise Refused("invalid_argument", "The arguments do not form a usable path.", _IDENTIFIER_HINT)
    return base + path
