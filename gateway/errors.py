"""What a call can fail with. Every error says what failed, where, whether anything happened, and what to do next.

    GatewayError
    ├── Refused    this server said no; nothing was sent                    outcome not_sent
    ├── Rejected   Maton or PostHog answered no; nothing was changed        outcome rejected
    └── Failed     no usable answer                                         outcome by what was sent before

The codes are those of the table in the README; `as_json` is the object that a tool shows.
"""

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
    "project_unresolved",
    "confirmation_required",
    "internal_error",
]


@dataclass(frozen=True, slots=True)
class Upstream:
    """Maton's or PostHog's own words, cleaned and cut to 500 characters."""

    detail: str
    code: str | None = None
    attr: str | None = None


class Advice(StrEnum):
    """A next step that a tool makes. Which tool that is, and its words, are decided above the gateway."""

    CREATE_CONNECTION = "create_connection"
    LIST_CONNECTIONS = "list_connections"
    RECONNECT = "reconnect"
    SUSPECT_CONNECTION = "suspect_connection"
    LIST_PROJECTS = "find_project_ids"
    LOOK_AT_PROJECT = "look_at_project"
    LOOK_UP_NAMES = "look_up_names"
    USE_HOGQL = "use_hogql"


class Changes(TypedDict, total=False):
    """The fields that `GatewayError.with_` can replace."""

    message: str
    hint: str | None
    advice: Advice | None
    outcome: Outcome | None
    retryable: bool
    retry_after_s: float | None


class GatewayError(Exception):
    """A call that failed in a way that the caller can read and act on. Its fields never change; see `with_`."""

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
    ) -> None:
        super().__init__(message)
        self.code: Final[Code] = code
        self.message: Final = message
        self.hint: Final = hint
        self.advice: Final = advice
        """The next step where a tool makes it; it becomes part of the hint above the gateway."""
        self.source: Final[Source] = source or self.default_source
        self.outcome: Final[Outcome | None] = outcome or self.default_outcome
        """None until `Call.settle` sets it; it stays None for a read, which changes nothing."""
        self.retryable: Final = retryable
        self.retry_after_s: Final = retry_after_s
        self.status: Final = status
        self.request_id: Final = request_id
        self.upstream: Final = upstream

    def __setattr__(self, name: str, value: object) -> None:
        if name in self.__dict__:
            raise AttributeError(f"{name} of an error is final; make another with `with_`")
        super().__setattr__(name, value)

    def with_(self, **changes: Unpack[Changes]) -> Self:
        """Return a copy with some fields replaced; without changes, a copy that another call can raise."""
        error = type(self).__new__(type(self), changes.get("message", self.message))
        error.__dict__.update({**self.__dict__, **changes})
        return error

    def as_json(self) -> dict[str, Any]:
        """`{"error": {...}}` with the empty fields left out."""
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
        }
        return {"error": {name: value for name, value in fields.items() if value is not None}}


class Refused(GatewayError):
    """This server refused before anything left the process."""


class Rejected(GatewayError):
    """Maton or PostHog answered that it will not do this."""

    default_source: Source = "posthog"
    default_outcome: Outcome | None = "rejected"


class Failed(GatewayError):
    """There is no usable answer: unreachable, too slow, too large, not the expected shape, or lost on the way."""

    default_outcome: Outcome | None = None


def read_only() -> Refused:
    """The refusal of a write by a read-only server."""
    return Refused("read_only", "This server is read-only.", "The operator set MATON_POSTHOG_READ_ONLY / --read-only.")
