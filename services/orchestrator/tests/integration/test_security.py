"""The doors as a stranger meets them, the evidence that stays, and what never leaves."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from app_support import (
    AUTHORIZED,
    CALLER,
    ROOT_KEY,
    SHORT,
    TENANT,
    TOKEN,
    Commands,
    livekit_webhook,
    new_call,
    running,
    settings,
)

from orchestrator_security.pii_redactor import PiiRedactor

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
PAGE = "https://console.example"


async def test_every_answer_carries_the_headers_errors_included(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        for answer in (
            await service.get("/"),
            await service.http.get("/"),
            await service.get("/nowhere"),
            await service.http.get("/", headers={"host": "evil.example"}),
            await service.http.get("/healthz"),
        ):
            assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["cache-control"].startswith("no-store")
            assert "server" not in answer.headers
            assert "strict-transport-security" not in answer.headers


async def test_over_tls_browsers_are_told_to_stay_there(data: Path) -> None:
    configured = settings(data, tenants=SHORT, server={"public_url": "https://calls.example"})
    async with running(configured) as service:
        assert (await service.http.get("/healthz")).headers["strict-transport-security"].startswith("max-age=31536000")


async def test_the_documentation_page_runs_its_own_script_and_no_other(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        for path in ("/docs", "/redoc"):
            page = await service.get(path)
            allowed = page.headers["content-security-policy"]
            for script in re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL):
                digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
                assert f"'sha256-{digest}'" in allowed
            assert "unsafe-inline" not in allowed


async def test_pages_of_other_origins_may_ask_only_where_the_settings_say(data: Path) -> None:
    async with running(settings(data, tenants=SHORT, server={"cors_origins": (PAGE,)})) as service:
        known = await service.http.get("/", headers={**AUTHORIZED, "origin": PAGE})
        assert (known.status_code, known.headers["access-control-allow-origin"]) == (200, PAGE)
        stranger = await service.http.get("/", headers={**AUTHORIZED, "origin": "https://evil.example"})
        assert (stranger.status_code, stranger.json()["code"]) == (403, "origin_refused")
        assert "access-control-allow-origin" not in stranger.headers


async def test_json_beyond_its_limits_is_refused_before_anybody_reads_it(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        deep = "[" * 40 + "]" * 40
        for body, status, code in (
            (deep, 422, "json_limit"),
            ('{"caller_id": "+1", "caller_id": "+2"}', 400, "invalid_json"),
            ('{"a": NaN}', 400, "invalid_json"),
            ("[" * 100_000, 422, "json_limit"),
            ("\udcff".encode("utf-8", "surrogateescape"), 400, "invalid_json"),
        ):
            headers = {**AUTHORIZED, "content-type": "application/json"}
            answer = await service.http.post("/v1/call/start", content=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_who_reads_a_transcript_and_who_is_turned_away_stands_in_the_audit(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        call = new_call()
        await service.event(call, "call_started")
        await service.http.get("/metrics")
        await service.view(call)

        read = await service.audited("pii.access")
        assert (read.actor, read.resource, read.outcome) == ("operator", f"call:{call}", "success")
        assert read.details["lawful_basis"] == "legitimate_interests"
        denied = await service.audited("authz.access.denied")
        assert (denied.actor, denied.outcome, denied.details["status"]) == ("anonymous", "denied", 401)


async def test_a_caller_is_known_to_the_redactor_for_as_long_as_the_call(data: Path) -> None:
    async with running(settings(data)) as service:
        call, redactor = new_call(), service.app.registry.get(PiiRedactor)
        await service.event(call, "call_started", caller=CALLER, reply_channel="answer")
        await service.says(call, "I'd like to book a table for four on Friday at seven")
        await service.says(call, "The name is Harbour")

        spoken = f"{CALLER} is MR. HARBOUR"
        assert redactor.redact_text("the guest harbour called", call=call) != "the guest harbour called"
        assert "HARBOUR" not in redactor.redact_text(spoken, call=call)
        await service.event(call, "call_ended", reason="done")
        await service.until(call, "ended")
        async with asyncio.timeout(5):
            while redactor.redact_text("the harbour is blue", call=call) != "the harbour is blue":
                await asyncio.sleep(0.01)


SECRETS = {"ORCHESTRATOR_SECURITY__ROOT_KEY": ROOT_KEY, "ORCHESTRATOR_SECURITY__ACCESS_TOKEN": TOKEN}


async def kept_some(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        for _ in range(3):
            await service.http.get("/v1/calls")
        await service.webhook(livekit_webhook("room_started", new_call()), authorization="forged")
        await service.audited("webhook.failed")


def test_the_audit_log_is_verified_shown_exported_and_its_change_found(
    data: Path, tmp_path: Path, command: Commands
) -> None:
    asyncio.run(kept_some(data))

    whole = command("audit", "verify", "--data", str(data), folder=tmp_path, **SECRETS)
    assert (whole.returncode, whole.stdout) == (0, "The audit log is intact: 4 records.\n")
    shown = command("audit", "show", "--type", "webhook.", "--data", str(data), folder=tmp_path, **SECRETS)
    assert "door:livekit" in shown.stdout
    exported = command("audit", "export", "copy.jsonl", "--data", str(data), folder=tmp_path, **SECRETS)
    assert exported.returncode == 0
    copy = command("audit", "verify", "copy.jsonl", "--data", str(data), folder=tmp_path, **SECRETS)
    assert "intact: 4 records" in copy.stdout
    key = command("audit", "key", "--data", str(data), folder=tmp_path, **SECRETS).stdout.strip()
    assert re.fullmatch("[0-9a-f]{64}", key)

    with sqlite3.connect(data / "calls.db") as database:
        database.execute("DELETE FROM security_audit_entries WHERE seq = 2")
    changed = command("audit", "verify", "--data", str(data), "--json", folder=tmp_path, **SECRETS)
    assert changed.returncode == 1
    assert '"intact": false' in changed.stdout


def test_a_changed_root_key_needs_the_retired_key_to_verify(data: Path, tmp_path: Path, command: Commands) -> None:
    asyncio.run(kept_some(data))
    key = command("audit", "key", "--data", str(data), folder=tmp_path, **SECRETS).stdout.strip()
    moved = {**SECRETS, "ORCHESTRATOR_SECURITY__ROOT_KEY": "another-root-key-0123456789abcdefghij"}

    alone = command("audit", "verify", "--data", str(data), folder=tmp_path, **moved)
    assert alone.returncode == 1

    asyncio.run(begin_again(data, moved["ORCHESTRATOR_SECURITY__ROOT_KEY"]))
    now = datetime.now(UTC).isoformat()
    retired = {"ORCHESTRATOR_SECURITY__RETIRED_AUDIT_KEYS": f'{{"{key}": "{now}"}}'}
    both = command("audit", "verify", "--data", str(data), folder=tmp_path, **moved, **retired)
    assert (both.returncode, both.stdout) == (0, "The audit log is intact: 4 records.\n")


async def begin_again(data: Path, root_key: str) -> None:
    async with running(settings(data, tenants=SHORT, security={"root_key": root_key})):
        pass


@pytest.mark.parametrize("arguments", [["verify", "no-such-file"], ["verify", "--witness", "nothing"]])
def test_what_cannot_be_verified_is_told_in_a_sentence(
    data: Path, tmp_path: Path, command: Commands, arguments: list[str]
) -> None:
    done = command("audit", *arguments, "--data", str(data), folder=tmp_path, **SECRETS)
    assert done.returncode == 2
    assert done.stderr.startswith("orchestrator: cannot be verified")
    assert TENANT not in done.stderr


def test_the_state_of_each_door_is_told(data: Path, tmp_path: Path, command: Commands) -> None:
    asyncio.run(kept_some(data))
    told = command("check", "--security", "--data", str(data), "--json", folder=tmp_path, **SECRETS)
    states = {each["what"]: (each["state"], each["detail"]) for each in json.loads(told.stdout)}

    assert told.returncode == 0
    assert states["audit log"] == ("ok", "intact, 4 records")
    assert states["LiveKit webhooks"][0] == "off"
    assert states["TLS"] == ("off", "listens on this machine only")

    (data / "agent.secret").write_text("secret\n")
    (data / "agent.secret").chmod(0o644)
    open_to_all = {**SECRETS, "ORCHESTRATOR_SERVER__HOST": "0.0.0.0", "ORCHESTRATOR_AGENTS__SECRETS__A": "a" * 32}
    told = command("check", "--security", "--data", str(data), folder=tmp_path, **open_to_all)
    assert told.returncode == 1
    assert "others may read agent.secret" in told.stdout
