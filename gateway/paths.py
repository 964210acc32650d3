"""URLs: the only module that builds them. It confines each value to one path segment and checks the finished URL.

One Maton key reaches every app that the user connected, and HTTP libraries collapse dot segments. An identifier like
`../../slack/api/x` would turn a PostHog request into a request to another app.
"""

import ipaddress
import json
import re
import string
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

from .errors import Advice, Refused

DATA_PREFIX = "/posthog"
"""Maton proxies `{base}/posthog/{PostHog's own path}` to the PostHog instance of the connection."""

_SEGMENT = re.compile(r"(?!\.{1,2}(?![^/]))[A-Za-z0-9_@$:~.-]{1,200}")
_PATH = re.compile(rf"(/{_SEGMENT.pattern})+/?")
_RUNNING_QUERY = re.compile(r"/api/projects/[^/]+/query/[^/]+/")
_IDENTIFIER_HINT = "Use the identifier exactly as a list or get tool returned it."
_CONNECTION = re.compile(r"[0-9A-Za-z-]{8,64}")
_LABEL = "[a-z0-9]([a-z0-9_-]*[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_BASE_PATH = re.compile(r"(/[A-Za-z0-9_~.-]+)*/?")
_DEFAULT_PORTS = {"https": 443, "http": 80}


_ONE_RESOURCE = re.compile(r"/api/projects/\{project_id\}/(\w+)/\{\w+\}/")


@cache
def placeholders(template: str) -> frozenset[str]:
    """Return the names in `{braces}` of a path template."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(template) if name)


def fill(template: str, values: Mapping[str, object]) -> str:
    """Return the path with each value confined to one segment.

    Raises Refused (`invalid_argument`) for a value that is empty, a dot segment, longer than 200 characters, or has
    anything but letters, digits and `_ @ $ : ~ . -`: PostHog's identifiers are integers, UUIDs, short ids and session
    ids.
    """
    texts: dict[str, str] = {}
    for name in placeholders(template):
        value = values[name]
        texts[name] = "" if value is None or isinstance(value, bool) else str(value)
        if not _SEGMENT.fullmatch(texts[name]):
            raise Refused("invalid_argument", f"`{name}` is not a valid identifier.", _IDENTIFIER_HINT)
    return template.format_map(texts)


def confine(path: str) -> str:
    """Return the path after checking it as a whole: plain segments between single slashes; no dot segment, escape or
    query. Raises Refused (`invalid_argument`).
    """
    if not _PATH.fullmatch(path):
        raise Refused("invalid_argument", "The arguments do not form a valid path.", _IDENTIFIER_HINT)
    return path


def is_query(path: str) -> bool:
    """Return whether the path is one of a running query, the only PostHog path that takes a DELETE (to cancel it)."""
    return _RUNNING_QUERY.fullmatch(path) is not None


def connection_id(value: str) -> str:
    """Return a connection id that a header can carry. Raises Refused (`invalid_argument`)."""
    if not _CONNECTION.fullmatch(value):
        raise Refused(
            "invalid_argument",
            "`connection_id` (or the setting MATON_CONNECTION_ID) is not a connection id.",
            advice=Advice.LIST_CONNECTIONS,
        )
    return value


def check_base_url(url: str, setting: str) -> str:
    """Return the base URL in its plain form: host in lower case, no default port, no trailing slash.

    Raises ValueError with one line that names `setting` unless the URL is https, or http on a loopback address, and
    consists of scheme, host, port and path only.
    """
    try:
        if not url.isascii() or not url.isprintable() or " " in url:
            raise ValueError(url)  # urlsplit removes some of these silently
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"{setting}: is not a URL.") from None
    if "@" in parts.netloc:
        raise ValueError(f"{setting}: must not contain a user name or password.")
    if "?" in url or "#" in url:
        raise ValueError(f"{setting}: must not contain a query or fragment.")
    host = _host(parts)
    if host is None or port == 0:
        raise ValueError(f"{setting}: has no valid host.")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host.strip("[]"))):
        raise ValueError(f"{setting}: must be https (http only on a loopback address such as http://127.0.0.1:8000).")
    if not _BASE_PATH.fullmatch(parts.path) or any(segment in (".", "..") for segment in parts.path.split("/")):
        raise ValueError(f"{setting}: its path must be plain.")
    where = host if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
    return f"{parts.scheme}://{where}{parts.path.rstrip('/')}"


def _host(parts: SplitResult) -> str | None:
    """Return the host as a URL writes it, in lower case; None for an invalid one.

    An all-digit last label is valid in an IPv4 address only: some resolvers read `2130706433` or `0x7f.1` as one.
    """
    host = parts.hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        numeric = re.fullmatch(r"\d+|0x[0-9a-f]*", host.rsplit(".", 1)[-1])
        return host if _HOST.fullmatch(host) and not numeric else None
    if "%" in host:
        return None
    return str(address) if address.version == 4 else f"[{address}]"


def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def query_text(name: str, value: Any) -> str:
    """Return a value as a URL's query has it: lists and objects as JSON. Raises Refused for what JSON cannot write."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, (list, tuple, dict)):
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise Refused("invalid_argument", f"`{name}` cannot be sent as JSON.", "Use finite numbers.") from error


def resource(path: str) -> str | None:
    """Return `feature_flags` of `/api/projects/{project_id}/feature_flags/{flag_id}/`; None for other templates."""
    match = _ONE_RESOURCE.fullmatch(path)
    return match[1] if match else None
