"""`orchestrator tenants`, and a service that sees what it does."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from app_support import (
    CALLER,
    SHORT,
    TENANT,
    Commands,
    listening,
    livekit_webhook,
    new_call,
    settings,
    sign_livekit,
    sip_caller,
)
from app_twilio import ACCOUNT, TOKENS, new_sid, post

from orchestrator_app.composition.tenants_file import Stored, TenantsFile
from orchestrator_calls.runtime import CallRuntime

SCRIPT = str(Path(__file__).parents[1] / "short.toml")


def test_added_listed_shown_and_removed(command: Commands, tmp_path: Path) -> None:
    added = command(
        "tenants",
        "add",
        "lake",
        "--name",
        "The Lake",
        "--number",
        "+4982099",
        "--language",
        "de-DE",
        "--script",
        SCRIPT,
        "--json",
        folder=tmp_path,
    )
    assert (added.returncode, added.stderr) == (0, "")
    assert json.loads(added.stdout)["numbers"] == ["+4982099"]
    listed = json.loads(command("tenants", "list", "--json", folder=tmp_path).stdout)
    assert [(each["tenant"], each["from"]) for each in listed] == [("default", "settings"), ("lake", "tenants.toml")]
    shown = command("tenants", "show", "lake", folder=tmp_path)
    assert "The Lake" in shown.stdout
    removed = command("tenants", "remove", "lake", folder=tmp_path)
    assert "lake is removed" in removed.stdout
    assert [each["tenant"] for each in json.loads(command("tenants", "list", "--json", folder=tmp_path).stdout)] == [
        "default"
    ]
    missing = command("tenants", "show", "lake", folder=tmp_path)
    assert (missing.returncode, missing.stderr) == (1, "orchestrator: there is no tenant lake; there is default\n")


def test_a_file_gives_what_options_do_not_and_secrets_stay_hidden(command: Commands, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "greeting.toml").write_text(Path(SCRIPT).read_text())
    (tmp_path / "own" / "lake.toml").write_text(
        """
        [tenants.lake]
        script = "greeting.toml"
        numbers = ["+4982098"]
        time_zone = "Europe/Berlin"
        pronunciations = { "Szczęsny" = "Schtschensni" }
        opening_hours = { week = { mon-fri = ["09:00-17:00"] }, closed_on = [2026-12-25] }
        [tenants.lake.actions.book_table]
        url = "https://pms.example/tables"
        headers = { authorization = "Bearer kept-to-itself" }
        """
    )
    done = command(
        "tenants", "add", "lake", "--from", "own/lake.toml", "--number", "+4982099", "--json", folder=tmp_path
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["numbers"] == ["+4982099"]
    assert shown["script"] == str(tmp_path / "own" / "greeting.toml")
    assert shown["opening_hours"]["closed_on"] == ["2026-12-25"]
    assert "kept-to-itself" not in done.stdout + command("tenants", "show", "lake", folder=tmp_path).stdout
    assert "kept-to-itself" in (tmp_path / "var" / "tenants.toml").read_text()
    assert command("check", "--json", folder=tmp_path).stdout.count("lake") == 1


def test_what_cannot_be_added_is_refused_and_nothing_is_written(command: Commands, tmp_path: Path) -> None:
    (tmp_path / "orchestrator.toml").write_text('[tenants.harbour]\nnumbers = ["+4930901821"]\n')
    (tmp_path / "broken.toml").write_text("[script]\n")
    (tmp_path / "private.toml").write_text('actions = { book = { url = "http://10.0.0.1/" } }\n')
    (tmp_path / "consent.toml").write_text(f'script = "{SCRIPT}"\nconsent = {{ fr = "Enregistré." }}\n')
    for arguments, reason in (
        (["lake", "--number", "030"], "numbers.0"),
        (["lake", "--number", "+4930901821"], "harbour (of the settings) and lake"),
        (["harbour"], "harbour stands in the settings"),
        (["lake", "--script", "broken.toml"], "broken.toml:"),
        (["lake", "--script", "none.toml"], "cannot be read"),
        (["lake", "--time-zone", "Berlin"], "time_zone"),
        (["lake", "--from", "private.toml", "--script", SCRIPT], "url must be https"),
        (["lake", "--from", "consent.toml"], "tenant lake: consent has no wording"),
        (["-lake"], "No such option"),
        (["la ke"], "is no id of a tenant"),
    ):
        done = command("tenants", "add", *arguments, folder=tmp_path)
        assert done.returncode == 2, (arguments, done)
        assert reason in done.stderr, arguments
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "var" / "tenants.toml").exists()
    refused = command("tenants", "remove", "harbour", folder=tmp_path)
    assert (refused.returncode, "stands in the settings" in refused.stderr) == (2, True)


def test_a_tenant_is_not_added_twice_and_may_come_back(command: Commands, tmp_path: Path) -> None:
    add = ("tenants", "add", "lake", "--script", SCRIPT)
    assert command(*add, folder=tmp_path).returncode == 0
    assert "already" in command(*add, folder=tmp_path).stderr
    assert command("tenants", "remove", "lake", folder=tmp_path).returncode == 0
    assert command(*add, folder=tmp_path).returncode == 0


async def test_a_running_service_takes_calls_for_a_tenant_that_was_added_and_ends_those_of_one_that_was_removed(
    data: Path,
) -> None:
    def joined(call: str, **attributes: str) -> bytes:
        return livekit_webhook("participant_joined", call, participant=sip_caller(**attributes))

    file = TenantsFile(data / "tenants.toml")
    async with listening(settings(data, tenants=SHORT)) as client:
        assert client.application is not None
        tenants, runtime = client.application.settings.tenants, client.application.registry.get(CallRuntime)

        async def hook(body: bytes) -> int:
            headers = {"authorization": sign_livekit(body), "content-type": "application/webhook+json"}
            return (await client.http.post("/v1/livekit/webhook", content=body, headers=headers)).status_code

        async def until(there: bool) -> None:
            async with asyncio.timeout(10):
                while ("lake" in tenants) is not there:
                    await asyncio.sleep(0.05)

        lake = {"name": "The Lake", "numbers": ["+4982099"], "script": SCRIPT}
        file.replace(Stored({"lake": lake}))
        began = time.monotonic()
        await until(True)
        assert time.monotonic() - began < 5
        first, second = new_call(), new_call()
        assert await hook(joined(first, **{"sip.trunkPhoneNumber": "+4982099"})) < 300
        assert (await runtime.view(first)).tenant == "lake"
        file.replace(Stored({}, {"lake": lake}))
        await until(False)
        assert await hook(joined(second, **{"sip.trunkPhoneNumber": "+4982099"})) < 300
        assert (await runtime.view(second)).tenant == TENANT, "the tenant of numbers that are nobody's"
        left = livekit_webhook("participant_left", first, participant=sip_caller())
        assert await hook(left) < 300
        assert (await runtime.view(first)).tenant == "lake"


async def test_calls_of_a_tenant_that_left_the_settings_can_be_read_and_come_to_their_end(data: Path) -> None:
    call, ringing = new_call(), new_sid()
    lake = {"name": "The Lake", "languages": ("de-DE",)}
    account = {"account_sid": ACCOUNT, "auth_token": TOKENS[ACCOUNT], "tenant": TENANT}
    async with listening(settings(data, tenants={**SHORT, "lake": lake}, twilio=account)) as client:
        await client.event(call, "call_started", tenant="lake", caller=CALLER)
        await client.event(ringing, "call_started", tenant="lake", caller=CALLER)
        said = (await client.view(call))["turns"][0]["spoken"]
    async with listening(settings(data, tenants=SHORT, twilio=account)) as client:
        assert (await client.view(call))["turns"][0]["spoken"] == said
        refused = await post(client, "relay/ended?attempt=1", ringing, CallStatus="in-progress")
        assert (refused.status_code, refused.json()["code"]) == (403, "unknown_tenant")
        client.sequences[call] = 1
        answer = await client.says(call, "Hallo", tenant="lake")
        assert [each["action"] for each in answer["actions"]] == ["hang_up"]
        await client.event(call, "call_ended", tenant="lake")
        await client.until(call, "ended")
