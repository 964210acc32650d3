"""Responses that reject a request: their sender, their text, and what to do next.

Maton and PostHog share statuses (400, 401, 403, 404 and 429 come from either), so the sender is read from the shape of
the body: PostHog's errors have `type` and `detail`; Maton's have a `message`, an `error.message`, or a `detail` alone.
PostHog's few hand-written views (`{"error": "…"}`, a plain `{"detail": "…"}`) never mention connections.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from ..schemas.json import as_list, as_object, is_list, is_object
from ..schemas.text import excerpt
from .errors import Advice, Code, Failed, GatewayError, Rejected, Source, Upstream
from .http.request import Plane, Request
from .http.responses import LOOK_FIRST, UpstreamResponse
from .waits import human

_HOST_HINT = (
    "Maton may have moved: set MATON_GATEWAY_URL / MATON_CONTROL_URL (--gateway-url / --control-url), "
    "e.g. to https://api.maton.ai."
)
_MOST_PARTS = 10_000
"""A body with more lists and objects is no error of an API, and to parse it would hold up the event loop."""
_NARROWER = "Narrow the query: a shorter time range, fewer events, a smaller limit."


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error body, read by its shape. `detail` is empty when the body is none of the known envelopes."""

    source: Source
    detail: str = ""
    code: str | None = None
    attr: str | None = None
    failed_query: bool = False
    """True for a QueryStatus: the query ran and failed."""

    @property
    def upstream(self) -> Upstream | None:
        """The text as errors show it; None without one."""
        return Upstream(self.detail, self.code, self.attr) if self.detail else None


def read_error_body(body: bytes, status: int, plane: Plane) -> ErrorBody:
    """Return the sender and the text of a rejection. Bodies of other shapes count as Maton's (a proxy page, an empty
    405), and so do those with more than 10,000 lists and objects.
    """
    if body.count(b"[") + body.count(b"{") > _MOST_PARTS:
        return ErrorBody("maton")
    try:
        value: Any = from_json(body, allow_inf_nan=False)
    except ValueError:
        return ErrorBody("maton")
    if not is_object(value):
        return ErrorBody("maton")
    query: object = value.get("query_status")
    if plane == "data" and is_object(query):
        return ErrorBody("posthog", _text(query.get("error_message")), failed_query=True)
    detail: object = value.get("detail")
    if plane == "data" and "type" in value and "detail" in value:
        return ErrorBody("posthog", _text(detail), _word(value.get("code")), _word(value.get("attr")))
    error: object = value.get("error")
    if is_object(error):
        return ErrorBody("maton", _text(error.get("message")))
    if "message" in value:
        return ErrorBody("maton", _text(value["message"]))
    if is_list(detail):
        return ErrorBody("maton", excerpt("; ".join(filter(None, map(_located, detail[:5])))))
    written_by_hand = plane == "data" and _is_posthogs(_text(detail), _text(error), status)
    return ErrorBody("posthog" if written_by_hand else "maton", _text(detail) or _text(error))


def _is_posthogs(detail: str, error: str, status: int) -> bool:
    """Return whether a lone text comes from one of PostHog's hand-written views. `Not Found` is Maton's router."""
    if status in (401, 403, 412) or "connection" in f"{detail}{error}".lower():
        return False
    return bool(error) or (status in (404, 409, 422) and detail not in ("", "Not Found"))


def _located(item: object) -> str:
    """Return one entry of FastAPI's `detail` list as `place: message`."""
    fields = as_object(item)
    place = ".".join(map(str, as_list(fields.get("loc"))))
    return ": ".join(filter(None, [excerpt(place, 100), _text(fields.get("msg"))]))


def _text(value: object) -> str:
    return excerpt(value) if isinstance(value, str) else ""


def _word(value: object) -> str | None:
    return excerpt(value, 100) if isinstance(value, str) and value else None


@dataclass(frozen=True, slots=True)
class _Verdict:
    """The meaning of a status from one sender."""

    code: Code
    message: str
    hint: str | None = None
    advice: Advice | None = None


_FIX_HINT = "Change the argument that PostHog names and call again."
_FIX_FOR_MATON = "Change what Maton names and call again."
_MATON: Mapping[int, _Verdict] = {
    400: _Verdict(
        "missing_connection", "This Maton key has no usable PostHog connection.", advice=Advice.CREATE_CONNECTION
    ),
    401: _Verdict(
        "invalid_key",
        "Maton rejected the API key.",
        "Check MATON_API_KEY; the key is at maton.ai/settings.",
    ),
    403: _Verdict(
        "permission_denied",
        "Maton does not allow this with this API key.",
        "Check the key's scopes at maton.ai/settings.",
    ),
    404: _Verdict("connection_not_found", "Maton does not know this connection.", advice=Advice.LIST_CONNECTIONS),
    410: _Verdict("unavailable", "This Maton address is gone.", _HOST_HINT),
    412: _Verdict("connection_not_found", "Maton could not resolve a connection.", advice=Advice.LIST_CONNECTIONS),
    422: _Verdict("validation_failed", "Maton rejected the request.", _FIX_FOR_MATON),
}
_CONTROL: Mapping[int, _Verdict] = {
    **_MATON,
    400: _Verdict("validation_failed", "Maton rejected the request.", _FIX_FOR_MATON),
}
_POSTHOG: Mapping[int, _Verdict] = {
    400: _Verdict("validation_failed", "PostHog rejected the arguments.", _FIX_HINT),
    401: _Verdict(
        "connection_expired",
        "PostHog no longer accepts this connection's authorization.",
        advice=Advice.RECONNECT,
    ),
    402: _Verdict(
        "payment_required",
        "The PostHog plan does not include this.",
        "The owner of the organization can change the plan.",
    ),
    403: _Verdict(
        "permission_denied", "PostHog does not allow this.", "See `upstream` for the missing scope or project."
    ),
    404: _Verdict(
        "not_found", "PostHog did not find this.", "Look it up with the matching list tool; check project_id."
    ),
    409: _Verdict(
        "conflict", "The object's current state does not allow this.", "Get the object again, then repeat the change."
    ),
    410: _Verdict("not_found", "PostHog no longer has this.", "Look it up with the matching list tool."),
    422: _Verdict("validation_failed", "PostHog rejected the arguments.", _FIX_HINT),
}


def rejection(response: UpstreamResponse, request: Request, retry_after_s: float | None) -> GatewayError:
    """Return the error for a response that is not 2xx."""
    body = read_error_body(response.body, response.status, request.plane)
    common: dict[str, Any] = {"status": response.status, "request_id": response.request_id, "upstream": body.upstream}
    if response.status == 429:
        return _rate_limited(body, retry_after_s, common)
    if response.status >= 500 and not body.failed_query:
        return _server_error(body, request.writes, retry_after_s, common)
    hogql = request.asks_hogql and response.status == 400 and body.source == "posthog" and body.attr is None
    if body.failed_query or hogql:
        return _hogql_rejected(body, common)
    verdict = _verdict(body, response.status, request)
    return Rejected(verdict.code, verdict.message, verdict.hint, advice=verdict.advice, source=body.source, **common)


def _verdict(body: ErrorBody, status: int, request: Request) -> _Verdict:
    if status < 400:
        return _Verdict("unavailable", f"The gateway returned {status}; redirects are never followed.", _HOST_HINT)
    lost_in_routing = status == 404 and body.detail in ("", "Not Found") and not request.names_connection
    if status in (404, 410) and body.source == "maton" and (lost_in_routing or not body.detail):
        return _Verdict("unavailable", f"Unknown endpoint ({status}).", _HOST_HINT)
    known = _POSTHOG if body.source == "posthog" else _CONTROL if request.plane == "control" else _MATON
    if status in known and (body.detail or status == 401 or body.source == "posthog"):
        return known[status]
    if body.detail:
        return _Verdict("validation_failed", f"The request was rejected ({status}).", "Change what the response names.")
    return _Verdict(
        "bad_upstream_response",
        f"The request was rejected ({status}) without a readable reason.",
        "A proxy may have responded: check the network and MATON_GATEWAY_URL, or request less.",
    )


def _hogql_rejected(body: ErrorBody, common: dict[str, Any]) -> GatewayError:
    return Rejected(
        "hogql_syntax_error" if body.code == "hogql_syntax_error" else "hogql_query_error",
        "The query failed in PostHog." if body.failed_query else "PostHog rejected the HogQL.",
        "Fix what PostHog names.",
        advice=Advice.LOOK_UP_NAMES,
        **common,
    )


def _rate_limited(body: ErrorBody, retry_after_s: float | None, common: dict[str, Any]) -> GatewayError:
    wait = f"Wait {human(retry_after_s)}" if retry_after_s is not None else "Wait a few seconds"
    return Rejected(
        "rate_limited",
        f"{_name(body.source)} limits the rate of requests.",
        f"{wait}, then call again. Prefer one larger query to many small ones.",
        source=body.source,
        retryable=True,
        retry_after_s=retry_after_s,
        **common,
    )


def _server_error(body: ErrorBody, writes: bool, retry_after_s: float | None, common: dict[str, Any]) -> GatewayError:
    """Return the error for a 5xx.

    A read can be repeated, unless PostHog gave up on it (504: it ran too long; 512: it would run too long). A write may
    have been applied before the server failed.
    """
    status = int(common["status"])
    if writes:
        return outcome_unknown(f"{_name(body.source)} failed ({status})", body.source, **common)
    too_slow = status in (504, 512) and body.source == "posthog"
    return Failed(
        "timeout" if too_slow else "unavailable",
        f"PostHog gave up on the query ({status})." if too_slow else f"{_name(body.source)} failed ({status}).",
        _NARROWER if too_slow else "Try again in a minute.",
        source=body.source,
        retryable=not too_slow,
        retry_after_s=retry_after_s,
        **common,
    )


def outcome_unknown(why: str = "no response arrived", source: Source = "maton", **fields: Any) -> GatewayError:
    """Return the error for a write whose response is missing or a 5xx: it may have been applied."""
    return Failed(
        "outcome_unknown",
        f"The change was sent, but {why}: it may have been applied.",
        LOOK_FIRST,
        source=source,
        outcome="unknown",
        **fields,
    )


def _name(source: Source) -> str:
    return "PostHog" if source == "posthog" else "Maton"
