"""Pagination in PostHog's several forms."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from ..values import Row

PUBLIC_URL = "https://us.posthog.com"
"""The host of PostHog's `next` and `previous` URLs. It is not the gateway: clients that follow them leave it."""

DEFAULT_LIMIT = 100


def positive(value: str | None, default: int) -> int:
    """Parse a limit; anything but a positive number means the default."""
    number = whole(value)
    return number if number > 0 else default


def whole(value: str | None) -> int:
    """Parse an offset; anything but a whole number means 0."""
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0


def absolute_url(path: str, query: str, changes: Mapping[str, int | None]) -> str:
    """Return PostHog's URL of a page: this request's query with `changes` applied, where None removes a parameter."""
    pairs = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name not in changes]
    pairs += [(name, str(value)) for name, value in changes.items() if value is not None]
    encoded = urlencode(sorted(pairs))
    return f"{PUBLIC_URL}{path}" + (f"?{encoded}" if encoded else "")


def limit_offset(
    path: str, query: str, params: Mapping[str, str], rows: Sequence[Row], show: Callable[[Row], Any], default: int
) -> Row:
    """Return a page in the common form `{"count", "next", "previous", "results"}`."""
    limit, offset = positive(params.get("limit"), default), whole(params.get("offset"))
    after = {"limit": limit, "offset": offset + limit}
    before = {"limit": limit, "offset": offset - limit if offset > limit else None}
    return {
        "count": len(rows),
        "next": absolute_url(path, query, after) if offset + limit < len(rows) else None,
        "previous": absolute_url(path, query, before) if offset > 0 else None,
        "results": [show(row) for row in rows[offset : offset + limit]],
    }


def counted(params: Mapping[str, str], rows: Sequence[Row], show: Callable[[Row], Any]) -> Row:
    """Return a page in the form `{"count", "results"}`, as actions use it; all rows without a limit."""
    limit, offset = positive(params.get("limit"), len(rows)), whole(params.get("offset"))
    return {"count": len(rows), "results": [show(row) for row in rows[offset : offset + limit]]}
