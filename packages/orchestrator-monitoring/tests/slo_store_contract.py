"""What every `SloStore` promises."""

from __future__ import annotations

import pytest
from slo_support import DAY, slo

from orchestrator_monitoring.slo_monitor import Counts, Maintenance, SloSample, SloStore

NOW = 1_900_000_800.0 - 1_900_000_800 % 3600


def sample(
    at: float, part: float, total: float, *, since: float | None = None, process: str = "a", name: str = "calls"
):
    return SloSample(name, process, at - 60 if since is None else since, at, part, total)


class SloStoreContract:
    async def make(self) -> SloStore:
        raise AssertionError("return the store under test")

    async def test_windows_are_sums_over_all_processes(self) -> None:
        store, made = await self.make(), slo()
        await store.add([sample(NOW - 30, 1, 10), sample(NOW - 30, 2, 20, process="b"), sample(NOW - 1000, 4, 40)])
        await store.add([sample(NOW - 30, 100, 100, name="other"), sample(NOW + 60, 100, 100)])
        counts = (await store.counts([made], NOW))["calls"]
        assert counts[300] == Counts(3, 30)
        assert counts[3600] == Counts(7, 70)
        assert counts[3 * DAY] == Counts(7, 70)
        assert counts[30 * DAY] == Counts(7, 70)

    async def test_a_sample_is_kept_once(self) -> None:
        store, made = await self.make(), slo()
        for _ in range(3):
            await store.add([sample(NOW - 30, 1, 10)])
        counts = (await store.counts([made], NOW))["calls"]
        assert counts[300] == counts[30 * DAY] == Counts(1, 10)

    async def test_a_sample_counts_in_windows_that_hold_all_of_it(self) -> None:
        store, made = await self.make(), slo()
        await store.add([sample(NOW - 240, 1, 10, since=NOW - 300), sample(NOW - 299, 5, 50, since=NOW - 301)])
        assert (await store.counts([made], NOW))["calls"][300] == Counts(1, 10)

    async def test_long_windows_begin_within_an_hour(self) -> None:
        store, made = await self.make(), slo()
        await store.add([sample(NOW - 30 * DAY - 1800, 8, 80), sample(NOW - DAY, 1, 10)])
        assert (await store.counts([made], NOW))["calls"][30 * DAY] == Counts(1, 10)
        # A window that begins in the middle of an hour takes half of it.
        whole = (await store.counts([made], NOW - 1800))["calls"][30 * DAY]
        assert whole == Counts(pytest.approx(5), pytest.approx(50))

    async def test_maintenance_does_not_count_before_and_after_it_is_told(self) -> None:
        store, made = await self.make(), slo()
        await store.add([sample(NOW - 600, 9, 10), sample(NOW - 60, 0, 10)])
        await store.exclude(Maintenance(NOW - 700, NOW - 300, frozenset({"calls"}), "disks"))
        await store.add([sample(NOW - 500, 9, 10), sample(NOW - 500, 9, 10, name="other")])
        counts = await store.counts([made, slo(name="other")], NOW)
        assert counts["calls"][3600] == counts["calls"][30 * DAY] == Counts(0, 10)
        assert counts["other"][3600] == Counts(9, 10)
        assert [each.reason for each in await store.maintenance(NOW - 400)] == ["disks"]
        assert list(await store.maintenance(NOW)) == []

    async def test_hours_of_the_window(self) -> None:
        store, made = await self.make(), slo()
        await store.add([sample(NOW - 3 * 3600, 1, 10), sample(NOW - 10, 2, 20)])
        hours = list(await store.hours(made, NOW))
        assert hours == [Counts(1, 10), Counts(0, 0), Counts(0, 0), Counts(2, 20)]

    async def test_what_no_window_reaches_is_dropped(self) -> None:
        store, made = await self.make(), slo()
        await store.add([sample(NOW - 20 * DAY, 1, 10), sample(NOW - 30, 2, 20)])
        await store.purge(NOW)
        counts = (await store.counts([made], NOW))["calls"]
        assert counts[3 * DAY] == Counts(2, 20)
        assert counts[30 * DAY] == Counts(3, 30)
