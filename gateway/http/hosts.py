"""The hosts of requests: the base URLs of a plane, and the proxies of the environment."""

import logging
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from .. import paths

logger = logging.getLogger("maton_posthog.gateway")


class Hosts:
    """The base URLs of one plane. Each is left at most once, for the next one."""

    def __init__(self, urls: Iterable[str], prefix: str, setting: str) -> None:
        self.setting = setting
        self.all = tuple(paths.check_base_url(url, setting) + prefix for url in urls)
        self._at = 0

    @property
    def base(self) -> str:
        """The base URL in use, without a trailing slash."""
        return self.all[self._at]

    def advance(self, unreachable: str) -> bool:
        """Return whether there is another host to try in place of the unreachable one."""
        if unreachable != self.base:
            return True  # another call has switched already
        if self._at + 1 == len(self.all):
            return False
        self._at += 1
        logger.warning("%s cannot be reached; using %s", netloc(unreachable), netloc(self.base))
        return True


def netloc(url: str) -> str:
    """Return host and port, as messages name a server."""
    return urlsplit(url).netloc


def proxy_of(base: str, found: Mapping[str, str] | None = None) -> str | None:
    """Return the URL of the proxy of the environment (`HTTPS_PROXY`, `ALL_PROXY`) through which a base is reached.

    None for loopback hosts: a proxy cannot reach this machine's loopback, and plain http would show it the key.
    """
    known = getproxies() if found is None else found
    parts = urlsplit(base)
    host = parts.hostname or ""
    proxy = known.get(parts.scheme) or known.get("all")
    if not proxy or paths.is_loopback(host) or proxy_bypass(host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def proxies(bases: Iterable[str], found: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return `{host: proxy}` for the bases that are reached through a proxy of the environment. A proxy is host and
    port, without its credentials.
    """
    reached = {base: proxy_of(base, found) for base in bases}
    return {urlsplit(base).hostname or "": netloc(proxy).rpartition("@")[2] for base, proxy in reached.items() if proxy}
