"""Errors of a call: what failed, in which layer, with which outcome, and what to do next.

    GatewayError
    ├── Refused    rejected by this server; nothing was sent                outcome not_sent
    ├── Rejected   rejected by Maton or PostHog; nothing was changed        outcome rejected
    └── Failed     no usable response                                       outcome depends on what was sent before

`docs/reference/errors.md` explains the codes; `as_json` returns the object that a tool shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal, Self, TypedDict, Unpack

type Source = Literal["local", "maton", "posthog"]
type Outcome = Literal["not_sent", "rejected", "applied", "unknown"]
type Code = Literal[
    "invalid_argument",
    "missing_api_key",
    "invalid_key",
    "missing_connection",
    "connection_not_found",
    "connection_expired",
    "permission_denied",
    "not_found",
    "conflict",
    "payment_required",
    "validation_failed",
    "hogql_syntax_error",
    "hogql_query_error",
    "rate_limited",
    "budget_spent",
    "timeout",
    "unavailable",
    "outcome_unknown",
    "bad_upstream_response",
    "response_too_large",
    "read_only",
    "toolset_off",
    "project_pinned",
    "connection_pinned",
    "project_unresolved",
    "confirmation_required",
    "internal_error",
]


@dataclass(frozen=True, slots=True)
class Upstream:
    """The error text of Maton or PostHog, cleaned and cut to 500 characters."""

    detail: str
    code: str | None = None
    attr: str | None = None


class Advice(StrEnum):
    """A next step that uses a tool. The tool and the text are chosen above the gateway."""

    CREATE_CONNECTION = "create_connection"
    LIST_CONNECTIONS = "list_connections"
    RECONNECT = "reconnect"
    SUSPECT_CONNECTION = "suspect_connection"
    LIST_PROJECTS = "find_project_ids"
    LOOK_AT_PROJECT = "look_at_project"
    LOOK_UP_NAMES = "look_up_names"
    USE_HOGQL = "use_hogql"


class ErrorChanges(TypedDict, total=False):
    """The fields that `GatewayError.with_` can replace."""

    message: str
    hint: str | None
    advice: Advice | None
    outcome: Outcome | None
    retryable: bool
    retry_after_s: float | None


class GatewayError(Exception):
    """A call failed in a way that the caller can read and act on. Its fields never change; see `with_`."""

    default_source: Source = "local"
    default_outcome: Outcome | None = "not_sent"

    def __init__(
        self,
        code: Code,
        message: str,
        hint: str | None = None,
        *,
        advice: Advice | None = None,
        source: Source | None = None,
        outcome: Outcome | None = None,
        retryable: bool = False,
        retry_after_s: float | None = None,
        status: int | None = None,
        request_id: str | None = None,
        upstream: Upstream | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code: Final[Code] = code
        self.message: Final = message
        self.hint: Final = hint
        self.advice: Final = advice
        """The next step that uses a tool; above the gateway it becomes part of the hint."""
        self.source: Final[Source] = source or self.default_source
        self.outcome: Final[Outcome | None] = outcome or self.default_outcome
        """None until `Call.settle` sets it, and always None for a read, which changes nothing."""
        self.retryable: Final = retryable
        self.retry_after_s: Final = retry_after_s
        self.status: Final = status
        self.request_id: Final = request_id
        self.upstream: Final = upstream
        self.details: Final[Mapping[str, Any]] = details or {}
        """More fields of the error object."""

    def __setattr__(self, name: str, value: object) -> None:
        if name in self.__dict__:
            raise AttributeError(f"{name} of an error is final; use `with_` for a changed copy")
        super().__setattr__(name, value)

    def with_(self, **changes: Unpack[ErrorChanges]) -> Self:
        """Return a copy with some fields replaced; without changes, a copy that another call can raise."""
        error = type(self).__new__(type(self), changes.get("message", self.message))
        error.__dict__.update({**self.__dict__, **changes})
        return error

    def as_json(self) -> dict[str, Any]:
        """Return `{"error": {...}}` without empty fields."""
        upstream = self.upstream and {
            "code": self.upstream.code,
            "detail": self.upstream.detail,
            "attr": self.upstream.attr,
        }
        fields: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "source": self.source,
            "outcome": self.outcome,
            "retryable": self.retryable or None,
            "retry_after_s": self.retry_after_s,
            "status": self.status,
            "request_id": self.request_id,
            "upstream": upstream and {name: value for name, value in upstream.items() if value},
            **self.details,
        }
        return {"error": {name: value for name, value in fields.items() if value is not None}}


class Refused(GatewayError):
    """This server rejected the call before anything left the process."""


class Rejected(GatewayError):
    """Maton or PostHog rejected the request."""

    default_source: Source = "posthog"
    default_outcome: Outcome | None = "rejected"


class Failed(GatewayError):
    """There is no usable response: unreachable, too slow, too large, of another shape, or lost."""

    default_outcome: Outcome | None = None


def read_only() -> Refused:
    """Return the error for a write on a read-only server."""
    return Refused("read_only", "This server is read-only.", "The operator set MATON_POSTHOG_READ_ONLY / --read-only.")
