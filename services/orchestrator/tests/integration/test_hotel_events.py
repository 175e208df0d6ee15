"""The hotel system's webhooks: proved, from its own addresses, each once, and written down."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from app_support import SHORT, Client, running, settings
from pydantic import SecretStr

from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.hotel_events import HOTEL_SCHEME
from orchestrator_app.composition.housekeeping import Housekeeping
from orchestrator_kernel.ports import SystemClock
from orchestrator_security.audit_logging import AuditQuery, show_audit

SECRET = "hotel-secret-of-the-tests-0123456789"
PATH = "/v1/apaleo/webhook"


def event(number: str = "d-1", **members: Any) -> bytes:
    told = {
        "id": number,
        "topic": "Reservation",
        "type": "created",
        "accountId": "HOUSE",
        "propertyId": "MUC",
        "timestamp": 1_800_000_000_000,
        "data": {"entityId": "XPGMSXGF-1"},
    }
    return json.dumps({**told, **members}).encode()


async def send(service: Client, body: bytes, secret: str = SECRET, at: datetime | None = None) -> httpx.Response:
    proof = HOTEL_SCHEME.sign(body, at or datetime.now(UTC), SecretStr(secret))
    return await service.http.post(PATH, content=body, headers={"content-type": "application/json", **proof})


def configured(data: Path, **own: Any) -> Any:
    return settings(data, tenants=SHORT, hotel_events={"secrets": {"first": SECRET}, **own})


async def test_an_event_is_recorded_once_whatever_is_sent_again(data: Path) -> None:
    async with running(configured(data)) as service:
        answers = [await send(service, event()) for _ in range(2)]
        answers += await asyncio.gather(*(send(service, event("d-2")) for _ in range(5)))

        assert [each.status_code for each in answers] == [200] * 7
        assert [each.json()["status"] for each in answers[:2]] == ["recorded", "duplicate"]
        assert sorted(each.json()["status"] for each in answers[2:]) == ["duplicate"] * 4 + ["recorded"]
        engine = service.app.registry.get(Databases).data
        kept = await show_audit(engine, AuditQuery(event_type="webhook.processed"))
        assert len(kept) == 2
        assert (kept[0].actor, kept[0].action, kept[0].resource) == (
            "webhook:hotel",
            "created",
            "Reservation:XPGMSXGF-1",
        )
        assert kept[0].details["property"] == "MUC"


@pytest.mark.parametrize(
    ("secret", "late", "addresses"),
    [
        ("another-secret-that-nobody-knows-01234", timedelta(), ()),
        (SECRET, timedelta(minutes=-10), ()),
        (SECRET, timedelta(minutes=10), ()),
        (SECRET, timedelta(), ("192.0.2.0/24",)),
    ],
)
async def test_a_stranger_an_old_stamp_and_a_foreign_address_are_refused(
    data: Path, secret: str, late: timedelta, addresses: tuple[str, ...]
) -> None:
    async with running(configured(data, addresses=addresses)) as service:
        answer = await send(service, event(), secret, datetime.now(UTC) + late)

        assert (answer.status_code, answer.json()["code"]) == (401, "webhook_refused")
        assert (await service.audited("webhook.failed")).resource == "door:hotel"
        assert (
            await show_audit(service.app.registry.get(Databases).data, AuditQuery(event_type="webhook.processed")) == []
        )


async def test_without_a_secret_the_door_is_closed(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        assert (await send(service, event())).status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "fields"),
    [
        (b"{", 401, None),  # the delivery has no id to be known by
        (event(topic=""), 422, ["topic"]),
        (event(type="x" * 129), 422, ["type"]),
        (event(data={"entityId": "a b"}), 422, ["data.entityId"]),
        (event(topic=None, type=7), 422, ["topic", "type"]),
    ],
)
async def test_what_does_not_fit_says_where(data: Path, body: bytes, status: int, fields: list[str] | None) -> None:
    async with running(configured(data)) as service:
        answer = await send(service, body)

        assert answer.status_code in {status, 400}, answer.text
        if fields is not None:
            assert answer.json()["fields"] == fields
            # It has no effect: a copy that fits is the first.
            assert (await send(service, event())).json()["status"] == "recorded"


async def test_what_is_over_is_dropped_and_what_fails_stops_nothing(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from orchestrator_kernel.exceptions import DatabaseError

    done: list[str] = []

    async def broken() -> int:
        raise DatabaseError("the database is away", code="database_unavailable")

    async def good() -> int:
        done.append("good")
        return 3

    keeping = Housekeeping({"broken": broken, "good": good}, SystemClock())
    with caplog.at_level("INFO"):
        await keeping.start()
        while not done:
            await asyncio.sleep(0)
        await keeping.stop()
    assert done == ["good"]
    assert [record.getMessage() for record in caplog.records] == ["housekeeping failed", "housekeeping"]


async def test_a_forgotten_delivery_may_come_again(data: Path) -> None:
    async with running(configured(data, remember_days=1)) as service:
        await send(service, event())
        from orchestrator_app.composition.hotel_events import HotelDoor

        store = service.app.registry.get(HotelDoor).store
        assert await store.purge(now=datetime.now(UTC) + timedelta(hours=23)) == 0
        assert await store.purge(now=datetime.now(UTC) + timedelta(hours=25)) == 1
        assert (await send(service, event())).json()["status"] == "recorded"
