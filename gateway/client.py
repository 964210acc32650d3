"""The process-wide HTTP client. Every request leaves the process through `Gateway.send`.

One call: permit and encode -> budget and pace -> one try -> bounded read -> strict parse, or an error; repeated only
where `retry` allows it. Redirects are never followed, cookies are never kept, and no URL of a response is requested.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.to_thread

from . import paths
from .breaker import Breaker
from .budget import Ledger, Policy, account
from .errors import Failed, GatewayError, Refused, read_only
from .http import hosts
from .http.exchange import Departure, exchange
from .http.hosts import Hosts
from .http.pools import LOST, UNREACHABLE, Pools
from .http.request import Encoded, Plane, Request, encode
from .http.responses import ACCEPT_ENCODING, UpstreamResponse, parse
from .http.retry import Backoff, RetryQuota, parse_retry_after, repeatable
from .http.threads import LARGE_BYTES, Threads
from .rejections import outcome_unknown, rejection

logger = logging.getLogger("maton_posthog.gateway")

USER_AGENT = "maton-posthog-mcp"
CONNECT_TIMEOUT_S = 5.0
_GATEWAY_FAILED = (502, 503)
"""Statuses of a gateway that is down. PostHog sends 504 for a query that ran too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """The settings of a gateway. The first URL of each tuple is used, the next one when the first cannot be reached."""

    api_key: str | None = field(repr=False)
    gateway_urls: tuple[str, ...]
    control_urls: tuple[str, ...]
    connection_id: str | None = None
    project_id: int | None = None
    read_only: bool = False
    policy: Policy = "adaptive"
    pace: int | None = None
    deadline_s: float = 55.0
    """Longest time of one tool call; below the 60 s timeout of common clients."""


type Received = Callable[[UpstreamResponse], None]


class _Lost(Exception):
    """A try got no response. `sent` is False only when the request provably never left."""

    def __init__(self, *, sent: bool, what: str) -> None:
        super().__init__(what)
        self.sent = sent
        self.what = what


class Gateway:
    """Maton's two planes behind one connection pool, one budget ledger and one retry quota. Close it with `aclose`.

    Raises ValueError for a base URL that is not https (http on loopback).
    """

    def __init__(
        self,
        config: GatewayConfig,
        *,
        ledger: Ledger | None = None,
        backoff: Backoff | None = None,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self.config = config
        self.ledger = ledger or Ledger(config.policy, config.pace)
        self._backoff = backoff or Backoff()
        self._sleep = sleep
        self._quota = RetryQuota()
        self._threads = Threads()
        self._hosts: dict[Plane, Hosts] = {
            "data": Hosts(config.gateway_urls, paths.DATA_PREFIX, "MATON_GATEWAY_URL"),
            "control": Hosts(config.control_urls, "", "MATON_CONTROL_URL"),
        }
        self._breakers: dict[Plane, Breaker] = {"data": Breaker(), "control": Breaker()}
        self._http: Pools | None = None
        self._making = anyio.Lock()
        self._closed = False

    async def aclose(self) -> None:
        """Close the connection pool. Calls in progress fail, and no further request is sent."""
        self._closed = True
        async with self._making:
            http, self._http = self._http, None
        if http is not None:
            await http.aclose()

    async def send(self, request: Request, deadline: float, received: Received = lambda _: None) -> Any:
        """Return the parsed response. `deadline` is a `time.monotonic()` value; `received` is called with a
        successful response before it is parsed. Raises GatewayError.
        """
        self._permit(request)
        encoded = encode(request)
        allowed_s = deadline - time.monotonic()
        tries = 0
        while True:
            await self._await_turn(request, deadline, counted=tries == 0)
            try:
                response = await self._guarded(request, encoded, deadline)
            except _Lost as lost:
                error = self._lost(request, lost, allowed_s)
                error.__cause__ = lost
            else:
                if response.ok:
                    self._quota.give_back()
                    received(response)
                    return await self._parsed(request, response, deadline, allowed_s)
                error = self._rejected(request, response)
            tries += 1
            wait = self._backoff.wait(tries, error.retry_after_s)
            affordable = tries < request.tries and time.monotonic() + wait < deadline
            if not (affordable and repeatable(error, request.writes) and self._quota.take(error)):
                raise error
            logger.info("%s %s: %s; trying again in %.1f s", request.method, request.path, error.code, wait)
            await self._sleep(wait)

    def _permit(self, request: Request) -> None:
        if not self.config.api_key:
            raise Refused(
                "missing_api_key",
                "MATON_API_KEY is not set.",
                "Set it in this server's environment (maton.ai/settings). To try without an account, use --sandbox.",
            )
        if request.writes and self.config.read_only:
            raise read_only()
        if request.method == "DELETE" and request.plane == "data" and not paths.is_query(request.path):
            raise RuntimeError(f"no DELETE goes to PostHog, except to cancel a query: {request.path}")

    async def _await_turn(self, request: Request, deadline: float, *, counted: bool) -> None:
        key = account(request.connection)
        left = deadline - time.monotonic()
        if left > 0 and self.ledger.spend_now(key, request.budget, counted=counted):
            return
        try:
            with anyio.fail_after(max(0.0, left)):
                await self.ledger.spend(key, request.budget, counted=counted)
        except TimeoutError:
            raise Refused(
                "timeout",
                "The call timed out in the queue; nothing was sent.",
                "Send fewer calls at once.",
                retryable=True,
            ) from None

    async def _guarded(self, request: Request, encoded: Encoded, deadline: float) -> UpstreamResponse:
        """Try once unless the host counts as down. Raises _Lost and Failed."""
        breaker = self._breakers[request.plane]
        known = self._hosts[request.plane]
        probe = breaker.permit(hosts.netloc(known.base), known.setting)
        try:
            response = await self._try(request, encoded, deadline)
        except _Lost as lost:
            (breaker.gave_up if lost.what == "timeout" else breaker.failed)(probe)
            raise
        except BaseException:
            breaker.gave_up(probe)
            raise
        if response.status in _GATEWAY_FAILED:
            breaker.failed(probe)
        else:
            breaker.succeeded()
        return response

    async def _try(self, request: Request, encoded: Encoded, deadline: float) -> UpstreamResponse:
        """Send once and read the whole response. An unreachable host is replaced by the next one. Raises _Lost."""
        known = self._hosts[request.plane]
        while True:
            pools = self._http or await self._pools()
            base = known.base
            departure = Departure()
            pool, prepared = pools.prepare(base, request.method, encoded, departure)
            try:
                with anyio.fail_after(max(0.0, deadline - time.monotonic())):
                    return await exchange(pool, prepared)
            except UNREACHABLE as error:
                if not known.advance(base):
                    raise _Lost(sent=False, what=type(error).__name__) from error
            except (TimeoutError, *LOST) as error:
                what = "timeout" if isinstance(error, TimeoutError) else type(error).__name__
                raise _Lost(sent=departure.left, what=what) from error

    async def _parsed(self, request: Request, response: UpstreamResponse, deadline: float, allowed_s: float) -> Any:
        """Return the JSON value, parsed in a thread if it is large. Raises GatewayError."""
        if response.size <= LARGE_BYTES:
            return parse(response, writes=request.writes, rows=request.rows)
        try:
            return await self._threads.run(
                lambda pause: parse(response, writes=request.writes, rows=request.rows, pause=pause), deadline
            )
        except TimeoutError:
            raise self._lost(request, _Lost(sent=True, what="timeout"), allowed_s) from None

    async def _pools(self) -> Pools:
        """Return the connection pool, created in a thread at the first request: its TLS context takes 40 ms."""
        async with self._making:
            if self._closed:
                raise Failed("unavailable", "This server is shutting down.", outcome="not_sent")
            if self._http is None:
                try:
                    self._http = await anyio.to_thread.run_sync(self._make_pools)
                except (ValueError, ImportError, OSError) as error:
                    raise Failed(
                        "unavailable",
                        "The HTTP client cannot use the proxy or the certificates of the environment.",
                        "Check HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE, SSL_CERT_DIR; SOCKS proxies are not supported.",
                        outcome="not_sent",
                    ) from error
            return self._http

    def _make_pools(self) -> Pools:
        bases = [base for known in self._hosts.values() for base in known.all]
        for host, proxy in hosts.proxies(bases).items():
            logger.info("requests to %s go through the proxy %s", host, proxy)
        headers = {
            "Authorization": f"Bearer {self.config.api_key}",
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
            "Accept-Encoding": ACCEPT_ENCODING,
        }
        return Pools(bases, headers, CONNECT_TIMEOUT_S)

    def _lost(self, request: Request, lost: _Lost, allowed_s: float) -> GatewayError:
        if lost.sent and request.writes:
            return outcome_unknown()
        outcome = None if lost.sent else "not_sent"
        if lost.what == "timeout":
            return Failed(
                "timeout",
                f"No response within {round(max(allowed_s, 0.0), 1):g} s.",
                "Narrow the query (a shorter time range, fewer events) or try again.",
                source="maton",
                outcome=outcome,
            )
        known = self._hosts[request.plane]
        what = "Lost the connection" if lost.sent else "Cannot connect"
        return Failed(
            "unavailable",
            f"{what} to {hosts.netloc(known.base)} ({lost.what}).",
            f"Try again; check the network, any proxy, and {known.setting}.",
            outcome=outcome,
            retryable=True,
        )

    def _rejected(self, request: Request, response: UpstreamResponse) -> GatewayError:
        retry_after_s = parse_retry_after(response.retry_after)
        error = rejection(response, request, retry_after_s)
        if error.code == "rate_limited" and retry_after_s is not None:
            # Maton limits the whole key, PostHog one class of requests.
            whole = error.source == "maton"
            self.ledger.close(account(request.connection), None if whole else request.budget, retry_after_s)
        return error
