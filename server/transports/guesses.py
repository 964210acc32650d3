"""Wrong tokens are slowed: each waits, and only a few of one peer can wait at a time. The right one never waits."""

import ipaddress
from collections import Counter
from collections.abc import Awaitable, Callable

import anyio

WAIT_S = 1.0
MOST_WAITING = 20
"""Wrong tokens of one peer that wait at a time."""
MOST_PEERS = 50
"""Peers whose wrong tokens wait at a time."""
_NETWORK = 64
"""Bits of the network of an IPv6 address, all of which usually belongs to one peer."""


class Guesses:
    """The wrong tokens that wait for their response, by peer."""

    def __init__(self, sleep: Callable[[float], Awaitable[None]] = anyio.sleep) -> None:
        self._sleep = sleep
        self._waiting = Counter[str]()

    async def slow_down(self, address: str) -> bool:
        """Wait before a wrong token is rejected. Return False when too many of this peer, or of all, wait already."""
        peer = peer_of(address)
        if self._waiting[peer] >= MOST_WAITING or (peer not in self._waiting and len(self._waiting) >= MOST_PEERS):
            return False
        self._waiting[peer] += 1
        try:
            await self._sleep(WAIT_S)
        finally:
            self._waiting[peer] -= 1
            if not self._waiting[peer]:
                del self._waiting[peer]
        return True


def peer_of(address: str) -> str:
    """Return what stands for a peer: its address, of IPv6 the network."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((int(found), _NETWORK), strict=False))
