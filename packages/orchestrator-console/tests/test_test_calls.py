from __future__ import annotations

import asyncio
import base64

import pytest
from console_support import Browser, Host, Stream


async def placed(host: Host, browser: Browser, tenant: str = "harbour", language: str = "en-US") -> str:
    answer = await browser.post("/test-call", {"tenant": tenant, "language": language}, host.csrf(browser))
    assert answer.status == 201
    return str(answer.json["id"])


async def heard(stream: Stream, event: str) -> dict[str, object]:
    async with asyncio.timeout(10):
        while True:
            name, data = await stream.event()
            if name == event:
                return data


def line_tasks() -> list[str]:
    """The tasks that wait for the next thing on a line."""
    return [name for task in asyncio.all_tasks() if (name := task.get_name()).startswith("line ")]


async def test_a_call_is_placed_answered_spoken_to_and_ended() -> None:
    host = Host()
    browser = await host.browser()
    call_id = await placed(host, browser)
    async with browser.stream(f"/test-call/{call_id}/line") as line:
        hello = await heard(line, "speech")
        assert (hello["text"], hello["rate"]) == ("Hello, this is the echo desk.", 16_000)
        sound = base64.b64decode(str((await heard(line, "sound"))["pcm"]))
        assert len(sound) == 3_200
        assert any(sound)
        csrf = host.csrf(browser)
        assert (await browser.post(f"/test-call/{call_id}/say", {"text": " a  table\n for four "}, csrf)).status == 204
        assert (await heard(line, "cut"))["key"] == hello["key"]
        assert (await heard(line, "speech"))["text"] == "You said: a table for four"
        assert (await browser.post(f"/test-call/{call_id}/press", {"keys": "2#"}, csrf)).status == 204
        assert (await heard(line, "speech"))["text"] == "You pressed 2#"
        assert (await browser.post(f"/test-call/{call_id}/hang-up", {}, csrf)).status == 204
        assert (await heard(line, "over"))["reason"] == "hung up"
        async with asyncio.timeout(5):
            await line.ended.wait()
    assert (await browser.get(f"/test-call/{call_id}/line")).status == 404
    assert "a table for four" in (await browser.get(f"/calls/{call_id}")).text


async def test_leaving_the_page_closes_the_line() -> None:
    host = Host()
    browser = await host.browser()
    call_id = await placed(host, browser)
    async with browser.stream(f"/test-call/{call_id}/line") as line:
        await heard(line, "speech")
        assert line_tasks()
    await asyncio.sleep(0.01)
    assert line_tasks() == []


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        ("say", {"text": " "}),
        ("say", {}),
        ("say", {"text": "x" * 1_001}),
        ("press", {"keys": ""}),
        ("press", {"keys": "a"}),
        ("press", {"keys": "٣"}),
        ("press", {"keys": "1" * 33}),
    ],
)
async def test_what_no_caller_can_say_or_press_is_refused(what: str, fields: dict[str, str]) -> None:
    host = Host()
    browser = await host.browser()
    call_id = await placed(host, browser)
    assert (await browser.post(f"/test-call/{call_id}/{what}", fields, host.csrf(browser))).status == 422


@pytest.mark.parametrize("what", ["say", "press", "hang-up"])
async def test_a_call_needs_the_token_of_the_page(what: str) -> None:
    host = Host()
    browser = await host.browser()
    call_id = await placed(host, browser)
    fields = {"text": "hello", "keys": "1"}
    assert (await browser.post(f"/test-call/{call_id}/{what}", fields, "wrong")).status == 403
    assert (await browser.post(f"/test-call/nobody/{what}", fields, host.csrf(browser))).status == 404


async def test_calls_go_only_to_tenants_that_one_may_call() -> None:
    host = Host()
    browser, other = await host.browser("kim"), await host.browser("zoe")
    fields = {"tenant": "harbour", "language": "en-US"}
    assert (await browser.post("/test-call", fields, host.csrf(browser))).status == 403
    foreign = await placed(host, other)
    assert (await browser.get(f"/test-call/{foreign}/line")).status == 404
    answer = await browser.post(f"/test-call/{foreign}/say", {"text": "hello"}, host.csrf(browser))
    assert answer.status == 404
    await placed(host, browser, "lake", "de-DE")


async def test_a_language_that_nobody_speaks_is_refused_with_words() -> None:
    host = Host()
    browser = await host.browser()
    answer = await browser.post("/test-call", {"tenant": "lake", "language": "tlh"}, host.csrf(browser))
    assert answer.status == 422
    assert answer.json["detail"] == "Nobody answers there in this language."


async def test_closing_the_console_ends_the_lines() -> None:
    host = Host()
    browser = await host.browser()
    call_id = await placed(host, browser)
    async with browser.stream(f"/test-call/{call_id}/line") as line:
        await heard(line, "speech")
        host.console.close()
        assert (await heard(line, "over"))["reason"] == "the service restarts"
        async with asyncio.timeout(5):
            await line.ended.wait()
    await asyncio.sleep(0.01)
    assert line_tasks() == []
