from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from console_host import Person, firing, status
from console_support import FAST, Browser, Host
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestrator_console._frames import Seen, frame
from orchestrator_console._hub import Changes, Hub
from orchestrator_kernel.exceptions import DatabaseError


def rows(patch: dict[str, object]) -> str:
    """The lines of calls in a patch."""
    return "".join(html for _, html in patch.get("rows", ()))  # type: ignore[attr-defined]


@given(st.dictionaries(st.text(), st.text()))
def test_whatever_the_text_is_one_event_comes_out_of_one_frame(data: dict[str, str]) -> None:
    raw = frame("patch", data)
    assert raw.endswith(b"\n\n")
    lines = raw[:-2].split(b"\n")
    # What the standard takes for the end of a line.
    assert b"\r" not in raw
    assert [line.partition(b": ")[0] for line in lines] == [b"event", b"data"]
    assert json.loads(lines[1].partition(b": ")[2]) == data


async def test_a_page_is_told_what_happens_and_nothing_twice() -> None:
    host = Host()
    host.calls.start("call-1")
    async with (await host.browser()).stream("/events") as stream:
        first = await stream.until(lambda patch: "all" in patch)
        assert "call-1" in rows(first)
        host.calls.start("call-2")
        added = await stream.until(lambda patch: "rows" in patch)
        assert "call-2" in rows(added)
        assert "call-1" not in rows(added)
        host.calls.say("call-1", "hello", "hello", latency=4321.0)
        assert "4\u202f321" in rows(await stream.until(lambda patch: "rows" in patch))
        host.calls.end("call-2")
        assert (await stream.until(lambda patch: "gone" in patch))["gone"] == ["call-call-2"]
    assert stream.ended.is_set()
    assert host.calls.telling == []


async def test_a_page_that_reconnects_gets_the_state_and_not_the_history() -> None:
    host = Host()
    host.calls.start("call-1")
    host.calls.start("call-2")
    browser = await host.browser()
    async with browser.stream("/events") as stream:
        await stream.until(lambda patch: "all" in patch)
    host.calls.end("call-1")
    host.calls.start("call-3")
    async with browser.stream("/events") as stream:
        again = await stream.until(lambda patch: "all" in patch)
    assert "call-1" not in rows(again)
    assert "call-2" in rows(again)
    assert "call-3" in rows(again)


async def test_a_slow_browser_costs_no_memory_and_sees_the_latest() -> None:
    host = Host()
    host.calls.start("call-1")
    async with (await host.browser()).stream("/events", held=True) as stream:
        await asyncio.sleep(0.05)
        for number in range(5_000):
            host.calls.say("call-1", "hello", latency=float(number))
            if number % 500 == 0:
                await asyncio.sleep(0.01)
        assert stream.pieces.qsize() == 0
        assert all(len(page._calls) <= 1 for page in host.console._parts.hub._pages)
        stream.gate.set()
        await stream.until(lambda patch: "4\u202f999" in rows(patch))
        # From the first message on: no more than one that was on its way, and one with what is.
        assert stream.pieces.qsize() <= 2


async def test_however_much_happens_messages_keep_their_distance() -> None:
    host = Host(config=replace(FAST, push=0.2, refresh=60))
    host.calls.start("call-1")
    async with (await host.browser()).stream("/events") as stream:
        await stream.until(lambda patch: "all" in patch)
        begun = asyncio.get_running_loop().time()
        patches = 0

        async def count() -> None:
            nonlocal patches
            while True:
                await stream.event()
                patches += 1

        counting = asyncio.create_task(count())
        while asyncio.get_running_loop().time() - begun < 1.0:
            host.calls.say("call-1", "hello")
            await asyncio.sleep(0.005)
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)
        assert 1 <= patches <= 6


async def test_parts_that_change_are_sent_and_others_are_not() -> None:
    host = Host()
    host.figures.states.append(status("journal"))
    async with (await host.browser()).stream("/events") as stream:
        first = str((await stream.until(lambda patch: "html" in patch))["html"])
        assert all(f'id="{part}"' in first for part in ("alerts", "health", "objectives", "policies", "audit", "tiles"))
        host.alerts.found.append(firing("a1", "Turns are slow"))
        changed = str((await stream.until(lambda patch: "html" in patch))["html"])
        assert 'id="alerts"' in changed
        assert 'id="tiles"' in changed
        assert 'id="health"' not in changed


async def test_a_source_that_fails_and_comes_back_is_told() -> None:
    host = Host()
    host.calls.start("call-1")
    async with (await host.browser()).stream("/events") as stream:
        await stream.until(lambda patch: "all" in patch)
        host.calls.broken = DatabaseError("The journal cannot be read.")
        broken = await stream.until(lambda patch: "The journal cannot be read." in str(patch.get("html")))
        # The rows stay: they are the last that is known.
        assert "gone" not in broken
        host.calls.broken = None
        host.calls.start("call-2")
        await stream.until(lambda patch: "call-2" in rows(patch))


async def test_a_page_of_a_call_follows_it() -> None:
    host = Host()
    host.calls.start("call-1")
    async with (await host.browser()).stream("/calls/call-1/events") as stream:
        await stream.until(lambda patch: "Nothing was said yet." in str(patch["html"]))
        host.calls.say("call-1", "a table for four", "For which day?")
        await stream.until(lambda patch: "a table for four" in str(patch["html"]))
        host.calls.end("call-1", "hung up")
        await stream.until(lambda patch: "hung up" in str(patch["html"]))


async def test_a_session_that_ends_ends_its_pages() -> None:
    host = Host()
    browser = await host.browser()
    async with browser.stream("/events") as stream:
        await stream.event()
        host.sign_in.sessions.clear()
        name = ""
        while name != "over":
            name, _ = await stream.event()
        async with asyncio.timeout(5):
            await stream.ended.wait()


async def test_a_tenants_page_is_told_nothing_of_others() -> None:
    host = Host()
    async with (await host.browser("kim")).stream("/events") as stream:
        await stream.event()
        host.calls.start("call-harbour", "harbour")
        host.alerts.found.append(firing("a1", "Turns are slow"))
        host.calls.start("call-lake", "lake")
        patch = await stream.until(lambda patch: "call-lake" in rows(patch))
        assert "call-harbour" not in str(patch)
        assert "Turns are slow" not in str(patch)
        assert (await Browser(host.console).get("/events")).status == 303


async def test_pages_beyond_the_limit_are_refused_and_told_when_to_come_again() -> None:
    host = Host(config=replace(FAST, max_streams=1))
    browser = await host.browser()
    async with browser.stream("/events") as stream:
        await stream.event()
        refused = await browser.get("/events", accept="text/event-stream")
        assert (refused.status, refused.headers["retry-after"]) == (503, "10")
    async with browser.stream("/events") as stream:
        await stream.event()


async def test_closing_the_console_ends_all_pages() -> None:
    host = Host()
    browser = await host.browser()
    async with browser.stream("/events") as one, browser.stream("/events") as two:
        await one.event()
        await two.event()
        host.console.close()
        async with asyncio.timeout(5):
            await asyncio.gather(one.ended.wait(), two.ended.wait())
    async with browser.stream("/events") as late, asyncio.timeout(5):
        await late.ended.wait()


async def test_a_hundred_pages_ask_each_source_once() -> None:
    host = Host(config=replace(FAST, refresh=30))
    asked = 0
    read = host.figures.health

    async def counted() -> object:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        return await read()

    source = host.console._parts.sources.health
    assert source is not None
    source._ask = counted  # type: ignore[assignment]
    browser = await host.browser()
    await asyncio.gather(*[browser.get("/") for _ in range(100)])
    assert asked == 1


class ChangesMachine(RuleBasedStateMachine):
    """What is told is taken once, or everything is to be read again."""

    def __init__(self) -> None:
        super().__init__()
        self.changes = Changes()
        self.told: set[str] = set()

    @rule(call=st.sampled_from(["a", "b", "c"]))
    def tell(self, call: str) -> None:
        self.changes.tell(call)
        self.told.add(call)

    @rule(count=st.integers(4_990, 5_010))
    def tell_many(self, count: int) -> None:
        for number in range(count):
            self.tell(f"call-{number}")

    @rule()
    def take(self) -> None:
        found, everything = self.changes.take()
        assert everything or found == self.told
        assert self.changes.take() == (frozenset(), False)
        self.told = set()

    @invariant()
    def bounded(self) -> None:
        assert len(self.changes._calls) <= 5_000
        assert self.changes._told.is_set() == bool(self.told)


TestChanges = ChangesMachine.TestCase
TestChanges.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2)), max_size=12))
def test_what_was_sent_adds_up_to_what_is_there(states: list[dict[str, int]]) -> None:
    seen, shown = Seen(), dict[str, int]()
    for state in states:
        for key in seen.drop(frozenset(state), ""):
            del shown[key]
        for key, value in state.items():
            if seen.differs(key, value):
                shown[key] = value
        assert shown == state


def test_a_hub_without_calls_still_tells() -> None:
    hub = Hub(None)
    with hub.page() as page:
        hub.tell_all()
        assert page.take() == (frozenset(), True)
    assert hub.pages == 0


@pytest.mark.parametrize("path", ["/calls/nobody/events", "/calls/call-harbour/events"])
async def test_a_call_that_one_may_not_see_has_no_stream(path: str) -> None:
    host = Host()
    host.calls.start("call-harbour", "harbour")
    assert (await (await host.browser("kim")).get(path)).status == 404


async def test_rights_that_are_taken_away_are_gone_from_open_pages() -> None:
    host = Host()
    host.calls.start("call-1", "lake")
    browser = await host.browser("kim")
    async with browser.stream("/events") as stream:
        await stream.until(lambda patch: "call-1" in rows(patch))
        [(cookie, viewer)] = host.sign_in.sessions.items()
        host.sign_in.sessions[cookie] = replace(viewer, principal=Person("u-kim", frozenset()))
        await asyncio.sleep(0.2)
        host.calls.say("call-1", "hello", latency=777.0)
        with pytest.raises(TimeoutError):
            await stream.until(lambda patch: "777" in rows(patch), limit=0.5)
