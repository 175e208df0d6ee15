"""When secrets of senders end, and how old our own are."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from orchestrator_app.cli._check_security import security_findings
from orchestrator_app.composition.secrets import load_secrets
from orchestrator_app.composition.secrets_expiry import expiries, sender_secret
from orchestrator_app.composition.webhooks import AGENT_SCHEME, agent_verifier
from orchestrator_app.settings import AppSettings
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import SystemClock, WebhookRefused, WebhookRequest

OLD, NEW = "old-secret-of-the-tests-0123456789", "new-secret-of-the-tests-0123456789"
NOW = datetime.now(UTC)


def configured(folder: Path, **ends: datetime) -> AppSettings:
    return AppSettings(
        data_dir=folder,
        agents={"secrets": {"old": OLD, "new": NEW}, "bearer_key": "static-key-of-earlier-agents-0123456789"},
        livekit={"api_key": "APIfirst", "api_secret": "s" * 32, "more_keys": {"APImore": "s" * 32}},
        twilio={"account_sid": "AC" + "0" * 32, "auth_token": "t" * 32, "secondary_token": "u" * 32},
        hotel_events={"secrets": {"first": "h" * 32}},
        security={"secret_expiry": {name.replace("_", ":", 1): end for name, end in ends.items()}},
    )  # type: ignore[arg-type]


def test_every_secret_of_a_sender_has_a_name_and_may_have_an_end(tmp_path: Path) -> None:
    end = NOW + timedelta(days=30)
    assert expiries(configured(tmp_path, agents_old=end)) == {
        "livekit:APImore": None,
        "livekit:APIfirst": None,
        "agents:old": end,
        "agents:new": None,
        "agents:static": None,
        f"twilio:AC{'0' * 32}-0": None,
        f"twilio:AC{'0' * 32}-1": None,
        "hotel:first": None,
    }


def test_an_end_of_nothing_is_refused_at_start_and_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"agents:odl.*there are: .*agents:old"):
        load_secrets(configured(tmp_path, agents_odl=NOW))


@pytest.mark.parametrize(("secret", "end", "accepted"), [(OLD, -1, False), (OLD, 60, True), (NEW, -1, True)])
def test_after_its_end_a_secret_opens_nothing(tmp_path: Path, secret: str, end: int, *, accepted: bool) -> None:
    settings = configured(tmp_path, agents_old=datetime.now(UTC) + timedelta(seconds=end))
    verifier = agent_verifier(settings, load_secrets(settings), SystemClock())
    headers = AGENT_SCHEME.sign(b"{}", datetime.now(UTC), SecretStr(secret))
    request = WebhookRequest(method="POST", url="http://x/call/event", headers=list(headers.items()), body=b"{}")
    if accepted:
        assert verifier.verify(request).source == "agent"
    else:
        with pytest.raises(WebhookRefused) as refused:
            verifier.verify(request)
        assert "expired" in refused.value.reason


def test_the_end_reaches_every_door(tmp_path: Path) -> None:
    end = NOW + timedelta(days=1)
    settings = configured(tmp_path, livekit_APIfirst=end, hotel_first=end)
    for door, name in (("livekit", "APIfirst"), ("hotel", "first")):
        assert sender_secret(settings, door, name, SecretStr("s" * 32)).expires_at == end
        assert sender_secret(settings, door, "another", SecretStr("s" * 32)).expires_at is None


async def test_the_check_tells_what_ends_soon_what_has_ended_and_what_is_old(tmp_path: Path) -> None:
    settings = configured(
        tmp_path,
        agents_old=NOW - timedelta(days=1),
        agents_new=NOW + timedelta(days=5),
        hotel_first=NOW + timedelta(days=90, hours=1),
    )
    load_secrets(settings)
    line = {"id": "mk-1", "created_at": "2020-01-01T00:00:00+00:00", "key": "A" * 43 + "="}
    keys = tmp_path / "master.keys"
    keys.write_text(json.dumps(line) + "\n")
    keys.chmod(0o600)
    year = time.time() - 400 * 86_400
    os.utime(tmp_path / "root.key", (year, year))
    rows = {what: (state, detail) for what, state, detail in await security_findings(settings)}

    assert rows["secret agents:old"][0] == rows["secret agents:new"][0] == "weak"
    assert "is refused" in rows["secret agents:old"][1]
    assert rows["secret agents:new"][1].endswith("in 4 days")
    assert rows["secret hotel:first"] == ("ok", f"ends on {NOW + timedelta(days=90, hours=1):%Y-%m-%d}, in 90 days")
    assert rows["secrets without an end"][1].startswith("livekit:APImore, livekit:APIfirst, agents:static, twilio:")
    assert rows["age of root.key"] == ("weak", "400 days; exchange it after 365")
    assert rows["age of access.token"] == ("ok", "0 days")
    assert rows["age of master.keys"][0] == "weak"
