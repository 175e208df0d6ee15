"""What every `SharedJournal` promises, besides what every `Journal` does."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from orchestrator_calls.contracts._journal import JournalContract, made
from orchestrator_calls.events import ORCHESTRATOR, CallState, Event, EventType
from orchestrator_calls.journal import Fenced, Lease, SharedJournal, Snapshot, forget_ended

LONG = 30.0
SHORT = 0.2


def own(event_id: str, call: str = "c1") -> Event:
    """An event of the orchestrator."""
    return replace(made(event_id, call), source=ORCHESTRATOR, type=EventType.TIMER_FIRED, sequence=None)


class SharedJournalContract(JournalContract):
    """Subclass, and give an open, empty journal in `opened`; real time passes in these tests."""

    def opened(self) -> AbstractAsyncContextManager[SharedJournal]:
        raise AssertionError("open the journal under test")

    # --- owners -------------------------------------------------------------------------------------------------------------

    async def test_a_call_has_one_owner_who_lives(self) -> None:
        async with self.opened() as journal:
            await journal.bind("t1", "c1")
            await journal.beat("p1", LONG)
            await journal.beat("p2", LONG)
            first = await journal.claim("c1", "p1")
            assert first is not None
            assert (first.call_id, first.owner) == ("c1", "p1")
            assert await journal.claim("c1", "p2") is None
            again = await journal.claim("c1", "p1")
            assert again is not None
            assert again.epoch > first.epoch
            forced = await journal.claim("c1", "p2", force=True)
            assert forced is not None
            assert (forced.owner, forced.epoch > again.epoch) == ("p2", True)

    async def test_many_claim_and_one_gets_it(self) -> None:
        async with self.opened() as journal:
            await journal.bind("t1", "c1")
            names = [f"p{n}" for n in range(10)]
            await asyncio.gather(*(journal.beat(name, LONG) for name in names))
            claims = await asyncio.gather(*(journal.claim("c1", name) for name in names))
            assert sum(claim is not None for claim in claims) == 1

    async def test_nothing_is_kept_for_an_owner_who_lost_the_call(self) -> None:
        async with self.opened() as journal:
            await journal.bind("t1", "c1")
            old = await journal.claim("c1", "p1")
            assert old is not None
            await journal.append([own("e1")], lease=old)
            new = await journal.claim("c1", "p2", force=True)
            assert new is not None
            for write in (
                journal.append([own("e2"), own("e3")], lease=old),
                journal.mark("c1", CallState.ENDED, lease=old),
                journal.save("c1", Snapshot(1, b"old"), lease=old),
                journal.took(old, 9),
            ):
                try:
                    await write
                except Fenced:
                    continue
                raise AssertionError("the fenced owner was let in")
            await journal.append([own("e4")], lease=new)
            assert [event.id for event in await journal.read("c1")] == ["e1", "e4"]
            row = await journal.call("c1")
            assert row is not None
            assert (row.state, await journal.snapshot("c1")) == (CallState.INITIALIZING, None)

    async def test_two_owners_at_once_and_none_of_the_fenced_ones_events(self) -> None:
        async with self.opened() as journal:
            await journal.bind("t1", "c1")
            leases = [await journal.claim("c1", "p0", force=True)]
            fenced = list[Lease]()

            async def write(name: str) -> None:
                for number in range(15):
                    lease = leases[-1] if name == "new" else leases[0]
                    assert lease is not None
                    try:
                        await journal.append([own(f"{lease.epoch}-{name}-{number}")], lease=lease)
                    except Fenced:
                        fenced.append(lease)

            async def steal() -> None:
                await asyncio.sleep(0.01)
                leases.append(await journal.claim("c1", "p1", force=True))

            await asyncio.gather(write("old"), write("new"), steal(), write("new"), write("old"))
            await write("old")
            epochs = [int(event.id.partition("-")[0]) for event in await journal.read("c1")]
            assert epochs == sorted(epochs)
            assert set(fenced) <= {leases[0]}
            assert fenced

    async def test_a_fenced_write_does_not_spoil_the_others_of_its_moment(self) -> None:
        async with self.opened() as journal:
            for call in ("c1", "c2"):
                await journal.bind("t1", call)
            good, bad = await journal.claim("c1", "p1"), Lease("c2", "p1", 99)
            outcomes = await asyncio.gather(
                journal.append([own("a1")], lease=good),
                journal.append([own("b1", "c2")], lease=bad),
                journal.append([made("a2")]),
                return_exceptions=True,
            )
            assert [isinstance(each, Fenced) for each in outcomes] == [False, True, False]
            assert {event.id for event in await journal.read("c1")} == {"a1", "a2"}
            assert await journal.read("c2") == []

    async def test_what_the_dead_owned_is_taken_over_and_what_the_living_own_is_not(self) -> None:
        async with self.opened() as journal:
            for call in ("dead", "living", "nobodys", "over"):
                await journal.bind("t1", call)
            await journal.beat("p1", SHORT)
            await journal.beat("p2", LONG)
            await journal.claim("dead", "p1")
            await journal.claim("over", "p1")
            await journal.claim("living", "p2")
            await journal.mark("over", CallState.ENDED)
            early = {row.call_id for row, _ in await journal.claim_orphans("p3", 10)}
            assert early == {"nobodys"}
            await asyncio.sleep(SHORT * 1.5)
            taken = await journal.claim_orphans("p3", 10)
            assert [(row.call_id, lease.owner) for row, lease in taken] == [("dead", "p3")]
            assert await journal.claim_orphans("p3", 10) == []

    async def test_who_leaves_owns_nothing_at_once(self) -> None:
        async with self.opened() as journal:
            await journal.bind("t1", "c1")
            await journal.beat("p1", LONG)
            lease = await journal.claim("c1", "p1")
            await journal.release("p1")
            try:
                await journal.append([own("e1")], lease=lease)
            except Fenced:
                pass
            else:
                raise AssertionError("who left was let in")
            assert len(await journal.claim_orphans("p2", 10)) == 1

    # --- news ---------------------------------------------------------------------------------------------------------------

    async def test_news_is_what_others_appended_and_who_owns_the_call(self) -> None:
        async with self.opened() as journal:
            for call in ("c1", "c2", "c3"):
                await journal.bind("t1", call)
            lease = await journal.claim("c1", "p1")
            assert lease is not None
            [first, *_] = await journal.append([made("e1"), made("e2")])
            await journal.append([own("o1")], lease=lease)
            [other] = await journal.append([made("x1", "c2")])
            news = await journal.news({"c1": first.event.position, "c2": other.event.position, "gone": 0})
            assert [event.id for event in news["c1"].events] == ["e2"]
            assert (news["c1"].lease, news["c2"].events, "gone" in news) == (lease, [], False)
            everything = await journal.news({"c1": 0}, own=True)
            assert [event.id for event in everything["c1"].events] == ["e1", "e2", "o1"]
            assert everything["c1"].events == await journal.read("c1")
            await journal.took(lease, first.event.position)
            assert (await journal.news({"c1": 0}))["c1"].taken == first.event.position

    async def test_who_reads_behind_a_position_misses_nothing_though_many_append(self) -> None:
        async with self.opened() as journal:
            await journal.bind("t1", "c1")
            seen: list[str] = []
            done = asyncio.Event()

            async def follow() -> None:
                low = 0
                while True:
                    last = done.is_set()
                    for event in (await journal.news({"c1": low}))["c1"].events:
                        seen.append(event.id)
                        low = event.position
                    if last:
                        return
                    await asyncio.sleep(0)

            following = asyncio.create_task(follow())
            await asyncio.gather(*(journal.append([made(f"e{n}")]) for n in range(100)))
            done.set()
            await following
            assert sorted(seen) == sorted(f"e{n}" for n in range(100))

    # --- snapshots, and the end of it ---------------------------------------------------------------------------------------

    async def test_the_last_snapshot_counts_and_events_are_read_behind_it(self) -> None:
        async with self.opened() as journal:
            await journal.bind("t1", "c1")
            kept = [each.event for each in await journal.append([made(f"e{n}") for n in range(5)])]
            assert await journal.snapshot("c1") is None
            for position, data in ((kept[0].position, b"one"), (kept[2].position, b"two")):
                await journal.save("c1", Snapshot(position, data))
            assert await journal.snapshot("c1") == Snapshot(kept[2].position, b"two")
            assert await journal.read("c1", after=kept[2].position) == kept[3:]

    async def test_ended_calls_are_found_by_age_and_deleted_with_everything(self) -> None:
        async with self.opened() as journal:
            for call in ("open", "ended", "failed"):
                await journal.bind("t1", call)
                await journal.append([made(f"e-{call}", call)])
                await journal.save(call, Snapshot(1, b"x"))
            await journal.mark("ended", CallState.ENDED)
            await journal.mark("failed", CallState.FAILED)
            later = datetime.now(UTC) + timedelta(days=1)
            assert await journal.calls(ended_before=later - timedelta(days=2)) == []
            assert {row.call_id for row in await journal.calls(ended_before=later)} == {"ended", "failed"}
            assert await forget_ended(journal, later) == 2
            assert await forget_ended(journal, later) == 0
            assert [row.call_id for row in await journal.calls()] == ["open"]
            assert (await journal.read("ended"), await journal.snapshot("ended")) == ([], None)
            assert not await journal.forget("ended")
