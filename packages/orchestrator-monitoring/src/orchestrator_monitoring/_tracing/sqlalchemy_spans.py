"""The span of a database statement, by SQLAlchemy's events (extra `[sql]`)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import Span, SpanKind, StatusCode, get_current_span, get_tracer
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider
    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine.interfaces import ExceptionContext, ExecutionContext

__all__ = ["query_of", "trace_engine"]

_SYSTEMS: Final = {"postgresql": "postgresql", "sqlite": "sqlite", "mysql": "mysql", "mariadb": "mariadb"}
_KEY: Final = "orchestrator_monitoring.span"
_MAX_QUERY: Final = 512
# Literals of SQL: quoted texts and dollar-quoted ones, numbers that are no part of a name.
_literal = re.compile(r"'(?:[^']|'')*'|\$(\w*)\$.*?\$\1\$|(?<![\w$:@\"])\d+(?:\.\d+)?", re.DOTALL)
_target = re.compile(r"\b(?:FROM|INTO|UPDATE|TABLE|JOIN)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?[\"`\[]?(\w+)", re.IGNORECASE)


def query_of(statement: str) -> str:
    """A statement without its values: what was literal is a question mark; at most 512 characters.

    >>> query_of("SELECT name FROM guests WHERE phone = '+49 30 1234' AND age > 7")
    'SELECT name FROM guests WHERE phone = ? AND age > ?'
    """
    return _literal.sub("?", " ".join(statement.split()))[:_MAX_QUERY]


def trace_engine(engine: AsyncEngine | Engine, *, provider: TracerProvider | None = None) -> None:
    """Give every statement of this engine a span, below the current one; where there is none, statements have none.

    The span tells the operation, the table, and the statement without any value.

    Args:
        engine: Once each.
        provider: Where spans come from; OpenTelemetry's global one unless given.
    """
    target = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
    listener = _Listener(target, provider)
    event.listen(target, "before_cursor_execute", listener.before)
    event.listen(target, "after_cursor_execute", listener.after)
    event.listen(target, "handle_error", listener.failed)


class _Listener:
    def __init__(self, engine: Engine, provider: TracerProvider | None) -> None:
        self._tracer = get_tracer("orchestrator_monitoring.sqlalchemy", tracer_provider=provider)
        self._known: dict[str, str] = {"db.system.name": _SYSTEMS.get(engine.dialect.name, "other_sql")}

    def before(
        self,
        connection: Connection,
        cursor: Any,
        statement: str,
        parameters: Any,
        context: ExecutionContext | None,
        executemany: bool,  # noqa: FBT001 - SQLAlchemy's interface
    ) -> None:
        del connection, cursor, parameters
        if context is None or not get_current_span().is_recording():
            return
        query = query_of(statement)
        operation = query.partition(" ")[0].upper()
        found = _target.search(query)
        told: dict[str, str | int] = {**self._known, "db.operation.name": operation, "db.query.text": query}
        if found:
            told["db.collection.name"] = found[1]
        if executemany:
            told["db.operation.batch"] = True
        name = f"{operation} {found[1]}" if found else operation
        setattr(context, _KEY, self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=told))

    def after(
        self,
        connection: Connection,
        cursor: Any,
        statement: str,
        parameters: Any,
        context: ExecutionContext | None,
        executemany: bool,  # noqa: FBT001
    ) -> None:
        del connection, cursor, statement, parameters, executemany
        span = _span_of(context)
        if span is not None:
            span.end()

    def failed(self, happened: ExceptionContext) -> None:
        span = _span_of(happened.execution_context)
        if span is None:
            return
        cause = happened.original_exception
        # The driver's message quotes values; its kind says enough.
        span.set_attribute("error.type", type(cause).__qualname__)
        state = getattr(cause, "sqlstate", None)
        if isinstance(state, str):
            span.set_attribute("db.response.status_code", state)
        span.set_status(StatusCode.ERROR)
        span.end()


def _span_of(context: ExecutionContext | None) -> Span | None:
    return getattr(context, _KEY, None)
