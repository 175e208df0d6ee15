"""What the errors of database and Redis drivers say about another try, read from their codes and names: no driver is imported.

Source of the codes: PostgreSQL documentation, appendix A; SQLite, result and error codes; the Redis protocol's error prefixes.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from orchestrator_kernel.exceptions import OrchestratorError

_UNREACHABLE = frozenset(
    {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL, errno.ECONNREFUSED}
)
# Rolled back by the server, or refused before anything was begun.
_UNDONE_STATES = frozenset({"40001", "40P01", "53300", "55P03", "57P03", "08001", "08004"})
_PASSING_STATES = _UNDONE_STATES | {"40003", "57P01", "57P02", "57P05"}
_PASSING_STATE_CLASS = "08"
_BUSY_SQLITE = ("SQLITE_BUSY", "SQLITE_LOCKED")

_REDIS_PACKAGES = frozenset({"redis", "valkey"})
_REDIS_PASSING = frozenset({"ConnectionError", "TimeoutError"})
_REDIS_UNDONE = frozenset(
    {"BusyLoadingError", "TryAgainError", "ClusterDownError", "MasterDownError", "ReadOnlyError", "MaxConnectionsError"}
)
_REDIS_FINAL = frozenset({"AuthenticationError", "AuthorizationError"})


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it was said to be raised from."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__


def _told_by_driver(error: BaseException) -> Iterator[BaseException]:
    """The error, the driver's own inside one of SQLAlchemy's, and what an error of ours was made from."""
    for each in causes(error) if isinstance(error, OrchestratorError) else (error,):
        yield each
        inner: object = getattr(each, "orig", None)
        if isinstance(inner, BaseException):
            yield inner


def may_pass(error: BaseException) -> bool | None:
    """Whether the failure may be over at the next try; None if the error is none of a driver."""
    for each in _told_by_driver(error):
        state: object = getattr(each, "sqlstate", None)
        if isinstance(state, str):
            return state in _PASSING_STATES or state.startswith(_PASSING_STATE_CLASS)
        if _is_sqlite(each):
            return _is_busy(each)
        if getattr(each, "connection_invalidated", False) is True:
            return True  # SQLAlchemy's word for a connection that was lost
        names = _redis_names(each)
        if names:
            return not names & _REDIS_FINAL and bool(names & (_REDIS_PASSING | _REDIS_UNDONE))
        if type(each) is OSError:
            return is_unreachable(each)
    return None


def had_no_effect(error: BaseException) -> bool:
    """Whether the driver's error says that nothing was done."""
    for each in _told_by_driver(error):
        if getattr(each, "sqlstate", None) in _UNDONE_STATES or is_unreachable(each):
            return True
        if _is_sqlite(each) and _is_busy(each):
            return True
        names = _redis_names(each)
        # redis-py raises its own error while it handles the socket's.
        if names & _REDIS_UNDONE or (names and isinstance(each.__context__, ConnectionRefusedError)):
            return True
    return False


def is_unreachable(error: BaseException) -> bool:
    """Whether no connection came about. asyncio joins what several addresses answered into one OSError without a number."""
    if type(error) is not OSError:
        return isinstance(error, ConnectionRefusedError)
    return error.errno in _UNREACHABLE or (error.errno is None and str(error).startswith("Multiple exceptions: "))


def _is_sqlite(error: BaseException) -> bool:
    return any(base.__module__ == "sqlite3" for base in type(error).__mro__)


def _is_busy(error: BaseException) -> bool:
    return str(getattr(error, "sqlite_errorname", "")).startswith(_BUSY_SQLITE)


def _redis_names(error: BaseException) -> set[str]:
    return {base.__name__ for base in type(error).__mro__ if base.__module__.partition(".")[0] in _REDIS_PACKAGES}
