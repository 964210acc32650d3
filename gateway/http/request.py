"""One HTTP request before it is bound to a host, and its encoding for the wire."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, urlencode

from ...schemas.json import as_object
from .. import paths
from ..budget import Budget
from ..errors import GatewayError, Refused
from .retry import MAX_TRIES

type Plane = Literal["data", "control"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. `path` is filled (`paths.fill`); requests with `writes` are hardly ever repeated."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    writes: bool
    budget: Budget
    plane: Plane = "data"
    connection: str | None = None
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Mapping[str, Any] | None = None
    rows: bool = False
    """Whether the rows of the response stay text; see `Rows`."""
    tries: int = MAX_TRIES
    unconfirmed: Callable[[Any], GatewayError | None] = lambda _: None
    """Returns the error for a response that does not confirm the change; None for one that does."""

    @property
    def names_connection(self) -> bool:
        """Return whether the request names a connection, which may not exist."""
        return self.connection is not None or (self.plane == "control" and self.path != "/connections")

    @property
    def asks_hogql(self) -> bool:
        """Return whether the request carries the caller's SQL."""
        return as_object((self.body or {}).get("query")).get("kind") == "HogQLQuery"


@dataclass(frozen=True, slots=True)
class Encoded:
    """A request as bytes, without its host."""

    target: str
    """Path and query below the base URL of the plane."""
    content: bytes | None
    headers: Mapping[str, str]


def encode(request: Request) -> Encoded:
    """Return the request as bytes.

    Raises Refused (`invalid_argument`) for values that do not fit into a URL, a header or strict JSON.
    """
    target = paths.confine(request.path)
    headers: dict[str, str] = {}
    if request.connection is not None:
        headers["Maton-Connection"] = paths.connection_id(request.connection)
    try:
        if request.query:
            target = f"{target}?{urlencode(request.query, quote_via=quote)}"
        if request.body is None:
            return Encoded(target, None, headers)
        text = json.dumps(request.body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        content = text.encode()
    except (ValueError, RecursionError) as error:  # half a surrogate pair is a UnicodeEncodeError, a ValueError
        raise Refused(
            "invalid_argument",
            "An argument cannot be sent as JSON or in a URL.",
            "Use complete Unicode text, finite numbers and moderate nesting.",
        ) from error
    return Encoded(target, content, {**headers, "Content-Type": "application/json"})
