"""A real chromium, and a console that is served on a free loopback port."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "tests")]

from console_served import Served, Watched, serve  # noqa: E402 - its folder is put on the path above

from orchestrator_console import ConsoleConfig  # noqa: E402

SHOTS = Path(os.environ.get("CONSOLE_SCREENSHOTS") or Path(__file__).parents[3] / ".nox" / "screenshots")


@pytest.fixture(scope="session")
def playwright() -> Generator[Playwright, None, None]:
    with sync_playwright() as found:
        yield found


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Generator[Browser, None, None]:
    program = shutil.which("chromium")
    assert program, "these tests need Debian's package chromium"
    # Root has no sandbox; what is shown here is our own.
    browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
    yield browser
    browser.close()


@pytest.fixture
def served() -> Generator[Served, None, None]:
    """A console that reads everything again each second, so that nobody has to wait for it."""
    with serve(ConsoleConfig(title="Harbour calls", refresh=1.0)) as found:
        yield found


@pytest.fixture
def served_as_it_is() -> Generator[Served, None, None]:
    """A console as it is out of the box."""
    with serve(ConsoleConfig()) as found:
        yield found


@pytest.fixture
def open_page(chromium: Browser) -> Generator[Callable[..., Watched], None, None]:
    """A page of a browser of its own; at the end of the test it must have had no error in its console."""
    opened: list[Watched] = []

    def make(**settings: object) -> Watched:
        given: dict[str, object] = {"viewport": {"width": 1360, "height": 900}, **settings}
        context = chromium.new_context(**given)  # type: ignore[arg-type]
        context.set_default_timeout(30_000)
        opened.append(Watched(context.new_page()))
        return opened[-1]

    yield make
    for each in opened:
        assert each.errors == []
        each.page.context.close()


@pytest.fixture
def keep() -> Callable[[Page, str], None]:
    """Keeps a picture of a page for people to look at."""

    def shoot(page: Page, name: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SHOTS / f"{name}.png", full_page=True)

    return shoot
