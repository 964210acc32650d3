"""Connection pools: one for the hosts that are reached directly, and one for each proxy of the environment.

This is the HTTP library without its client: no redirects, no cookies, no URL is rewritten, and half the time per call.
"""

import ssl
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from urllib.parse import unquote, urlsplit

import httpcore2
import httpx2

from ..errors import Refused
from . import hosts
from .exchange import Departure
from .request import Encoded
from .streams import Backend

_LONGEST_URL = 65_536
_MOST_CONNECTIONS, _MOST_IDLE, _IDLE_S = 100, 40, 30.0

LOST = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    httpcore2.UnsupportedProtocol,
)
"""The errors of a request that got no whole response."""
UNREACHABLE = (httpcore2.ConnectError, httpcore2.ConnectTimeout, httpcore2.ProxyError)
"""Those of them that mean that the host could not be reached."""


class Pools:
    """The pools for some base URLs, and the headers of all requests. Close them with `aclose`.

    Raises ValueError and OSError for proxies and certificates of the environment that cannot be used.
    """

    def __init__(self, bases: Iterable[str], headers: Mapping[str, str], connect_timeout_s: float) -> None:
        self._headers = [(name.encode(), value.encode("ascii")) for name, value in headers.items()]
        self._timeout = {"connect": connect_timeout_s}
        proxies = {base: hosts.proxy_of(base) for base in bases}
        # Certificates are always verified. Without an https URL no certificate authorities have to be loaded.
        secure = any(base.startswith("https:") for base in proxies)
        tls = httpx2.create_ssl_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        opened = {proxy: _pool(proxy, tls) for proxy in proxies.values()}
        self.all = tuple(opened.values())
        self._origins = {base: (opened[proxy], _Origin(base)) for base, proxy in proxies.items()}

    async def aclose(self) -> None:
        """Close all connections."""
        async with AsyncExitStack() as stack:
            for pool in self.all:
                stack.push_async_callback(pool.aclose)

    def prepare(
        self, base: str, method: str, encoded: Encoded, departure: Departure
    ) -> tuple[httpcore2.AsyncConnectionPool, httpcore2.Request]:
        """Return the finished request and the pool that sends it. Raises Refused (`invalid_argument`)."""
        pool, origin = self._origins[base]
        target = origin.path + encoded.target
        if len(base) + len(encoded.target) > _LONGEST_URL or not target.isascii() or not target.isprintable():
            raise Refused("invalid_argument", "The arguments do not form a valid URL.", "Shorten long arguments.")
        content = encoded.content
        headers = [(b"Host", origin.netloc), *self._headers, (b"Connection", b"keep-alive")]
        headers += [(name.encode(), value.encode("ascii")) for name, value in encoded.headers.items()]
        if content is not None or method in ("POST", "PATCH"):
            headers.append((b"Content-Length", b"%d" % len(content or b"")))
        url = httpcore2.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=target.encode())
        extensions = {"timeout": self._timeout, "trace": departure}
        return pool, httpcore2.Request(method, url, headers=headers, content=content, extensions=extensions)


class _Origin:
    """A base URL in the parts that a request needs."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        self.scheme = parts.scheme.encode()
        self.host = (parts.hostname or "").encode()
        self.port = parts.port
        self.netloc = parts.netloc.encode()
        self.path = parts.path


def _pool(proxy: str | None, tls: ssl.SSLContext) -> httpcore2.AsyncConnectionPool:
    if proxy is None:
        return httpcore2.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=_MOST_CONNECTIONS,
            max_keepalive_connections=_MOST_IDLE,
            keepalive_expiry=_IDLE_S,
            network_backend=Backend(),
        )
    parts = urlsplit(proxy)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{parts.scheme} is not a scheme of proxies that are supported")
    return httpcore2.AsyncHTTPProxy(
        httpcore2.URL(
            scheme=parts.scheme.encode(), host=(parts.hostname or "").encode("idna"), port=parts.port, target=b"/"
        ),
        proxy_auth=(unquote(parts.username), unquote(parts.password or "")) if parts.username else None,
        ssl_context=tls,
        proxy_ssl_context=tls if parts.scheme == "https" else None,
        max_connections=_MOST_CONNECTIONS,
        max_keepalive_connections=_MOST_IDLE,
        keepalive_expiry=_IDLE_S,
        network_backend=Backend(),
    )
