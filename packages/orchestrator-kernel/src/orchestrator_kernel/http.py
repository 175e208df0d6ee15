"""The one place that makes HTTP clients (extra `[http]`).

What the user types:

    client = create_client(HttpClientConfig(base_url="https://tts.example", headers={"authorization": f"Bearer {key}"}))
    async with client, deadline(5.0, "tts"):
        with http_errors("tts"):
            async with client.stream("POST", "/synthesize", json=body) as response:
                check_status(response, "tts")
                data = await read_limited(response, 1_000_000, "tts")

The client is an ordinary `httpx.AsyncClient`. What differs is below it: httpx 0.28 over httpcore 1.0 loses a place of its pool when
a request is cancelled at the wrong moment (httpcore issue 1093), because its shields hold against anyio's cancellation and not
against `Task.cancel`, and because a request that waits for a place can leave behind a connection that was never opened. Here every
request and its answer run in a task of their own (`_http_transport.py`), which nobody cancels from outside: a cancelled caller is told
at once, and the exchange is ended through an anyio scope, closes its connection, and only then gives its place back. The places
are a semaphore, so nothing waits inside httpcore's pool.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestrator_kernel.exceptions import ConfigurationError, ExternalServiceError

if TYPE_CHECKING:
    import httpx

__all__ = [
    "HttpClientConfig",
    "check_status",
    "create_client",
    "deadline",
    "http_errors",
    "is_url",
    "read_limited",
    "safe_url",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpClientConfig:
    """How to talk to one service. Times in seconds.

    Attributes:
        base_url: `https://host[:port][/path]`, without user, query and fragment; empty if every request names its own.
        connect_timeout: For the TCP connection, and once more for the TLS handshake.
        read_timeout: For each piece of the answer.
        write_timeout: For each piece of the request.
        pool_timeout: For a free connection.
        max_connections: Requests under way at one time, and idle connections kept.
        keepalive: How long an idle connection may be used again.
        verify: Whether the server's certificate is checked; False only on a test network.
        ca_file: PEM file of the authorities to trust instead of the built-in ones.
        headers: Sent with every request; never shown by `repr`.
        follow_redirects: Off, because a redirect can lead a request, and its body, to another host.

    Raises:
        ConfigurationError: A value is out of range; the message names it.
    """

    base_url: str = ""
    connect_timeout: float = 2.0
    read_timeout: float = 10.0
    write_timeout: float = 10.0
    pool_timeout: float = 2.0
    max_connections: int = 100
    keepalive: float = 30.0
    verify: bool = True
    ca_file: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False, hash=False)
    follow_redirects: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", MappingProxyType(dict(self.headers)))
        times = ("connect_timeout", "read_timeout", "write_timeout", "pool_timeout", "keepalive")
        for name in (*times, "max_connections"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigurationError(f"{name} must be a positive number", details={"setting": name})
        if self.base_url:
            _check_base_url(self.base_url)
        for name, value in self.headers.items():
            # A key read from a file with its line end would fail later, in an error that shows it.
            if not (name + value).isascii() or not (name + value).isprintable():
                raise ConfigurationError("a header holds a character that HTTP forbids", details={"header": name})


def _check_base_url(url: str) -> None:
    details = {"setting": "base_url"}
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ConfigurationError("base_url is not a URL", details=details) from None
    if not valid:
        raise ConfigurationError("base_url must be http://host or https://host", details=details)
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError("base_url must not hold a user or password: send them as a header", details=details)
    if parts.query or parts.fragment:
        raise ConfigurationError("base_url must not have a query or a fragment", details=details)


def create_client(
    config: HttpClientConfig,
    *,
    wrap: Callable[[httpx.AsyncBaseTransport], httpx.AsyncBaseTransport] | None = None,
) -> httpx.AsyncClient:
    """A client whose cancelled requests cost no connection. Use it in one event loop, and close it.

    Proxies and certificates named by environment variables are ignored, and answers are asked for without compression. `wrap` puts a
    transport of yours around ours, for example one that retries.

    Raises:
        ConfigurationError: The extra is not installed, httpx refuses `base_url`, or `ca_file` cannot be read.
    """
    try:
        import httpx  # noqa: PLC0415 - the extra is loaded when a client is made

        from orchestrator_kernel._http_transport import CancelSafeTransport  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigurationError("HTTP clients need the extra: install orchestrator-kernel[http]") from error
    # The semaphore is the limit: a request that never waits inside httpcore's pool cannot be lost there.
    limits = httpx.Limits(
        max_connections=None, max_keepalive_connections=config.max_connections, keepalive_expiry=config.keepalive
    )
    inner = httpx.AsyncHTTPTransport(verify=_tls(config), trust_env=False, limits=limits)
    headers = httpx.Headers({"accept-encoding": "identity"})
    headers.update(config.headers)
    try:
        base_url = httpx.URL(config.base_url)
    except httpx.InvalidURL:
        raise ConfigurationError("base_url is not a URL", details={"setting": "base_url"}) from None
    transport: httpx.AsyncBaseTransport = CancelSafeTransport(inner, config.max_connections)
    return httpx.AsyncClient(
        transport=transport if wrap is None else wrap(transport),
        base_url=base_url,
        headers=headers,
        timeout=httpx.Timeout(
            connect=config.connect_timeout,
            read=config.read_timeout,
            write=config.write_timeout,
            pool=config.pool_timeout,
        ),
        follow_redirects=config.follow_redirects,
        trust_env=False,
    )


def _tls(config: HttpClientConfig) -> ssl.SSLContext:
    import httpx  # noqa: PLC0415 - loaded by the caller

    if not config.verify or config.ca_file is None:
        return httpx.create_ssl_context(verify=config.verify, trust_env=False)
    try:
        return ssl.create_default_context(cafile=config.ca_file)
    except OSError as error:
        details = {"setting": "ca_file"}
        raise ConfigurationError("ca_file is not a readable PEM file of certificates", details=details) from error


def is_url(text: str) -> bool:
    """Whether a client would take this for the URL of a host. `urlsplit` is laxer: it lets `https://0177.0.0.1` pass."""
    import httpx  # noqa: PLC0415 - loaded by the caller

    try:
        return bool(httpx.URL(text).host)
    except (httpx.InvalidURL, ValueError):
        return False


def safe_url(url: httpx.URL) -> str:
    """The URL without user, password, query and fragment, for messages and logs."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))


@asynccontextmanager
async def deadline(
    seconds: float, service: str, *, kind: type[ExternalServiceError] = ExternalServiceError
) -> AsyncGenerator[None]:
    """Bound everything inside to `seconds` in all: connecting, sending, each piece of the answer.

    Raises:
        ExternalServiceError: Of `kind`, retryable, status 504, when the time is over.
    """
    scope = asyncio.timeout(seconds)
    try:
        async with scope:
            yield
    except TimeoutError as error:
        if not scope.expired():
            raise
        raise kind(
            f"{service} did not finish within {seconds:g} s",
            details={"service": service, "reason": "deadline"},
            status=504,
        ) from error


# What an httpx error means: the reason's name, whether trying again can help, the HTTP status that fits. First match wins.
_MEANINGS: tuple[tuple[str, str, bool, int], ...] = (
    ("ConnectTimeout", "connect_timeout", True, 504),
    ("ReadTimeout", "read_timeout", True, 504),
    ("WriteTimeout", "write_timeout", True, 504),
    ("PoolTimeout", "pool_timeout", True, 503),
    ("ConnectError", "connect_failed", True, 502),
    ("NetworkError", "connection_lost", True, 502),
    ("RemoteProtocolError", "answer_broken", True, 502),
    ("DecodingError", "answer_undecodable", False, 502),
    ("TooManyRedirects", "too_many_redirects", False, 502),
    ("UnsupportedProtocol", "url_unsupported", False, 502),
    ("InvalidURL", "url_invalid", False, 502),
    ("HTTPError", "request_failed", False, 502),
    ("StreamError", "stream_misused", False, 500),
)


@contextmanager
def http_errors(service: str, *, kind: type[ExternalServiceError] = ExternalServiceError) -> Generator[None]:
    """Turn every error of httpx inside into one of `kind`, with `retryable` set by what happened and the reason in `details`.

    Whether a request that was sent may be sent twice is the caller's knowledge: `retryable` only says that it might work.

    Raises:
        ExternalServiceError: Of `kind`.
    """
    import httpx  # noqa: PLC0415 - loaded by whoever made the client

    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        names = {base.__name__ for base in type(error).__mro__}
        _, reason, retryable, status = next(meaning for meaning in _MEANINGS if meaning[0] in names)
        # The text of httpx's own errors can hold a URL with its query, so it is not passed on, and neither is the chain.
        raise kind(
            f"{service}: {reason.replace('_', ' ')}",
            details={"service": service, "reason": reason},
            retryable=retryable,
            status=status,
        ) from None


def check_status(
    response: httpx.Response, service: str, *, kind: type[ExternalServiceError] = ExternalServiceError
) -> None:
    """Pass on 2xx. The body of a refusal is not read: it may repeat what was sent.

    Raises:
        ExternalServiceError: Of `kind`; retryable after 408, 425, 429 and 5xx other than 501 and 505, with the server's
            `Retry-After` when it is given in seconds.
    """
    code = response.status_code
    if response.is_success:
        return
    after = response.headers.get("retry-after", "").strip()
    raise kind(
        f"{service} answered {code} to {response.request.method} {safe_url(response.request.url)}",
        details={"service": service, "reason": "status", "upstream_status": code},
        retryable=code in {408, 425, 429} or (code >= 500 and code not in {501, 505}),
        retry_after=float(after) if after.isdecimal() and len(after) <= 6 else None,
    )


async def read_limited(
    response: httpx.Response, max_bytes: int, service: str, *, kind: type[ExternalServiceError] = ExternalServiceError
) -> bytes:
    """The body of a streamed answer, of at most `max_bytes`; a larger one is refused before it is held in memory.

    Raises:
        ExternalServiceError: Of `kind`, not retryable: the body is larger, or compressed although it was asked for plain
            (a few compressed bytes can hide a body of any size).
    """

    def refusal(what: str, reason: str) -> ExternalServiceError:
        return kind(f"{service} answered {what}", details={"service": service, "reason": reason}, retryable=False)

    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise refusal("with a compressed body, which was not asked for", "answer_compressed")
    too_large = refusal(f"with more than {max_bytes} bytes", "answer_too_large")
    stated = response.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > max_bytes:
        raise too_large
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > max_bytes:
            raise too_large
    return bytes(body)
