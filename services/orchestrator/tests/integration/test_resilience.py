"""How many requests come in, and what stands between the service and those it depends on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from app_support import AUTHORIZED, SHORT, Client, listening, livekit_webhook, new_call, running, settings

from orchestrator_app.composition.speech import Voices
from orchestrator_kernel.exceptions import ConfigurationError, ExternalServiceError
from orchestrator_kernel.ports import SpeechRequest

NOBODY = "http://127.0.0.1:9"
"""A port where nothing listens."""


def limited(data: Path, **limits: str):
    return settings(data, tenants=SHORT, resilience={"rate_limits": limits})


async def test_an_operator_over_the_limit_is_refused_with_what_a_client_needs_to_know(data: Path) -> None:
    async with running(limited(data, authenticated="3/minute")) as service:
        answers = [await service.get("/") for _ in range(4)]

        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert [answer.headers["ratelimit"] for answer in answers][:3] == [
            f'"authenticated";r={left};t={seconds}' for left, seconds in ((2, 20), (1, 40), (0, 60))
        ]
        refused = answers[-1]
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["ratelimit-policy"] == '"authenticated";q=3;w=60'
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert refused.json()["status"] == 429
        # Another rule's requests, and the probes of a load balancer, are not touched by it.
        assert (await service.get("/v1/calls")).status_code == 200
        assert (await service.http.get("/health/live")).status_code == 200


async def test_guesses_of_the_token_are_counted_by_address_and_no_header_lifts_the_limit(data: Path) -> None:
    async with running(limited(data, anonymous="3/minute")) as service:
        for number in range(3):
            guess = {"authorization": f"Bearer guess-{number}", "x-forwarded-for": f"203.0.113.{number}"}
            assert (await service.http.get("/", headers=guess)).status_code == 401
        headers = {"x-forwarded-for": "203.0.113.99", "x-internal-service": "billing", "forwarded": "for=203.0.113.99"}

        assert (await service.http.get("/", headers=headers)).status_code == 429
        assert (await service.http.get("/v1/calls", headers=headers)).status_code == 429
        assert (await service.get("/")).status_code == 200


async def test_behind_a_trusted_proxy_each_client_has_its_own_limit(data: Path) -> None:
    configured = settings(
        data, resilience={"rate_limits": {"anonymous": "1/minute"}, "trusted_proxies": ("127.0.0.0/8",)}
    )
    async with running(configured) as service:
        codes = [
            (await service.http.get("/", headers={"x-forwarded-for": client})).status_code
            for client in ("203.0.113.1", "203.0.113.2", "203.0.113.1", "198.51.100.7, 203.0.113.2")
        ]
        assert codes == [401, 401, 429, 429]


async def test_behind_a_trusted_proxy_sign_in_and_audit_know_the_client_too(data: Path) -> None:
    wrong = {"email": "nobody@example.org", "password": "a wrong password of words"}
    configured = settings(data, tenants=SHORT, resilience={"trusted_proxies": ("127.0.0.0/8",)})
    async with running(configured) as service:
        seen = set[object]()
        for client in ("203.0.113.1", "203.0.113.2"):
            answer = await service.http.post("/auth/login", json=wrong, headers={"x-forwarded-for": client})
            assert answer.status_code == 401
            event = await service.audited("auth.login.failure")
            seen.add(event.details.get("client"))
        assert len(seen - {None, ""}) == 2


async def test_webhooks_are_limited_too(data: Path) -> None:
    async with running(limited(data, webhooks="2/minute")) as service:
        codes = [(await service.webhook(livekit_webhook("room_started", new_call()))).status_code for _ in range(3)]
        assert codes[-1] == 429
        assert 429 not in codes[:-1]


async def test_a_limit_that_is_none_and_a_rule_that_is_none_are_told(data: Path) -> None:
    for wrong, said in (({"anonymous": "many"}, "many"), ({"anonymus": "1/minute"}, "anonymous")):
        with pytest.raises(ConfigurationError, match=said):
            async with running(limited(data, **wrong)):
                pass


async def speak(service: Client) -> None:
    speech = service.app.registry.get(Voices).speech
    assert speech is not None
    with pytest.raises(ExternalServiceError):
        async for _ in speech.synthesize(SpeechRequest(text="Hello.", language="en-US")):
            pass


def broken_voice(data: Path):
    return settings(data, tenants=SHORT, speech={"backends": ("router",), "router_url": NOBODY})


async def test_a_voice_that_is_down_opens_its_circuit_and_an_operator_closes_it(data: Path) -> None:
    async with running(broken_voice(data)) as service:
        closed = (await service.get("/resilience/circuit-breakers/tts_service")).json()
        assert (closed["state"], closed["opened"]) == ("closed", 0)
        for _ in range(10):
            await speak(service)

        opened = (await service.get("/resilience/circuit-breakers/tts_service")).json()
        assert (opened["state"], opened["opened"]) == ("open", 1)
        assert opened["refused"] >= 1
        assert 0 < opened["retry_after"] <= 60
        health = (await service.get("/resilience/health")).json()
        assert health["status"] == "degraded"
        [speech] = [each for each in health["dependencies"] if each["name"] == "tts_service"]
        assert speech["outcomes"]["breaker"] == opened["refused"]
        assert speech["outcomes"]["failure"] == 10 - opened["refused"]
        assert (await service.get("/resilience/tts-clients")).json() == speech
        assert speech in (await service.get("/resilience/metrics")).json()
        assert opened["name"] in [each["name"] for each in (await service.get("/resilience/circuit-breakers")).json()]
        scraped = (await service.get("/metrics")).text
        assert 'orchestrator_resilience_breaker_state{dependency="tts_service",state="open"} 1.0' in scraped

        assert (await service.post("/resilience/circuit-breakers/tts_service/reset")).json() == {
            "reset": ["tts_service"]
        }
        assert (await service.get("/resilience/circuit-breakers/tts_service")).json()["state"] == "closed"
        assert (await service.get("/resilience/health")).json()["status"] == "healthy"
        assert (await service.post("/resilience/tts-clients/reset-circuit-breakers")).json() == {
            "reset": ["tts_service"]
        }
        told = await service.audited("system.admin.action", "circuit:tts_service")
        assert (told.actor, told.outcome) == ("operator", "success")


async def test_who_waits_and_what_is_in_force_can_be_seen(data: Path) -> None:
    async with running(limited(data, calls="7/minute")) as service:
        lines = {each["name"]: each for each in (await service.get("/resilience/backpressure")).json()}
        assert lines["tts_service"] == (await service.get("/resilience/backpressure/tts_service")).json()
        assert (lines["tts_service"]["running"], lines["tts_service"]["waiting"]) == (0, 0)
        config = (await service.get("/resilience/config")).json()
        assert config["pipelines"]["tts_service"]["time_limit_seconds"] == 10
        assert {"calls": "7/minute"}.items() <= {each["name"]: each["limits"] for each in config["rate_limits"]}.items()
        assert (await service.post("/resilience/circuit-breakers/reset-all")).json()["reset"]
        for path in ("circuit-breakers/pms", "backpressure/pms"):
            assert (await service.get(f"/resilience/{path}")).json()["code"] == "unknown_dependency"


async def test_what_a_client_has_used_can_be_seen_and_forgotten(data: Path) -> None:
    async with running(limited(data, authenticated="50/minute")) as service:
        for _ in range(5):
            await service.get("/")

        async def left() -> int:
            allowances = (await service.get("/resilience/rate-limits/id:operator")).json()
            return next((each["remaining"] for each in allowances if each["rule"] == "authenticated"), 50)

        # Looking is a request as well.
        assert await left() == 44
        assert "authenticated" in (await service.post("/resilience/rate-limits/id:operator/reset")).json()["reset"]
        assert await left() == 49


async def test_the_command_shows_and_resets_what_the_service_has(data: Path, tmp_path: Path) -> None:
    import asyncio
    import sys

    async with listening(broken_voice(data)) as service:
        for _ in range(10):
            await speak(service)

        async def run(*arguments: str) -> str:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "orchestrator_app", "resilience", *arguments, "--url", service.url),
                cwd=tmp_path,
                env={"ORCHESTRATOR_SECURITY__ACCESS_TOKEN": AUTHORIZED["authorization"].removeprefix("Bearer ")},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, error = await process.communicate()
            assert process.returncode == 0, error.decode()
            return out.decode()

        shown = await run("show")
        assert "Resilience: degraded" in shown
        assert "open, probes in" in shown
        assert json.loads(await run("reset", "tts_service", "--json")) == {"reset": ["tts_service"]}
        document = json.loads(await run("show", "--json"))
        assert document["health"]["status"] == "healthy"


@pytest.mark.server
async def test_two_processes_share_limits_and_go_on_without_the_store(
    migrated: Path, tmp_path: Path, valkey_database: str
) -> None:
    shared = {"shared_url": valkey_database, "rate_limits": {"authenticated": "6/minute"}}
    folders = [Path(shutil.copytree(migrated, tmp_path / name)) for name in ("a", "b")]
    one, two = (settings(folder, tenants=SHORT, resilience=shared) for folder in folders)
    async with running(one) as first, running(two) as second:
        answers = [await service.get("/") for service in (first, second) * 4]
        assert [answer.status_code for answer in answers] == [200] * 6 + [429] * 2
        assert (await first.get("/resilience/health")).status_code == 429


async def test_a_store_that_cannot_be_reached_stops_nobody(data: Path) -> None:
    lost = settings(data, tenants=SHORT, resilience={"shared_url": "redis://127.0.0.1:9"})
    async with running(lost) as service:
        health = (await service.get("/resilience/health")).json()
        assert health["status"] == "degraded"
        assert any("store of rate limits is out" in note for note in health["notes"])
