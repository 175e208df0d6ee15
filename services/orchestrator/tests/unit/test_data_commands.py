"""The commands on the data know the tenants that were added while the service ran."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from app_support import settings

from orchestrator_app.cli import _data
from orchestrator_app.composition.tenants_file import Stored, TenantsFile
from orchestrator_app.settings import AppSettings
from orchestrator_calls.events import Event, EventType


async def kept(configured: AppSettings) -> None:
    """A call of an added tenant whose start told no language."""
    now = datetime.now(UTC)
    started = Event(
        id="e1",
        call_id="call-1",
        tenant="lake",
        type=EventType.CALL_STARTED,
        source="agent",
        sequence=1,
        occurred_at=now,
        received_at=now,
        payload={},
    )
    async with _data._journal(configured) as journal:
        await journal.open()
        await journal.bind("lake", "call-1")
        await journal.append([started])
        await journal.close()


def test_a_call_of_an_added_tenant_is_shown_in_its_language(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configured = settings(tmp_path)
    TenantsFile(tmp_path / "tenants.toml").replace(Stored({"lake": {"languages": ["de-DE"]}}))
    asyncio.run(kept(configured))

    class Loaded:
        value = configured

    monkeypatch.setattr(_data, "load_settings", lambda *_args, **_kwargs: Loaded)
    _data.run_show("call-1", config=None, data=tmp_path, as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert (shown["tenant"], shown["language"], shown["notices"]) == ("lake", "de-DE", [])
