"""Appends on PostgreSQL: the locks, the owners' epochs, the rows and the hints to other processes in one statement, so in one round trip.

It is a transaction of its own: `locked` holds the rows of the calls, in the order of their ids, before the first row gets its position, because rows are
sorted once all of `locked` is read; and until the statement is committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, LargeBinary, String, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from orchestrator_calls.tables import CALL, EVENT

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.types import TypeEngine

    from orchestrator_calls._drivers._sql_batch import Append

__all__ = ["append_at_once"]

_COLUMNS: Final = tuple(column.name for column in EVENT.columns if column is not EVENT.c.position)
_LISTED: Final = ", ".join(_COLUMNS)
_KINDS: Final = dict.fromkeys((*_COLUMNS, "owner"), "text") | {
    **dict.fromkeys(("sequence", "occurred_at", "received_at", "epoch"), "bigint"),
    "payload": "bytea",
}
_TYPES: Final[dict[str, type[TypeEngine[Any]]]] = {"text": String, "bigint": BigInteger, "bytea": LargeBinary}
_GIVEN: Final = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in _KINDS.items())
_TEXT: Final = f"""
WITH given AS MATERIALIZED (
    SELECT * FROM unnest({_GIVEN}) WITH ORDINALITY AS g({", ".join(_KINDS)}, place)
), locked AS MATERIALIZED (
    SELECT call_id, owner, epoch FROM {CALL.name} WHERE call_id = ANY(CAST(:calls AS text[])) ORDER BY call_id FOR NO KEY UPDATE
), allowed AS MATERIALIZED (
    SELECT g.* FROM given g LEFT JOIN locked l ON l.call_id = g.call_id
    WHERE g.owner = '' OR (g.owner = l.owner AND g.epoch = l.epoch)
), appended AS (
    INSERT INTO {EVENT.name} ({_LISTED}) SELECT {_LISTED} FROM allowed ORDER BY place
    ON CONFLICT DO NOTHING RETURNING tenant, event_id, position
)
SELECT 'owner', call_id, owner, epoch FROM locked
UNION ALL SELECT 'event', tenant, event_id, position FROM appended
UNION ALL SELECT 'told', pg_notify(CAST(:channel AS text) || owner, call_id || ' ' || CAST(:process AS text))::text, '', 0 FROM locked
    WHERE CAST(:process AS text) <> '' AND owner NOT IN ('', CAST(:process AS text)) AND call_id IN (SELECT call_id FROM given WHERE owner = '')
"""  # noqa: S608 - names of our own tables and columns
_STATEMENT: Final = text(_TEXT).bindparams(
    *(bindparam(name, type_=ARRAY(_TYPES[kind])) for name, kind in _KINDS.items()),
    bindparam("calls", type_=ARRAY(String)),
)


def append_at_once(
    connection: Connection, works: Sequence[Append], *, channel: str, process: str
) -> tuple[dict[str, tuple[str, int]], dict[tuple[object, object], int]]:
    """Owner and epoch of each call, and the positions of the events that were not there yet, by tenant and id.

    Args:
        connection: One that commits each statement.
        works: Their rows are kept, but for those whose lease does not hold.
        channel: What the notification channels of processes begin with.
        process: The own name, which needs no hint; empty for a journal that nobody shares.
    """
    given: dict[str, list[object]] = {name: [] for name in _KINDS}
    for work in works:
        owner, epoch = (work.lease.owner, work.lease.epoch) if work.lease else ("", 0)
        for row in work.rows:
            for name, value in {**row, "owner": owner, "epoch": epoch}.items():
                given[name].append(value)
    told = {"calls": sorted({str(call) for call in given["call_id"]}), "channel": channel, "process": process}
    owners: dict[str, tuple[str, int]] = {}
    kept: dict[tuple[object, object], int] = {}
    for kind, first, second, number in connection.execute(_STATEMENT, {**given, **told}):
        if kind == "owner":
            owners[first] = second, number
        elif kind == "event":
            kept[first, second] = number
    return owners, kept
