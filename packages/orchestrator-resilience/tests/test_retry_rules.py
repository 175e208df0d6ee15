"""Which errors are tried again, and after what pause."""

from __future__ import annotations

import errno
import sqlite3
from datetime import UTC, datetime

import pytest

from orchestrator_kernel.exceptions import (
    CircuitBreakerOpenError,
    DatabaseError,
    ExternalServiceError,
    RateLimitError,
)
from orchestrator_resilience._engine import pybreaker
from orchestrator_resilience._retry_rules import is_retryable, parse_retry_after, retry_after_of, was_not_done
from orchestrator_resilience.config import RetryConfig

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def from_cause(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


class PostgresError(Exception):
    """What asyncpg and psycopg tell: a code."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


class DBAPIError(Exception):
    """What SQLAlchemy makes of it."""

    def __init__(self, orig: Exception, *, connection_invalidated: bool = False) -> None:
        super().__init__(str(orig))
        self.orig = orig
        self.connection_invalidated = connection_invalidated


def locked_database() -> sqlite3.Error:
    """A real one: two connections want to write."""
    first = sqlite3.connect("file:locked?mode=memory&cache=shared", uri=True, isolation_level=None)
    second = sqlite3.connect("file:locked?mode=memory&cache=shared", uri=True, isolation_level=None, timeout=0)
    first.execute("BEGIN EXCLUSIVE")
    first.execute("CREATE TABLE t (x)")
    try:
        second.execute("CREATE TABLE u (x)")
    except sqlite3.Error as error:
        return error
    finally:
        first.close()
        second.close()
    raise AssertionError("not locked")


@pytest.mark.parametrize(
    ("error", "retryable", "undone"),
    [
        (OSError(errno.EHOSTUNREACH, "no route"), True, True),
        (OSError("Multiple exceptions: [Errno 111] one, [Errno 111] two"), True, True),
        (OSError(errno.EIO, "disk"), False, False),
        (FileNotFoundError("no such file"), False, False),
        (PostgresError("40001"), True, True),
        (PostgresError("40P01"), True, True),
        (PostgresError("57P01"), True, False),
        (PostgresError("08006"), True, False),
        (PostgresError("23505"), False, False),
        (DBAPIError(PostgresError("40P01")), True, True),
        (DBAPIError(PostgresError("23505")), False, False),
        (DBAPIError(RuntimeError("closed"), connection_invalidated=True), True, False),
        (from_cause(DatabaseError("write failed"), DBAPIError(PostgresError("23505"))), False, False),
        (from_cause(DatabaseError("write failed"), PostgresError("40001")), True, True),
        (DatabaseError("lost"), True, False),
        (locked_database(), True, True),
        (sqlite3.IntegrityError("twice"), False, False),
        (ExceptionGroup("two", [ConnectionRefusedError(), RateLimitError("busy")]), True, True),
        (ExceptionGroup("two", [ConnectionRefusedError(), ConnectionResetError()]), True, False),
        (ExceptionGroup("two", [ConnectionRefusedError(), ValueError()]), False, False),
        (ExceptionGroup("two", [ConnectionRefusedError(), CircuitBreakerOpenError("open")]), False, False),
        (from_cause(ExternalServiceError("wrapped"), CircuitBreakerOpenError("open")), False, False),
        (from_cause(ExternalServiceError("wrapped"), pybreaker.CircuitBreakerError("open")), False, False),
    ],
    ids=str,
)
def test_errors(error, retryable, undone):
    assert is_retryable(error, RetryConfig()) is retryable
    if retryable:
        assert was_not_done(error) is undone


@pytest.mark.parametrize("error", [CircuitBreakerOpenError("open"), pybreaker.CircuitBreakerError("open")])
def test_an_open_circuit_is_final_whatever_is_said(error):
    assert not is_retryable(error, RetryConfig(retryable=(Exception,)))
    assert not is_retryable(from_cause(OSError("wrapped"), error), RetryConfig(retryable=(Exception,)))


class Answer:
    def __init__(self, **headers: str) -> None:
        self.status_code = 503
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"retry_after": "0.5"}, 0.5),
        ({"Retry_After": "Tue, 01 Jan 2030 00:00:20 GMT"}, 20.0),
        # The server's clock is two minutes ahead of ours: it still means ten seconds.
        ({"Retry_After": "Tue, 01 Jan 2030 00:02:10 GMT", "Date": "Tue, 01 Jan 2030 00:02:00 GMT"}, 10.0),
        ({"Retry_After": "Mon, 31 Dec 2029 00:00:00 GMT"}, 0.0),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "-5"}, None),
        ({}, None),
    ],
    ids=str,
)
def test_the_pause_that_a_server_asks_for(headers, seconds):
    assert retry_after_of(Answer(**headers), NOW) == seconds


def test_a_pause_beyond_all_measure_is_not_taken_for_none():
    assert parse_retry_after("9" * 200, NOW) > 1e100
