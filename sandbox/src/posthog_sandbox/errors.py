"""Error responses in the envelopes of the service that would have sent them.

ApiError
├── created by invalid, not_found, ... : PostHog's flat `{"type", "code", "detail", "attr"}`
└── created by maton_error, maton_not_found, maton_invalid : Maton's three envelopes
"""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """The request fails with this status, JSON body (None for an empty body) and extra headers."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


class PartlyStored(ApiError):
    """The request fails, but what was stored before persists: PostHog changes some objects without a transaction."""


def posthog_error(status: int, kind: str, code: str, detail: str, attr: str | None = None) -> ApiError:
    """Return an error in PostHog's envelope, which carries only the first error."""
    return ApiError(status, {"type": kind, "code": code, "detail": detail, "attr": attr})


def invalid(detail: str, code: str = "invalid_input", attr: str | None = None) -> ApiError:
    """Return a 400 error for a value that PostHog rejects."""
    return posthog_error(400, "validation_error", code, detail, attr)


def required(attr: str) -> ApiError:
    """Return a 400 error for a missing required field."""
    return invalid("This field is required.", "required", attr)


def missing_reference(value: object, attr: str) -> ApiError:
    """Return a 400 error for a reference to an object that does not exist."""
    return invalid(f'Invalid pk "{value}" - object does not exist.', "does_not_exist", attr)


def malformed() -> ApiError:
    """Return a 400 error for a body that is not JSON."""
    return posthog_error(400, "invalid_request", "parse_error", "Malformed request.")


def permission_denied(detail: str) -> ApiError:
    """Return a 403 error."""
    return posthog_error(403, "authentication_error", "permission_denied", detail)


def payment_required() -> ApiError:
    """Return a 402 error: descriptions, tags and verification of definitions need a paid add-on."""
    detail = "Ingestion taxonomy is part of the PostHog Cloud Scale add-on. To use it, please subscribe to the add-on."
    return posthog_error(402, "server_error", "payment_required", detail)


def not_found(detail: str = "Not found.") -> ApiError:
    """Return a 404 error."""
    return posthog_error(404, "invalid_request", "not_found", detail)


def method_not_allowed(method: str, allowed: str) -> ApiError:
    """Return a 405 error in PostHog's envelope for a method that the endpoint does not support."""
    error = posthog_error(405, "invalid_request", "method_not_allowed", f'Method "{method}" not allowed.')
    return ApiError(error.status, error.body, {"Allow": allowed})


def destroy_forbidden() -> ApiError:
    """Return a 405 error with an empty body, PostHog's response to DELETE on soft-deleted resources."""
    return ApiError(405, None)


def conflict(detail: str) -> ApiError:
    """Return a 409 error, which PostHog types as `server_error`."""
    return posthog_error(409, "server_error", "conflict", detail)


def throttled(detail: str, retry_after: int | None = None) -> ApiError:
    """Return a 429 error; PostHog sends no `Retry-After` for the query concurrency limit."""
    error = posthog_error(429, "throttled_error", "throttled", detail)
    return ApiError(error.status, error.body, {} if retry_after is None else {"Retry-After": str(retry_after)})


def server_error(status: int = 500, detail: str = "A server error occurred.", code: str = "error") -> ApiError:
    """Return an error of the 5xx class: 500, 503 or 504."""
    return posthog_error(status, "server_error", code, detail)


def maton_error(status: int, message: str) -> ApiError:
    """Return an error in Maton's nested envelope `{"error": {"message", "code"}}`."""
    return ApiError(status, {"error": {"message": message, "code": status}})


def maton_not_found(message: str) -> ApiError:
    """Return a 404 error in Maton's flat envelope, used for unknown connections."""
    return ApiError(404, {"message": message, "type": "Not Found", "code": 404})


def maton_invalid(location: list[str], message: str) -> ApiError:
    """Return a 422 error of the control plane: `{"detail": [{"loc", "msg"}]}`."""
    return ApiError(422, {"detail": [{"loc": location, "msg": message}]})
