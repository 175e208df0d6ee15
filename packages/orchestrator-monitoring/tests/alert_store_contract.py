"""What every `AlertStore` promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator_kernel.models import Severity
from orchestrator_monitoring._alerting.groups import GroupMemory
from orchestrator_monitoring.alerting import (
    AlertRecord,
    AlertStore,
    Change,
    Condition,
    Delivery,
    LeaseLost,
    Notice,
    Silence,
    fingerprint,
)
from orchestrator_monitoring.slo_monitor import Matcher

NOW = 1_900_000_000.0


def record(name: str = "slow", *, since: float = NOW, state="firing", **labels: str) -> AlertRecord:
    condition = Condition(rule=name, severity=Severity.HIGH, labels=labels, summary="It is slow", value=0.5, hold=60)
    key = fingerprint(name, labels)
    return AlertRecord(fingerprint=key, condition=condition, state=state, since=since, fired_at=since)


def change(
    *alerts: AlertRecord, notices: tuple[Notice, ...] = (), groups: tuple[GroupMemory, ...] = (), gone=(), dropped=()
):
    return Change(
        {each.fingerprint: each for each in alerts},
        frozenset(gone),
        {each.key: each for each in groups},
        frozenset(dropped),
        notices,
    )


def notice(number: int = 1, *, group: str = "g", resolved=(), firing=(), receiver: str = "ops") -> Notice:
    return Notice(
        id=f"{group}-{number}",
        receiver=receiver,
        group=group,
        firing=tuple(firing),
        resolved=tuple(resolved),
        at=NOW + number,
    )


class AlertStoreContract:
    async def make(self) -> AlertStore:
        raise AssertionError("return the store under test")

    async def test_what_is_committed_is_loaded(self) -> None:
        store = await self.make()
        lease = await store.lease("a", now=NOW, seconds=60)
        assert lease is not None
        one, two = record(tenant="x"), record(tenant="ü\u2028")
        group = GroupMemory(
            key="g",
            receiver="ops",
            labels={"alertname": "slow"},
            timing=(1.0, 2.0, 3.0),
            notified_at=NOW,
            told={one.fingerprint: one},
        )
        await store.commit(change(one, two, groups=(group,)), lease)
        book = await store.load(NOW)
        assert dict(book.alerts) == {one.fingerprint: one, two.fingerprint: two}
        assert dict(book.groups) == {"g": group}
        await store.commit(change(gone=[one.fingerprint], dropped=["g"]), lease)
        book = await store.load(NOW)
        assert list(book.alerts) == [two.fingerprint]
        assert not book.groups

    async def test_the_lease_is_one_process_s_until_it_runs_out(self) -> None:
        store = await self.make()
        first = await store.lease("a", now=NOW, seconds=60)
        assert first is not None
        assert await store.lease("b", now=NOW + 59, seconds=60) is None
        again = await store.lease("a", now=NOW + 30, seconds=60)
        assert again is not None
        assert again.token == first.token
        second = await store.lease("b", now=NOW + 91, seconds=60)
        assert second is not None
        with pytest.raises(LeaseLost):
            await store.commit(change(record()), again)
        assert not (await store.load(NOW)).alerts
        await store.commit(change(record()), second)
        await store.release(second)
        assert await store.lease("c", now=NOW + 92, seconds=60) is not None

    async def test_an_acknowledgement_outlives_evaluations_and_ends_with_the_incident(self) -> None:
        store, one = await self.make(), record()
        lease = await store.lease("a", now=NOW, seconds=600)
        assert lease is not None
        assert not await store.acknowledge(one.fingerprint, by="zoe", now=NOW)
        await store.commit(change(one), lease)
        assert await store.acknowledge(one.fingerprint, by="zoe", now=NOW + 1)
        later = replace(one, condition=replace(one.condition, value=0.9))
        await store.commit(change(later), lease)
        kept = (await store.load(NOW)).alerts[one.fingerprint]
        assert (kept.acknowledged_by, kept.acknowledged_at, kept.condition.value) == ("zoe", NOW + 1, 0.9)
        await store.commit(change(record(since=NOW + 300)), lease)
        assert (await store.load(NOW)).alerts[one.fingerprint].acknowledged_by == ""

    async def test_only_what_fires_is_acknowledged(self) -> None:
        store, one = await self.make(), record(state="resolved")
        lease = await store.lease("a", now=NOW, seconds=600)
        assert lease is not None
        await store.commit(change(one), lease)
        assert not await store.acknowledge(one.fingerprint, by="zoe", now=NOW)
        assert not await store.acknowledge("0" * 32, by="zoe", now=NOW)

    async def test_silences_come_and_go(self) -> None:
        store = await self.make()
        silence = Silence(
            id="s", matchers=(Matcher("tenant", "=~", "x|y"),), starts=NOW, ends=NOW + 60, by="zoe", reason="drill"
        )
        await store.silence(silence)
        assert list((await store.load(NOW)).silences) == [silence]
        assert list((await store.load(NOW + 60)).silences) == []
        assert await store.unsilence("s", now=NOW + 10)
        assert not await store.unsilence("s", now=NOW + 11)
        assert not await store.unsilence("t", now=NOW)
        assert list((await store.load(NOW + 10)).silences) == []

    async def test_notices_wait_until_they_are_sent(self) -> None:
        store = await self.make()
        lease = await store.lease("a", now=NOW, seconds=600)
        assert lease is not None
        sent, other = notice(firing=[record()]), notice(group="h", receiver="pager")
        await store.commit(change(notices=(sent, other)), lease)
        assert list(await store.due("ops", now=NOW, limit=10)) == []
        (waiting,) = await store.due("ops", now=NOW + 1, limit=10)
        assert waiting == Delivery(sent, due=sent.at)
        await store.mark(replace(waiting, attempts=1, due=NOW + 100, error="down"))
        assert list(await store.due("ops", now=NOW + 99, limit=10)) == []
        (waiting,) = await store.due("ops", now=NOW + 100, limit=10)
        assert (waiting.attempts, waiting.error) == (1, "down")
        await store.mark(replace(waiting, outcome="sent", error=""))
        assert list(await store.due("ops", now=NOW + 1000, limit=10)) == []
        assert [each.outcome for each in await store.deliveries(10)] == ["sent", "waiting"]

    async def test_a_later_notice_takes_the_place_of_one_that_waits_and_forgets_no_end(self) -> None:
        store = await self.make()
        lease = await store.lease("a", now=NOW, seconds=600)
        assert lease is not None
        x, y = record(tenant="x"), record(tenant="y", state="resolved")
        again = record(tenant="z", state="resolved")
        await store.commit(change(notices=(notice(1, resolved=[y, again], firing=[x]),)), lease)
        ended = replace(x, state="resolved", resolved_at=NOW)
        await store.commit(
            change(notices=(notice(2, resolved=[ended], firing=[replace(again, state="firing")]),)), lease
        )
        (waiting,) = await store.due("ops", now=NOW + 10, limit=10)
        assert waiting.notice.id == "g-2"
        assert set(waiting.notice.resolved) == {y, ended}
        await store.mark(Delivery(notice(1), outcome="sent"))
        assert len(await store.deliveries(10)) == 1

    async def test_tests_of_receivers_take_nobodys_place(self) -> None:
        store = await self.make()
        for number in (1, 2):
            await store.post(Notice(id=f"t{number}", receiver="ops", group="", kind="test", at=NOW))
        assert len(await store.due("ops", now=NOW, limit=10)) == 2

    async def test_values_of_gauges_grow_old(self) -> None:
        store = await self.make()
        await store.put_values("a", {"memory": 0.5, "cpu": 0.1}, now=NOW)
        await store.put_values("b", {"memory": 0.9}, now=NOW + 50)
        await store.put_values("a", {"memory": 0.6}, now=NOW + 60)
        assert {key: dict(each) for key, each in (await store.values(NOW + 10)).items()} == {
            "memory": {"a": 0.6, "b": 0.9}
        }

    async def test_what_is_old_is_dropped(self) -> None:
        store = await self.make()
        for number, outcome in ((1, "sent"), (2, "waiting")):
            await store.post(notice(number, group=f"g{number}"))
            await store.mark(Delivery(notice(number, group=f"g{number}"), outcome=outcome, due=NOW))
        await store.put_values("a", {"memory": 0.5}, now=NOW)
        await store.purge(NOW + 31 * 86_400)
        assert [each.notice.id for each in await store.deliveries(10)] == ["g2-2"]
        assert dict(await store.values(0)) == {}
