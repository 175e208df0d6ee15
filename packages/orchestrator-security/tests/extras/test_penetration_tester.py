"""The penetration tester against a real server: every flaw is found, and its fixed twin is left in peace."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import html.parser
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from vulnerable_app import HOOK_SECRET, OPENAPI, make_app, token

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_security._pentest.cli import main
from orchestrator_security._pentest.openapi import read_operations
from orchestrator_security.penetration_tester import (
    Identity,
    OutOfScope,
    PenetrationTest,
    Report,
    SignedRequest,
    State,
    TargetUnreachable,
    all_checks,
    as_html,
    as_json,
    as_sarif,
    penetrate,
)

CHECKS = [check.id for check in all_checks()]
FLAWS = [*CHECKS, "jwt-jku"]


@contextmanager
def serving(flaw: str) -> Iterator[str]:
    """The service on a free port of this machine, in a thread."""
    # With its protocol named, asyncio turns Nagle's algorithm off: each answer would wait 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        make_app(flaw), log_level="critical", server_header=flaw == "security-headers", lifespan="off", ws="auto"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


def identities(flaw: str) -> list[Identity]:
    weak = flaw == "jwt-weak-secret"
    return [
        Identity("alice", token("alice", weak=weak)),
        Identity("bob", token("bob", weak=weak)),
        Identity("root", token("root", role="admin", weak=weak), privileged=True),
    ]


def webhook() -> SignedRequest:
    body = json.dumps({"id": f"event-{time.monotonic_ns()}", "type": "booked"}).encode()
    return SignedRequest(
        "POST", "/hook", {"X-Signature": hmac.new(HOOK_SECRET, body, hashlib.sha256).hexdigest()}, body
    )


def test_of(url: str, flaw: str, **more: Any) -> PenetrationTest:
    given: dict[str, Any] = {
        "url": url,
        "openapi": OPENAPI,
        "identities": identities(flaw),
        "expired": [token("alice", seconds=-60)],
        "refresh": [token("alice", kind="refresh")],
        "webhooks": [webhook()],
        "websockets": ["/stream"],
        "rate": 10_000.0,
    }
    return PenetrationTest(**{**given, **more})


test_of.__test__ = False  # type: ignore[attr-defined]


def run(flaw: str, **more: Any) -> Report:
    with serving(flaw) as url:
        return asyncio.run(penetrate(test_of(url, flaw, **more)))


@pytest.mark.parametrize("flaw", FLAWS)
def test_finds_the_flaw(flaw: str) -> None:
    check = "jwt-own-key" if flaw == "jwt-jku" else flaw
    [result] = run(flaw, only=[check]).results
    assert result.state is State.FLAW, result.reason
    for finding in result.findings:
        assert all((finding.place, finding.sent, finding.saw, finding.why))


@pytest.mark.slow
def test_leaves_the_fixed_twins_in_peace() -> None:
    report = run("")
    assert {
        result.check.id: (result.reason, result.findings)
        for result in report.results
        if result.state is not State.CLEAN
    } == {
        "jwt-weak-secret": ("the token is not signed with a shared secret", []),
    }
    assert report.exit_code == 0


def test_a_strong_shared_secret_is_left_in_peace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vulnerable_app.WEAK", b"a-long-random-secret-7f3a9c")
    [result] = run("jwt-weak-secret", only=["jwt-weak-secret"]).results
    assert result.state is State.CLEAN


@pytest.mark.slow
def test_one_flaw_is_not_taken_for_others() -> None:
    quick = [check for check in CHECKS if check not in {"sql-time", "redos", "body-limit", "rate-limit"}]
    for flaw in ("object-authorization", "mass-assignment", "webhook-replay"):
        report = run(flaw, only=quick)
        assert [result.check.id for result in report.of(State.FLAW)] == [flaw]
        assert report.exit_code == 1


def test_a_target_that_is_not_there_is_no_pass() -> None:
    with serving("") as url:
        pass
    with pytest.raises(TargetUnreachable):
        asyncio.run(penetrate(test_of(url, "")))


def test_a_target_that_dies_is_an_error_in_every_check_that_follows() -> None:
    async def scenario(url: str, stop: Any) -> Report:
        return await penetrate(test_of(url, "", only=["cors", "open-docs"]), progress=lambda _: stop())

    context = serving("")
    url = context.__enter__()
    stopped: list[None] = []

    def stop() -> None:
        if not stopped:
            stopped.append(None)
            context.__exit__(None, None, None)

    report = asyncio.run(scenario(url, stop))
    assert [result.state for result in report.results] == [State.CLEAN, State.ERROR]
    assert report.exit_code == 3


def test_without_what_they_need_checks_say_so_and_nothing_passes() -> None:
    report = run(
        "",
        identities=[],
        expired=[],
        refresh=[],
        webhooks=[],
        websockets=[],
        only=[c for c in CHECKS if c.startswith(("jwt", "web", "obj"))],
    )
    assert {result.state for result in report.results} == {State.NOT_APPLICABLE}
    assert all(result.reason for result in report.results)
    assert report.exit_code == 3


def test_the_request_cap_ends_checks_as_errors() -> None:
    report = run("", max_requests=10, only=["template"])
    assert (report.requests, report.results[0].state) == (10, State.ERROR)
    assert "--max-requests" in report.results[0].reason


def test_the_rate_is_kept() -> None:
    report = run("", rate=50.0, only=["open-docs"])
    assert report.seconds >= (report.requests - 1) / 50


def test_read_only_changes_nothing() -> None:
    report = run("mass-assignment", read_only=True, only=["mass-assignment"])
    assert report.results[0].state is State.NOT_APPLICABLE


@pytest.mark.parametrize(
    "url",
    ["http://example.org/", "http://10.0.0.1/", "http://127.0.0.1.example.org/", "http://localhost.example.org", "ftp://127.0.0.1/", "127.0.0.1:80",
     "http://user@127.0.0.1/", "http://[::1", "http://0.0.0.0/", "http://2130706433/", "", "http://127.0.0.1/?x=1"],
)  # fmt: skip
def test_other_peoples_hosts_are_not_touched(url: str) -> None:
    with pytest.raises(OutOfScope):
        asyncio.run(penetrate(test_of(url, "")))
    assert main([url, "--only", "cors"]) == 2


@pytest.mark.parametrize(
    "more",
    [{"only": ["no-such-check"]}, {"openapi": {}}, {"openapi": {"swagger": "2.0", "paths": {}}}, {"openapi": None}],
)
def test_mistakes_of_the_caller(more: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        asyncio.run(penetrate(test_of("http://127.0.0.1:1", "", **more)))


class _Wellformed(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)


def test_reports() -> None:
    report = run("template", only=["template", "cors", "jwt-expiry"], expired=[])
    found = as_json(report)
    assert found["counts"] == {"clean": 1, "flaw": 1, "error": 0, "not_applicable": 1}
    assert json.loads(json.dumps(found)) == found
    sarif = as_sarif(report)
    assert sarif["version"] == "2.1.0"
    [result] = sarif["runs"][0]["results"]
    rule = sarif["runs"][0]["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert rule["id"] == result["ruleId"] == "template"
    page = as_html(report)
    parser = _Wellformed()
    parser.feed(page)
    assert {"h1", "table", "dl"} <= set(parser.tags)
    assert "script" not in parser.tags
    assert "GET /greet name" in page
    for text in (json.dumps(found), json.dumps(sarif), page):
        assert not any(each.token in text for each in identities(""))


def test_what_the_target_says_cannot_break_the_page() -> None:
    report = run("template", only=["template"])
    finding = report.results[0].findings[0]
    evil = type(finding)(place="<script>alert(1)</script>", sent='"><img src=x>', saw="</dd>", why="&")
    changed = type(report.results[0])(report.results[0].check, State.FLAW, [evil])
    page = as_html(Report(target="http://x", started_at="", seconds=0, requests=0, results=[changed]))
    assert "<script>" not in page
    assert "<img" not in page


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "openapi.json").write_text(json.dumps(OPENAPI))
    signed = webhook()
    (tmp_path / "hook.json").write_text(
        json.dumps({"path": signed.path, "headers": dict(signed.headers), "body": signed.body.decode()})
    )
    arguments = [
        "--openapi",
        str(tmp_path / "openapi.json"),
        "--rate",
        "10000",
        "--webhook",
        str(tmp_path / "hook.json"),
    ]
    for each in identities(""):
        arguments += ["--as", f"{each.name}:{each.token}"]
    arguments += [
        "--privileged",
        "root",
        "--only",
        "cors",
        "--only",
        "webhook-replay",
        "--only",
        "object-authorization",
    ]
    files = [
        "--sarif",
        str(tmp_path / "r.sarif"),
        "--html",
        str(tmp_path / "r.html"),
        "--json",
        str(tmp_path / "r.json"),
    ]
    with serving("cors") as url:
        assert main([url, *arguments, *files]) == 1
    printed = capsys.readouterr()
    assert "Pages of other origins may read answers" in printed.out
    assert "clean           webhook-replay" in printed.err
    assert json.loads((tmp_path / "r.json").read_text())["counts"]["flaw"] == 1
    assert json.loads((tmp_path / "r.sarif").read_text())["runs"][0]["results"]
    assert "cors" in (tmp_path / "r.html").read_text()
    with serving("") as url:
        assert main([url, *arguments, "--json", "-"]) == 0
        assert json.loads(capsys.readouterr().out)["exit_code"] == 0
        assert main([url, "--openapi", "/no-such-document", "--only", "cors"]) == 2
        assert main([url, *arguments, "--as", "nonsense"]) == 2
        assert main([url, *arguments, "--privileged", "stranger"]) == 2
        assert main([url, *arguments, "--webhook", str(tmp_path / "absent.json")]) == 2
    assert main([url, *arguments]) == 3


def test_help_and_list(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    assert "--i-own-this-host" in capsys.readouterr().out
    assert main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == CHECKS


def test_samples_follow_the_schema() -> None:
    schemas = {
        "Body": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "minLength": 8, "maxLength": 10},
                "kind": {"enum": ["b", "a"]},
                "count": {"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 3}]},
                "id": {"type": "string", "format": "uuid"},
                "self": {"$ref": "#/components/schemas/Body"},
                "list": {"type": "array", "items": {"type": "boolean"}},
            },
        }
    }
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}}
    paths = {
        "/a/{x}": {
            "parameters": [{"name": "x", "in": "path", "schema": {"type": "integer"}}],
            "post": {"requestBody": {"content": content}},
        }
    }
    [operation] = read_operations({"openapi": "3.0.3", "paths": paths, "components": {"schemas": schemas}})
    assert operation.body["name"] == "probexxx"
    assert (operation.body["kind"], operation.body["count"], operation.body["list"]) == ("b", 3, [True])
    assert operation.body["self"]["name"] == "probexxx"
    assert operation.request({"x": "a/b"})["path"] == "/a/a%2Fb"
    assert not operation.secured
