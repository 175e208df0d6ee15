"""What people do with the pages, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable

from console_host import firing
from console_scene import fill
from console_served import EAR, Served, Watched
from playwright.sync_api import Page, expect


def test_live_calls_come_change_and_go(served: Served, open_page: Callable[..., Watched]) -> None:
    page = open_page().sign_in(served)
    expect(page.get_by_text("No open calls.")).to_be_visible()
    served.do(served.host.calls.start, "call-1")
    row = page.locator("#call-call-1")
    expect(row).to_contain_text("active")
    expect(page.get_by_text("No open calls.")).to_be_hidden()
    served.do(served.host.calls.say, "call-1", "hello", "hello", latency=321.0)
    expect(row).to_contain_text("321")
    expect(page.locator("#tiles")).to_contain_text("321 ms")
    served.do(served.host.calls.start, "call-2")
    expect(page.locator("#rows tr").first).to_have_attribute("id", "call-call-2")
    served.do(served.host.calls.end, "call-1")
    expect(row).to_have_count(0)
    # Ages count on by themselves.
    time = page.locator("#call-call-2 time[data-since]")
    before = time.text_content()
    expect(time).not_to_have_text(before or "", timeout=5_000)


def test_the_filter_holds_while_calls_change(served: Served, open_page: Callable[..., Watched]) -> None:
    page = open_page().sign_in(served)
    for name in ("call-1", "call-2"):
        served.do(served.host.calls.start, name, "lake" if name == "call-2" else "harbour")
    page.get_by_placeholder("Filter").fill("LAKE")
    expect(page.locator("#call-call-1")).to_be_hidden()
    expect(page.locator("#call-call-2")).to_be_visible()
    served.do(served.host.calls.say, "call-1", "hello", latency=111.0)
    served.do(served.host.calls.start, "call-3")
    expect(page.locator("#call-call-3")).to_have_count(1)
    expect(page.locator("#call-call-3")).to_be_hidden()
    expect(page.locator("#call-call-1")).to_be_hidden()


def test_a_line_that_breaks_comes_back_with_what_is_true_then(
    served: Served, open_page: Callable[..., Watched]
) -> None:
    watched = open_page()
    page = watched.sign_in(served)
    served.do(served.host.calls.start, "call-1")
    expect(page.locator("#call-call-1")).to_be_visible()
    page.context.set_offline(True)
    # An open line survives in Chromium's offline mode; the console closes it as a restart would.
    served.do(_cut, served)
    expect(page.locator("#link")).to_have_text("reconnecting")
    served.do(served.host.calls.end, "call-1")
    served.do(served.host.calls.start, "call-2")
    page.context.set_offline(False)
    expect(page.locator("#link")).to_have_text("live", timeout=20_000)
    expect(page.locator("#call-call-2")).to_be_visible()
    expect(page.locator("#call-call-1")).to_have_count(0)
    # That the network was away is told by the browser, and is the one error that belongs here.
    watched.errors[:] = [each for each in watched.errors if "ERR_INTERNET_DISCONNECTED" not in each]


def _cut(served: Served) -> None:
    for changes in served.host.console._parts.hub._pages:
        changes.close()


def test_alerts_are_acknowledged_and_silenced(served: Served, open_page: Callable[..., Watched]) -> None:
    served.host.alerts.found.append(firing("a1", "Turns are slow"))
    page = open_page().sign_in(served)
    other = open_page().sign_in(served)
    page.get_by_role("button", name="Acknowledge Turns are slow").click()
    expect(page.locator("#notice")).to_have_text("Acknowledged.")
    for each in (page, other):
        expect(each.locator("#alerts")).to_contain_text("Acknowledged by u-zoe")
    page.locator("summary", has_text="Silence").click()
    page.get_by_label("because").fill("known, being mended")
    page.wait_for_timeout(1_500)  # what is half written survives a refresh
    expect(page.get_by_label("because")).to_have_value("known, being mended")
    page.locator("select[name=minutes]").select_option("30 min")
    page.get_by_role("button", name="Silence", exact=True).click()
    expect(page.locator("#notice")).to_have_text("Silenced for 30 min.")
    expect(page.locator("#alerts")).to_contain_text("Silenced until")
    assert served.host.alerts.answers == [("a1", "u-zoe"), ("a1", "known, being mended")]


def test_a_refused_change_says_why(served: Served, open_page: Callable[..., Watched]) -> None:
    served.host.alerts.found.append(firing("a1", "Turns are slow"))
    watched = open_page()
    page = watched.sign_in(served)
    button = page.get_by_role("button", name="Acknowledge Turns are slow")
    served.host.alerts.found.clear()
    button.click()
    expect(page.locator("#notice")).to_have_text("There is no such alert.")
    # The browser itself notes the 404.
    watched.errors[:] = [each for each in watched.errors if "404" not in each]


def test_hostile_words_of_a_caller_stay_words(served: Served, open_page: Callable[..., Watched]) -> None:
    words = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    page = open_page().sign_in(served)
    served.do(served.host.calls.start, "call-1")
    page.goto(f"{served.url}/calls/call-1")
    expect(page.locator("#link")).to_have_text("live")
    served.do(served.host.calls.say, "call-1", words, words)
    expect(page.locator("#call")).to_contain_text(words)
    assert page.locator("#call img, #call script").count() == 0
    assert page.title() == "call-1 · Harbour calls"


def test_a_call_is_placed_and_its_replies_are_heard(
    served: Served, open_page: Callable[..., Watched], keep: Callable[[Page, str], None]
) -> None:
    watched = open_page()
    page = watched.sign_in(served)
    page.add_init_script(EAR)
    page.get_by_role("link", name="Test call", exact=True).click()
    page.get_by_role("button", name="Place the call").click()
    turns = page.locator("#turns")
    expect(turns).to_contain_text("Hello, this is the echo desk.")
    watched.until("heard.samples > 16000")
    assert page.evaluate("heard.rate") == 16_000
    assert page.evaluate("heard.loudest") > 0.2
    assert page.evaluate("heard.context.state") == "running"
    watched.until("document.getElementById('level').value > 0.1")
    page.get_by_label("What the caller says").fill("a table for four")
    page.keyboard.press("Enter")
    expect(turns).to_contain_text("You said: a table for four")
    # What was being said stops at once.
    expect(turns.locator(".cut")).to_have_text("Hello, this is the echo desk.")
    assert page.evaluate("heard.stopped") > 0
    page.get_by_role("button", name="2", exact=True).click()
    expect(turns).to_contain_text("You pressed 2")
    expect(turns.locator("li.desk .num").last).to_have_text(re.compile(r"\d+ ms"))
    keep(page, "test-call-talking")
    page.get_by_role("button", name="Hang up").click()
    expect(turns).to_contain_text("The call is over: hung up.")
    expect(page.get_by_role("button", name="Place the call")).to_be_focused()
    page.get_by_role("link", name="Its page").click()
    expect(page.locator("#call")).to_contain_text("a table for four")


def test_everything_can_be_done_with_the_keyboard_alone(served: Served, open_page: Callable[..., Watched]) -> None:
    served.do(fill, served.host, 3)
    page = open_page().page
    page.goto(f"{served.url}/")
    expect(page.get_by_label("Name or e-mail address")).to_be_focused()
    page.keyboard.type("zoe")
    page.keyboard.press("Tab")
    page.keyboard.type("correct horse battery")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{served.url}/")
    expect(page.locator("#link")).to_have_text("live")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    assert _is_seen(page)
    page.keyboard.press("Enter")
    reached: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        what = page.evaluate(
            "(({tagName, ariaLabel, textContent, id}) => `${tagName} ${ariaLabel || textContent.trim() || id}`)(document.activeElement)"
        )
        if what.startswith("BODY"):
            break
        assert _is_seen(page), what
        reached.append(what)
    text = "\n".join(reached)
    for wanted in (
        "A Alerts firing",
        "BUTTON Acknowledge Turns are slow",
        "SUMMARY Silence Turns are slow",
        "INPUT filter",
        "A call_",
        "SUMMARY 2 limits",
    ):
        assert wanted in text, (wanted, text)
    page.locator("summary", has_text="Silence").first.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("known")
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_have_text("Silenced for 60 min.")


def _is_seen(page: Page) -> bool:
    """Whether what has the focus shows it, and is on the screen."""
    return bool(
        page.evaluate("""() => {
          const element = document.activeElement, box = element.getBoundingClientRect(), style = getComputedStyle(element);
          return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 && box.width > 0
            && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
        }""")
    )


def test_the_focus_stays_where_it_is_while_the_page_changes(served: Served, open_page: Callable[..., Watched]) -> None:
    served.do(served.host.calls.start, "call-1")
    page = open_page().sign_in(served)
    expect(page.locator("#link")).to_have_text("live")
    page.locator("#call-call-1 a").focus()
    for number in range(4):
        served.do(served.host.calls.say, "call-1", "hello", latency=500.0 + number)
        served.do(served.host.calls.start, f"call-{number + 2}")
        expect(page.locator("#call-call-1")).to_contain_text(str(500 + number))
        expect(page.locator("#call-call-1 a")).to_be_focused()


def test_signing_out_leads_to_the_door(served: Served, open_page: Callable[..., Watched]) -> None:
    page = open_page().sign_in(served)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.goto(f"{served.url}/")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


def test_names_that_mean_something_to_scripts_mean_nothing(served: Served, open_page: Callable[..., Watched]) -> None:
    names = ("__proto__", "constructor", "toString", "rows", "link")
    page = open_page().sign_in(served)
    for name in names:
        served.do(served.host.calls.start, name)
        expect(page.locator(f"[id='call-{name}']")).to_have_count(1)
    served.do(served.host.calls.say, "__proto__", "hello", latency=432.0)
    expect(page.locator("[id='call-__proto__']")).to_contain_text("432")
    for name in names:
        served.do(served.host.calls.end, name)
    expect(page.locator("#rows tr")).to_have_count(0)
    assert page.evaluate("Object.keys(Object.prototype).length + Object.getOwnPropertyNames({}).length") == 0


def test_an_alert_is_told_in_the_title_and_to_those_who_do_not_see(
    served: Served, open_page: Callable[..., Watched]
) -> None:
    page = open_page().sign_in(served)
    expect(page).to_have_title("Overview · Harbour calls")
    served.do(served.host.alerts.found.append, firing("a1", "Turns are slow"))
    expect(page).to_have_title("(1) Overview · Harbour calls")
    expect(page.locator("#said")).to_have_text("1 alert fires")
    served.do(served.host.alerts.found.clear)
    expect(page).to_have_title("Overview · Harbour calls")


def test_a_session_that_ended_while_the_line_was_broken_leads_to_the_door(
    served: Served, open_page: Callable[..., Watched]
) -> None:
    watched = open_page()
    page = watched.sign_in(served)
    expect(page.locator("#link")).to_have_text("live")
    served.do(served.host.sign_in.sessions.clear)
    served.do(_cut, served)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible(timeout=20_000)
    # The browser itself notes the 401, and that the redirect which told of it was not followed.
    watched.errors[:] = [each for each in watched.errors if "401" not in each and not each.endswith("/login")]
