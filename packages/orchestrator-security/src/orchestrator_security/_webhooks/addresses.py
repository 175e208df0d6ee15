"""From which address a webhook comes, believing forwarding headers only as far as they were written by proxies of our own.

An address proves little: use it to thin out noise in front of a signature, never instead of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network
from typing import TypeAlias

from orchestrator_kernel.addresses import Address, Network, read_address, through_proxies
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import WebhookRefused
from orchestrator_security._webhooks.urls import with_origin

Headers: TypeAlias = Sequence[tuple[str, str]]
_MOST_HOPS = 32
_UNREADABLE = "the client's address cannot be told: a hop is no IP address"
_HOST = re.compile(r"[A-Za-z0-9._\[\]:-]{1,255}")


class TrustedProxies:
    """The networks from which our own proxies reach us; with none of them, forwarding headers are not read at all."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """Set up the networks, as `10.0.0.0/8` or as single addresses.

        Raises:
            ConfigurationError: One is no network.
        """
        self._networks = _networks(networks)

    def client(self, peer: str, headers: Headers) -> str:
        """The address that reached the outermost of our proxies; the peer's own where it is no proxy of ours.

        Args:
            peer: The address of the connection.
            headers: Of the request. Of `X-Forwarded-For` only the hops that a proxy of ours wrote are believed: from the right, up to
                and including the first that is no proxy.

        Raises:
            WebhookRefused: A hop that would have to be believed is no address, or there are more than 32.
        """
        address = _address(peer)
        if not self._trusted(address):
            return str(address)
        hops = ",".join(value for name, value in headers if name.lower() == "x-forwarded-for").split(",")
        if len(hops) > _MOST_HOPS:
            raise WebhookRefused(f"X-Forwarded-For has {len(hops)} hops, limit {_MOST_HOPS}")
        client, certain = through_proxies(address, hops, self._networks)
        if not certain:
            raise WebhookRefused(_UNREADABLE)
        return str(client)

    def url(self, peer: str, headers: Headers, url: str) -> str:
        """The public URL of a request: `X-Forwarded-Proto` and `-Host` count where a proxy of ours is the peer.

        Raises:
            WebhookRefused: One of them is repeated, a list, or nothing that can stand in a URL.
        """
        if not self._trusted(_address(peer)):
            return url
        scheme, host = (_single(headers, f"x-forwarded-{name}") for name in ("proto", "host"))
        if scheme is None and host is None:
            return url
        here = url.partition("://")
        authority = re.split("[/?#]", here[2], maxsplit=1)[0] if host is None else host
        if (scheme or here[0]) not in {"http", "https"} or not _HOST.fullmatch(authority):
            raise WebhookRefused("X-Forwarded-Proto or X-Forwarded-Host cannot stand in a URL")
        return with_origin(url, f"{scheme or here[0]}://{authority}")

    def _trusted(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


class AddressRule:
    """The networks that a sender may come from."""

    def __init__(self, allowed: Iterable[str], *, proxies: TrustedProxies | None = None) -> None:
        """Set up the rule.

        Args:
            allowed: Networks or single addresses, as the sender publishes them.
            proxies: Whose forwarding headers are believed; None: nobody's.

        Raises:
            ConfigurationError: One is no network, or there is none.
        """
        self._allowed = _networks(allowed)
        if not self._allowed:
            raise ConfigurationError("an address rule needs at least one network")
        self._proxies = proxies or TrustedProxies()

    def require(self, peer: str, headers: Headers) -> str:
        """The client's address, if it is an allowed one.

        Raises:
            WebhookRefused: It is not, or it cannot be told.
        """
        client = self._proxies.client(peer, headers)
        address = ip_address(client)
        if not any(address in network for network in self._allowed):
            raise WebhookRefused("the client's address is not one of the sender's")
        return client


def _networks(texts: Iterable[str]) -> tuple[Network, ...]:
    found: list[Network] = []
    for text in texts:
        try:
            found.append(ip_network(text))
        except ValueError:
            raise ConfigurationError(f"{text!r} is no network, such as 192.0.2.0/24") from None
    return tuple(found)


def _address(text: str) -> Address:
    address = read_address(text)
    if address is None:
        raise WebhookRefused(_UNREADABLE)
    return address


def _single(headers: Headers, name: str) -> str | None:
    values = [value for key, value in headers if key.lower() == name]
    if len(values) > 1 or (values and "," in values[0]):
        raise WebhookRefused(f"repeated header {name}")
    return values[0] if values else None
