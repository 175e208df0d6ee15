"""What every `Journal` promises."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from orchestrator_calls.events import CallState, Event, EventType
from orchestrator_calls.journal import Appended, CallNotDeclared, CallOfAnotherTenant, CallRow, Journal, erase_caller
from orchestrator_kernel.ports import Erased, Json, Sealer

NOON = datetime(2030, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
PAYLOAD: dict[str, Json] = {
    "text": "Zoë said: “ok” \U0001f600 \u0000",
    "final": True,
    "confidence": 0.1,
    "nothing": None,
    "deep": {"list": [1, -2.5, "x", [], {}]},
}


def made(event_id: str, call: str = "c1", tenant: str = "t1", /, **payload: Json) -> Event:
    """An event from outside."""
    return Event(
        id=event_id,
        call_id=call,
        tenant=tenant,
        type=EventType.TRANSCRIPTION,
        source="agent",
        sequence=7,
        occurred_at=NOON,
        received_at=NOON + timedelta(microseconds=1),
        payload=payload,
    )


async def _declared(journal: Journal, *calls: str, tenant: str = "t1") -> None:
    for call in calls:
        await journal.bind(tenant, call)


def _ids(events: list[Event]) -> list[str]:
    return [event.id for event in events]


class JournalContract:
    """Subclass, and give an open, empty journal in `opened`. If its payloads are sealed, say with what in `sealer`."""

    def opened(self) -> AbstractAsyncContextManager[Journal]:
        raise AssertionError("open the journal under test")

    @property
    def sealer(self) -> Sealer | None:
        """The sealer of the journal that was opened last."""
        return None

    # --- appending ----------------------------------------------------------------------------------------------------------

    async def test_an_event_comes_back_as_it_was(self) -> None:
        async with self.opened() as journal:
            await _declared(journal, "c1")
            event = replace(made("e1"), payload=PAYLOAD)
            [appended] = await journal.append([event])
            [kept] = await journal.read("c1")
            assert appended == Appended(kept, duplicate=False)
            for name in (
                "id",
                "call_id",
                "tenant",
                "type",
                "source",
                "sequence",
                "occurred_at",
                "received_at",
                "payload",
            ):
                assert getattr(kept, name) == getattr(event, name), name
            assert kept.occurred_at.utcoffset() == timedelta(0)
            assert kept.position > 0

    async def test_events_are_read_in_the_order_they_were_appended(self) -> None:
        async with self.opened() as journal:
            await _declared(journal, "c1")
            await journal.append([made(f"e{n}") for n in (3, 1, 2)])
            await journal.append([made("e0")])
            events = await journal.read("c1")
            assert _ids(events) == ["e3", "e1", "e2", "e0"]
            positions = [event.position for event in events]
            assert positions == sorted(set(positions))

    async def test_the_same_id_is_kept_once_and_the_answer_holds_the_one_that_is_there(self) -> None:
        async with self.opened() as journal:
            await _declared(journal, "c1")
            [first] = await journal.append([made("e1", text="first")])
            again = await journal.append([made("e1", text="second"), made("e2"), made("e2", text="twice in one go")])
            assert [each.duplicate for each in again] == [True, False, True]
            assert again[0].event == first.event
            assert again[2].event == again[1].event
            assert _ids(await journal.read("c1")) == ["e1", "e2"]

    async def test_an_id_is_unique_within_the_tenant_across_its_calls_and_free_for_other_tenants(self) -> None:
        async with self.opened() as journal:
            await _declared(journal, "c1", "c2")
            await _declared(journal, "d1", tenant="t2")
            await journal.append([made("e1")])
            [same] = await journal.append([made("e1", "c2")])
            [other] = await journal.append([made("e1", "d1", "t2")])
            assert (same.duplicate, same.event.call_id, other.duplicate) == (True, "c1", False)
            assert await journal.read("c2") == []

    async def test_nothing_is_kept_of_a_batch_with_an_event_of_an_unknown_call_or_another_tenant(self) -> None:
        async with self.opened() as journal:
            await _declared(journal, "c1")
            for bad, refusal in ((made("x", "c9"), CallNotDeclared), (made("x", "c1", "t2"), CallOfAnotherTenant)):
                try:
                    await journal.append([made("e1"), bad, made("e2")])
                except refusal:
                    pass
                else:
                    raise AssertionError(f"{refusal.__name__} was not raised")
            assert await journal.read("c1") == []

    async def test_nothing_to_append_is_nothing(self) -> None:
        async with self.opened() as journal:
            assert await journal.append([]) == []

    async def test_ten_thousand_events_in_one_go_and_again(self) -> None:
        async with self.opened() as journal:
            await _declared(journal, "c1")
            events = [made(f"e{n}", n=n) for n in range(10_000)]
            first = await journal.append(events)
            again = await journal.append(events[::500])
            assert not any(each.duplicate for each in first)
            assert all(each.duplicate for each in again)
            assert [event.payload["n"] for event in await journal.read("c1")] == list(range(10_000))

    async def test_fifty_calls_append_at_the_same_time(self) -> None:
        async with self.opened() as journal:
            calls = [f"c{n}" for n in range(50)]
            await asyncio.gather(*(journal.bind("t1", call) for call in calls))

            async def talk(call: str) -> None:
                for n in range(10):
                    [appended] = await journal.append([made(f"{call}-{n}", call)])
                    assert (appended.event.id, appended.duplicate) == (f"{call}-{n}", False)

            await asyncio.gather(*map(talk, calls))
            for call in calls:
                assert _ids(await journal.read(call)) == [f"{call}-{n}" for n in range(10)]

    async def test_the_same_event_from_many_at_the_same_time_is_kept_once(self) -> None:
        async with self.opened() as journal:
            await _declared(journal, "c1")
            outcomes = await asyncio.gather(*(journal.append([made("e1", n=n)]) for n in range(20)))
            assert sorted(each.duplicate for [each] in outcomes) == [False] + [True] * 19
            [kept] = await journal.read("c1")
            assert all(each.event == kept for [each] in outcomes)

    async def test_being_cancelled_loses_nothing_that_was_acknowledged(self) -> None:
        async with self.opened() as journal:
            await _declared(journal, "c1")
            acknowledged: list[str] = []

            async def append(event_id: str) -> None:
                await journal.append([made(event_id)])
                acknowledged.append(event_id)

            tasks = [asyncio.create_task(append(f"e{n}")) for n in range(100)]
            for n, task in enumerate(tasks):
                if n % 10 == 0:
                    await asyncio.sleep(0)
                if n % 3 == 0:
                    task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            [after] = await journal.append([made("after")])
            kept = _ids(await journal.read("c1"))
            assert not after.duplicate
            assert len(acknowledged) >= 66
            assert set(acknowledged) <= set(kept)
            assert len(kept) == len(set(kept))

    # --- the list of calls --------------------------------------------------------------------------------------------------

    async def test_a_call_is_declared_once_and_belongs_to_one_tenant(self) -> None:
        async with self.opened() as journal:
            first = await journal.bind("t1", "c1", "p1")
            assert (first.call_id, first.tenant, first.caller, first.state) == (
                "c1",
                "t1",
                "p1",
                CallState.INITIALIZING,
            )
            assert first.subject == "p1"
            assert await journal.bind("t1", "c1", "p2") == first == await journal.call("c1")
            assert (await journal.bind("t1", "c2")).subject == "c2"
            try:
                await journal.bind("t2", "c1")
            except CallOfAnotherTenant:
                pass
            else:
                raise AssertionError("another tenant got the call")
            assert await journal.call("c9") is None

    async def test_many_declare_the_same_call_at_the_same_time(self) -> None:
        async with self.opened() as journal:
            rows = await asyncio.gather(*(journal.bind("t1", "c1", f"p{n}") for n in range(20)))
            assert len({row.subject for row in rows}) == 1

    async def test_state_and_caller_are_marked_and_the_first_caller_stays(self) -> None:
        async with self.opened() as journal:
            before = await journal.bind("t1", "c1")
            await journal.mark("c1", CallState.ACTIVE)
            assert await self._row(journal) == (CallState.ACTIVE, "", "c1")
            await journal.mark("c1", CallState.ON_HOLD, "p1")
            await journal.mark("c1", CallState.ENDED, "p2")
            assert await self._row(journal) == (CallState.ENDED, "p1", "c1")
            after = await journal.call("c1")
            assert after is not None
            assert (after.created_at, after.updated_at >= before.updated_at) == (before.created_at, True)

    async def test_an_unknown_call_cannot_be_marked(self) -> None:
        async with self.opened() as journal:
            try:
                await journal.mark("c9", CallState.ENDED)
            except CallNotDeclared:
                return
            raise AssertionError("an unknown call was marked")

    async def test_calls_are_listed_newest_first_page_by_page_and_by_what_is_asked_for(self) -> None:
        async with self.opened() as journal:
            for n in range(25):
                call = f"c{n:02}"
                await journal.bind("t1" if n % 5 else "t2", call, f"p{n % 2}")
                if n % 3 == 0:
                    await journal.mark(call, CallState.ENDED if n % 2 else CallState.FAILED)
            everything = await self._pages(journal, limit=4)
            assert len(everything) == 25
            order = [(row.created_at, row.call_id) for row in everything]
            assert order == sorted(order, reverse=True)
            for got, wanted in (
                (await journal.calls(tenant="t2"), range(0, 25, 5)),
                (await journal.calls(tenant="t1", caller="p1"), [n for n in range(25) if n % 5 and n % 2]),
                (await journal.calls(open_only=True), [n for n in range(25) if n % 3]),
            ):
                assert sorted(row.call_id for row in got) == [f"c{n:02}" for n in wanted]

    async def _pages(self, journal: Journal, *, limit: int) -> list[CallRow]:
        rows: list[CallRow] = []
        while page := await journal.calls(limit=limit, before=rows[-1] if rows else None):
            assert len(page) <= limit
            rows += page
        return rows

    @staticmethod
    async def _row(journal: Journal, call: str = "c1") -> tuple[CallState, str, str]:
        row = await journal.call(call)
        assert row is not None
        return row.state, row.caller, row.subject

    # --- erasing ------------------------------------------------------------------------------------------------------------

    async def test_erasing_a_caller_makes_all_their_calls_unreadable_and_no_others(self) -> None:
        async with self.opened() as journal:
            if self.sealer is None:
                return
            await journal.bind("t1", "known", "p1")
            await journal.bind("t1", "late")
            await journal.mark("late", CallState.ACTIVE, "p1")
            await journal.bind("t1", "other", "p2")
            await journal.bind("t2", "elsewhere", "p1")
            for call, tenant in (("known", "t1"), ("late", "t1"), ("other", "t1"), ("elsewhere", "t2")):
                await journal.append([made(f"e-{call}", call, tenant, text="what was said")])
            assert await erase_caller(journal, self.sealer, "t1", "p1") == 2
            for call, erased in (("known", True), ("late", True), ("other", False), ("elsewhere", False)):
                [event] = await journal.read(call)
                assert event.payload == ({"erased": True} if erased else {"text": "what was said"}), call
                assert (event.id, event.type) == (f"e-{call}", EventType.TRANSCRIPTION)

    async def test_a_duplicate_of_what_was_erased_is_answered_and_nothing_new_is_kept(self) -> None:
        async with self.opened() as journal:
            if self.sealer is None:
                return
            await journal.bind("t1", "c1", "p1")
            await journal.append([made("e1", text="what was said")])
            await erase_caller(journal, self.sealer, "t1", "p1")
            [again] = await journal.append([made("e1", text="what was said")])
            assert (again.duplicate, again.event.payload) == (True, {"erased": True})
            try:
                await journal.append([made("e1"), made("e2", text="more")])
            except Erased:
                pass
            else:
                raise AssertionError("kept for a caller who was erased")
            assert _ids(await journal.read("c1")) == ["e1"]

    async def test_a_caller_who_was_erased_can_call_again(self) -> None:
        async with self.opened() as journal:
            if self.sealer is None:
                return
            await journal.bind("t1", "c1", "p1")
            await journal.append([made("e1")])
            await erase_caller(journal, self.sealer, "t1", "p1")
            row = await journal.bind("t1", "c2", "p1")
            assert (row.subject, row.caller) == ("c2", "p1")
            await journal.append([made("e2", "c2", text="hello again")])
            [event] = await journal.read("c2")
            assert event.payload == {"text": "hello again"}
            assert await erase_caller(journal, self.sealer, "t1", "p1") == 2
            [event] = await journal.read("c2")
            assert event.payload == {"erased": True}
