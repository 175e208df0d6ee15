"""What every `LiveCalls`, `Alerts` and `BrowserSignIn` promises."""

from __future__ import annotations

from collections.abc import MutableMapping

from orchestrator_kernel.exceptions import AuthenticationError
from orchestrator_kernel.ports.operations import (
    Alerts,
    AlertState,
    BrowserSignIn,
    LiveCalls,
    SignedIn,
    UnknownAlert,
)


class LiveCallsContract:
    """Subclass; return calls with one that is open, `call_id` of `tenant`, from `make`; make something happen in it in `touch`."""

    call_id = "call-1"
    tenant = "t1"

    async def make(self) -> LiveCalls:
        raise AssertionError("return the calls under test")

    async def touch(self, calls: LiveCalls) -> None:
        raise AssertionError(f"make something happen in {calls}")

    async def test_lists_the_open_calls_of_tenants_that_are_let_through(self) -> None:
        calls = await self.make()
        [found] = await calls.calls(tenants=lambda tenant: tenant == self.tenant, open_only=True, limit=10)
        assert (found.id, found.tenant, found.is_open) == (self.call_id, self.tenant, True)
        assert found.started_at.utcoffset() is not None
        assert not await calls.calls(tenants=lambda _: False, open_only=False, limit=10)

    async def test_knows_one_call_and_says_when_it_does_not(self) -> None:
        calls = await self.make()
        one, whole = await calls.call(self.call_id), await calls.transcript(self.call_id)
        assert one is not None
        assert whole is not None
        assert (whole.call.id, whole.call.state, whole.call.turns) == (one.id, one.state, one.turns)
        assert len(whole.turns) == one.turns
        assert await calls.call("nobody") is None
        assert await calls.transcript("nobody") is None

    async def test_tells_those_who_watch_and_only_them(self) -> None:
        calls = await self.make()
        told: list[str] = []
        with calls.watch(told.append), calls.watch(told.append):
            await self.touch(calls)
        assert set(told) == {self.call_id}
        assert told.count(self.call_id) >= 2
        count = len(told)
        await self.touch(calls)
        assert len(told) == count


class AlertsContract:
    """Subclass; return alerts with one that fires, `alert_id`, from `make`."""

    alert_id = "a1"

    async def make(self) -> Alerts:
        raise AssertionError("return the alerts under test")

    async def test_an_alert_is_acknowledged(self) -> None:
        alerts = await self.make()
        [before] = await alerts.alerts()
        assert (before.id, before.state, before.acknowledged_by) == (self.alert_id, AlertState.FIRING, "")
        await alerts.acknowledge(self.alert_id, by="zoe")
        [after] = await alerts.alerts()
        assert (after.acknowledged_by, after.since) == ("zoe", before.since)

    async def test_an_alert_is_silenced(self) -> None:
        alerts = await self.make()
        await alerts.silence(self.alert_id, by="zoe", seconds=600, reason="known")
        [after] = await alerts.alerts()
        assert after.state is AlertState.FIRING
        assert after.silenced_until is not None
        assert after.silenced_until > after.since

    async def test_what_is_not_there_cannot_be_answered(self) -> None:
        alerts = await self.make()
        for answer in (
            alerts.acknowledge("nothing", by="zoe"),
            alerts.silence("nothing", by="zoe", seconds=600, reason="known"),
        ):
            try:
                await answer
            except UnknownAlert:
                continue
            raise AssertionError("an alert that is not there was answered")


class BrowserSignInContract:
    """Subclass; return a way in for somebody with `login` and `password`, without a second factor, from `make`."""

    login = "zoe@example.org"
    password = "a password of several words"  # noqa: S105 - of the suite

    async def make(self) -> BrowserSignIn:
        raise AssertionError("return the way in under test")

    @staticmethod
    def scope(cookie: str = "") -> MutableMapping[str, object]:
        """A request with this cookie."""
        headers = [(b"cookie", cookie.encode())] if cookie else []
        return {
            "type": "http",
            "method": "GET",
            "path": "/",
            "headers": headers,
            "scheme": "https",
            "query_string": b"",
        }

    async def _enter(self, way: BrowserSignIn) -> str:
        found = await way.password(self.login, self.password, address="192.0.2.1", agent="contract")
        assert isinstance(found, SignedIn)
        assert "httponly" in found.set_cookie.lower()
        return found.set_cookie.partition(";")[0]

    async def test_a_cookie_is_a_session_until_one_signs_out(self) -> None:
        way = await self.make()
        assert await way.viewer(self.scope()) is None
        cookie = await self._enter(way)
        viewer = await way.viewer(self.scope(cookie))
        assert viewer is not None
        assert viewer.csrf_token
        assert viewer.csrf_token not in cookie
        forget = await way.sign_out(self.scope(cookie))
        assert forget.partition("=")[0] == cookie.partition("=")[0]
        assert await way.viewer(self.scope(cookie)) is None

    async def test_each_session_has_a_token_of_its_own(self) -> None:
        way = await self.make()
        viewers = [await way.viewer(self.scope(await self._enter(way))) for _ in range(2)]
        assert len({viewer.csrf_token for viewer in viewers if viewer is not None}) == 2

    async def test_whatever_is_wrong_is_told_alike(self) -> None:
        way = await self.make()
        told: set[str] = set()
        for login, password in ((self.login, "wrong"), ("nobody@example.org", self.password)):
            try:
                await way.password(login, password, address="192.0.2.1", agent="contract")
            except AuthenticationError as error:
                told.add(error.message)
        assert len(told) == 1

    async def test_a_forged_cookie_is_nobodys(self) -> None:
        way = await self.make()
        cookie = await self._enter(way)
        assert await way.viewer(self.scope(cookie[:-4] + "AAAA")) is None
