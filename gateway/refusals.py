"""An answer that says no: who said it, in which words, and what to do next.

Maton and PostHog share statuses (400, 401, 403, 404 and 429 come from either side), so the sender is told by the
shape of the body: PostHog's errors carry `type` and `detail`, Maton's a `message`, an `error.message`, or a `detail`
alone. PostHog's few hand-written views (`{"error": "…"}`, a plain `{"detail": "…"}`) never speak of connections.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic_core import from_json

from ..schemas.text import excerpt
from .answers import LOOK_FIRST, Answer
from .errors import Code, Failed, GatewayError, Rejected, Source, Upstream
from .request import Plane, Request

RECONNECT_HINT = (
    "Create a new connection (manage_connection, action create), have the user open its url, then delete the old one."
)
_HOST_HINT = (
    "Maton may have moved: set MATON_GATEWAY_URL / MATON_CONTROL_URL (--gateway-url / --control-url), "
    "e.g. to https://api.maton.ai."
)
_NARROWER = "Narrow the query: a shorter time range, fewer events, a smaller limit."


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error body, read by its shape. `detail` is empty when the body is none of the known envelopes."""

    source: Source
    detail: str = ""
    code: str | None = None
    attr: str | None = None
    failed_query: bool = False
    """A QueryStatus: the query ran and failed."""

    @property
    def upstream(self) -> Upstream | None:
        return Upstream(self.detail, self.code, self.attr) if self.detail else None


def read_refusal(body: bytes, status: int, plane: Plane) -> Refusal:
    """Who refused and in which words. A body that is not one of the known envelopes counts as Maton's (a proxy page,
    an empty 405).
    """
    try:
        value: Any = from_json(body, allow_inf_nan=False)
    except ValueError:
        return Refusal("maton")
    if not isinstance(value, dict):
        return Refusal("maton")
    fields = cast("dict[str, Any]", value)
    error, detail, query = (cast("Any", fields.get(name)) for name in ("error", "detail", "query_status"))
    if plane == "data" and isinstance(query, dict):
        return Refusal("posthog", _text(cast("dict[str, Any]", query).get("error_message")), failed_query=True)
    if plane == "data" and "type" in fields and "detail" in fields:
        return Refusal("posthog", _text(detail), _word(fields.get("code")), _word(fields.get("attr")))
    if isinstance(error, dict):
        return Refusal("maton", _text(cast("dict[str, Any]", error).get("message")))
    if "message" in fields:
        return Refusal("maton", _text(fields["message"]))
    if isinstance(detail, list):
        return Refusal("maton", excerpt("; ".join(filter(None, map(_located, cast("list[Any]", detail)[:5])))))
    written_by_hand = plane == "data" and _is_posthogs(_text(detail), _text(error), status)
    return Refusal("posthog" if written_by_hand else "maton", _text(detail) or _text(error))


def _is_posthogs(detail: str, error: str, status: int) -> bool:
    """Whether a lone text comes from one of PostHog's hand-written views. `Not Found` is Maton's router."""
    if status in (401, 403, 412) or "connection" in f"{detail}{error}".lower():
        return False
    return bool(error) or (status in (404, 409, 422) and detail not in ("", "Not Found"))


def _located(item: Any) -> str:
    fields = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
    place = fields.get("loc")
    name = ".".join(str(part) for part in cast("list[Any]", place)) if isinstance(place, list) else ""
    return ": ".join(filter(None, [excerpt(name, 100), _text(fields.get("msg"))]))


def _text(value: Any) -> str:
    return excerpt(value) if isinstance(value, str) else ""


def _word(value: Any) -> str | None:
    return excerpt(value, 100) if isinstance(value, str) and value else None


type _Verdict = tuple[Code, str, str]
_LIST_CONNECTIONS = "Call manage_connection with action list for the ids."
_FIX_HINT = "Change the argument that PostHog names and call again."
_MATON: Mapping[int, _Verdict] = {
    400: (
        "missing_connection",
        "This Maton key has no usable PostHog connection.",
        "Call manage_connection with action create and have the user open the url.",
    ),
    401: (
        "invalid_key",
        "Maton does not accept the API key.",
        "Check MATON_API_KEY: copy the key from maton.ai/settings.",
    ),
    403: (
        "permission_denied",
        "Maton does not allow this with this API key.",
        "Check the key's scopes at maton.ai/settings.",
    ),
    404: ("connection_not_found", "Maton does not know this connection.", _LIST_CONNECTIONS),
    410: ("unavailable", "This Maton address is gone.", _HOST_HINT),
    412: ("connection_not_found", "Maton could not resolve a connection.", _LIST_CONNECTIONS),
    422: ("validation_failed", "Maton refuses the arguments.", "Change what Maton names and call again."),
}
_CONTROL: Mapping[int, _Verdict] = {
    **_MATON,
    400: ("validation_failed", "Maton refuses the request.", "Change what Maton names and call again."),
}
_POSTHOG: Mapping[int, _Verdict] = {
    400: ("validation_failed", "PostHog refuses the arguments.", _FIX_HINT),
    401: ("connection_expired", "PostHog no longer accepts this connection's authorisation.", RECONNECT_HINT),
    402: ("payment_required", "The PostHog plan does not include this.", "Ask the owner of the PostHog organization."),
    403: ("permission_denied", "PostHog does not permit this.", "PostHog names the missing scope or project."),
    404: ("not_found", "PostHog does not have this.", "Look it up with the matching list tool; check project_id."),
    409: ("conflict", "The object's present state does not allow this.", "Get it again, then repeat the change."),
    410: ("not_found", "PostHog no longer has this.", "Look it up with the matching list tool."),
    422: ("validation_failed", "PostHog refuses the arguments.", _FIX_HINT),
}


def refusal(answer: Answer, request: Request, retry_after_s: float | None) -> GatewayError:
    """The error for an answer that is not 2xx."""
    said = read_refusal(answer.body, answer.status, request.plane)
    common: dict[str, Any] = {"status": answer.status, "request_id": answer.request_id, "upstream": said.upstream}
    if answer.status == 429:
        return _rate_limited(said, retry_after_s, common)
    if answer.status >= 500 and not said.failed_query:
        return _server_error(said, request.writes, retry_after_s, common)
    hogql = request.asks_hogql and answer.status == 400 and said.source == "posthog" and said.attr is None
    if said.failed_query or hogql:
        return _hogql_refused(said, common)
    code, message, hint = _verdict(said, answer.status, request)
    return Rejected(code, message, hint, source=said.source, **common)


def _verdict(said: Refusal, status: int, request: Request) -> _Verdict:
    if status < 400:
        return "unavailable", f"The gateway answered {status}; a redirect is never followed.", _HOST_HINT
    lost_in_routing = status == 404 and said.detail in ("", "Not Found") and not request.names_connection
    if status in (404, 410) and said.source == "maton" and (lost_in_routing or not said.detail):
        return "unavailable", f"There is no such address ({status}).", _HOST_HINT
    known = _POSTHOG if said.source == "posthog" else _CONTROL if request.plane == "control" else _MATON
    if status in known and (said.detail or status == 401 or said.source == "posthog"):
        return known[status]
    if said.detail:
        return "validation_failed", f"The request was refused ({status}).", "Change what the answer names."
    return (
        "bad_upstream_response",
        f"The request was refused ({status}) without a reason that can be read.",
        "A proxy may have answered: check the network and MATON_GATEWAY_URL, or ask for less.",
    )


def _hogql_refused(said: Refusal, common: dict[str, Any]) -> GatewayError:
    return Rejected(
        "hogql_syntax_error" if said.code == "hogql_syntax_error" else "hogql_query_error",
        "The query failed in PostHog." if said.failed_query else "PostHog refuses the HogQL.",
        "Fix what PostHog names; list_event_definitions and list_property_definitions give the real names.",
        **common,
    )


def _rate_limited(said: Refusal, retry_after_s: float | None, common: dict[str, Any]) -> GatewayError:
    wait = f"Wait {retry_after_s:g} s" if retry_after_s is not None else "Wait a few seconds"
    return Rejected(
        "rate_limited",
        f"{_name(said.source)} limits the rate of requests.",
        f"{wait}, then call again; one query that returns more beats many.",
        source=said.source,
        retryable=True,
        retry_after_s=retry_after_s,
        **common,
    )


def _server_error(said: Refusal, writes: bool, retry_after_s: float | None, common: dict[str, Any]) -> GatewayError:
    """A read may be asked again, unless PostHog gave up on it (504: it ran too long; 512: it would). A write may have
    been made before the server failed.
    """
    status = int(common["status"])
    if writes:
        return outcome_unknown(f"{_name(said.source)} failed ({status})", said.source, **common)
    too_slow = status in (504, 512) and said.source == "posthog"
    return Failed(
        "timeout" if too_slow else "unavailable",
        f"PostHog gave up on the query ({status})." if too_slow else f"{_name(said.source)} failed ({status}).",
        _NARROWER if too_slow else "Try again in a minute.",
        source=said.source,
        retryable=not too_slow,
        retry_after_s=retry_after_s,
        **common,
    )


def outcome_unknown(why: str = "no answer came back", source: Source = "maton", **fields: Any) -> GatewayError:
    """A write whose answer was lost or is a failure: it may have been applied, so it is not repeated."""
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
