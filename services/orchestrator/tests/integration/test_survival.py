"""Calls that go on when processes die, and what is kept of them for later."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from app_support import Commands, environment, settings

from orchestrator_app.composition.database import open_databases
from orchestrator_app.composition.sealing import make_sealer
from orchestrator_calls.events import CallState, Event, EventType
from orchestrator_calls.sql_journal import SqlJournal
from orchestrator_kernel.ports import SystemClock


def demo(folder: Path, *options: str) -> dict[str, Any]:
    """The document of a demo that went as its script says."""
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator_app", "demo", "--json", *options],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["failures"] == []
    return document


def judge(document: dict[str, Any]) -> None:
    [call] = document["calls"]
    assert call["state"] == "ended"
    assert [turn["kind"] for turn in call["turns"]] == ["greeting", "speech", "speech", "speech", "digits", "speech"]
    cut = call["turns"][1]
    # The sentence was heard to its end, in two pieces and no word twice.
    assert cut["heard"] == " ".join(cut["spoken"])


@pytest.mark.demo
@pytest.mark.slow
def test_the_call_goes_on_after_the_service_was_killed_and_started_again(tmp_path: Path) -> None:
    document = demo(tmp_path, "--kill")

    judge(document)
    assert document["survived"]["how"] == "killed, and started again"


@pytest.mark.demo
@pytest.mark.slow
@pytest.mark.server
def test_the_call_goes_on_at_another_process_on_postgresql(tmp_path: Path) -> None:
    document = demo(tmp_path, "--processes", "3")

    judge(document)
    survived = document["survived"]
    assert survived["killed"] in {1, 2, 3}
    # A plain round robin spreads the requests of one call over all.
    assert all(count >= 1 for count in survived["connections"])


def test_a_second_service_on_the_same_file_is_refused(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "orchestrator_app", "serve", "--port", "0", "--json", "--data", str(tmp_path)]
    first = subprocess.Popen(arguments, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert first.stdout is not None
        assert json.loads(first.stdout.readline())["url"]
        second = subprocess.run(arguments, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    finally:
        first.terminate()
        first.communicate(timeout=30)

    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr.startswith(f"orchestrator: another process works on {tmp_path}/calls.db; ")
    assert len(second.stderr.splitlines()) == 1


def kept(data: Path) -> None:
    """A call in the journal of a data folder."""
    at = datetime(2030, 1, 1, tzinfo=UTC)

    async def keep() -> None:
        chosen = settings(data)
        databases = open_databases(chosen)
        journal = SqlJournal(databases.data, make_sealer(chosen, databases, SystemClock()))
        await journal.open()
        try:
            await journal.bind("default", "call-1")
            for number, (kind, payload) in enumerate(
                [(EventType.CALL_STARTED, {"caller": "+491"}), (EventType.TRANSCRIPTION, {"text": "Grüß Gott"})], 1
            ):
                event = Event(
                    id=f"e{number}",
                    call_id="call-1",
                    tenant="default",
                    type=kind,
                    source="agent",
                    sequence=number,
                    occurred_at=at,
                    received_at=at,
                    payload=payload,
                )
                await journal.append([event])
            await journal.mark("call-1", CallState.ENDED)
        finally:
            await journal.close()
            await databases.close()

    asyncio.run(keep())


def test_a_call_is_exported_as_json_lines(command: Commands, data: Path, tmp_path: Path) -> None:
    kept(data)
    out = tmp_path / "call.jsonl"

    done = command("calls", "export", "call-1", "--data", str(data), "--out", str(out), folder=data)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert out.stat().st_mode & 0o777 == 0o600
    call, *events = map(json.loads, out.read_text().splitlines())
    assert (call["call"], call["state"]) == ("call-1", "ended")
    assert [(each["id"], each["type"], each["sequence"]) for each in events] == [
        ("e1", "call_started", 1),
        ("e2", "transcription", 2),
    ]
    assert events[1]["payload"] == {"text": "Grüß Gott"}


def test_a_transcript_is_exported_for_people(command: Commands, data: Path) -> None:
    kept(data)

    done = command("calls", "export", "call-1", "--transcript", "--data", str(data), folder=data)

    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "Call call-1: active"


def test_a_call_that_is_not_there_cannot_be_exported(command: Commands, data: Path) -> None:
    done = command("calls", "export", "call-9", "--data", str(data), folder=data)

    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no call call-9" in done.stderr
