from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from console_support import PASSWORD, Browser, Host
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_console._web import safe_return
from orchestrator_kernel.exceptions import DatabaseError, RateLimitError


async def test_without_a_session_every_page_leads_to_the_door_and_back() -> None:
    host = Host()
    host.calls.start("call-1")
    browser = Browser(host.console)
    asked = await browser.get("/calls/call-1?a=1")
    assert (asked.status, asked.headers["location"]) == (303, "/console/login?next=%2Fconsole%2Fcalls%2Fcall-1%3Fa%3D1")
    door = await browser.get(asked.headers["location"].removeprefix("/console"))
    assert 'name="next" value="/console/calls/call-1?a=1"' in door.text
    entered = await browser.form("/login", {"login": "zoe", "password": PASSWORD, "next": "/console/calls/call-1?a=1"})
    assert (entered.status, entered.headers["location"]) == (303, "/console/calls/call-1?a=1")
    assert (await browser.get("/calls/call-1")).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", path) for path in ("/events", "/calls/c/events", "/test-call/c/line")),
        *(("POST", path) for path in ("/alerts/acknowledge", "/alerts/silence", "/test-call", "/sign-out")),
        *(("POST", f"/test-call/c/{what}") for what in ("say", "press", "hang-up")),
    ],
)
async def test_a_script_without_a_session_gets_a_401(method: str, path: str) -> None:
    answer = await Browser(Host().console).ask(method, path, accept="application/json")
    assert answer.status == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["code"] == "not_signed_in"


@pytest.mark.parametrize(("login", "password"), [("zoe", "wrong"), ("nobody", PASSWORD), ("", "")])
async def test_whatever_is_wrong_the_answer_is_the_same(login: str, password: str) -> None:
    browser = Browser(Host().console)
    answer = await browser.form("/login", {"login": login, "password": password})
    assert answer.status == 401
    assert "That did not work." in answer.text
    assert "set-cookie" not in answer.headers
    assert password not in re.sub(r"<[^>]*>", "", answer.text) or not password


async def test_the_name_stays_in_the_form_and_the_password_does_not() -> None:
    answer = await Browser(Host().console).form("/login", {"login": '"><b>zoe', "password": "hunter2"})
    assert "&#34;&gt;&lt;b&gt;zoe" in answer.text
    assert "hunter2" not in answer.text


async def test_a_second_factor_is_asked_for_and_a_code_works_once() -> None:
    host = Host()
    browser = Browser(host.console)
    form = await browser.form("/login", {"login": "max", "password": PASSWORD, "next": "/console/test-call"})
    [challenge] = re.findall(r'name="challenge" value="([^"]+)"', form.text)
    assert "one-time-code" in form.text
    assert not browser.cookies
    entered = await browser.form(
        "/login/code", {"challenge": challenge, "code": "123 456", "next": "/console/test-call"}
    )
    assert (entered.status, entered.headers["location"]) == (303, "/console/test-call")
    again = await Browser(host.console).form("/login/code", {"challenge": challenge, "code": "123456"})
    assert again.status == 401


async def test_who_is_in_already_is_not_asked_again() -> None:
    browser = await Host().browser()
    assert (await browser.get("/login?next=/console/test-call")).headers["location"] == "/console/test-call"


async def test_signing_out_ends_the_session() -> None:
    host = Host()
    browser = await host.browser()
    kept = dict(browser.cookies)
    answer = await browser.post("/sign-out", {}, host.csrf(browser))
    assert answer.json == {"location": "/console/login"}
    assert not browser.cookies
    browser.cookies = kept
    assert (await browser.get("/")).status == 303


async def test_too_many_attempts_are_told_with_the_time_to_wait() -> None:
    host = Host()

    async def refuse(*_: object, **__: object) -> None:
        raise RateLimitError("slow down", retry_after=40.0)

    host.sign_in.password = refuse  # type: ignore[method-assign,assignment]
    answer = await Browser(host.console).form("/login", {"login": "zoe", "password": "x"})
    assert answer.status == 429
    assert "Try again in 40 s." in answer.text


async def test_while_nobody_can_be_known_nobody_is_let_in() -> None:
    host = Host()
    browser = await host.browser()

    async def fail(_scope: object) -> None:
        raise DatabaseError("The sessions cannot be read.")

    host.sign_in.viewer = fail  # type: ignore[method-assign,assignment]
    answer = await browser.get("/")
    assert answer.status >= 500
    assert "The sessions cannot be read." in answer.text


async def test_a_form_of_another_site_signs_nobody_in() -> None:
    browser = Browser(Host().console)
    fields = {"login": "zoe", "password": PASSWORD}
    for headers in (
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://calls.example.evil.example"},
    ):
        assert (await browser.form("/login", fields, **headers)).status == 403
    for headers in ({"sec_fetch_site": "same-origin"}, {"origin": "https://calls.example"}, {}):
        assert (await browser.form("/login", fields, **headers)).status == 303


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"login=%ff", "application/x-www-form-urlencoded"),
        (b"&".join(b"a=1" for _ in range(50)), "application/x-www-form-urlencoded"),
        (b"{", "application/json"),
        (b'["login"]', "application/json"),
        (b'{"login": 1}', "application/json"),
        (b'{"login": "\\ud800"}', "application/json"),
        (b"[" * 10_000, "application/json"),
        (b"login=zoe", "text/plain"),
        (b"login=zoe", "multipart/form-data; boundary=x"),
    ],
)
async def test_a_body_that_is_no_form_is_refused(body: bytes, kind: str) -> None:
    answer = await Browser(Host().console).ask("POST", "/login", body, content_type=kind)
    assert answer.status in {400, 413, 422}


async def test_a_body_larger_than_any_form_is_refused() -> None:
    body = b"login=" + b"a" * 20_000
    answer = await Browser(Host().console).ask("POST", "/login", body, content_type="application/x-www-form-urlencoded")
    assert answer.status == 413


@given(st.one_of(st.text(), st.from_regex(r"/console/[\\/.a-z:@\t\n]*", fullmatch=True)))
def test_nobody_is_led_away(wanted: str) -> None:
    place = safe_return(wanted, "/console/")
    # As browsers read it: without control characters, and with slashes for backslashes.
    read = re.sub(r"[\t\n\r]", "", place).replace("\\", "/")
    parts = urlsplit(read)
    assert (parts.scheme, parts.netloc) == ("", "")
    assert read.startswith("/console/")
    assert "\n" not in place
    assert "\r" not in place


def test_a_page_of_the_console_is_gone_back_to() -> None:
    assert safe_return("/console/calls/c1?x=%2F", "/console/") == "/console/calls/c1?x=%2F"
    assert safe_return("/calls/c1", "/") == "/calls/c1"
    assert safe_return("//evil.example", "/") == "/"


async def test_the_password_is_masked_and_may_be_pasted() -> None:
    page = (await Browser(Host().console).get("/login")).text
    [field] = re.findall(r'<input id="password"[^>]*>', page)
    assert 'type="password"' in field
    assert 'autocomplete="current-password"' in field
    assert "onpaste" not in page
