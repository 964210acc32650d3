"""The process-wide HTTP client. Everything that leaves the process leaves through `Gateway.send`.

One call: permit -> budget and pace -> one try -> bounded read -> strict parse, or an error; repeated only where
`retry` allows. Redirects are never followed, and no URL found in an answer is ever requested.
"""

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
import httpx2

from . import paths
from .answers import Answer, outcome_unknown, parse, read_bounded, refusal
from .budget import Budget, Ledger, Policy
from .errors import Failed, GatewayError, Refused, read_only
from .retry import LONGEST_WAIT_S, MAX_TRIES, Backoff, RetryQuota, parse_retry_after

logger = logging.getLogger("maton_posthog.gateway")

type Plane = Literal["data", "control"]
USER_AGENT = "maton-posthog-mcp"
CONNECT_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """What a gateway needs to know. The first URL of each tuple is used; the next one only if the first cannot be
    reached.
    """

    api_key: str | None = field(repr=False)
    gateway_urls: tuple[str, ...]
    control_urls: tuple[str, ...]
    connection_id: str | None = None
    project_id: int | None = None
    read_only: bool = False
    policy: Policy = "adaptive"
    pace: int | None = None
    deadline_s: float = 55.0
    """Longest time of one tool call; below the 60 s after which common clients give up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request, before it is bound to a host. `path` is filled and confined (`paths.fill`)."""

    method: Literal["GET", "POST", "PATCH", "DELETE"]
    path: str
    writes: bool
    budget: Budget
    plane: Plane = "data"
    connection: str | None = None
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Mapping[str, Any] | None = None


class _Lost(Exception):
    """A try without an answer. `sent` is False only if the request provably never left."""

    def __init__(self, *, sent: bool, what: str) -> None:
        super().__init__(what)
        self.sent = sent
        self.what = what


class _Hosts:
    """The base URLs of one plane; moves to the next one at most once each."""

    def __init__(self, urls: tuple[str, ...], prefix: str, setting: str) -> None:
        self._left = [paths.check_base_url(url, setting) + prefix for url in urls]
        self.base = self._left.pop(0)

    def advance(self, unreachable: str) -> bool:
        """Whether there is another host to try instead of the one that could not be reached."""
        if unreachable != self.base:
            return True  # another call has moved on already
        if not self._left:
            return False
        self.base = self._left.pop(0)
        logger.warning("%s cannot be reached; using %s", urlsplit(unreachable).netloc, urlsplit(self.base).netloc)
        return True


class Gateway:
    """Maton's two planes behind one connection pool, one budget ledger and one retry quota. Close it with `aclose`."""

    def __init__(
        self,
        config: GatewayConfig,
        *,
        ledger: Ledger | None = None,
        backoff: Backoff | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.config = config
        self.ledger = ledger or Ledger(config.policy, config.pace)
        self._backoff = backoff or Backoff()
        self._quota = RetryQuota()
        self._transport = transport
        self._hosts: dict[Plane, _Hosts] = {
            "data": _Hosts(config.gateway_urls, paths.DATA_PREFIX, "MATON_GATEWAY_URL"),
            "control": _Hosts(config.control_urls, "", "MATON_CONTROL_URL"),
        }
        self._http: httpx2.AsyncClient | None = None
        self._making = anyio.Lock()

    async def aclose(self) -> None:
        """Close the connection pool."""
        http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def send(self, request: Request, deadline: float) -> Any:
        """The parsed answer of a request; raises GatewayError. `deadline` is a `time.monotonic()` moment."""
        self._permit(request)
        tries = 0
        while True:
            answer: Answer | None = None
            await self._await_turn(request, deadline)
            try:
                answer = await self._try(request, deadline)
            except _Lost as lost:
                error = self._lost(request, lost, deadline)
            else:
                if 200 <= answer.status < 300:
                    self._quota.give_back()
                    return parse(answer)
                error = self._refused(request, answer)
            tries += 1
            wait = self._backoff.wait(tries, error.retry_after_s)
            if not self._may_repeat(request, error, tries) or time.monotonic() + wait >= deadline:
                raise error
            await anyio.sleep(wait)

    def account(self, connection: str | None) -> str:
        """The ledger's key: there is one API key a gateway, so the connection tells accounts apart."""
        return connection or "default"

    def _permit(self, request: Request) -> None:
        if not self.config.api_key:
            raise Refused(
                "missing_api_key",
                "MATON_API_KEY is not set.",
                "Set it in this server's environment (maton.ai/settings); without an account, use --sandbox.",
            )
        if request.writes and self.config.read_only:
            raise read_only()
        cancels_query = request.method == "DELETE" and "/query/" in request.path
        if request.method == "DELETE" and request.plane == "data" and not cancels_query:
            raise AssertionError(f"no DELETE goes to PostHog: {request.path}")

    async def _await_turn(self, request: Request, deadline: float) -> None:
        try:
            with anyio.fail_after(max(0.0, deadline - time.monotonic())):
                await self.ledger.spend(self.account(request.connection), request.budget)
        except TimeoutError:
            raise Refused(
                "timeout", "The call waited too long for its turn.", "Send fewer calls at once.", retryable=True
            ) from None

    async def _try(self, request: Request, deadline: float) -> Answer:
        """Send once and read the whole answer. Raises _Lost, or Failed for an answer that cannot be read."""
        http = self._http or await self._client()
        hosts = self._hosts[request.plane]
        base = hosts.base
        prepared = self._prepare(http, base, request)
        try:
            with anyio.fail_after(max(0.0, deadline - time.monotonic())):
                return await _exchange(http, prepared)
        except TimeoutError:
            raise _Lost(sent=True, what="timeout") from None
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            if hosts.advance(base):
                return await self._try(request, deadline)
            raise _Lost(sent=False, what=type(error).__name__) from error
        except httpx2.PoolTimeout as error:
            raise _Lost(sent=False, what=type(error).__name__) from error
        except httpx2.TransportError as error:
            raise _Lost(sent=True, what=type(error).__name__) from error

    async def _client(self) -> httpx2.AsyncClient:
        """The connection pool, made in a thread at the first request: its TLS context takes 40 ms."""
        async with self._making:
            if self._http is None:
                self._http = await anyio.to_thread.run_sync(self._make_client)
            return self._http

    def _make_client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            transport=self._transport,
            follow_redirects=False,
            timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT_S),
            limits=httpx2.Limits(max_connections=100, max_keepalive_connections=40, keepalive_expiry=30.0),
            headers={
                "Authorization": f"Bearer {self.config.api_key}",
                "User-Agent": USER_AGENT,
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
            },
        )

    def _prepare(self, http: httpx2.AsyncClient, base: str, request: Request) -> httpx2.Request:
        """The finished request, its URL checked once more."""
        url = paths.join(base, request.path)
        headers = {"Maton-Connection": request.connection} if request.connection else {}
        try:
            content = None if request.body is None else json.dumps(request.body, allow_nan=False).encode()
            if content is not None:
                headers["Content-Type"] = "application/json"
            prepared = http.build_request(
                request.method, url, params=request.query or None, headers=headers, content=content
            )
        except (ValueError, httpx2.InvalidURL) as error:  # UnicodeEncodeError is a ValueError
            raise Refused(
                "invalid_argument",
                "An argument cannot be sent as JSON or in a URL.",
                "Use plain Unicode text and finite numbers.",
            ) from error
        expected = urlsplit(url)
        sent_path = prepared.url.raw_path.split(b"?", 1)[0].decode("ascii")
        if (prepared.url.scheme, prepared.url.netloc.decode("ascii"), sent_path) != (
            expected.scheme,
            expected.netloc,
            expected.path,
        ):
            raise Refused("invalid_argument", "The arguments do not form a usable path.", None)
        return prepared

    def _lost(self, request: Request, lost: _Lost, deadline: float) -> GatewayError:
        if lost.sent and request.writes:
            return outcome_unknown()
        if lost.what == "timeout":
            return Failed(
                "timeout",
                f"No answer within {self.config.deadline_s:g} s.",
                "Narrow the query (a shorter time range, fewer events) or try again.",
                source="maton",
            )
        setting = "MATON_GATEWAY_URL" if request.plane == "data" else "MATON_CONTROL_URL"
        host = urlsplit(self._hosts[request.plane].base).netloc
        return Failed(
            "unavailable",
            f"The connection to {host} {'broke off' if lost.sent else 'could not be made'} ({lost.what}).",
            f"Try again; check the network, any proxy, and {setting}.",
            outcome="unknown" if lost.sent else "not_sent",
            retryable=True,
        )

    def _refused(self, request: Request, answer: Answer) -> GatewayError:
        retry_after = parse_retry_after(answer.retry_after)
        if answer.status == 429 and retry_after is not None:
            self.ledger.close(self.account(request.connection), request.budget, retry_after)
        return refusal(
            answer, control_plane=request.plane == "control", writes=request.writes, retry_after_s=retry_after
        )

    def _may_repeat(self, request: Request, error: GatewayError, tries: int) -> bool:
        if tries >= MAX_TRIES or not error.retryable or (error.retry_after_s or 0.0) > LONGEST_WAIT_S:
            return False
        throttled = error.code == "rate_limited"
        unsent = error.outcome == "not_sent"
        transient = unsent or throttled or error.status in (502, 503, 504) or error.status is None
        if not transient or (request.writes and not unsent and not throttled):
            return False
        return self._quota.take(throttled=throttled)


async def _exchange(http: httpx2.AsyncClient, prepared: httpx2.Request) -> Answer:
    """Send, and read the whole answer. Raises Failed for an answer that is too large or not encoded as it says."""
    response = await http.send(prepared, stream=True)
    try:
        body = await read_bounded(response.aiter_bytes())
    except httpx2.DecodingError as error:
        raise Failed(
            "bad_upstream_response",
            "The answer is not encoded as it says.",
            "Try again.",
            source="maton",
            status=response.status_code,
        ) from error
    finally:
        with anyio.CancelScope(shield=True):
            await response.aclose()
    if body is None:
        raise Failed(
            "response_too_large",
            "The answer is larger than 16 MiB.",
            "Ask for less: a smaller limit, fewer columns, a shorter time range.",
            source="maton",
            status=response.status_code,
        )
    headers = response.headers
    return Answer(response.status_code, body, headers.get("x-request-id"), headers.get("retry-after"))
