"""Which URLs a server may ask on a stranger's word (server-side request forgery, CWE-918).

`UrlPolicy.check` judges the text, `UrlPolicy.judge_address` an address it resolved to. Judging is worth nothing if somebody resolves the name
again afterwards: `orchestrator_security._drivers.guarded_http` connects to the very address that was judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from orchestrator_kernel.addresses import is_public
from orchestrator_security._validation.errors import AddressRefused

__all__ = ["CheckedUrl", "UrlPolicy"]

Network: TypeAlias = IPv4Network | IPv6Network

_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
_NUMBER: Final = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f-\U0010ffff\\<>\"^`{|}]")
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class CheckedUrl:
    """A URL that a policy let pass. `host` is in lower case; an IPv6 address stands without brackets."""

    url: str
    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlPolicy:
    """What may be asked.

    Attributes:
        schemes: In lower case.
        ports: Port numbers.
        hosts: If any are named, only these, and with a leading dot their subdomains: `.example.org`.
        networks: Networks allowed although they are not public, for example the canary's `127.0.0.1/32`.
    """

    schemes: frozenset[str] = frozenset({"https"})
    ports: frozenset[int] = frozenset({443})
    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    def check(self, url: str) -> CheckedUrl:
        """The URL's parts, judged by their text; a host that is an address is judged as an address too.

        Raises:
            AddressRefused: It has a user, a backslash or characters that parsers disagree on, an address in an unusual spelling, or a scheme,
                port or host that the policy does not name.
        """
        if len(url) > 2048 or _FORBIDDEN.search(url):
            raise AddressRefused("The URL is too long, or holds a character that must be escaped.")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise AddressRefused("The URL cannot be read.") from None
        if parts.scheme not in self.schemes or not url.lower().startswith(f"{parts.scheme}://"):
            raise AddressRefused(f"The URL must begin with {' or '.join(sorted(self.schemes))}.")
        if "@" in parts.netloc or parts.netloc.endswith(":") or ("[" in parts.netloc and ":" not in host):
            raise AddressRefused("The URL must not name a user, an empty port or an address of the future.")
        number = _PORTS.get(parts.scheme, 0) if port is None else port
        if number not in self.ports:
            raise AddressRefused(f"Port {number} is not asked from here.")
        self._check_host(host)
        return CheckedUrl(url, parts.scheme, host, number)

    def judge_address(self, address: str) -> None:
        """Refuse an address that is not public, whatever is embedded in it.

        Raises:
            AddressRefused: It is private, loopback, link-local (where cloud metadata lives), multicast, reserved, or no address.
        """
        try:
            found = ip_address(address.partition("%")[0])
        except ValueError:
            raise AddressRefused("The host did not resolve to an address.") from None
        if any(found in network for network in self.networks):
            return
        if not is_public(address):
            raise AddressRefused("The host is not on the public internet.")

    def judge_all(self, addresses: Iterable[str]) -> list[str]:
        """The addresses, if every single one may be asked: a name that also points inside is not trusted.

        Raises:
            AddressRefused: One may not, or there is none.
        """
        found = list(dict.fromkeys(addresses))
        if not found:
            raise AddressRefused("The host did not resolve to an address.")
        for address in found:
            self.judge_address(address)
        return found

    def _check_host(self, host: str) -> None:
        if ":" in host:
            self.judge_address(host)
        elif _NUMBER.match(host.rpartition(".")[2]):
            # What ends in a number is an address (WHATWG URL); 0x7f.1, 017700000001 and 2130706433 are spellings of 127.0.0.1.
            self.judge_address(host)
        elif len(host) > 253 or not all(_LABEL.match(label) for label in host.split(".")):
            raise AddressRefused(
                "The host must be a plain domain name or address; write international names in xn-- form."
            )
        if (
            self.hosts
            and host not in self.hosts
            and not any(each.startswith(".") and host.endswith(each) for each in self.hosts)
        ):
            raise AddressRefused("The host is none of those that may be asked.")
