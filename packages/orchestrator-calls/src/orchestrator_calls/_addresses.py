"""Which hosts a tenant's endpoint may lead to: public addresses, and private ones that the tenant allows by name.

The name is resolved once and the connection goes to the address that was checked: a name that changes between check and connection (DNS
rebinding) leads nowhere else.
"""

from __future__ import annotations

from collections.abc import Collection

from orchestrator_kernel.addresses import Resolve, is_public, resolve
from orchestrator_kernel.exceptions import SecurityError

__all__ = ["AddressRefused", "checked_address"]


class AddressRefused(SecurityError):
    """The host of an endpoint leads to an address that is not public, and the tenant did not allow it by name."""

    default_code = "address_refused"


async def checked_address(host: str, port: int, *, private: Collection[str], find: Resolve = resolve) -> str:
    """The address to connect to.

    Args:
        host: A name or an address; in any case, with or without the last point.
        port: Where to.
        private: Hosts that may lead anywhere, because the tenant named them.
        find: How names are resolved.

    Raises:
        AddressRefused: One of the host's addresses is not public.
        OSError: The host has no address.
    """
    name = host.rstrip(".").lower()
    addresses = await find(name, port)
    if not addresses:
        raise OSError("the host has no address")
    if name not in {each.rstrip(".").lower() for each in private} and not all(map(is_public, addresses)):
        raise AddressRefused("the endpoint leads to an address that is not public", details={"host": name[:100]})
    return addresses[0].partition("%")[0]
