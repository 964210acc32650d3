"""The state that all calls through one gateway share: connections, projects, budgets, cached values, queries."""

from collections.abc import Callable
from datetime import UTC, datetime

from .budget import Ledger
from .client import GatewayConfig
from .connections import ActiveConnections, Grants
from .http.threads import Threads
from .kept import Kept
from .named import NamedTargets
from .projects import Projects
from .queries.background import Background
from .queries.lanes import Lanes


def utc_now() -> datetime:
    """Return the machine's time, in UTC."""
    return datetime.now(UTC)


class Directory:
    """The shared state of all calls through one gateway. Close it with `aclose`.

    `now` is the clock that relative dates count back from, in UTC.
    """

    def __init__(self, config: GatewayConfig, ledger: Ledger, now: Callable[[], datetime] = utc_now) -> None:
        self.config = config
        self.ledger = ledger
        self.now = now
        self.connections = ActiveConnections()
        self.projects = Projects()
        self.named = NamedTargets()
        self.grants = Grants()
        self.kept = Kept()
        self.queries = Background()
        self.threads = Threads()
        self.lanes = Lanes()

    async def aclose(self) -> None:
        """End the queries that still run in the background, and drop what is cached."""
        self.kept.close()
        await self.queries.aclose()

    def forget(self) -> None:
        """Drop what depends on connections: one was created, deleted, or no longer works."""
        self.connections.forget()
        self.projects.forget()
        self.grants.forget()
        self.kept.forget()
