"""What the service says about itself: every figure is one that was counted."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from app_support import AUTHORIZED, CALLER, SHORT, TENANT, Client, new_call, running, settings
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from sqlalchemy.util import greenlet_spawn

from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.health import HealthKeeper
from orchestrator_app.composition.metrics import CATALOGUE, Metrics
from orchestrator_app.composition.operations import OperationsPort
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.lifecycle import StartFailed
from orchestrator_monitoring.health import HealthState
from orchestrator_security.pii_redactor import PiiRedactor
from orchestrator_testing.servers import OpenBao

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEALTH = "application/health+json"


def samples(service: Client) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    counted = service.app.registry.get(Metrics).counted.read()
    return {(each.name, tuple(sorted(each.labels.items()))): each.value for each in counted}


def total(service: Client, name: str, **labels: str) -> float:
    return sum(
        value
        for (sample, told), value in samples(service).items()
        if sample == name and labels.items() <= dict(told).items()
    )


async def talk(service: Client) -> str:
    call_id = new_call()
    await service.event(call_id, "call_started", caller=CALLER)
    await service.says(call_id, "What time is breakfast?", confidence=0.9)
    await service.says(call_id, "Quaxi fnord blub")
    await service.event(call_id, "dtmf", digit="7")
    await service.event(call_id, "call_ended", reason="caller left")
    await service.until(call_id, "ended")
    return call_id


# --- metrics ------------------------------------------------------------------------------------------------------------------


async def test_everything_that_is_scraped_is_declared_with_its_labels(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        await talk(service)
        await service.http.get("/nowhere")
        await service.get("/monitoring/health/detailed")
        for name, labels in samples(service):
            CATALOGUE.require(name, *dict(labels))
            assert CATALOGUE.labels_of(name) == set(dict(labels)), name


async def test_a_scraper_may_ask_for_open_metrics(service: Client) -> None:
    headers = {"accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}
    await service.http.get("/healthz")
    for path in ("/metrics", "/monitoring/metrics"):
        answer = await service.http.get(path, headers={**AUTHORIZED, **headers})
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        names = {family.name for family in open_metrics(answer.text)}
        assert {
            "orchestrator_call_events",
            "orchestrator_http_request_duration_seconds",
            "process_cpu_seconds",
        } <= names


async def test_a_scrape_is_answered_while_the_database_is_gone(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        engine = service.app.registry.get(Databases).data
        pool = engine.sync_engine.pool
        await engine.dispose()
        (data / "calls.db").rename(data / "gone.db")
        answer = await service.get("/metrics")
        assert answer.status_code == 200
        assert "orchestrator_calls_active 0.0" in answer.text
    # What was in use then came back to the pool that is gone, and nobody else closes it.
    await greenlet_spawn(pool.dispose)


async def test_metrics_can_be_switched_off(data: Path) -> None:
    async with running(settings(data, tenants=SHORT, metrics={"enabled": False})) as service:
        for path in ("/metrics", "/monitoring/metrics"):
            answer = await service.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "metrics_off")


async def test_requests_are_counted_by_route_and_never_by_path(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        for number in range(20):
            await service.get(f"/v1/calls/unknown-{number}")
            await service.http.get(f"/nowhere/{number}")
        requests = "orchestrator_http_requests_total"
        assert total(service, requests, method="GET", route="/v1/calls/{call_id}", status="404") == 20
        assert total(service, requests, route="unmatched", status="401") == 20
        assert not any("unknown-1" in str(labels) for _, labels in samples(service))


async def test_a_call_is_counted_from_its_beginning_to_its_end(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        await talk(service)
        house = {"tenant": TENANT}
        assert total(service, "orchestrator_calls_started_total", channel="agent", **house) == 1
        assert total(service, "orchestrator_calls_answered_total", **house) == 1
        assert total(service, "orchestrator_calls_ended_total", outcome="completed", **house) == 1
        assert total(service, "orchestrator_call_duration_seconds_count", outcome="completed") == 1
        assert total(service, "orchestrator_turns_total", outcome="answered", **house) >= 2
        assert total(service, "orchestrator_intents_total", **house) >= 1
        assert total(service, "orchestrator_misunderstandings_total", kind="not_understood", **house) >= 1
        assert total(service, "orchestrator_keys_pressed_total", key="digit") == 1
        assert total(service, "orchestrator_intent_confidence_ratio_count") == 1
        assert total(service, "orchestrator_turn_stage_seconds_count", stage="answer") >= 2


async def test_running_calls_are_shown_by_tenant_and_state_until_they_are_gone(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        call_id = new_call()
        await service.event(call_id, "call_started")
        gauge = "orchestrator_calls_in_progress"
        assert total(service, gauge, tenant=TENANT, state="active") == 1
        await service.event(call_id, "hold")
        assert total(service, gauge, tenant=TENANT, state="active") == 0
        assert total(service, gauge, tenant=TENANT, state="on_hold") == 1
    async with running(settings(data, tenants=SHORT)) as service:
        # Another process has taken it up, without an event that would say so.
        assert total(service, gauge, tenant=TENANT, state="on_hold") == 1
        await service.post(f"/v1/calls/{call_id}/end")
        await service.until(call_id, "ended")
        assert total(service, gauge) == 0


async def test_what_is_logged_as_an_error_is_counted_by_package(data: Path) -> None:
    import logging

    def counters() -> int:
        return sum(type(each).__name__ == "_ErrorCounter" for each in logging.getLogger().handlers)

    there = counters()
    async with running(settings(data, tenants=SHORT)) as service:
        before = total(service, "orchestrator_errors_total", component="orchestrator_calls")
        logging.getLogger("orchestrator_calls.anything").error("something went wrong")
        logging.getLogger("orchestrator_calls.anything").warning("nothing that counts")
        assert total(service, "orchestrator_errors_total", component="orchestrator_calls", level="error") == before + 1
        assert counters() == there + 1
    assert counters() == there


async def test_what_is_taken_out_of_the_logs_is_counted_by_kind(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        before = total(service, "orchestrator_pii_redactions_total", kind="PHONE")
        redacted = service.app.registry.get(PiiRedactor).redact({"note": f"call back {CALLER}"})
        assert CALLER not in str(redacted)
        assert total(service, "orchestrator_pii_redactions_total", kind="PHONE") == before + 1


async def test_processes_that_share_a_folder_answer_for_each_other(data: Path, tmp_path: Path) -> None:
    shared = {"folder": tmp_path / "metrics"}
    async with running(settings(data / "one", tenants=SHORT, metrics=shared)) as one:
        async with running(settings(data / "two", tenants=SHORT, metrics=shared)) as two:
            await talk(one)
            await talk(two)
            for each in (one, two):
                assert total(each, "orchestrator_calls_ended_total") == 2
                assert total(each, "orchestrator_metrics_processes") == 2
                assert total(each, "process_cpu_seconds_total") > 0
            breakers = total(two, "orchestrator_resilience_breaker_state", state="closed")
            assert breakers == total(one, "orchestrator_resilience_breaker_state", state="closed") > 0
        assert total(one, "orchestrator_calls_ended_total") == 2
        assert total(one, "orchestrator_metrics_processes") == 1


# --- a port of its own --------------------------------------------------------------------------------------------------------


async def test_a_port_of_its_own_serves_scrapers_and_probes_without_a_credential(data: Path) -> None:
    metrics = {"port": 0, "path": "/monitoring/metrics"}
    async with running(settings(data, tenants=SHORT, metrics=metrics)) as service:
        port = service.app.registry.get(OperationsPort).port
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            assert "orchestrator_calls_active 0.0" in (await http.get("/monitoring/metrics")).text
            ready = await http.get("/health/ready")
            assert (ready.status_code, ready.headers["content-type"], ready.json()["status"]) == (200, HEALTH, "pass")
            assert (await http.get("/v1/calls")).status_code == 404
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(f"http://127.0.0.1:{port}/metrics")


async def test_a_port_that_is_taken_is_refused_with_the_setting_s_name(data: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartFailed) as caught:
            async with running(settings(data, tenants=SHORT, metrics={"port": port})):
                pass
    assert isinstance(caught.value.errors[0], ConfigurationError)
    assert "metrics.port" in str(caught.value.errors[0])


# --- health -------------------------------------------------------------------------------------------------------------------


async def test_probes_speak_both_forms(service: Client) -> None:
    for name in ("live", "ready", "startup"):
        usual = await service.http.get(f"/health/{name}")
        assert (usual.status_code, usual.json()["status"]) == (200, "healthy")
        standard = await service.http.get(f"/health/{name}", headers={"accept": HEALTH})
        assert (standard.headers["content-type"], standard.json()["status"]) == (HEALTH, "pass")
        assert standard.headers["vary"] == "accept"


async def test_everything_is_looked_at_and_told_with_its_history(service: Client) -> None:
    for path in ("/health/", "/health/detailed", "/monitoring/health/detailed", "/health/dependencies"):
        answer = await service.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["content-type"] == HEALTH
        checks = answer.json()["checks"]
        assert {"disk:responseTime", "database.data:responseTime", "actions:responseTime"} <= set(checks)
        assert ("journal:responseTime" in checks) is (path != "/health/dependencies")
    [disk] = checks["disk:responseTime"]
    assert disk["measured"]["unit"] == "ratio"
    assert disk["history"]
    assert answer.json()["releaseId"] == "0.1.0"


async def test_areas_show_what_is_configured_and_nothing_else(service: Client) -> None:
    database = (await service.get("/health/database")).json()["checks"]
    assert set(database) == {"database.data:responseTime", "database.keys:responseTime"}
    assert set((await service.get("/health/connectors")).json()["checks"]) == {"actions:responseTime"}
    assert total(service, "orchestrator_health_state", component="actions", state="healthy") == 1
    missing = await service.get("/health/vault")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_configured")


async def test_a_vault_whose_token_was_revoked_is_told(data: Path, openbao: OpenBao) -> None:
    async with httpx.AsyncClient(base_url=openbao.url, headers={"x-vault-token": openbao.token}) as bao:
        token = (await bao.post("/v1/auth/token/create", json={"ttl": "10m"})).json()["auth"]["client_token"]
        async with running(settings(data, tenants=SHORT, vault={"url": openbao.url, "token": token})) as service:
            good = await service.get("/health/vault")
            assert (good.status_code, good.json()["status"]) == (200, "pass")
            assert total(service, "orchestrator_health_state", component="vault", state="healthy") == 1
            await bao.post("/v1/auth/token/revoke", json={"token": token})
            keeper = service.app.registry.get(HealthKeeper)
            report = await keeper.health.detailed("vault", fresh=True)
            assert report.components["vault"].status.state is HealthState.UNHEALTHY
            assert total(service, "orchestrator_health_state", component="vault", state="healthy") == 0
            assert token not in (await service.get("/health/vault")).text


@pytest.mark.parametrize("path", ["/health/", "/health/detailed", "/health/database", "/monitoring/operational/status"])
async def test_nobody_else_is_told(service: Client, path: str) -> None:
    assert (await service.http.get(path)).status_code == 401


async def test_a_database_that_is_gone_is_told_without_its_address(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        assert (await service.http.get("/health/startup")).status_code == 200
        databases = service.app.registry.get(Databases)
        async with databases.data.begin() as connection:
            await connection.exec_driver_sql("ALTER TABLE calls_call RENAME TO calls_gone")
        await asyncio.sleep(0.6)
        answer = await service.get("/health/detailed")
        assert (answer.status_code, answer.json()["status"]) == (503, "fail")
        [journal] = answer.json()["checks"]["journal:responseTime"]
        assert (journal["status"], journal["output"]) == ("fail", "journal_unavailable")
        assert journal["consequence"] == "No call can begin or go on here."
        assert str(data) not in answer.text
        status = await service.get("/monitoring/operational/status")
        assert (status.status_code, status.json()["status"]) == (503, "unhealthy")
        assert (await service.http.get("/health/startup")).status_code == 200
        assert total(service, "orchestrator_health_state", component="journal", state="unhealthy") == 1
        assert total(service, "orchestrator_health_checks_total", component="journal", state="unhealthy") >= 1


# --- figures ------------------------------------------------------------------------------------------------------------------


async def test_business_figures_are_those_that_were_counted(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        nothing = (await service.get("/monitoring/metrics/business")).json()
        assert nothing["calls"]["success_ratio"] is None
        assert nothing["satisfaction"] == {"answers": 0, "mean": None}
        await talk(service)
        told = (await service.get("/monitoring/metrics/business")).json()
        assert told["calls"]["started"] == told["calls"]["answered"] == 1
        assert told["calls"]["ended"] == {"completed": 1}
        assert told["calls"]["success_ratio"] == 1
        assert told["turns"]["answer_seconds"]["p50"] > 0
        other = (await service.get("/monitoring/metrics/business", tenant="nobody")).json()
        assert other["calls"]["started"] == 0


async def test_the_performance_summary_is_computed_from_the_histograms(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        for _ in range(5):
            await service.http.get("/healthz")
        told: dict[str, Any] = (await service.get("/monitoring/performance/summary")).json()
        route = told["routes"]["GET /healthz"]
        assert (route["requests"], route["server_errors"], route["error_ratio"]) == (5, 0, 0)
        assert 0 < route["p50_seconds"] <= route["p99_seconds"]
        assert told["all"]["requests"] == 5
        assert told["requests_in_progress"] == 1
        assert told["process"]["cpu_seconds"] > 0
        assert told["process"]["resident_bytes"] > 1e6
        assert 0 < told["uptime_seconds"] < 3600


async def test_circuits_are_shown_as_they_are(service: Client) -> None:
    circuits = (await service.get("/monitoring/circuit-breakers")).json()
    assert circuits == (await service.get("/resilience/circuit-breakers")).json()
    together = (await service.get("/monitoring/circuit-breakers/metrics")).json()
    assert together["circuits"] == len(circuits) == together["closed"] + together["open"] + together["half_open"]


async def test_the_operational_status_tells_of_calls_and_components(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        await service.event(new_call(), "call_started")
        await service.get("/health/detailed")
        told = (await service.get("/monitoring/operational/status")).json()
        assert told["status"] == "healthy", json.dumps(told)
        assert told["calls_active"] == 1
        assert told["components"]["journal"] == "healthy"
        assert (told["region"], told["draining"]) == ("eu-central-1", False)
