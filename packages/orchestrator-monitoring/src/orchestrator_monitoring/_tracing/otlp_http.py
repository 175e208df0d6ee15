"""OTLP over HTTP: one connection of the export thread to one collector."""

from __future__ import annotations

import gzip
import http.client
import logging
import random
import ssl
import time
from collections.abc import Mapping, Sequence
from threading import Event
from typing import Final
from urllib.parse import SplitResult, urlsplit

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_monitoring._tracing.otlp import OtlpEncoder, rejected_spans
from orchestrator_monitoring._tracing.span import RecordedSpan

__all__ = ["OtlpExporter"]

logger = logging.getLogger(__name__)

# The answers after which the specification asks to try again.
_TRANSIENT: Final = frozenset({429, 502, 503, 504})
_MAX_ANSWER: Final = 65_536
_LONGEST_PAUSE: Final = 5.0


class OtlpExporter:
    """Sends spans to a collector: protobuf, gzip, one attempt after another until `timeout` is over.

    Args:
        endpoint: The collector's base, for example `https://collector.example:4318`; `/v1/traces` is added unless it is there.
        headers: For example a token; never shown.
        timeout: Seconds for one export, its repetitions included.
        ca_file: PEM file of the authorities to trust instead of the system's.

    Raises:
        ConfigurationError: The endpoint is no URL of a collector, a header cannot be sent, or the file cannot be read.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10.0,
        ca_file: str | None = None,
    ) -> None:
        self._url = _checked(endpoint)
        self._path = self._url.path.rstrip("/")
        if not self._path.endswith("/v1/traces"):
            self._path += "/v1/traces"
        self._headers = {
            **{name.lower(): value for name, value in _sendable(headers or {}).items()},
            "content-type": "application/x-protobuf",
            "content-encoding": "gzip",
            "user-agent": "orchestrator-monitoring",
        }
        self._timeout = timeout
        self._tls = _tls(ca_file) if self._url.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None
        self._encoder = OtlpEncoder({})
        self._ended = Event()

    def describe(self, resource: Mapping[str, str]) -> None:
        """Say this of the process from now on."""
        self._encoder = OtlpEncoder(resource)

    def export(self, spans: Sequence[RecordedSpan]) -> int:
        """How many of them the collector took."""
        body = gzip.compress(self._encoder.request(spans), 1, mtime=0)
        until, pause = time.monotonic() + self._timeout, 0.5
        while True:
            status, answer, after = self._attempt(body, until)
            if 200 <= status < 300:
                rejected = min(rejected_spans(answer), len(spans))
                if rejected:
                    logger.warning("the collector did not take all spans", extra={"spans": rejected})
                return len(spans) - rejected
            wait = after if after is not None else pause * random.uniform(0.5, 1.0)
            pause = min(pause * 2, _LONGEST_PAUSE)
            if (status and status not in _TRANSIENT) or time.monotonic() + wait >= until or self._ended.wait(wait):
                logger.warning("spans were not exported", extra={"spans": len(spans), "status": status})
                return 0

    def shutdown(self) -> None:
        """Give up what is under way, and the connection."""
        self._ended.set()
        self._drop()

    def _attempt(self, body: bytes, until: float) -> tuple[int, bytes, float | None]:
        """Status, answer and the seconds to wait; status 0 when there was no answer."""
        try:
            connection = self._connected(max(0.1, until - time.monotonic()))
            connection.request("POST", self._path, body, self._headers)
            response = connection.getresponse()
            answer = response.read(_MAX_ANSWER)
            after = response.headers.get("retry-after", "")
            if not response.isclosed() or response.will_close:
                self._drop()
        except (OSError, http.client.HTTPException) as error:
            # A connection that was idle may have been closed by the other side; the next attempt makes a new one.
            logger.debug("the collector cannot be reached: %s", type(error).__name__)
            self._drop()
            return 0, b"", None
        return response.status, answer, float(after) if after.isdecimal() and len(after) <= 3 else None

    def _connected(self, timeout: float) -> http.client.HTTPConnection:
        if self._connection is None:
            host, port = self._url.hostname or "", self._url.port
            if self._tls is not None:
                self._connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=self._tls)
            else:
                self._connection = http.client.HTTPConnection(host, port, timeout=timeout)
        elif self._connection.sock is not None:
            self._connection.sock.settimeout(timeout)
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _checked(endpoint: str) -> SplitResult:
    details = {"setting": "endpoint"}
    try:
        url = urlsplit(endpoint)
        good = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        good, url = False, urlsplit("")
    if not good or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        raise ConfigurationError("the OTLP endpoint must be http://host[:port] or https://host[:port]", details=details)
    if url.username is not None or url.query or url.fragment:
        raise ConfigurationError(
            "the OTLP endpoint must not hold a user, query or fragment: send a header", details=details
        )
    return url


def _sendable(headers: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in headers.items():
        if not (name + value).isascii() or not (name + value).isprintable():
            raise ConfigurationError("a header holds a character that HTTP forbids", details={"header": name})
    return headers


def _tls(ca_file: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        message = "ca_file is not a readable PEM file of certificates"
        raise ConfigurationError(message, details={"setting": "ca_file"}) from error
