"""Which credential a request brings: pure, and one answer whoever reads."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from orchestrator_auth.exceptions import CredentialRefused

Scope = MutableMapping[str, Any]

COOKIE: Final = "__Host-session"
CSRF_HEADER: Final = "x-csrf-token"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_MAX_HEADER: Final = 9_000


class Scheme(StrEnum):
    """How a credential is carried."""

    BEARER = "bearer"
    API_KEY = "api key"
    COOKIE = "cookie"


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request brings; nothing about it is proved yet."""

    scheme: Scheme
    value: str = field(repr=False)


def headers_of(scope: Scope, name: bytes) -> list[str]:
    """All values of a header."""
    pairs: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return [value.decode("latin-1") for key, value in pairs if key.lower() == name]


def only_header(scope: Scope, name: bytes) -> str:
    """The one value of a header; empty without it.

    Raises:
        CredentialRefused: It stands twice, or is too long: two readers could see two values.
    """
    values = headers_of(scope, name)
    if len(values) > 1 or any(len(value) > _MAX_HEADER for value in values):
        raise CredentialRefused(f"header {name.decode()} is repeated or oversized")
    return values[0].strip() if values else ""


def find_credential(scope: Scope, *, cookie: str = COOKIE) -> Credential | None:
    """The request's credential; None if there is none.

    Raises:
        CredentialRefused: There are two, or one of a scheme that we do not know.
    """
    authorization, key = only_header(scope, b"authorization"), only_header(scope, b"x-api-key")
    if authorization and key:
        raise CredentialRefused("two credentials")
    if key:
        return Credential(Scheme.API_KEY, key)
    if authorization:
        scheme, _, value = authorization.partition(" ")
        schemes = {"bearer": Scheme.BEARER, "apikey": Scheme.API_KEY}
        if scheme.lower() not in schemes or not value.strip():
            raise CredentialRefused("authorization scheme is unknown, or without a value")
        return Credential(schemes[scheme.lower()], value.strip())
    value = _cookie(headers_of(scope, b"cookie"), cookie)
    return Credential(Scheme.COOKIE, value) if value else None


def _cookie(headers: Sequence[str], name: str) -> str:
    found = {
        value.strip().strip('"')
        for header in headers
        for key, _, value in (pair.partition("=") for pair in header.split(";"))
        if key.strip() == name
    }
    if len(found) > 1:
        raise CredentialRefused("cookie is repeated")
    return found.pop() if found else ""


def changes_something(scope: Scope) -> bool:
    """Whether a request could change something: a method that is not safe, or a WebSocket."""
    return scope["type"] == "websocket" or str(scope["method"]).upper() not in _SAFE_METHODS


def same_origin(scope: Scope, allowed: frozenset[str], *, host_is_known: bool = False) -> bool:
    """Whether a browser says that one of our own pages asks. A WebSocket has to say so; an HTTP request may say nothing.

    Args:
        scope: The request.
        allowed: Where our pages come from.
        host_is_known: Whether somebody further out answers for known hosts only; then a page of the host that is asked is ours.
    """
    if only_header(scope, b"sec-fetch-site") in {"cross-site", "same-site"}:
        return False
    origin = only_header(scope, b"origin").lower()
    if not origin:
        return bool(scope["type"] == "http")
    host = only_header(scope, b"host").lower()
    scheme = "https" if scope.get("scheme") in {"https", "wss"} else "http"
    # https too: TLS may end before us.
    return origin in allowed or (host_is_known and bool(host) and origin in {f"{scheme}://{host}", f"https://{host}"})


def path_of(scope: Scope) -> str:
    """The path below the application's own root."""
    path, root = str(scope["path"]), str(scope.get("root_path") or "")
    return path[len(root) :] if root and path.startswith(root.rstrip("/") + "/") else path
