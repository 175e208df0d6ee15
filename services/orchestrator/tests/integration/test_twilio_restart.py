"""A process that is killed while the relay speaks: the next one goes on after the last word that was heard."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from app_support import AGENT_SECRET, ROOT_KEY, TENANT, TOKEN, Process, client_of
from app_twilio import ACCOUNT, TOKENS, new_sid, post, relayed, ring

SHORT = Path(__file__).parents[1] / "short.toml"
LONG = "Breakfast is served from seven to half past ten in the restaurant on the ground floor, and in the garden when it is warm."
SETTINGS = f"""
[twilio]
account_sid = "{ACCOUNT}"
auth_token = "{TOKENS[ACCOUNT]}"
tenant = "{TENANT}"
[tenants.{TENANT}]
name = "The Harbour House"
numbers = ["+4930901821"]
script = "script.toml"
"""
SECRETS = {
    "ORCHESTRATOR_SECURITY__ACCESS_TOKEN": TOKEN,
    "ORCHESTRATOR_SECURITY__ROOT_KEY": ROOT_KEY,
    "ORCHESTRATOR_AGENTS__SECRETS__FIRST": AGENT_SECRET,
    "ORCHESTRATOR_SPEECH__BACKENDS": "[]",
}


@pytest.mark.slow
async def test_a_killed_process_loses_no_call_and_starts_no_sentence_twice(tmp_path: Path, migrated: Path) -> None:
    (tmp_path / "orchestrator.toml").write_text(SETTINGS)
    (tmp_path / "script.toml").write_text(SHORT.read_text().replace("Breakfast is from 7 to 10.", LONG))
    shutil.copytree(migrated, tmp_path / "var")
    call = new_sid()
    with Process(tmp_path, **SECRETS) as process:
        async with client_of(process) as service:
            await ring(service, call)
            async with relayed(service, call, plays=False) as relay:
                await relay.answered(1)
                for token in [each["token"] for each in relay.messages if each["token"]]:
                    await relay.send(type="info", name="tokensPlayed", value=token)
                await relay.says("when is breakfast")
                await relay.until(lambda: "Breakfast" in relay.spoken)
                first = relay.spoken
                await relay.send(type="info", name="tokensPlayed", value="Breakfast is served from")
                async with asyncio.timeout(5):
                    while (await service.view(call))["turns"][-1]["heard"] != "Breakfast is served from":
                        await asyncio.sleep(0.01)
                process.kill()
    with Process(tmp_path, **SECRETS) as process:
        async with client_of(process) as service:
            up = time.monotonic()
            again = await post(service, "relay/ended?attempt=1", call, CallStatus="in-progress", SessionStatus="failed")
            assert ET.fromstring(again.text).find("Connect/ConversationRelay") is not None
            async with relayed(service, call, session="VX2") as relay:
                await relay.until(lambda: "seven to half past ten" in relay.spoken)
                assert time.monotonic() - up < 1
                await relay.until(lambda: "It is served in the garden." in relay.spoken, 10)
                # What was not reported as heard of the sentence that had begun, and then the next one from its beginning.
                assert relay.spoken.startswith("seven to half past ten")
                assert relay.spoken.count("It is served in the garden.") == 1
                assert "interrupted" not in relay.spoken
                assert "Hello" not in relay.spoken
                await relay.says("when is breakfast")
                await relay.answered(2)
            view = await service.view(call)
    assert first.count("Breakfast") == 1
    assert [turn["kind"] for turn in view["turns"]] == ["greeting", "speech", "speech"]
    assert view["state"] == "active"
