"""Routing: routes as records, and the request as endpoints receive it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response

from ..storage.events import EventSource
from ..storage.store import Store
from ..values import Clock, Row

PUBLIC_URL = "https://us.posthog.com"
"""The host of PostHog's `next` and `previous` URLs. It is not the gateway: clients that follow them leave it."""


@dataclass(frozen=True, slots=True)
class Services:
    """Dependencies shared by all endpoints. `spawn` runs a job in the background until the sandbox stops.

    `public_url` is what precedes `/api/` in the addresses of pages: PostHog's host, or the sandbox's own.
    """

    store: Store
    events: EventSource
    clock: Clock
    spawn: Callable[[Callable[[], Awaitable[None]]], None]
    public_url: Callable[[], str] = lambda: PUBLIC_URL


@dataclass(frozen=True, slots=True)
class Call:
    """One request of the data plane, with its body parsed.

    `path` starts with `/api/`, as PostHog sees it. `arguments` are the values of the path's placeholders. `project_id`
    is resolved (also for `@current`); 0 outside a project.
    """

    services: Services
    method: str
    path: str
    query: str
    params: QueryParams
    headers: Headers
    body: Row
    arguments: Mapping[str, str]
    project_id: int

    @property
    def address(self) -> str:
        """The absolute address of this path, as the links of pages have it."""
        return f"{self.services.public_url()}{self.path}"


type Endpoint = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """A route. `path` is relative to `/api/`; a segment in braces matches any one segment."""

    method: str
    path: str
    endpoint: Endpoint


class Router:
    """The lookup of endpoints by path; a literal segment wins over a placeholder."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._by_path: dict[tuple[str, ...], dict[str, Endpoint]] = {}
        for route in routes:
            self._by_path.setdefault(tuple(route.path.split("/")), {})[route.method] = route.endpoint

    def find(self, path: str) -> tuple[Mapping[str, Endpoint], Mapping[str, str]] | None:
        """Return the endpoints by method and the placeholder values of a path such as `projects/1/insights/`."""
        segments = path.removesuffix("/").split("/")
        if segments[0] == "environments":  # PostHog rewrites the legacy prefix
            segments[0] = "projects"
        candidates = [pattern for pattern in self._by_path if _matches(pattern, segments)]
        if not candidates:
            return None
        best = min(candidates, key=lambda pattern: [_is_placeholder(part) for part in pattern])
        names = {part[1:-1]: segment for part, segment in zip(best, segments, strict=True) if _is_placeholder(part)}
        return self._by_path[best], names


def _is_placeholder(part: str) -> bool:
    return part.startswith("{")


def _matches(pattern: tuple[str, ...], segments: list[str]) -> bool:
    return len(pattern) == len(segments) and all(
        (_is_placeholder(part) and segment) or part == segment for part, segment in zip(pattern, segments, strict=True)
    )
