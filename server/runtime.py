"""The state that all transports and MCP connections of a process share: settings, operations, the gateway client."""

import asyncio
import logging
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import cache, partial
from importlib import import_module, metadata
from typing import Any

import anyio
import anyio.to_thread

from ..gateway.approval import approved
from ..gateway.budget import Budget
from ..gateway.call import Call
from ..gateway.client import Gateway, GatewayConfig, Received
from ..gateway.directory import Directory, utc_now
from ..gateway.dispatcher import Sender
from ..gateway.errors import Failed, Refused
from ..gateway.http.request import Request
from ..gateway.queries.background import Progress
from ..tools.operation import Operation
from .asking.approval import Approval, Ask, Asked, Tokens
from .logs.audit import AuditLog
from .privacy import privacy_of
from .results.door import Door
from .sandbox.child import COMMAND, Sandbox, SandboxError
from .sandbox.waiting import Waiting, rising
from .settings import Settings
from .tool_list import is_offered, tool_list

_logger = logging.getLogger(__name__)


class Runtime:
    """The shared state of one process. Close it with `aclose`."""

    def __init__(
        self,
        settings: Settings,
        *,
        sandbox_command: Sequence[str] = COMMAND,
        now: Callable[[], datetime] = utc_now,
        loading: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.settings = settings
        self.loading = loading
        """Surrounds imports that come after the start."""
        self.secrets = settings.secrets
        """The secrets of this process in all forms, made once."""
        self.privacy = privacy_of(settings)
        self.door = Door(self.secrets, self.privacy)
        self.confirmations = Tokens()
        self.audit = AuditLog(settings.audit_log, required=settings.audit_full == "reject")
        self._sandbox_command = sandbox_command
        self.tools = tuple(tool for tool in tool_list().values() if is_offered(tool, settings))
        self.offered = frozenset(tool.name for tool in self.tools)
        self._operations: dict[str, Operation[Any]] = {}
        self._now = now
        self._directory: Directory | None = None
        self._lock = anyio.Lock()
        self._gateway: Gateway | None = None
        self._starting: asyncio.Task[Sandbox] | None = None
        self._sandbox: Sandbox | None = None
        self._closed = False

    @property
    def version(self) -> str:
        """The version of the installed distribution."""
        return _version()

    def load(self) -> None:
        """Load all operations now; otherwise those of an area are loaded at its first call."""
        for module in {tool.module for tool in self.tools}:
            self._operations |= _load_area(module)

    async def operation(self, name: str) -> Operation[Any]:
        """Return the operation of a tool. Its area is loaded in a thread: the models of all take half a second."""
        if name not in self._operations:
            self._operations |= await anyio.to_thread.run_sync(self._load, tool_list()[name].module)
        return self._operations[name]

    def _load(self, module: str) -> dict[str, Operation[Any]]:
        with self.loading():
            return _load_area(module)

    def start(self) -> None:
        """Start the sandbox of `--sandbox` in the background, so that it is ready for the first call.

        Needs a running event loop. A failure is reported by the calls.
        """
        if self.settings.sandbox and self._starting is None and self._sandbox is None and not self._closed:
            self._starting = asyncio.create_task(Sandbox.start(self._sandbox_command))

    async def gateway(self) -> Gateway:
        """Return the client. Raises Failed (`unavailable`)."""
        return (await self._open())[0]

    async def call(
        self,
        *,
        budget: Budget = Budget.CRUD,
        writes: bool = False,
        progress: Progress | None = None,
        patient: bool = False,
        tool: str = "",
        caller: Hashable = None,
        asked: Asked | None = None,
        ask: Ask | None = None,
    ) -> Call:
        """Return a call through the gateway, not yet aimed. Raises Failed (`unavailable`).

        With the sandbox, a patient call reports progress until the sandbox is ready; others wait for a moment.
        """
        if self.settings.fault:
            raise Refused("unavailable", self.settings.fault, "Fix it in the configuration of the host; restart it.")
        if not self.settings.sandbox:
            gateway, directory = await self._open()
            sender: Sender = gateway.send
        else:
            progress = rising(progress) if progress else None
            waiting = Waiting(progress if patient else None)
            gateway, directory = await waiting.until(self._open, anyio.Event(), lambda: "The sandbox is starting.")
            sender = partial(self._send_when_ready, gateway, waiting)
        return Call(
            sender,
            directory,
            budget=budget,
            writes=writes,
            progress=progress,
            export_dir=self.settings.export_dir,
            clean=self.door.value,
            privacy=self.privacy,
            journal=self.audit.journal(tool),
            approve=self._approval(asked, ask) if asked else approved,
            caller=caller,
        )

    def _approval(self, asked: Asked, ask: Ask | None) -> Approval:
        mode = self.settings.confirm.of(asked.tool)
        return Approval(self.confirmations, mode, asked, ask=ask, clean=self.door.value)

    async def _send_when_ready(
        self, gateway: Gateway, waiting: Waiting, request: Request, deadline: float, received: Received
    ) -> Any:
        """Send a request to the sandbox. It is cancelled if it needs events that take too long; a write needs none."""
        sandbox = self._sandbox
        if sandbox is None or sandbox.ready.is_set() or request.writes:
            return await gateway.send(request, deadline, received)
        return await waiting.until(
            lambda: gateway.send(request, deadline, received), sandbox.ready, lambda: sandbox.news
        )

    async def _open(self) -> tuple[Gateway, Directory]:
        """Return the client and its directory, created at the first call and shared from then on.

        With `--sandbox` this starts the sandbox process. When that process has ended, one call gets an error, because
        the objects created in it are gone, and the next call starts a new one. Raises Failed (`unavailable`).
        """
        if self._gateway and self._directory and (self._sandbox is None or self._sandbox.running):
            return self._gateway, self._directory
        async with self._lock:
            if self._closed:
                raise _shutting_down()
            if self._sandbox is not None and not self._sandbox.running:
                raise await self._ended(self._sandbox)
            if self._gateway is None or self._directory is None:
                config = await self._config()
                self._gateway = Gateway(config)
                self._directory = Directory(config, self._gateway.ledger, self._now)
            return self._gateway, self._directory

    async def aclose(self) -> None:
        """Close the client and end the sandbox, also one that is starting."""
        self._closed = True
        if self._starting is not None:
            self._starting.cancel()  # calls that wait for it hold the lock
            await asyncio.wait({self._starting})
        async with self._lock:
            await self._release()

    async def _release(self) -> None:
        gateway, self._gateway = self._gateway, None
        directory, self._directory = self._directory, None
        sandbox, self._sandbox = self._sandbox, None
        starting, self._starting = self._starting, None
        if starting and not starting.cancelled() and starting.done() and starting.exception() is None:
            sandbox = starting.result()  # no call has taken it over
        try:
            if directory is not None:
                await directory.aclose()
            if gateway is not None:
                await gateway.aclose()
        finally:
            if sandbox is not None:
                await sandbox.aclose()
            self.audit.close()

    async def _ended(self, sandbox: Sandbox) -> Failed:
        """Release an ended sandbox. Return the error for the call that found out."""
        reason = await sandbox.last_words()
        _logger.warning("The sandbox process ended unexpectedly: %s", reason)
        await self._release()
        return Failed(
            "unavailable",
            f"The sandbox process ended unexpectedly ({reason}). The objects created in it are gone.",
            "Call again to start a new sandbox with new synthetic data.",
            source="local",
            outcome="not_sent",
            retryable=True,
        )

    async def _config(self) -> GatewayConfig:
        settings = self.settings
        key, gateway_urls, control_urls = settings.key, settings.gateway_urls, settings.control_urls
        if settings.sandbox:
            self._sandbox = await self._started()
            addresses = self._sandbox.addresses
            key, gateway_urls, control_urls = addresses.key, (addresses.gateway_url,), (addresses.control_url,)
        return GatewayConfig(
            api_key=key,
            gateway_urls=gateway_urls,
            control_urls=control_urls,
            connection_id=settings.connection_id,
            project_id=settings.project_id,
            read_only=settings.read_only,
            policy=settings.budgets,
            pace=settings.requests_per_second,
        )

    async def _started(self) -> Sandbox:
        """Wait for the sandbox, started now if it was not. Raises Failed (`unavailable`); the next call tries again."""
        self.start()
        if self._starting is None:
            raise _shutting_down()
        starting = self._starting
        await asyncio.wait({starting})  # a cancelled call leaves it running
        if starting.cancelled():
            raise _shutting_down()
        self._starting = None
        try:
            return starting.result()
        except SandboxError as error:
            raise Failed(
                "unavailable",
                f"The sandbox did not start: {error}",
                "Fix that and try again. No restart is needed.",
                source="local",
                outcome="not_sent",
            ) from error


def _shutting_down() -> Failed:
    return Failed("unavailable", "This server is shutting down.", source="local", outcome="not_sent")


@cache
def _version() -> str:
    """Return the version of the installed distribution, which is read from a file."""
    return metadata.version("maton-posthog-mcp")


def _load_area(module: str) -> dict[str, Operation[Any]]:
    """Return the operations of a module of `tools/`."""
    area = import_module(f"..tools.{module}", __package__)
    return {operation.name: operation for operation in area.OPERATIONS}
