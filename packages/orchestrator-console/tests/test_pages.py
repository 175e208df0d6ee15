from __future__ import annotations

import asyncio
import re
from html.parser import HTMLParser

import pytest
from console_host import audit_event, firing, objective, status
from console_support import FAST, Browser, Host
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator_console import Console, ConsoleConfig
from orchestrator_kernel.exceptions import ConfigurationError, DatabaseError
from orchestrator_kernel.models import HealthState
from orchestrator_kernel.ports.operations import BurnRate, CallTurn, DependencyPolicy, ObjectiveState, RateRule

MARKUP = '<img src=x onerror="alert(1)"><script>alert(2)</script>\'"&amp;{{7*7}}'


class Tags(HTMLParser):
    """Every tag and attribute of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_everything_is_on_the_overview() -> None:
    host = Host()
    host.calls.start("call-1", ago=75)
    host.calls.say("call-1", "a table for four", "For which day?", latency=1234.0)
    host.alerts.found.append(firing("a1", "Turns are slow", labels=(("tenant", "harbour"),)))
    host.figures.states += [status("journal"), status("voice", HealthState.DEGRADED, "one of two voices is missing")]
    host.figures.goals.append(objective(budget_left=-0.25, state=ObjectiveState.EXHAUSTED))
    host.figures.policies.append(DependencyPolicy(name="tts_service", circuit="open", calls=20, failures=11))
    host.figures.limits.append(RateRule(name="calls", scope="operators", limits="30/second"))
    host.figures.events.append(audit_event(1, details={"method": "password"}))
    page = (await (await host.browser()).get("/")).text
    for words in (
        *(
            "call-1",
            "harbour",
            "1:15",
            "1\u202f234",
            "Turns are slow",
            "tenant=harbour",
            "one of two voices is missing",
        ),
        *(
            "\u221225 %",
            "99.91",
            "99.5",
            "tts_service",
            "11 / 20",
            "30/second",
            "auth.login.success",
            "<dt>method</dt><dd>password</dd>",
        ),
    ):
        assert words in page, words


async def test_an_objective_with_too_few_events_is_judged_neither_good_nor_bad() -> None:
    host = Host()
    few = objective(state=ObjectiveState.TOO_FEW_EVENTS, achieved=0.0, budget_left=None, events=1, min_events=20)
    host.figures.goals.append(few)
    page = (await (await host.browser()).get("/")).text
    assert "too few events (1 of 20)" in page
    section = page.partition('id="objectives"')[2].partition("</section>")[0]
    assert "tone-" not in section
    assert "fill-" not in section


async def test_an_empty_service_says_so_in_every_part() -> None:
    page = (await (await Host().browser()).get("/")).text
    for words in (
        "No open calls.",
        "Nothing fires.",
        "No checks.",
        "No objectives are defined.",
        "Nothing is asked of others.",
        "Nothing was recorded yet.",
    ):
        assert words in page


async def test_a_source_that_fails_takes_nothing_else_with_it() -> None:
    host = Host()
    host.calls.broken = DatabaseError("The journal cannot be read.")
    host.alerts.found.append(firing("a1", "Turns are slow"))
    answer = await (await host.browser()).get("/")
    assert answer.status == 200
    assert "The journal cannot be read." in answer.text
    assert "Turns are slow" in answer.text


async def test_a_source_that_breaks_in_a_way_nobody_foresaw_shows_no_inner_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    host = Host()
    host.calls.broken = RuntimeError("password=hunter2")
    page = (await (await host.browser()).get("/")).text
    assert "hunter2" not in page
    assert "the log says why" in page
    assert "a source of the console failed" in caplog.text


async def test_a_part_without_a_port_is_not_on_the_page() -> None:
    host = Host()
    bare = Console(sign_in=host.sign_in, calls=host.calls)
    browser = Browser(bare)
    await browser.sign_in()
    page = (await browser.get("/")).text
    assert 'id="calls"' in page
    for part in ("alerts", "health", "objectives", "policies", "audit"):
        assert f'id="{part}"' not in page
    assert "Test call" not in page
    assert (await browser.post("/test-call", {"tenant": "harbour"}, host.csrf(browser))).status == 404
    assert (await browser.post("/alerts/acknowledge", {"alert": "a1"}, host.csrf(browser))).status == 403


async def test_one_call_with_its_transcript() -> None:
    host = Host()
    host.calls.start("call-1")
    host.calls.say("call-1", "", "Good evening.", kind="greeting", latency=90)
    host.calls.say("call-1", "2", "You pressed two.", kind="digits", latency=1500)
    host.calls.turn(
        "call-1",
        CallTurn(id="t", kind="speech", caller="never mind", spoken=("Very well.",), interrupted=True, heard="Very"),
    )
    page = (await (await host.browser()).get("/calls/call-1")).text
    for words in ("Good evening.", "<kbd>2</kbd>", "never mind", "heard: Very", "1\u202f500 ms", "Turn 2: 1500 ms"):
        assert words in page, words
    assert page.count("<rect") == 2


@pytest.mark.parametrize("path", ["/calls/nobody", "/calls/nobody/events", "/nowhere", "/static/../console.py"])
async def test_what_does_not_exist_is_not_found(path: str) -> None:
    answer = await (await Host().browser()).get(path)
    assert answer.status == 404
    assert "text/html" in answer.headers["content-type"]


async def test_a_tenants_people_see_their_tenant_alone() -> None:
    host = Host()
    host.calls.start("call-harbour", "harbour")
    host.calls.start("call-lake", "lake")
    host.alerts.found.append(firing("a1", "Turns are slow"))
    host.figures.events.append(audit_event(1))
    browser = await host.browser("kim")
    page = (await browser.get("/")).text
    assert "call-lake" in page
    for foreign in ("call-harbour", "Turns are slow", "auth.login.success"):
        assert foreign not in page
    assert (await browser.get("/calls/call-lake")).status == 200
    hidden, absent = await browser.get("/calls/call-harbour"), await browser.get("/calls/nobody")
    assert (hidden.status, hidden.text) == (absent.status, absent.text) == (404, absent.text)
    assert "The Harbour House" not in (await browser.get("/test-call")).text


async def test_hostile_text_never_becomes_markup() -> None:
    host = Host()
    browser = await host.browser()
    host.calls.start("call-1", ago=9)
    calm = [Tags((await browser.get(path)).text) for path in ("/", "/calls/call-1")]
    host.calls.say("call-1", MARKUP, MARKUP, latency=None)
    host.calls.turn("call-1", CallTurn(id=MARKUP, kind="digits", caller=MARKUP, intent=MARKUP, notes=(MARKUP,)))
    host.alerts.found.append(
        firing("a1", MARKUP, detail=MARKUP, labels=((MARKUP, MARKUP),), runbook="javascript:alert(1)")
    )
    host.figures.states.append(status(MARKUP, reason=MARKUP))
    host.figures.goals.append(objective(title=MARKUP))
    host.figures.policies.append(DependencyPolicy(name=MARKUP, circuit="open"))
    host.figures.limits.append(RateRule(name=MARKUP, scope=MARKUP, limits=MARKUP))
    host.figures.events.append(audit_event(1, actor=MARKUP, action=MARKUP, resource=MARKUP, details={MARKUP: MARKUP}))
    await asyncio.sleep(FAST.refresh)  # what was read a moment ago is good for as long
    host.sign_in.sessions.clear()
    browser = await host.browser()
    for path, before in zip(("/", "/calls/call-1"), calm, strict=True):
        page = Tags((await browser.get(path)).text)
        assert "<script>alert(2)</script>" in page.text
        assert page.tags.count("script") == before.tags.count("script") == 1
        assert "img" not in page.tags
        assert not any(name.startswith("on") for name, _ in page.attributes)
        assert not any(str(value).startswith("javascript:") for name, value in page.attributes if name == "href")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40), st.text(max_size=40))
async def test_whatever_is_said_is_shown_as_it_was_said(caller: str, spoken: str) -> None:
    host = Host()
    host.calls.start("call-1")
    host.calls.say("call-1", caller, spoken)
    text = (await (await host.browser()).get("/calls/call-1")).body.decode()
    page = Tags(text)
    assert set(page.tags) <= {
        *(
            "html",
            "head",
            "meta",
            "title",
            "link",
            "script",
            "body",
            "a",
            "header",
            "svg",
            "path",
            "nav",
            "p",
            "time",
            "span",
        ),
        *(
            "form",
            "input",
            "button",
            "noscript",
            "main",
            "article",
            "h1",
            "h2",
            "code",
            "dl",
            "div",
            "dt",
            "dd",
            "section",
        ),
        *("text", "rect", "ol", "li"),
    }
    for said in (caller, spoken):
        assert said.replace("\r\n", "\n").replace("\r", "\n").strip("\0 \n\t\f") in page.text.replace(
            "\r\n", "\n"
        ).replace("\r", "\n")


async def test_no_page_holds_an_inline_script_or_style() -> None:
    host = Host()
    host.calls.start("call-1")
    host.calls.say("call-1", "hello", "hello")
    host.figures.goals.append(objective(burn=(BurnRate(window_seconds=300, rate=None),), budget_left=None))
    browser = await host.browser()
    for path in ("/", "/calls/call-1", "/test-call", "/nowhere"):
        text = (await browser.get(path)).text
        page = Tags(text)
        assert "style" not in page.tags
        assert not any(name == "style" or name.startswith("on") for name, _ in page.attributes)
        assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", text) == []
        assert not re.search(r"""(src|href|action)=["'](https?:)?//""", text)


async def test_every_answer_carries_the_headers_that_bind_the_browser() -> None:
    host = Host()
    browser = await host.browser()
    for path in ("/", "/test-call", "/nowhere", "/static/console.css", "/login"):
        headers = (await browser.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
    assert (await browser.get("/")).headers["cache-control"] == "no-store"


async def test_files_are_kept_by_their_version_and_asked_for_once() -> None:
    browser = Browser(Host().console)
    page = (await browser.get("/login")).text
    [link] = re.findall(r'href="/console(/static/console\.css\?v=\w+)"', page)
    first = await browser.get(link)
    assert "immutable" in first.headers["cache-control"]
    assert (await browser.get("/static/console.css")).headers["cache-control"] == "no-cache"
    again = await browser.get(link, if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize("field", ["push", "refresh", "read_limit", "max_streams", "max_calls", "turn_target_ms"])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_a_configuration_out_of_range_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=field):
        ConsoleConfig(**{field: value})


async def test_a_method_that_a_page_does_not_have_is_refused() -> None:
    assert (await (await Host().browser()).ask("DELETE", "/")).status == 405


async def test_without_script_a_page_says_what_it_cannot_do() -> None:
    host = Host()
    browser = await host.browser()
    for path in ("/", "/test-call"):
        assert "<noscript>" in (await browser.get(path)).text
    assert "<script" not in (await Browser(host.console).get("/login")).text


async def test_names_from_outside_are_no_names_in_the_document() -> None:
    host = Host()
    for name in ("rows", "tiles", "cookie", "operatorsConsole"):
        host.calls.start(name)
        host.alerts.found.append(firing(name, "Turns are slow"))
        host.figures.events.append(audit_event(1, id=name))
    page = Tags((await (await host.browser()).get("/")).text)
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {"call-rows", "alert-cookie", "audit-operatorsConsole"} <= set(ids)
    assert not {"cookie", "operatorsConsole"} & set(ids)


async def test_one_can_sign_out_on_every_page() -> None:
    host = Host()
    host.calls.start("call-1")
    browser = await host.browser()
    for path in ("/", "/calls/call-1", "/test-call"):
        assert 'action="/console/sign-out"' in (await browser.get(path)).text
