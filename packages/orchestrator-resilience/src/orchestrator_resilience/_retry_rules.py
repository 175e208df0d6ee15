"""Whether, and after what pause, a failed call may be tried again: pure functions of the error."""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from orchestrator_kernel.exceptions import CircuitBreakerOpenError, OrchestratorError, RateLimitError
from orchestrator_resilience._driver_errors import causes, had_no_effect, may_pass
from orchestrator_resilience.config import ErrorFilter, RetryConfig
from orchestrator_resilience.deadlines import DeadlineExceeded

# Errors of httpx, httpx2, aiohttp and the kernel that say that no byte of the request has left.
_UNSENT_NAMES = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "ClientConnectorError", "ConnectionTimeoutError"}
)
_UNSENT_REASONS = frozenset({"connect_timeout", "connect_failed"})
_UNDONE_STATUSES = frozenset({425, 429})
_TRANSIENT_NAMES = frozenset({"TransportError", "ClientConnectionError", "ServerTimeoutError"})
_FAULTS_OF_THE_REQUEST = frozenset({"UnsupportedProtocol", "InvalidURL", "DecodingError", "LocalProtocolError"})


def matches(error: BaseException, filters: tuple[ErrorFilter, ...]) -> bool:
    """Whether the error is of one of the classes, or meant by one of the functions."""
    return any(isinstance(error, each) if isinstance(each, type) else each(error) for each in filters)


def status_of(answer: object) -> int | None:
    """The HTTP status of a response, or of the response that an error carries, or that a kernel error tells in its details."""
    if isinstance(answer, OrchestratorError):
        told = answer.details.get("upstream_status")
        return told if isinstance(told, int) else None
    for holder in (answer, getattr(answer, "response", None)):
        for name in ("status_code", "status"):
            status: object = getattr(holder, name, None)
            if isinstance(status, int):
                return status
    return None


def is_retryable(error: BaseException, config: RetryConfig) -> bool:
    """Whether trying again may help. Never after a cancellation, an open circuit or the deadline."""
    if isinstance(error, ExceptionGroup):
        group = cast("ExceptionGroup[Exception]", error)
        return all(is_retryable(each, config) for each in group.exceptions)
    if not isinstance(error, Exception) or any(_is_final(each) for each in causes(error)):
        return False
    if matches(error, config.never) or matches(error, config.retryable):
        return not matches(error, config.never)
    status = status_of(error)
    return _says_so_itself(error) if status is None else status in config.statuses


def _says_so_itself(error: Exception) -> bool:
    """What the kind of an error without a status tells."""
    driver_says = may_pass(error)
    if isinstance(error, OrchestratorError):
        return error.retryable and driver_says is not False
    if driver_says is not None:
        return driver_says
    names = {base.__name__ for base in type(error).__mro__}
    if names & _FAULTS_OF_THE_REQUEST:
        return False
    return isinstance(error, ConnectionError | TimeoutError | socket.gaierror) or bool(names & _TRANSIENT_NAMES)


def _is_final(error: BaseException) -> bool:
    """An open circuit, ours or pybreaker's own, or the end of all time. Also as the cause of what a client made of it."""
    return (
        isinstance(error, CircuitBreakerOpenError | DeadlineExceeded) or type(error).__name__ == "CircuitBreakerError"
    )


def was_not_done(failure: object) -> bool:
    """Whether it is sure that the call had no effect: nothing was sent, or the server said that it refused to look at it."""
    if isinstance(failure, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", failure)
        return all(was_not_done(each) for each in group.exceptions)
    if isinstance(failure, ConnectionRefusedError | socket.gaierror | RateLimitError):
        return True
    if isinstance(failure, OrchestratorError) and failure.details.get("reason") in _UNSENT_REASONS:
        return True
    names = {base.__name__ for base in type(failure).__mro__}
    if names & _UNSENT_NAMES or status_of(failure) in _UNDONE_STATUSES:
        return True
    return isinstance(failure, BaseException) and had_no_effect(failure)


def retry_after_of(failure: object, now: datetime) -> float | None:
    """The pause that the server asked for, in seconds, if it asked for one. A date is taken by the server's own clock if it tells its time."""
    told: object = getattr(failure, "retry_after", None)
    if isinstance(told, int | float) and not isinstance(told, bool):
        return max(0.0, float(told))
    for holder in (failure, getattr(failure, "response", None)):
        headers: object = getattr(holder, "headers", None)
        if isinstance(headers, Mapping):
            told_by = cast("Mapping[str, Any]", headers)
            value = _header(told_by, "Retry-After")
            if value is not None:
                return parse_retry_after(value, _date(_header(told_by, "Date") or "") or now)
    return None


def _header(headers: Mapping[str, Any], name: str) -> str | None:
    """Most mappings of headers know that case does not matter; plain dictionaries do not."""
    value: object = headers.get(name.lower(), headers.get(name))
    return value if isinstance(value, str) else None


def parse_retry_after(value: str, now: datetime) -> float | None:
    """Seconds to wait by a `Retry-After` header (RFC 9110, section 10.2.3), given in seconds or as a date; None if it is neither.

    >>> parse_retry_after("120", datetime(2030, 1, 1, tzinfo=UTC))
    120.0
    >>> parse_retry_after("Tue, 01 Jan 2030 00:00:30 GMT", datetime(2030, 1, 1, tzinfo=UTC))
    30.0
    """
    value = value.strip()
    # Fractions are not in the RFC, but servers send them.
    if re.fullmatch(r"[0-9]{1,300}(\.[0-9]{1,20})?", value):
        return float(value)
    moment = _date(value)
    return None if moment is None else max(0.0, (moment - now).total_seconds())


def _date(value: str) -> datetime | None:
    # Few servers send dates, and the parser brings half of the email package along.
    from email.utils import parsedate_to_datetime  # noqa: PLC0415

    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def backoff(config: RetryConfig, retry: int, before: float, chance: random.Random) -> float:
    """Seconds to wait before retry number `retry` (from 1); `before` is what was drawn before the last one, 0 at first."""
    if config.jitter == "decorrelated":
        # The first one is drawn as well: callers that failed together must not come back together.
        drawn = chance.uniform(config.base_seconds, 3 * max(config.base_seconds, before))
        return min(config.max_seconds, drawn)
    # 2^60 is beyond any maximum, and a float can hold it.
    return chance.uniform(0.0, min(config.max_seconds, config.base_seconds * 2.0 ** min(retry - 1, 60)))
