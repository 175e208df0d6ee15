"""How the pages look, and that everybody can use them: pictures are kept, axe-core judges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from console_axe import violations
from console_scene import fill
from console_served import Served, Watched
from playwright.sync_api import Page

SIZES = {"desktop": {"width": 1360, "height": 900}, "phone": {"width": 390, "height": 844}}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible(
    served: Served,
    open_page: Callable[..., Watched],
    keep: Callable[[Page, str], None],
    size: str,
    scheme: str,
) -> None:
    served.do(fill, served.host)
    watched = open_page(color_scheme=scheme, viewport=SIZES[size])
    page = watched.page
    page.goto(f"{served.url}/")
    keep(page, f"login-{size}-{scheme}")
    assert violations(page) == []
    watched.sign_in(served)
    page.locator(".link[data-state=live]").wait_for()
    page.locator("summary", has_text="Silence").first.click()
    keep(page, f"overview-{size}-{scheme}")
    assert violations(page) == []
    page.goto(served.url + "/test-call")
    keep(page, f"test-call-{size}-{scheme}")
    assert violations(page) == []
    longest = max(served.host.calls.found.values(), key=lambda each: len(each.turns)).call.id
    page.goto(f"{served.url}/calls/{longest}")
    page.locator(".link[data-state=live]").wait_for()
    keep(page, f"call-{size}-{scheme}")
    assert violations(page) == []
    # Nothing is wider than the screen.
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


STATES = ("initializing", "connecting", "active", "on_hold", "transferring", "ending")


@pytest.mark.parametrize("width", [375, 1360])
def test_the_title_and_every_state_of_a_call_are_whole(
    served: Served, open_page: Callable[..., Watched], width: int
) -> None:
    calls = served.host.calls
    for name in STATES:
        served.do(calls.start, f"call_{name}")
        found = calls.found[f"call_{name}"]
        calls.found[f"call_{name}"] = replace(found, call=replace(found.call, state=name))
    page = open_page(viewport={"width": width, "height": 800}).sign_in(served)
    # The text is measured, not its box: what is cut keeps the width that it wants.
    shown = page.evaluate("""() => [...document.querySelectorAll("#rows .state, .brand span")].map(each => {
        const room = each.closest("td, a").getBoundingClientRect(), text = document.createRange();
        text.selectNodeContents(each);
        return [each.textContent, room.right - text.getBoundingClientRect().right, each.scrollWidth - each.clientWidth];
    })""")
    assert {name for name, _, _ in shown} == {"Harbour calls", *(each.replace("_", " ") for each in STATES)}
    cramped = [name for name, room, over in shown if over > 0 or (room < 4 and name != "Harbour calls")]
    assert cramped == []
