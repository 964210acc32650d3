"""What a call can fail with. Every error says what failed, where, whether anything happened, and what to do next.

    GatewayError
    ├── Refused    this server said no; nothing was sent                    outcome not_sent
    ├── Rejected   Maton or PostHog answered no; nothing was changed        outcome rejected
    └── Failed     no usable answer                                         outcome by what was sent before

The codes are those of the table in the README; `as_json` is the object that a tool shows.
"""

from dataclasses import dataclass
from typing import Any, Literal, Self

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


class GatewayError(Exception):
    """A call that failed in a way that the caller can read and act on."""

    source: Source = "local"
    outcome: Outcome | None = "not_sent"
    """None until `Call.settle` says what became of the call; it stays None for a read, which changes nothing."""

    def __init__(
        self,
        code: Code,
        message: str,
        hint: str | None = None,
        *,
        source: Source | None = None,
        outcome: Outcome | None = None,
        retryable: bool = False,
        retry_after_s: float | None = None,
        status: int | None = None,
        request_id: str | None = None,
        upstream: Upstream | None = None,
    ) -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message
        self.hint = hint
        self.source = source or type(self).source
        self.outcome = outcome or type(self).outcome
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.status = status
        self.request_id = request_id
        self.upstream = upstream

    def again(self) -> Self:
        """The same error for another call that waited for the same answer: each call settles its own outcome."""
        error = type(self).__new__(type(self), *self.args)
        error.__dict__.update(self.__dict__)
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

    source: Source = "posthog"
    outcome: Outcome | None = "rejected"


class Failed(GatewayError):
    """There is no usable answer: unreachable, too slow, too large, not the expected shape, or lost on the way."""

    outcome: Outcome | None = None


def read_only() -> Refused:
    """The refusal of a write by a read-only server."""
    return Refused("read_only", "This server is read-only.", "The operator set MATON_POSTHOG_READ_ONLY / --read-only.")
