"""The page of the whole application, as it is served: a person is made, signs in, places a call and hears the desk."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from urllib.parse import unquote

import pytest
from console_axe import violations
from console_served import EAR, Watched
from playwright.sync_api import Page, expect

EMAIL, PASSWORD = "zoe@example.org", "a password of several words"


def orchestrator(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "orchestrator_app", *arguments]


def environment(data: Path) -> dict[str, str]:
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
    return {**foreign, "ORCHESTRATOR_DATA_DIR": str(data), "ORCHESTRATOR_SERVER__DRAIN_SECONDS": "1"}


def send(url: str, body: Mapping[str, str]) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Generator[str, None, None]:
    """The application with the embedded voice and one administrator; gives its URL."""
    folder = tmp_path_factory.mktemp("application")
    given = environment(folder / "data")
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            orchestrator("serve", "--port", "0", "--json"),
            cwd=folder,
            env=given,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            yield _begun(process, folder, given)
            process.terminate()
            assert process.wait(30) == 0, (folder / "log").read_text()[-3000:]
        finally:
            process.kill()


def _begun(process: subprocess.Popen[str], folder: Path, given: Mapping[str, str]) -> str:
    """The URL of the application, once somebody has an account there."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (folder / "log").read_text()[-3000:]
    told = json.loads(line)
    assert told["voices"], "the embedded voice is not installed"
    made = subprocess.run(
        orchestrator("auth", "first-admin", EMAIL),
        cwd=folder,
        env=given,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    [token] = re.findall(r"#(\S+)", made.stdout)
    send(f"{told['url']}/auth/password/set", {"token": unquote(token), "password": PASSWORD})
    return str(told["url"])


def entered(watched: Watched, url: str) -> Page:
    page = watched.page
    page.goto(f"{url}/console")
    page.get_by_label("Name or e-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{url}/console/")
    expect(page.locator("#link")).to_have_text("live")
    return page


def test_a_call_is_placed_against_the_application_and_its_desk_is_heard(
    application: str, open_page: Callable[..., Watched], keep: Callable[[Page, str], None]
) -> None:
    watched = open_page()
    page = entered(watched, application)
    page.add_init_script(EAR)
    page.get_by_role("link", name="Test call", exact=True).click()
    page.get_by_role("button", name="Place the call").click()
    turns = page.locator("#turns")
    expect(turns.locator("li.desk").first).to_be_visible()
    watched.until("heard.samples > heard.rate / 2")
    assert page.evaluate("heard.loudest") > 0.05
    assert page.evaluate("heard.context.state") == "running"
    page.get_by_label("What the caller says").fill("I'd like to book a table for four on Friday at seven")
    page.keyboard.press("Enter")
    expect(turns.locator("li.caller")).to_have_text(re.compile("table for four"))
    expect(turns.locator("li.desk").nth(1)).to_contain_text("?")
    before = page.evaluate("heard.samples")
    watched.until(f"heard.samples > {before} + heard.rate / 4")
    keep(page, "application-test-call")
    overview = page.context.new_page()
    overview.goto(f"{application}/console/")
    expect(overview.locator("#rows tr")).to_have_count(1)
    expect(overview.locator("#rows tr")).to_contain_text("active")
    keep(overview, "application-overview")
    overview.locator("#rows a").click()
    expect(overview.locator("#call")).to_contain_text("table for four")
    expect(overview.locator("svg.chart rect").first).to_be_visible()
    page.get_by_role("button", name="Hang up").click()
    expect(turns).to_contain_text("The call is over: hung up.")
    expect(overview.locator("#call")).to_contain_text("ended")
    keep(overview, "application-call")


def test_the_page_of_the_application_is_accessible_and_quiet(
    application: str, open_page: Callable[..., Watched]
) -> None:
    page = entered(open_page(color_scheme="dark"), application)
    for part in ("alerts", "health", "policies", "objectives", "audit"):
        expect(page.locator(f"#{part}")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
