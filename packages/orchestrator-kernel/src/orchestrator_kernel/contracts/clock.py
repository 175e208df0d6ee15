"""What every `Clock` promises."""

from __future__ import annotations

from datetime import timedelta

from orchestrator_kernel.ports import Clock


class ClockContract:
    """Subclass, and return the clock from `make`."""

    def make(self) -> Clock:
        raise AssertionError("return the clock under test")

    async def test_now_is_aware_utc(self) -> None:
        assert self.make().now().utcoffset() == timedelta(0)

    async def test_monotonic_never_goes_back(self) -> None:
        clock = self.make()
        readings = [clock.monotonic() for _ in range(1000)]
        assert readings == sorted(readings)

    async def test_sleep_lasts_at_least_as_long_as_asked(self) -> None:
        clock = self.make()
        before = clock.monotonic()
        await clock.sleep(0.01)
        assert clock.monotonic() - before >= 0.0099

    async def test_sleeping_zero_returns(self) -> None:
        await self.make().sleep(0)
