"""What an address says: whether it is on the public internet, and whose it is behind proxies.

What the user types: `is_public("169.254.169.254")`, for every address that a name resolved to, right before connecting to that very address (CWE-918);
`through_proxies(peer, forwarded.split(","), trusted)` for the one that reached the outermost proxy of one's own.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

__all__ = ["Address", "Network", "Resolve", "is_public", "read_address", "resolve", "through_proxies"]

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, for a port. Raises OSError when it has none."""

_PORT: Final = re.compile(r"\A(?:\[([^\]]*)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5})\Z")

# Reached through a translator (RFC 6052), which leads to the IPv4 address in the last 32 bits.
_TRANSLATED: Final = tuple(IPv6Network(each) for each in ("64:ff9b::/96", "64:ff9b:1::/48"))
# Called global by some registries, and never a host's: this network, protocol assignments, 6to4 relays, site-local.
_NEVER: Final = tuple(ip_network(each) for each in ("0.0.0.0/8", "192.0.0.0/24", "192.88.99.0/24", "fec0::/10"))


def is_public(address: str) -> bool:
    """Whether everybody's internet is there, whatever the address embeds and however it is spelt; a text that is no address is not.

    >>> is_public("93.184.216.34"), is_public("::ffff:10.0.0.1"), is_public("0x7f.1")
    (True, False, False)
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(_public(each) for each in (found, *_embedded(found)))


def _public(address: IPv4Address | IPv6Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        # An address that is only a wrapper counts by what it wraps.
        return isinstance(address, IPv6Address) and bool(_embedded(address)) and not address.is_multicast
    return not any(address in network for network in _NEVER)


def _embedded(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """IPv4 addresses that an IPv6 address stands for: mapped, 6to4, Teredo, translated, compatible."""
    if isinstance(address, IPv4Address):
        return []
    found: list[IPv4Address | IPv6Address] = [
        each for each in (address.ipv4_mapped, address.sixtofour) if each is not None
    ]
    if address.teredo is not None:
        found += address.teredo
    if any(address in network for network in _TRANSLATED) or (int(address) >> 32 == 0 and int(address) > 1):
        found.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    return found


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses that this machine knows of a host, each once.

    Raises:
        OSError: It has none.
        UnicodeError: It is no name.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def read_address(text: str) -> Address | None:
    """The address in a text, without port, brackets and zone; an IPv4 address that a dual-stack socket shows as IPv6 is itself. None if there is none."""
    match = _PORT.match(text)
    bare = text if match is None else (match.group(1) or match.group(2) or "")
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address


def through_proxies(peer: Address, hops: Sequence[str], trusted: Sequence[Network]) -> tuple[Address, bool]:
    """The address that reached the outermost of the trusted proxies, and whether that is certain.

    Each proxy appends who called it, and what a client wrote itself stands before that; so the hops are read from the end, up to and including the first
    that is no proxy. It is not certain where a hop that would have to be believed is no address: then it is the last one that is known.

    Args:
        peer: Of the connection.
        hops: Of `X-Forwarded-For`, first to last.
        trusted: Where proxies of one's own are.
    """
    address = peer
    for hop in reversed([each.strip() for each in hops if each.strip()]):
        if not any(address in network for network in trusted):
            break
        before = read_address(hop)
        if before is None:
            return address, False
        address = before
    return address, True
