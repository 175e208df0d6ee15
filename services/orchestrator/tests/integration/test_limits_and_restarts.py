"""Services that are full, end, start again, or have lost their database: each test has one of its own."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from app_support import CALLER, SHORT, TENANT, Client, make_tables, new_call, running, settings

from orchestrator_app.composition.database import Databases
from orchestrator_calls.journal import Journal, erase_caller
from orchestrator_calls.runtime import CallRuntime


def event(call_id: str, number: int, kind: str = "transcription", **data: Any) -> bytes:
    body = {
        "event_id": f"{call_id}-{number}",
        "type": kind,
        "call_id": call_id,
        "tenant_id": TENANT,
        "sequence": number,
        "data": data,
    }
    return json.dumps(body).encode()


async def test_a_full_mailbox_is_told_and_loses_nothing(data: Path) -> None:
    async with running(settings(data, tenants=SHORT, calls={"max_waiting": 4})) as service:
        call_id = new_call()
        await service.event(call_id, "call_started")
        bodies = [event(call_id, number, text=f"word {number}", final=False) for number in range(2, 42)]

        answers = await asyncio.gather(*[service.signed(body) for body in bodies])

        refused = [answer for answer in answers if answer.status_code == 429]
        assert 0 < len(refused) <= 36
        assert {answer.status_code for answer in answers} == {200, 429}
        for answer in refused:
            assert answer.headers["retry-after"] == "1"
            assert (answer.json()["code"], answer.json()["retryable"], answer.json()["retry_after"]) == (
                "call_busy",
                True,
                1,
            )

        # Whoever was refused sends again; in the end each event is there once.
        pending = [body for body, answer in zip(bodies, answers, strict=True) if answer.status_code == 429]
        while pending:
            again = [await service.signed(body) for body in pending]
            assert not any(answer.json().get("duplicate") for answer in again)
            pending = [body for body, answer in zip(pending, again, strict=True) if answer.status_code == 429]
        kept = await service.app.registry.get(Journal).read(call_id)  # type: ignore[type-abstract]
        assert len([each for each in kept if each.source == "agent"]) == 41


async def test_a_full_service_takes_no_further_call_until_one_ends(data: Path) -> None:
    async with running(settings(data, tenants=SHORT, calls={"max_calls": 1})) as service:
        first = new_call()
        await service.event(first, "call_started")

        refused = await service.signed(event(new_call(), 1, "call_started"))
        refused_start = await service.post("/v1/call/start", {"caller_id": CALLER, "tenant_id": TENANT})

        for answer in (refused, refused_start):
            assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (
                429,
                "too_many_calls",
                "5",
            )
        await service.post(f"/v1/calls/{first}/end")
        await service.event(new_call(), "call_started")


async def test_a_draining_service_finishes_its_calls_and_takes_no_new_ones(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        call_id = new_call()
        await service.event(call_id, "call_started")
        draining = asyncio.create_task(service.app.lifecycle.drain(10))
        await asyncio.sleep(0.1)

        refused = await service.post("/v1/call/start", {"caller_id": CALLER, "tenant_id": TENANT})
        ready = await service.http.get("/health/ready")
        answered = await service.says(call_id, "What time is breakfast?")

        assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "draining", "5")
        assert (ready.status_code, ready.json()) == (
            503,
            {**ready.json(), "status": "unhealthy", "checks": {"process": "draining"}},
        )
        assert (await service.http.get("/health/live")).status_code == 200
        assert answered["actions"]
        assert not draining.done()
        await service.post(f"/v1/calls/{call_id}/end")
        await asyncio.wait_for(draining, 2)


async def test_a_call_goes_on_after_a_restart(data: Path) -> None:
    call_id = new_call()
    asked = event(call_id, 2, text="What time is breakfast?")
    async with running(settings(data, tenants=SHORT)) as service:
        await service.signed(event(call_id, 1, "call_started", caller=CALLER))
        before = (await service.signed(asked)).json()
        view = await service.view(call_id)

    async with running(settings(data, tenants=SHORT)) as service:
        assert await service.view(call_id) == view
        assert service.app.registry.get(CallRuntime).active == 1
        again = (await service.signed(asked)).json()
        assert again == {**before, "duplicate": True}
        repeated = (await service.signed(event(call_id, 3, text="Could you repeat that?"))).json()
        assert [action["text"] for action in repeated["actions"]] == [action["text"] for action in before["actions"]]
        assert len((await service.view(call_id))["turns"]) == 3
        assert [call["id"] for call in (await service.get("/v1/calls")).json()["calls"]] == [call_id]


async def test_a_session_token_is_good_after_a_restart(data: Path) -> None:
    from orchestrator_app.sessions import SessionTokens

    async with running(settings(data, tenants=SHORT)) as service:
        started = await service.start()
    async with running(settings(data, tenants=SHORT)) as service:
        service.app.registry.get(SessionTokens).check(started["session_token"], started["call_id"])


async def test_without_its_journal_it_is_not_ready_and_says_so(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        call_id = new_call()
        await service.event(call_id, "call_started")
        databases = service.app.registry.get(Databases)
        async with databases.data.begin() as connection:
            await connection.exec_driver_sql("ALTER TABLE calls_call RENAME TO calls_gone")
        await asyncio.sleep(0.6)  # What was found is believed for half a second.

        ready = await service.http.get("/health/ready")
        listed = await service.get("/v1/calls")

        assert (ready.status_code, ready.json()["checks"]) == (503, {"journal": "journal_unavailable"})
        assert (listed.status_code, listed.json()["code"], listed.json()["retryable"]) == (
            503,
            "journal_unavailable",
            True,
        )
        assert "SELECT" not in listed.text
        assert (await service.http.get("/health/live")).status_code == 200
        async with databases.data.begin() as connection:
            await connection.exec_driver_sql("ALTER TABLE calls_gone RENAME TO calls_call")
        await asyncio.sleep(0.6)
        assert (await service.http.get("/health/ready")).status_code == 200


async def test_an_erased_caller_is_gone_from_the_transcript(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        call_id = (await service.start())["call_id"]
        await service.event(call_id, "call_started", caller=CALLER)
        await service.says(call_id, "My name is Marianne Schuster")
        await service.post(f"/v1/calls/{call_id}/end")
        journal = service.app.registry.get(Journal)  # type: ignore[type-abstract]
        row = await journal.call(call_id)
        assert row is not None

        assert await erase_caller(journal, journal._sealer, TENANT, row.caller) == 1

        answer = await service.get(f"/v1/calls/{call_id}")
        assert answer.status_code == 200
        assert "Marianne" not in answer.text


async def test_an_event_about_an_erased_caller_is_gone(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        call_id = (await service.start())["call_id"]
        await service.event(call_id, "call_started", caller=CALLER)
        journal = service.app.registry.get(Journal)  # type: ignore[type-abstract]
        row = await journal.call(call_id)
        assert row is not None
        await erase_caller(journal, journal._sealer, TENANT, row.caller)

        answer = await service.signed(event(call_id, 9, text="Hello"))

        assert (answer.status_code, answer.json()["code"]) == (410, "erased")


async def _conversation(service: Client) -> dict[str, Any]:
    call_id = new_call()
    await service.event(call_id, "call_started", caller=CALLER)
    await service.says(call_id, "What time is breakfast?")
    return dict((await service.post(f"/v1/calls/{call_id}/end")).json())


@pytest.mark.server
async def test_the_same_calls_on_postgresql(tmp_path: Path, postgres_database: str) -> None:
    configured = settings(tmp_path, tenants=SHORT, database={"url": postgres_database, "keys_url": postgres_database})
    await make_tables(configured)

    async with running(configured) as service:
        view = await _conversation(service)

    assert view["state"] == "ended"
    assert "breakfast" in view["turns"][1]["spoken"][0].lower()
    assert not list(tmp_path.glob("*.db"))
