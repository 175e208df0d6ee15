"""The writes of the journal, and how a batch of them becomes one transaction: one statement for all rows of a kind.

On PostgreSQL a batch first locks the rows of the calls it writes for, always in the order of their ids. So events of one call get
their positions in the order in which they become visible, whichever process appends them, an owner's epoch cannot change between its check and
the commit, and two processes never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Executable, Insert, String, bindparam, case, select, text, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator_calls._drivers._server_append import append_at_once
from orchestrator_calls.events import CallState
from orchestrator_calls.journal import CallRow, Lease
from orchestrator_calls.tables import CALL, EVENT, SNAPSHOT, from_micros

if TYPE_CHECKING:
    from sqlalchemy import Row

__all__ = [
    "KEYS_PER_QUERY",
    "Append",
    "Batch",
    "Bind",
    "Mark",
    "Save",
    "Values",
    "Work",
    "call_row",
    "channel",
    "notify",
]

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
    """Keep events; the result is (position, duplicate) for each, or None for a lease that does not hold."""

    rows: list[Values]
    lease: Lease | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """Change a call's row; the result is how many rows that were, or None for a lease that does not hold."""

    call_id: str
    values: Values
    caller: str
    lease: Lease | None = None


@dataclass(frozen=True, slots=True)
class Save:
    """Keep a snapshot; the result is as for `Mark`."""

    values: Values
    lease: Lease | None = None

    @property
    def call_id(self) -> str:
        """Whose."""
        return str(self.values["call_id"])


Work = Bind | Append | Mark | Save

Owners = dict[str, tuple[str, int]]
"""Owner and epoch by call."""


class Batch:
    """Runs the writes of one transaction in the dialect of one database."""

    def __init__(self, dialect: str, process: str = "") -> None:
        self._process = process
        self._server = dialect == "postgresql"
        kind = postgresql if dialect == "postgresql" else sqlite
        self._insert_call: Insert = kind.insert(CALL).on_conflict_do_nothing()
        self._insert_event: Insert = kind.insert(EVENT).on_conflict_do_nothing()
        save = kind.insert(SNAPSHOT)
        changed = {"position": save.excluded.position, "payload": save.excluded.payload}
        self._save: Insert = save.on_conflict_do_update(index_elements=["call_id"], set_=changed)

    def only_appends(self, works: Sequence[Work]) -> list[Append]:
        """All of them, if `run_at_once` can do them: appends, to a server; else nothing."""
        appends = [work for work in works if isinstance(work, Append)] if self._server else []
        return appends if len(appends) == len(works) else []

    def run_at_once(self, connection: Connection, works: Sequence[Append]) -> list[object]:
        """As `run`, in one statement, on a connection that commits each."""
        owners, new = append_at_once(connection, works, channel=channel(""), process=self._process)
        held = [work for work in works if _holds(work.lease, owners)]
        positions = _outcomes(connection, [row for work in held for row in work.rows], new)
        return [list(islice(positions, len(work.rows))) if _holds(work.lease, owners) else None for work in works]

    def run(self, connection: Connection, works: Sequence[Work]) -> list[object]:
        """The result of each write, in their order; the caller commits."""
        binds = [work.values for work in works if isinstance(work, Bind)]
        calls = self._bind(connection, binds) if binds else {}
        if len(binds) == len(works):
            return [calls[work.values["call_id"]] for work in works if isinstance(work, Bind)]
        owners = self._lock(connection, works)
        valid = [work for work in works if isinstance(work, Append) and _holds(work.lease, owners)]
        rows = [row for work in valid for row in work.rows]
        positions = self._append(connection, rows) if rows else iter(())
        results = [self._result(connection, work, calls, positions, owners) for work in works]
        self._tell_owners(connection, works, results, owners)
        return results

    def _lock(self, connection: Connection, works: Sequence[Work]) -> Owners:
        """Who owns the calls that are written for, until the commit; on SQLite nobody else can write meanwhile."""
        calls = {row["call_id"] for work in works if isinstance(work, Append) for row in work.rows}
        calls |= {work.call_id for work in works if isinstance(work, Mark | Save)}
        if not self._server:
            leased = any(work.lease is not None for work in works if not isinstance(work, Bind))
            if not leased:
                return {}
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        wanted = select(CALL.c.call_id, CALL.c.owner, CALL.c.epoch).where(CALL.c.call_id.in_(calls))
        if self._server:
            wanted = wanted.order_by(CALL.c.call_id).with_for_update(key_share=True)
        return {call_id: (owner, epoch) for call_id, owner, epoch in connection.execute(wanted)}

    def _tell_owners(
        self, connection: Connection, works: Sequence[Work], results: Sequence[object], owners: Owners
    ) -> None:
        """A hint to each process that owns a call which we appended to; it goes out with the commit."""
        if not (self._server and self._process):
            return
        news: set[tuple[str, str]] = set()
        for work, result in zip(works, results, strict=True):
            if isinstance(work, Append) and work.lease is None and result:
                for row in work.rows:
                    call_id = str(row["call_id"])
                    owner = owners.get(call_id, ("", 0))[0]
                    if owner not in {"", self._process}:
                        news.add((channel(owner), f"{call_id} {self._process}"))
        if news:
            connection.execute(notify(sorted(news)))

    def _bind(self, connection: Connection, binds: list[Values]) -> dict[object, CallRow]:
        connection.execute(self._insert_call, sorted(binds, key=lambda values: str(values["call_id"])))
        wanted = select(CALL).where(CALL.c.call_id.in_([values["call_id"] for values in binds]))
        return {row.call_id: call_row(row) for row in connection.execute(wanted)}

    def _append(self, connection: Connection, rows: list[Values]) -> Iterator[tuple[int, bool]]:
        """Position and duplicate of each row, in their order."""
        inserted = connection.execute(
            self._insert_event.returning(EVENT.c.tenant, EVENT.c.event_id, EVENT.c.position), rows
        )
        new: dict[Key, int] = {(tenant, event_id): position for tenant, event_id, position in inserted}
        return _outcomes(connection, rows, new)

    def _result(
        self,
        connection: Connection,
        work: Work,
        calls: Mapping[object, CallRow],
        positions: Iterator[tuple[int, bool]],
        owners: Owners,
    ) -> object:
        if isinstance(work, Bind):
            return calls[work.values["call_id"]]
        if not _holds(work.lease, owners):
            return None
        match work:
            case Append(rows):
                return list(islice(positions, len(rows)))
            case Save(values):
                return connection.execute(self._save, values).rowcount
            case Mark():
                return _mark(connection, work)


_NOTIFY: Final = text(
    "SELECT pg_notify(w.channel, w.payload) "
    "FROM unnest(CAST(:channels AS text[]), CAST(:payloads AS text[])) AS w(channel, payload)"
)


def notify(hints: Sequence[tuple[str, str]]) -> Executable:
    """One statement that sends a payload on each channel."""
    channels, payloads = zip(*hints, strict=True)
    return _NOTIFY.bindparams(
        bindparam("channels", list(channels), type_=postgresql.ARRAY(String)),
        bindparam("payloads", list(payloads), type_=postgresql.ARRAY(String)),
    )


def channel(owner: str) -> str:
    """The notification channel of a process."""
    return f"calls_{owner}"


def _holds(lease: Lease | None, owners: Owners) -> bool:
    return lease is None or owners.get(lease.call_id) == (lease.owner, lease.epoch)


def _outcomes(connection: Connection, rows: Sequence[Values], new: dict[Key, int]) -> Iterator[tuple[int, bool]]:
    """Position and duplicate of each row, in their order, when those in `new` were not there yet."""
    keys: list[Key] = [(row["tenant"], row["event_id"]) for row in rows]
    known = {**_positions(connection, [key for key in keys if key not in new]), **new}
    for key in keys:
        yield known[key], new.pop(key, None) is None


def _mark(connection: Connection, work: Mark) -> int:
    change = update(CALL).where(CALL.c.call_id == work.call_id).values(work.values)
    if work.caller:
        change = change.values(caller=case((CALL.c.caller == "", work.caller), else_=CALL.c.caller))
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
