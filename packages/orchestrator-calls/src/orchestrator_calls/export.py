r"""One call as JSON lines: all that is kept of it, in the order it was kept. Holds what was said: personal data.

What the user types: `file.writelines(f"{line}\\n" for line in json_lines(row, events))`. The first line is the call, every other one an event; what was
erased reads `{"erased": true}`. `transcript.as_text` gives the same call for people.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from orchestrator_calls.events import Event
from orchestrator_calls.journal import CallRow
from orchestrator_kernel.ports import Json

__all__ = ["json_lines"]


def json_lines(row: CallRow, events: Iterable[Event]) -> Iterator[str]:
    """Lines without their ends."""
    yield _line(
        {
            "call": row.call_id,
            "tenant": row.tenant,
            "subject": row.subject,
            "caller": row.caller,
            "state": row.state.value,
            "created_at": row.created_at.isoformat(),
            "updated_at": row.updated_at.isoformat(),
        }
    )
    for event in events:
        yield _line(
            {
                "position": event.position,
                "id": event.id,
                "type": event.type.value,
                "source": event.source,
                "sequence": event.sequence,
                "occurred_at": event.occurred_at.isoformat(),
                "received_at": event.received_at.isoformat(),
                "payload": dict(event.payload),
            }
        )


def _line(content: dict[str, Json]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
