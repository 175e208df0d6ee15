from __future__ import annotations

import asyncio

import pytest
from console_host import firing
from console_support import Host


async def test_acknowledging_is_seen_at_once_by_everybody() -> None:
    host = Host()
    host.alerts.found.append(firing("a1", "Turns are slow"))
    browser = await host.browser()
    async with (await host.browser("zoe")).stream("/events") as other:
        await other.until(lambda patch: "Turns are slow" in str(patch.get("html")))
        answer = await browser.post("/alerts/acknowledge", {"alert": "a1"}, host.csrf(browser))
        assert answer.json == {"message": "Acknowledged."}
        await other.until(lambda patch: "Acknowledged by u-zoe" in str(patch.get("html")))
    assert host.alerts.answers == [("a1", "u-zoe")]


async def test_silencing_takes_a_time_and_a_reason() -> None:
    host = Host()
    host.alerts.found.append(firing("a1", "Turns are slow"))
    browser = await host.browser()
    csrf = host.csrf(browser)
    for minutes, reason in (
        ("0", "x"),
        ("-1", "x"),
        ("1e9", "x"),
        ("99999", "x"),
        ("", "x"),
        ("٣", "x"),
        ("30", " "),
        ("30", "x" * 501),
    ):
        fields = {"alert": "a1", "minutes": minutes, "reason": reason}
        assert (await browser.post("/alerts/silence", fields, csrf)).status == 422
    assert host.alerts.answers == []
    done = await browser.post(
        "/alerts/silence", {"alert": "a1", "minutes": "30", "reason": "known, being mended"}, csrf
    )
    assert done.status == 200
    assert host.alerts.answers == [("a1", "known, being mended")]
    assert "Silenced until" in (await browser.get("/")).text


async def test_a_form_without_script_works_too() -> None:
    host = Host()
    host.alerts.found.append(firing("a1", "Turns are slow"))
    browser = await host.browser()
    fields = {"alert": "a1", "csrf_token": host.csrf(browser)}
    answer = await browser.form("/alerts/acknowledge", fields, sec_fetch_site="same-origin")
    assert (answer.status, answer.headers["location"]) == (303, "/console/#alerts")
    assert host.alerts.answers == [("a1", "u-zoe")]


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        ("", {}),
        ("wrong", {}),
        ("ä", {}),
        (None, {"sec_fetch_site": "cross-site"}),
        (None, {"origin": "https://evil.example"}),
    ],
)
async def test_a_change_that_no_page_of_ours_asked_for_changes_nothing(
    token: str | None, headers: dict[str, str]
) -> None:
    host = Host()
    host.alerts.found.append(firing("a1", "Turns are slow"))
    browser = await host.browser()
    csrf = host.csrf(browser) if token is None else token
    answer = await browser.post("/alerts/acknowledge", {"alert": "a1"}, csrf, **headers)
    assert (answer.status, answer.json["code"]) == (403, "foreign_request")
    assert host.alerts.answers == []


async def test_the_token_of_another_session_is_none() -> None:
    host = Host()
    host.alerts.found.append(firing("a1", "Turns are slow"))
    mine, other = await host.browser(), await host.browser()
    assert (await mine.post("/alerts/acknowledge", {"alert": "a1"}, host.csrf(other))).status == 403


async def test_who_may_not_answer_alerts_does_not() -> None:
    host = Host()
    host.alerts.found.append(firing("a1", "Turns are slow"))
    browser = await host.browser("kim")
    answer = await browser.post("/alerts/acknowledge", {"alert": "a1"}, host.csrf(browser))
    assert answer.status == 403
    assert host.alerts.answers == []


@pytest.mark.parametrize("alert", ["", "a2"])
async def test_an_alert_that_is_over_cannot_be_answered(alert: str) -> None:
    host = Host()
    browser = await host.browser()
    answer = await browser.post("/alerts/acknowledge", {"alert": alert}, host.csrf(browser))
    assert (answer.status, answer.json["code"]) == (404, "unknown_alert")


async def test_an_answer_read_before_a_change_is_not_shown_after_it() -> None:
    host = Host()
    host.alerts.found.append(firing("a1", "Turns are slow"))
    browser = await host.browser()
    slow, read = asyncio.Event(), host.alerts.alerts

    async def slowly() -> object:
        found = await read()
        await slow.wait()
        return found

    source = host.console._parts.sources.alerts
    assert source is not None
    source._ask = slowly  # type: ignore[assignment]
    reading = asyncio.create_task(browser.get("/"))
    await asyncio.sleep(0.02)
    source._ask = read
    await browser.post("/alerts/acknowledge", {"alert": "a1"}, host.csrf(browser))
    slow.set()
    await reading
    assert "Acknowledged by u-zoe" in (await browser.get("/")).text
