"""The host of these tests keeps the contracts of the ports, so that what it shows is what any host shows."""

from __future__ import annotations

from typing import cast

from console_host import MemoryAlerts, MemoryCalls, MemorySignIn, Person, firing

from orchestrator_kernel.contracts.operations import AlertsContract, BrowserSignInContract, LiveCallsContract
from orchestrator_kernel.ports.operations import Alerts, BrowserSignIn, LiveCalls


class TestCalls(LiveCallsContract):
    async def make(self) -> LiveCalls:
        calls = MemoryCalls()
        calls.start(self.call_id, self.tenant)
        calls.say(self.call_id, "hello", "Hello.")
        return calls

    async def touch(self, calls: LiveCalls) -> None:
        cast("MemoryCalls", calls).say(self.call_id, "hello", "Hello.")


class TestAlerts(AlertsContract):
    async def make(self) -> Alerts:
        return MemoryAlerts([firing(self.alert_id, "Turns are slow")])


class TestSignIn(BrowserSignInContract):
    async def make(self) -> BrowserSignIn:
        way = MemorySignIn()
        way.add(self.login, self.password, Person("u-zoe"))
        return way
