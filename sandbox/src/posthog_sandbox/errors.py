"""The answers that are errors, in the envelopes of whoever would have sent them.

ApiError
├── made by invalid, not_found, ... : PostHog's flat `{"type", "code", "detail", "attr"}`
└── made by maton_error, maton_not_found, maton_invalid : Maton's three
"""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """An answer other than success: status, JSON body (None: a body of zero bytes) and extra headers."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


def posthog_error(status: int, kind: str, code: str, detail: str, attr: str | None = None) -> ApiError:
    """PostHog's envelope; it reports the first error only."""
    return ApiError(status, {"type": kind, "code": code, "detail": detail, "attr": attr})


def invalid(detail: str, code: str = "invalid_input", attr: str | None = None) -> ApiError:
    """400: a value PostHog refuses."""
    return posthog_error(400, "validation_error", code, detail, attr)


def required(attr: str) -> ApiError:
    """400: a field that must be there."""
    return invalid("This field is required.", "required", attr)


def missing_reference(value: object, attr: str) -> ApiError:
    """400: the id of another object that does not exist."""
    return invalid(f'Invalid pk "{value}" - object does not exist.', "does_not_exist", attr)


def malformed() -> ApiError:
    """400: the body is not JSON."""
    return posthog_error(400, "invalid_request", "parse_error", "Malformed request.")


def permission_denied(detail: str) -> ApiError:
    """403."""
    return posthog_error(403, "authentication_error", "permission_denied", detail)


def payment_required() -> ApiError:
    """402: descriptions, tags and verification of definitions belong to a paid add-on."""
    detail = "Ingestion taxonomy is part of the PostHog Cloud Scale add-on. To use it, please subscribe to the add-on."
    return posthog_error(402, "server_error", "payment_required", detail)


def not_found(detail: str = "Not found.") -> ApiError:
    """404."""
    return posthog_error(404, "invalid_request", "not_found", detail)


def method_not_allowed(method: str, allowed: str) -> ApiError:
    """405 with PostHog's envelope: the endpoint has no such method."""
    error = posthog_error(405, "invalid_request", "method_not_allowed", f'Method "{method}" not allowed.')
    return ApiError(error.status, error.body, {"Allow": allowed})


def destroy_forbidden() -> ApiError:
    """405 with a body of zero bytes: what DELETE gets from every resource that is deleted softly."""
    return ApiError(405, None)


def conflict(detail: str) -> ApiError:
    """409; PostHog types it `server_error`."""
    return posthog_error(409, "server_error", "conflict", detail)


def throttled(detail: str, retry_after: int | None = None) -> ApiError:
    """429; the concurrency limit of queries comes without `Retry-After`."""
    error = posthog_error(429, "throttled_error", "throttled", detail)
    return ApiError(error.status, error.body, {} if retry_after is None else {"Retry-After": str(retry_after)})


def server_error(status: int = 500, detail: str = "A server error occurred.", code: str = "error") -> ApiError:
    """500, 503 and 504."""
    return posthog_error(status, "server_error", code, detail)


def maton_error(status: int, message: str) -> ApiError:
    """Maton's nested envelope `{"error": {"message", "code"}}`."""
    return ApiError(status, {"error": {"message": message, "code": status}})


def maton_not_found(message: str) -> ApiError:
    """Maton's flat envelope, seen on unknown connections."""
    return ApiError(404, {"message": message, "type": "Not Found", "code": 404})


def maton_invalid(location: list[str], message: str) -> ApiError:
    """422 of the control plane: `{"detail": [{"loc", "msg"}]}`."""
    return ApiError(422, {"detail": [{"loc": location, "msg": message}]})
