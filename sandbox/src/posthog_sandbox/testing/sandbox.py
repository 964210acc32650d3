"""`Sandbox`: PostHog and the Maton gateway, emulated for the length of a `with` block."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from os import PathLike
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from .process import SandboxError, SandboxProcess

PATIENCE_S = 60.0
"""Timeout of a control request in seconds."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that the sandbox received. `body` is its JSON; None without one, or when it was not read."""

    method: str
    path: str
    query: str
    status: int
    body: Any


class Sandbox:
    """A sandbox in a child process that runs for the length of a `with` block.

        with Sandbox(events=1000) as sandbox:
            client = YourClient(host=sandbox.posthog_url, key=sandbox.key)

    `events` is the number of events to generate, up to the day `today` (the machine's, in UTC), from `seed`. With
    `now` the clock is frozen at that time. `directory` keeps the data for the next sandbox. `rate` limits the requests
    per second. `hostile=False` leaves out hostile values. All methods are thread-safe.
    """

    def __init__(
        self,
        *,
        events: int = 10_000,
        today: date | None = None,
        now: datetime | str | None = None,
        seed: int = 42,
        directory: str | PathLike[str] | None = None,
        rate: int = 0,
        hostile: bool = True,
    ) -> None:
        self._arguments = ["--events", str(events), "--seed", str(seed), "--rate", str(rate)]
        self._arguments += [] if today is None else ["--today", today.isoformat()]
        self._arguments += [] if directory is None else ["--dir", str(directory)]
        self._arguments += [] if hostile else ["--no-hostile"]
        self._now = now
        self._process: SandboxProcess | None = None
        self._addresses: Mapping[str, Any] = {}

    def __enter__(self) -> Self:
        """Start the process and wait until its events are ready. Raises SandboxError with the reason."""
        if self._process is not None:
            raise SandboxError("This sandbox is already running. Create another one.")
        self._process = SandboxProcess(self._arguments)
        try:
            self._addresses = self._process.wait_until_ready()
            self._stop_clock()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the process and remove its files, except those in a given `directory`."""
        self._end()

    @property
    def url(self) -> str:
        """The base URL of both of Maton's planes, such as `http://127.0.0.1:40123`."""
        return str(self._known()["gateway_url"])

    @property
    def posthog_url(self) -> str:
        """The URL that a PostHog client takes as its host."""
        return f"{self.url}/posthog"

    @property
    def key(self) -> str:
        """The key with all permissions: Maton's for the gateway, the personal API key for PostHog."""
        return str(self._known()["key"])

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._running().pid

    @property
    def requests(self) -> tuple[Request, ...]:
        """The last 1,000 requests, oldest first, without those of this class."""
        return tuple(Request(**shown) for shown in self._send("GET", "requests")["requests"])

    def set_clock(self, now: datetime | str, *, frozen: bool = False) -> None:
        """Continue from this time, or freeze the clock there. A time without a zone is UTC."""
        self._send("POST", "clock", {"now": now if isinstance(now, str) else now.isoformat(), "frozen": frozen})

    def advance_clock(self, seconds: float) -> None:
        """Move the clock by this many seconds, backward when negative."""
        self._send("POST", "clock", {"advance_s": seconds})

    def reset_clock(self) -> None:
        """Reset the clock to `now` of the constructor, or to the machine's time."""
        self._send("DELETE", "clock")
        self._stop_clock()

    def add_fault(
        self,
        *,
        method: str | None = None,
        path: str = "*",
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        body_bytes: int | None = None,
        delay_s: float = 0,
        drip_s: float = 0,
        drop: Literal["before", "after", "half"] | None = None,
        times: int | None = None,
    ) -> None:
        """Make requests fail. The first fault that matches a request applies. Raises ValueError.

        `path` is a glob over the whole path, such as `*/feature_flags/*`; `times` is how often the fault applies.
        With `status`, `body` or `body_bytes` (JSON of that size) the request is not handled and this is the response.
        `delay_s` is the delay of the response, `drip_s` the pause between the bytes of its body. `drop` closes the
        connection: `before` the request is handled, `after` it was handled, or after `half` of the body.
        """
        rule: dict[str, Any] = {
            "match": {"path": path} if method is None else {"path": path, "method": method},
            "status": status,
            "headers": dict(headers or {}),
            "body": body,
            "body_bytes": body_bytes,
            "delay_s": delay_s,
            "drip_s": drip_s,
            "drop": drop,
            "times": times,
        }
        self._send("PATCH", "faults", [rule])

    def clear_faults(self) -> None:
        """Remove every fault."""
        self._send("DELETE", "faults")

    def reset(self) -> None:
        """Reset to the state of a new sandbox: example rows, no faults, no recorded requests, the initial clock."""
        self._send("POST", "reset")
        self._stop_clock()

    def _stop_clock(self) -> None:
        if self._now is not None:
            self.set_clock(self._now, frozen=True)

    def _send(self, method: str, what: str, body: object = None) -> dict[str, Any]:
        """Return the response to a control request. Raises ValueError or, without a response, SandboxError."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE_S)
        content = None if body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        try:
            connection.request(method, f"/sandbox/{what}", content, headers)
            response = connection.getresponse()
            received = json.load(response)
        except (OSError, http.client.HTTPException, ValueError) as error:
            process = self._running()
            reason = f"its process has ended ({process.last_words()})" if process.has_ended() else str(error)
            raise SandboxError(f"The sandbox does not respond: {reason}.") from error
        finally:
            connection.close()
        if response.status == 422:
            raise ValueError(received["detail"][0]["msg"])
        if response.status != 200:
            raise SandboxError(f"The sandbox responded with {response.status}: {received}")
        return received

    def _known(self) -> Mapping[str, Any]:
        self._running()
        return self._addresses

    def _running(self) -> SandboxProcess:
        if self._process is None:
            raise SandboxError("The sandbox is not running. Use it inside its `with` block.")
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()
