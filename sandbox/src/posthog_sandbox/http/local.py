"""Only this machine uses the sandbox: no other host name, and no page of another site, reaches it through a browser."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from .loopback import is_loopback


class LocalOnly:
    """Responds with 421 to another Host than this machine, and with 403 to another Origin (DNS rebinding)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            hosts = [f"http://{value}" for value in _values(scope["headers"], b"host")]
            origins = list(_values(scope["headers"], b"origin"))
            if len(hosts) != 1 or not all(map(_is_local, hosts)):
                await PlainTextResponse("The Host is not this machine.\n", 421)(scope, receive, send)
                return
            if not all(map(_is_local, origins)):
                await PlainTextResponse("The Origin is not this machine.\n", 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> Iterable[str]:
    return (value.decode("latin-1") for key, value in headers if key == name)


def _is_local(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return "@" not in parts.netloc and parts.path == "" and is_loopback(parts.hostname or "")
