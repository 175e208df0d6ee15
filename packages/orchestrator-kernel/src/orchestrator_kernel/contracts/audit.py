"""What every `AuditSink` promises."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from orchestrator_kernel.models import AuditEvent, Outcome
from orchestrator_kernel.ports import AuditSink


def event(number: int) -> AuditEvent:
    return AuditEvent(
        id=f"event-{number}",
        type="contract.check",
        occurred_at=datetime(2030, 1, 1, tzinfo=UTC),
        actor="contract",
        action="check",
        outcome=Outcome.SUCCESS,
        details={"number": number},
    )


class AuditSinkContract:
    """Subclass; return a fresh sink from `make`, and what it kept, oldest first, from `kept`."""

    def make(self) -> AuditSink:
        raise AssertionError("return the sink under test")

    async def kept(self, sink: AuditSink) -> Sequence[AuditEvent]:
        raise AssertionError(f"return what {sink} kept")

    async def test_keeps_events_in_order(self) -> None:
        sink = self.make()
        for number in range(10):
            await sink.record(event(number))
        assert list(await self.kept(sink)) == [event(number) for number in range(10)]

    async def test_the_same_id_is_kept_once(self) -> None:
        sink = self.make()
        await sink.record(event(1))
        await sink.record(event(1))
        assert len(await self.kept(sink)) == 1

    async def test_keeps_every_event_of_many_tasks(self) -> None:
        sink = self.make()
        await asyncio.gather(*[sink.record(event(number)) for number in range(50)])
        assert {each.id for each in await self.kept(sink)} == {f"event-{number}" for number in range(50)}
