"""Reading an answer: bounded, strictly parsed, and turned into one of our errors when it says no.

Maton and PostHog share statuses (400, 401, 403, 404 and 429 come from either side), so the sender is told by the
shape of the body: PostHog's errors carry `type` and `detail`, Maton's a `message`, an `error.message`, or a `detail`
alone.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic_core import from_json

from ..schemas.text import excerpt
from .errors import Code, Failed, GatewayError, Rejected, Source, Upstream

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Largest answer that is read, after decompression."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, read to its end."""

    status: int
    body: bytes
    request_id: str | None = None
    retry_after: str | None = None


async def read_bounded(chunks: AsyncIterator[bytes], limit: int = MAX_BODY_BYTES) -> bytes | None:
    """The whole decoded body, or None as soon as it passes `limit` bytes."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


def parse(answer: Answer) -> Any:
    """The JSON value of a successful answer; None for an empty body.

    Raises Failed (`bad_upstream_response`) for anything but strict JSON: NaN, lone surrogates, nesting beyond 200
    levels and numbers of thousands of digits are refused, so that what we print is always valid.
    """
    if not answer.body.strip():
        return None
    try:
        return from_json(answer.body, allow_inf_nan=False)
    except ValueError:
        raise Failed(
            "bad_upstream_response",
            f"The answer ({answer.status}) is not valid JSON.",
            "Try again; if it stays so, Maton or PostHog has a fault.",
            source="maton",
            status=answer.status,
            request_id=answer.request_id,
        ) from None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error body, read by its shape."""

    source: Source
    detail: str
    code: str | None = None
    attr: str | None = None
    kind: str | None = None

    @property
    def upstream(self) -> Upstream | None:
        return Upstream(self.detail, self.code, self.attr) if self.detail else None


def read_refusal(body: bytes, control_plane: bool = False) -> Refusal:
    """Who refused and in which words. A body that is not one of the known envelopes counts as Maton's (a proxy page,
    an empty 405).
    """
    try:
        value: Any = from_json(body, allow_inf_nan=False)
    except ValueError:
        return Refusal("maton", "")
    if not isinstance(value, dict):
        return Refusal("maton", "")
    fields = cast("dict[str, Any]", value)
    error: Any = fields.get("error")
    detail: Any = fields.get("detail")
    if isinstance(fields.get("query_status"), dict):
        return Refusal("posthog", _text(cast("dict[str, Any]", fields["query_status"]).get("error_message")))
    if "type" in fields and "detail" in fields:
        return Refusal(
            "posthog", _text(detail), _word(fields.get("code")), _word(fields.get("attr")), _word(fields["type"])
        )
    if isinstance(error, dict):
        return Refusal("maton", _text(cast("dict[str, Any]", error).get("message")))
    if "message" in fields:
        return Refusal("maton", _text(fields["message"]))
    if isinstance(detail, list):
        return Refusal("maton", "; ".join(_located(item) for item in cast("list[Any]", detail)[:5]))
    if isinstance(error, str) and not control_plane:
        return Refusal("posthog", _text(error))
    return Refusal("maton", _text(detail or error))


def _located(item: Any) -> str:
    fields = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
    place = fields.get("loc")
    names = [str(part) for part in cast("list[Any]", place)] if isinstance(place, list) else []
    return f"{'.'.join(names)}: {_text(fields.get('msg'))}"


def _text(value: Any) -> str:
    return excerpt(value) if isinstance(value, str) else ""


def _word(value: Any) -> str | None:
    return excerpt(value, 100) if isinstance(value, str) and value else None


_KEY_HINT = "Check MATON_API_KEY: copy the key from maton.ai/settings."
RECONNECT_HINT = (
    "Create a new connection (manage_connection, action create), have the user open its url, then delete the old one."
)
_HOST_HINT = "Maton may have moved: set MATON_GATEWAY_URL / MATON_CONTROL_URL (--gateway-url / --control-url), e.g. to https://api.maton.ai."
_FIX_HINT = "Change the argument that PostHog names and call again."

type _Verdict = tuple[Code, str, str | None]
_MATON: Mapping[int, _Verdict] = {
    400: (
        "missing_connection",
        "This Maton key has no usable PostHog connection.",
        "Call manage_connection with action create and have the user open the url.",
    ),
    401: ("invalid_key", "Maton does not accept the API key.", _KEY_HINT),
    403: (
        "permission_denied",
        "Maton does not allow this with this API key.",
        "Check the key's scopes at maton.ai/settings.",
    ),
    404: (
        "connection_not_found",
        "Maton does not know this connection.",
        "Call manage_connection with action list for the ids.",
    ),
    410: ("unavailable", "This Maton address is gone.", _HOST_HINT),
    412: (
        "connection_not_found",
        "Maton could not resolve a connection.",
        "Call manage_connection with action list for the ids.",
    ),
    422: ("validation_failed", "Maton refuses the arguments.", "Change what Maton names and call again."),
}
_POSTHOG: Mapping[int, _Verdict] = {
    400: ("validation_failed", "PostHog refuses the arguments.", _FIX_HINT),
    401: ("connection_expired", "PostHog no longer accepts this connection's authorisation.", RECONNECT_HINT),
    402: ("payment_required", "The PostHog plan does not include this.", "Ask the owner of the PostHog organization."),
    403: ("permission_denied", "PostHog does not permit this.", "PostHog names the missing scope or project."),
    404: ("not_found", "PostHog does not have this.", "Look it up with the matching list tool; check project_id."),
    409: ("conflict", "The object was changed by somebody else meanwhile.", "Get it again and repeat the change."),
    410: ("not_found", "PostHog no longer has this.", "Look it up with the matching list tool."),
    422: ("validation_failed", "PostHog refuses the arguments.", _FIX_HINT),
}  # fmt: skip


def refusal(answer: Answer, *, control_plane: bool, writes: bool, retry_after_s: float | None) -> GatewayError:
    """The error for an answer that is not 2xx."""
    said = read_refusal(answer.body, control_plane)
    common: dict[str, Any] = {"status": answer.status, "request_id": answer.request_id, "upstream": said.upstream}
    if 300 <= answer.status < 400:
        return Rejected(
            "unavailable",
            "The gateway answered with a redirect, which is never followed.",
            _HOST_HINT,
            source="maton",
            **common,
        )
    if answer.status == 429:
        return _rate_limited(said, retry_after_s, common)
    if answer.status >= 500:
        return _server_error(said, answer.status, writes, common)
    if said.code in ("hogql_syntax_error", "hogql_query_error", "hogql_error"):
        code: Code = "hogql_syntax_error" if said.code == "hogql_syntax_error" else "hogql_query_error"
        return Rejected(
            code,
            "PostHog refuses the HogQL.",
            "Fix what PostHog names; list_event_definitions and list_property_definitions give the real names.",
            **common,
        )
    if answer.status in (404, 410) and not said.detail:
        return Rejected(
            "unavailable", f"There is no such address ({answer.status}).", _HOST_HINT, source="maton", **common
        )
    table = _MATON if said.source == "maton" else _POSTHOG
    verdict = table.get(answer.status) or ("validation_failed", f"The request was refused ({answer.status}).", None)
    return Rejected(*verdict, source=said.source, **common)  # fmt: skip


def _rate_limited(said: Refusal, retry_after_s: float | None, common: dict[str, Any]) -> GatewayError:
    who = "PostHog" if said.source == "posthog" else "Maton"
    wait = f"Wait {retry_after_s:g} s" if retry_after_s is not None else "Wait a few seconds"
    return Rejected(
        "rate_limited",
        f"{who} limits the rate of requests.",
        f"{wait}, then call again; one query that returns more beats many.",
        source=said.source,
        retryable=True,
        retry_after_s=retry_after_s,
        **common,
    )


def _server_error(said: Refusal, status: int, writes: bool, common: dict[str, Any]) -> GatewayError:
    if writes:
        return outcome_unknown(said.source, **common)
    who = "PostHog" if said.source == "posthog" else "The gateway"
    slow = status == 504 and said.source == "posthog"
    return Failed(
        "timeout" if slow else "unavailable",
        f"{who} failed ({status}).",
        "Narrow the query: a shorter time range, fewer events, a smaller limit." if slow else "Try again in a minute.",
        source=said.source, outcome="rejected", retryable=not slow, **common,
    )  # fmt: skip


def outcome_unknown(source: Source = "maton", **fields: Any) -> GatewayError:
    """A write whose answer was lost: it may have been applied, so it is not repeated."""
    return Failed(
        "outcome_unknown",
        "The change was sent, but no answer came back: it may have been applied.",
        "Do not repeat it blindly: look with the matching get or list tool first.",
        source=source,
        **fields,
    )
