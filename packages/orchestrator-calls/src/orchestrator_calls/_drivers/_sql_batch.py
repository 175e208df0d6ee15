"""The writes of the journal, and how a batch of them becomes one transaction: one statement for all rows of a kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Insert, case, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator_calls.events import CallState
from orchestrator_calls.journal import CallRow
from orchestrator_calls.tables import CALL, EVENT, from_micros

if TYPE_CHECKING:
    from sqlalchemy import Row

__all__ = ["KEYS_PER_QUERY", "Append", "Batch", "Bind", "Mark", "Values", "Work", "call_row"]

Values = dict[str, object]
Key = tuple[object, object]

KEYS_PER_QUERY = 1000
"""Databases bound the parameters of one statement."""


@dataclass(frozen=True, slots=True)
class Bind:
    """Declare a call; the result is the row that holds."""

    values: Values


@dataclass(frozen=True, slots=True)
class Append:
    """Keep events; the result is (position, duplicate) for each."""

    rows: list[Values]


@dataclass(frozen=True, slots=True)
class Mark:
    """Change a call's row; the result is how many rows that were."""

    call_id: str
    values: Values
    caller: str


Work = Bind | Append | Mark


class Batch:
    """Runs the writes of one transaction in the dialect of one database."""

    def __init__(self, dialect: str) -> None:
        kind = postgresql if dialect == "postgresql" else sqlite
        self._insert_call: Insert = kind.insert(CALL).on_conflict_do_nothing()
        self._insert_event: Insert = kind.insert(EVENT).on_conflict_do_nothing()

    def run(self, connection: Connection, works: Sequence[Work]) -> list[object]:
        """The result of each write, in their order; the caller commits."""
        binds = [work.values for work in works if isinstance(work, Bind)]
        rows = [row for work in works if isinstance(work, Append) for row in work.rows]
        calls = self._bind(connection, binds) if binds else {}
        positions = self._append(connection, rows) if rows else iter(())
        return [_result(connection, work, calls, positions) for work in works]

    def _bind(self, connection: Connection, binds: list[Values]) -> dict[object, CallRow]:
        connection.execute(self._insert_call, binds)
        wanted = select(CALL).where(CALL.c.call_id.in_([values["call_id"] for values in binds]))
        return {row.call_id: call_row(row) for row in connection.execute(wanted)}

    def _append(self, connection: Connection, rows: list[Values]) -> Iterator[tuple[int, bool]]:
        """Position and duplicate of each row, in their order."""
        inserted = connection.execute(
            self._insert_event.returning(EVENT.c.tenant, EVENT.c.event_id, EVENT.c.position), rows
        )
        new: dict[Key, int] = {(tenant, event_id): position for tenant, event_id, position in inserted}
        keys: list[Key] = [(row["tenant"], row["event_id"]) for row in rows]
        known = {**_positions(connection, [key for key in keys if key not in new]), **new}
        for key in keys:
            yield known[key], new.pop(key, None) is None


def _result(
    connection: Connection, work: Work, calls: Mapping[object, CallRow], positions: Iterator[tuple[int, bool]]
) -> object:
    match work:
        case Bind(values):
            return calls[values["call_id"]]
        case Append(rows):
            return list(islice(positions, len(rows)))
        case Mark(call_id, values, caller):
            change = update(CALL).where(CALL.c.call_id == call_id).values(values)
            if caller:
                change = change.values(caller=case((CALL.c.caller == "", caller), else_=CALL.c.caller))
            return connection.execute(change).rowcount


def _positions(connection: Connection, keys: list[Key]) -> dict[Key, int]:
    found: dict[Key, int] = {}
    for start in range(0, len(keys), KEYS_PER_QUERY):
        wanted = tuple_(EVENT.c.tenant, EVENT.c.event_id).in_(keys[start : start + KEYS_PER_QUERY])
        rows = connection.execute(select(EVENT.c.tenant, EVENT.c.event_id, EVENT.c.position).where(wanted))
        found.update({(tenant, event_id): position for tenant, event_id, position in rows})
    return found


def call_row(row: Row[Any]) -> CallRow:
    """A row of the list of calls."""
    return CallRow(
        call_id=row.call_id,
        tenant=row.tenant,
        subject=row.subject,
        caller=row.caller,
        state=CallState(row.state),
        created_at=from_micros(row.created_at),
        updated_at=from_micros(row.updated_at),
    )
