"""Pagination in PostHog's several forms."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from ..values import Row

DEFAULT_LIMIT = 100


def positive(value: str | None, default: int) -> int:
    """Parse a limit; anything but a positive number means the default."""
    number = whole(value)
    return number if number > 0 else default


def whole(value: str | None) -> int:
    """Parse an offset; anything but a whole number means 0."""
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0


def page_url(address: str, query: str, changes: Mapping[str, int | None]) -> str:
    """Return the URL of a page: this request's query with `changes` applied, where None removes a parameter."""
    pairs = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name not in changes]
    pairs += [(name, str(value)) for name, value in changes.items() if value is not None]
    encoded = urlencode(sorted(pairs))
    return f"{address}?{encoded}" if encoded else address


def limit_offset(
    address: str, query: str, params: Mapping[str, str], rows: Sequence[Row], show: Callable[[Row], Any], default: int
) -> Row:
    """Return a page in the common form `{"count", "next", "previous", "results"}`."""
    limit, offset = positive(params.get("limit"), default), whole(params.get("offset"))
    after = {"limit": limit, "offset": offset + limit}
    before = {"limit": limit, "offset": offset - limit if offset > limit else None}
    return {
        "count": len(rows),
        "next": page_url(address, query, after) if offset + limit < len(rows) else None,
        "previous": page_url(address, query, before) if offset > 0 else None,
        "results": [show(row) for row in rows[offset : offset + limit]],
    }


def counted(params: Mapping[str, str], rows: Sequence[Row], show: Callable[[Row], Any]) -> Row:
    """Return a page in the form `{"count", "results"}`, as actions use it; all rows without a limit."""
    limit, offset = positive(params.get("limit"), len(rows)), whole(params.get("offset"))
    return {"count": len(rows), "results": [show(row) for row in rows[offset : offset + limit]]}
