"""Carrying actions out over HTTP: a signed webhook or a plain request to the tenant's own endpoint (extra `[http]`).

What the user types:

    endpoint = ActionEndpoint(url="https://pms.example/bookings", sign=signer)
    async with create_client(HttpClientConfig()) as client:
        actions = HttpActions(lambda tenant, name: endpoint, client)
        outcome = await actions.run(request)

**What is sent.** `POST` with JSON: `{"type": "call.action.<name>", "timestamp": …, "data": {"key", "action", "arguments", "call_id", "tenant", "language",
"caller"}}`. Every attempt carries the same `Idempotency-Key`; a signed one also the headers of Standard Webhooks, whose `webhook-id` is the key.

**What is answered.** JSON `{"status": "done"}` or `{"status": "refused", "reason": "fully_booked"}`, with an object in `data` where there is something to tell.
Everything else, a silence included, is `unconfirmed`: the caller then hears that nobody knows, never that it is done.

**Where it may lead.** Only to public addresses, checked at every attempt, and connected to by the address that was checked; `private_hosts` names what else
is allowed. Redirects are not followed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote, urlsplit

from orchestrator_calls._action_answers import MAX_ANSWER, is_retryable, outcome_of, unconfirmed
from orchestrator_calls._addresses import AddressRefused, checked_address
from orchestrator_calls.actions import ActionOutcome, ActionRequest, ActionStatus
from orchestrator_kernel.addresses import Resolve, is_public, resolve
from orchestrator_kernel.exceptions import ConfigurationError, ExternalServiceError, OrchestratorError
from orchestrator_kernel.ports import Clock, SystemClock

if TYPE_CHECKING:
    import httpx

__all__ = ["TENANT", "ActionEndpoint", "ActionTaken", "AddressRefused", "HttpActions", "Retry", "Sign", "once"]

logger = logging.getLogger(__name__)

SERVICE: Final = "action"

TENANT: Final = "orchestrator.tenant"
"""Under this name each request's extensions hold the tenant, for a transport that treats tenants apart."""


class Sign(Protocol):
    """Proves who sends a body."""

    def sign(self, body: bytes, *, delivery_id: str, at: datetime) -> Mapping[str, str]:
        """The headers that prove `body`; signed anew for every attempt."""
        ...


Retry = Callable[[Callable[[], Awaitable[ActionOutcome]]], Awaitable[ActionOutcome]]
"""Runs attempts until one answers; an attempt that may be repeated raises a retryable `ExternalServiceError`, and so does the last."""


async def once(attempt: Callable[[], Awaitable[ActionOutcome]]) -> ActionOutcome:
    """No second attempt."""
    return await attempt()


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionEndpoint:
    """Where an action is carried out.

    Attributes:
        url: `https://…`, or `http://…` to a host in `private_hosts`.
        sign: Signs the request by Standard Webhooks; None for a plain request, which proves itself by `headers`.
        headers: Sent with every request; never shown by `repr`.
        probe_url: Asked by `GET` whether an earlier attempt did its work, `{key}` in it replaced; empty when the other side cannot tell.
        limit: Seconds for all attempts together.
        private_hosts: Hosts that may lead to addresses which are not public.

    Raises:
        ConfigurationError: A URL or the limit is not usable; the message says why.
    """

    url: str
    sign: Sign | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False, hash=False)
    probe_url: str = ""
    limit: float = 8.0
    private_hosts: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", MappingProxyType(dict(self.headers)))
        if not 0 < self.limit < float("inf"):
            raise ConfigurationError("limit must be a positive number of seconds", details={"setting": "limit"})
        for name, url in (("url", self.url), ("probe_url", self.probe_url)):
            if url or name == "url":
                self._check(name, url)
        for name, value in self.headers.items():
            if not (name + value).isascii() or not (name + value).isprintable():
                raise ConfigurationError("a header holds a character that HTTP forbids", details={"header": name})

    def _check(self, name: str, url: str) -> None:
        from orchestrator_kernel.http import is_url  # noqa: PLC0415 - the extra

        details = {"setting": name}
        try:
            parts = urlsplit(url)
            host, usable = (parts.hostname or "").lower(), parts.port != 0
            # The client is stricter, and would say so only when a caller is waiting.
            usable = usable and is_url(url)
        except ValueError:
            raise ConfigurationError(f"{name} is not a URL", details=details) from None
        allowed = host in {each.rstrip(".").lower() for each in self.private_hosts}
        if not (host and usable and (parts.scheme == "https" or (parts.scheme == "http" and allowed))):
            raise ConfigurationError(f"{name} must be https://host, or http:// to a private host", details=details)
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise ConfigurationError(f"{name} must not hold a user, a password or a fragment", details=details)
        if not allowed and _is_literal(host) and not is_public(host):
            raise AddressRefused(f"{name} leads to an address that is not public", details=details)


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class ActionTaken:
    """How an action ended and how long it took, for metrics; holds nothing personal."""

    tenant: str
    action: str
    status: ActionStatus
    reason: str
    seconds: float


def _quiet(_taken: ActionTaken) -> None:
    """Nobody observes."""


class HttpActions:
    """Implements `Actions` over HTTP.

    Args:
        endpoint: The endpoint of a tenant's action; None when there is none.
        client: Made by `orchestrator_kernel.http.create_client`, without `base_url`; its read timeout bounds one attempt.
        retry: Repeats attempts that failed; all of them share the endpoint's limit.
        clock: Signs and measures.
        find: How names are resolved.
        observe: Called with how each action ended; must not block or raise.
    """

    def __init__(
        self,
        endpoint: Callable[[str, str], ActionEndpoint | None],
        client: httpx.AsyncClient,
        *,
        retry: Retry = once,
        clock: Clock | None = None,
        find: Resolve = resolve,
        observe: Callable[[ActionTaken], None] = _quiet,
    ) -> None:
        self._endpoint = endpoint
        self._client = client
        self._retry = retry
        self._clock = clock or SystemClock()
        self._find = find
        self._observe = observe

    async def run(self, request: ActionRequest) -> ActionOutcome:
        """See `Actions`."""
        endpoint = self._endpoint(request.tenant, request.name)
        if endpoint is None:
            return unconfirmed("not_configured")
        begun = self._clock.monotonic()
        body = _body(request, self._clock.now())
        outcome = await self._within(endpoint, request, lambda: self._attempt(endpoint, request, body))
        seconds = self._clock.monotonic() - begun
        self._observe(ActionTaken(request.tenant, request.name, outcome.status, outcome.reason, seconds))
        return outcome

    async def probe(self, request: ActionRequest) -> ActionOutcome | None:
        """See `Actions`; asks the endpoint's `probe_url`."""
        endpoint = self._endpoint(request.tenant, request.name)
        if endpoint is None or not endpoint.probe_url:
            return None
        outcome = await self._within(endpoint, request, lambda: self._ask(endpoint, request))
        return None if outcome.status is ActionStatus.UNCONFIRMED else outcome

    async def _within(
        self, endpoint: ActionEndpoint, request: ActionRequest, attempt: Callable[[], Awaitable[ActionOutcome]]
    ) -> ActionOutcome:
        """All attempts within the limit; what goes wrong is a reason."""
        from orchestrator_kernel.http import deadline  # noqa: PLC0415 - the extra is used by whoever made the client

        try:
            async with deadline(endpoint.limit, SERVICE):
                return await self._retry(attempt)
        except OrchestratorError as error:
            reason = str(error.details.get("reason") or error.code)
            if reason == "status":
                reason = f"status_{error.details.get('upstream_status')}"
            logger.warning(
                "an action could not be confirmed",
                extra={"call_id": request.call_id, "action": request.name, "reason": reason},
            )
            return unconfirmed(reason)

    async def _attempt(self, endpoint: ActionEndpoint, request: ActionRequest, body: bytes) -> ActionOutcome:
        headers = {"content-type": "application/json", "idempotency-key": request.key}
        if endpoint.sign is not None:
            headers |= endpoint.sign.sign(body, delivery_id=request.key, at=self._clock.now())
        outgoing = await self._pinned(endpoint, "POST", endpoint.url, headers, body)
        return await self._exchange(outgoing, request.tenant)

    async def _ask(self, endpoint: ActionEndpoint, request: ActionRequest) -> ActionOutcome:
        url = endpoint.probe_url.replace("{key}", quote(request.key, safe=""))
        headers = {"idempotency-key": request.key}
        if endpoint.sign is not None:
            headers |= endpoint.sign.sign(b"", delivery_id=request.key, at=self._clock.now())
        return await self._exchange(await self._pinned(endpoint, "GET", url, headers, None), request.tenant)

    async def _exchange(self, outgoing: httpx.Request, tenant: str) -> ActionOutcome:
        """One request to the address that was checked.

        Raises:
            ExternalServiceError: The request may be repeated, or the answer cannot be read.
        """
        from orchestrator_kernel.http import check_status, http_errors, read_limited  # noqa: PLC0415

        outgoing.extensions = {**outgoing.extensions, TENANT: tenant}
        with http_errors(SERVICE):
            response = await self._client.send(outgoing, stream=True, follow_redirects=False)
            try:
                if is_retryable(response.status_code):
                    check_status(response, SERVICE)
                content = await read_limited(response, MAX_ANSWER, SERVICE)
                return outcome_of(response.status_code, response.headers.get("content-type", ""), content)
            finally:
                await response.aclose()

    async def _pinned(
        self, endpoint: ActionEndpoint, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> httpx.Request:
        """The request to the address, under the host's name; TLS asks for the name and checks the certificate against it.

        Raises:
            AddressRefused: The host leads to where it may not.
            ExternalServiceError: It has no address.
        """
        request = self._client.build_request(
            method, url, headers={**endpoint.headers, **headers, "connection": "close"}, content=body
        )
        host, port = request.url.host, request.url.port or (443 if request.url.scheme == "https" else 80)
        try:
            address = await checked_address(host, port, private=endpoint.private_hosts, find=self._find)
        except (OSError, UnicodeError):
            raise ExternalServiceError(
                "the endpoint's host has no address", details={"service": SERVICE, "reason": "unknown_host"}
            ) from None
        # A connection belongs to an address, not to a name, so none is kept: another host at the same address gets its own.
        request.extensions = {**request.extensions, "sni_hostname": host}
        request.url = request.url.copy_with(host=address)
        return request


def _body(request: ActionRequest, now: datetime) -> bytes:
    data = {
        "key": request.key,
        "action": request.name,
        "arguments": dict(request.arguments),
        "call_id": request.call_id,
        "tenant": request.tenant,
        "language": request.language,
        "caller": request.caller,
    }
    message = {"type": f"call.action.{request.name}", "timestamp": now.isoformat(), "data": data}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
