"""The ids of the work that is going on: how they are read from headers, and the context variable that holds them.

A plain tuple of bytes as they come and go, because every request pays for it; `orchestrator_utils.correlation` shows it to people as a
dataclass.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Final, TypeAlias

from orchestrator_utils._asgi import Scope
from orchestrator_utils._trace_context import child_of, new_id, new_traceparent, parse_traceparent, parse_tracestate

__all__ = ["CORRELATION", "CURRENT", "SCOPE_KEY", "Ids", "ids_of", "is_identifier", "read_headers"]

CORRELATION: Final = b"x-correlation-id"
SCOPE_KEY: Final = "orchestrator.correlation"

Ids: TypeAlias = tuple[bytes, bytes, bytes, str, str | None, str | None]
"""Correlation id, our place in the trace, the caller's place or b"", tracestate, call id, tenant id."""

CURRENT: Final[ContextVar[Ids | None]] = ContextVar("orchestrator_correlation", default=None)

_MAX_IDENTIFIER: Final = 128
_PUNCTUATION: Final = b"_.:@+-"


def is_identifier(value: bytes) -> bool:
    """Whether this is an identifier as the kernel defines it; over bytes, and cheaper than the pattern."""
    return len(value) <= _MAX_IDENTIFIER and (
        value.isalnum() or (value[:1].isalnum() and value.translate(None, _PUNCTUATION).isalnum())
    )


def read_headers(headers: Sequence[tuple[bytes, bytes]]) -> Ids:
    """Ids that go on where the headers say, as far as they are valid, with a new span of our own.

    Args:
        headers: Lower-case names and values, as in an ASGI scope.
    """
    parent = state = claimed = None
    for name, value in headers:
        # Of two different claims none counts; only `tracestate` is a list that may be spread over several headers.
        if name == b"traceparent":
            parent = value if parent is None else b""
        elif name == CORRELATION:
            claimed = value if claimed is None else b""
        elif name == b"tracestate":
            state = value if state is None else state + b"," + value
    if not claimed or not is_identifier(claimed):
        claimed = new_id()
    caller = parse_traceparent(parent) if parent else b""
    if not caller:
        return claimed, new_traceparent(), b"", "", None, None
    return claimed, child_of(caller), caller, parse_tracestate(state) if state else "", None, None


def ids_of(scope: Scope) -> Ids | None:
    """The ids of a request, also for code that runs outside of its context."""
    ids: Ids | None = scope.get(SCOPE_KEY)
    return CURRENT.get() if ids is None else ids
