"""The public URL of a request, in the spellings under which a sender may have signed it."""

from __future__ import annotations

import re

from orchestrator_kernel.ports import WebhookRefused

_URL = re.compile(r"(https?)://([^/?#]*)(.*)\Z", re.DOTALL)
_PORT = re.compile(r":([0-9]{0,5})\Z")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def _split(url: str) -> tuple[str, str, str]:
    match = _URL.match(url)
    if match is None:
        raise WebhookRefused("the URL of the request is not absolute")
    scheme, authority, rest = match.groups()
    return scheme, authority, rest


def with_origin(url: str, origin: str) -> str:
    """`url` with `origin` in place of its scheme and authority; a path alone gets it in front."""
    return origin + (url if url.startswith("/") else _split(url)[2])


def port_variants(url: str) -> tuple[str, str]:
    """`url` without its port, and with it or with the default one of its scheme.

    Raises:
        WebhookRefused: It is not an absolute http or https URL.
    """
    scheme, authority, rest = _split(url)
    port = _PORT.search(authority)
    # In `[::1]` the colons belong to the address.
    if port is None or "]" in authority[port.start() :]:
        return url, f"{scheme}://{authority}:{_DEFAULT_PORTS[scheme]}{rest}"
    bare = authority[: port.start()]
    return f"{scheme}://{bare}{rest}", url if port.group(1) else f"{scheme}://{bare}:{_DEFAULT_PORTS[scheme]}{rest}"
