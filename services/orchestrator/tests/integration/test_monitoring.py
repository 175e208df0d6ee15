"""What the service says about itself: every figure is one that was counted."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from app_peers import EVENTS, Answer, event, provider, says, streams
from app_support import AUTHORIZED, CALLER, SHORT, TENANT, Client, new_call, running, settings
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from sqlalchemy.util import greenlet_spawn

from orchestrator_app.composition.audio import Hearing
from orchestrator_app.composition.console_calls import CallBoard
from orchestrator_app.composition.console_test_calls import TestCalls
from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.health import HealthKeeper
from orchestrator_app.composition.metric_declarations import STATES, TURN_SECONDS
from orchestrator_app.composition.metrics import CATALOGUE, Metrics
from orchestrator_app.composition.operations import OperationsPort
from orchestrator_app.composition.resilience import Resilience
from orchestrator_app.composition.speech import Voices
from orchestrator_app.settings import AppSettings
from orchestrator_calls.journal import Journal
from orchestrator_calls.runtime import CallRuntime
from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_kernel.lifecycle import StartFailed
from orchestrator_kernel.ports import Clock
from orchestrator_kernel.ports.audio import Utterance
from orchestrator_kernel.ports.operations import LineClosed, SpeechEnds
from orchestrator_monitoring.business_metrics import BUSINESS_METRICS
from orchestrator_monitoring.health import ComponentReport, HealthState
from orchestrator_security.pii_redactor import PiiRedactor
from orchestrator_testing.servers import OpenBao

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEALTH = "application/health+json"
IDLE = f'orchestrator_calls_in_progress{{state="active",tenant="{TENANT}"}} 0.0'


def samples(service: Client) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    counted = service.app.registry.get(Metrics).counted.read()
    return {(each.name, tuple(sorted(each.labels.items()))): each.value for each in counted}


def total(service: Client, name: str, /, **labels: str) -> float:
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
        assert IDLE in answer.text
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


def answered(prompt: int, completion: int) -> Answer:
    """A model's answer, with what it took."""
    told = {"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}}
    end = f"data: {json.dumps(told)}\n\ndata: [DONE]\n\n".encode()
    return streams(EVENTS, event(content="Yes, we do. "), event("stop"), end)


def with_model(folder: Path, url: str, **more: Any) -> AppSettings:
    chat = {"url": url, "model": "m", "instructions": "You are the desk.", **more}
    price = {"amount": 2.0, "currency": "EUR", "per": 1000}
    prices = {"prompt_price": price, "completion_price": {**price, "amount": 8.0}}
    return settings(folder, tenants={TENANT: {**SHORT[TENANT], "chat": chat}}, metrics=prices)


async def test_what_a_model_took_is_counted_and_what_that_costs(data: Path) -> None:
    async with provider(lambda _: answered(210, 9)) as model, running(with_model(data, model.url)) as service:
        for call_id in (new_call(), new_call()):
            await service.event(call_id, "call_started", reply_channel="answer")
            await service.says(call_id, "Do you have a garden?")
        assert [each.json["stream_options"] for each in model.asked] == [{"include_usage": True}] * 2
        tokens = "orchestrator_chat_tokens_total"
        assert total(service, tokens, tenant=TENANT, kind="prompt") == 420
        assert total(service, tokens, tenant=TENANT, kind="completion") == 18
        cost = total(service, "orchestrator_cost_total", tenant=TENANT, service="chat", currency="EUR")
        assert cost == pytest.approx(2 * (210 * 2 + 9 * 8) / 1000)


async def test_a_model_that_does_not_say_what_it_took_took_nobody_knows_how_much(data: Path) -> None:
    answer = streams(EVENTS, event("stop", content="Yes, we do."), b"data: [DONE]\n\n")
    async with (
        provider(lambda _: answer) as model,
        running(with_model(data, model.url, usage=False)) as service,
    ):
        call_id = new_call()
        await service.event(call_id, "call_started", reply_channel="answer")
        await service.says(call_id, "Do you have a garden?")
        assert "stream_options" not in model.asked[0].json
        assert total(service, "orchestrator_chat_turns_total", outcome="answered") == 1
        assert not any(name == "orchestrator_chat_tokens_total" for name, _ in samples(service))


def trials_of(service: Client) -> TestCalls:
    """Those that the operators' page makes."""
    registry = service.app.registry
    parts = (registry.get(each) for each in (AppSettings, Journal, CallRuntime, Voices, CallBoard, Clock))
    return TestCalls(*parts)


async def tried(trials: TestCalls, text: str) -> tuple[str, str]:
    """A test call in which somebody says this after the greeting: its id, and why it ended."""
    call = await trials.place(TENANT, "en-US", by="zoe")
    said = False
    async with asyncio.timeout(30):
        async for heard in trials.listen(call.id):
            if isinstance(heard, SpeechEnds) and not said:
                said = True
                await trials.say(call.id, text)
            if isinstance(heard, LineClosed):
                return call.id, heard.reason
    raise AssertionError("the line was never closed")


SPOKEN = {"backends": ("embedded",), "embedded_processes": 1}


async def test_test_calls_are_in_no_figure_about_callers(data: Path) -> None:
    async with running(settings(data, tenants=SHORT, speech=SPOKEN)) as service:
        call_id, reason = await tried(trials_of(service), "I want to speak to a person")
        await service.until(call_id, "ended")
        assert "nobody was really called" in reason
        assert total(service, "orchestrator_call_events_total", type="transfer_requested", source="orchestrator") == 1
        assert total(service, "orchestrator_call_events_total", type="transfer_completed") == 0
        assert total(service, "orchestrator_call_events_total", source="console") >= 4
        assert total(service, "orchestrator_speech_sentences_total", result="spoken") >= 1
        about_callers = {sample for metric in (*BUSINESS_METRICS, STATES, TURN_SECONDS) for sample in metric.samples}
        assert not [key for key, value in samples(service).items() if key[0] in about_callers and value]
        objectives = {each["name"]: each for each in (await service.post("/slo/evaluate")).json()}
        for name in ("call_success", "goal_conversion"):
            assert objectives[name]["status"] == "unknown"


async def test_a_transfer_of_a_test_call_is_the_tenant_s_where_it_has_an_endpoint(data: Path) -> None:
    done = says(200, json.dumps({"status": "done"}).encode(), "application/json")
    async with provider(lambda _: done) as tenant:
        action = {"url": f"{tenant.url}/transfer", "private_hosts": ("127.0.0.1",)}
        own = {TENANT: {**SHORT[TENANT], "transfer_action": action}}
        async with running(settings(data, tenants=own, speech=SPOKEN)) as service:
            trials = trials_of(service)
            talking = asyncio.create_task(tried(trials, "I want to speak to a person"))
            async with asyncio.timeout(20):
                while not tenant.asked:
                    await asyncio.sleep(0.05)
            call_id = tenant.asked[0].json["data"]["call_id"]
            await service.until(call_id, "ending")
            await trials.hang_up(call_id)
            await talking
            assert len(tenant.asked) == 1
            assert total(service, "orchestrator_call_events_total", type="transfer_requested") == 1
            assert total(service, "orchestrator_call_events_total", type="transfer_completed", source="actions") == 1
            assert total(service, "orchestrator_handoffs_total") == 0


async def test_why_an_action_could_not_be_confirmed_is_counted_once(data: Path) -> None:
    action = {"url": "", "private_hosts": ("127.0.0.1",)}
    async with provider(lambda _: says(503, b"", "application/json")) as tenant:
        own = {TENANT: {**SHORT[TENANT], "transfer_action": {**action, "url": f"{tenant.url}/transfer"}}}
        async with running(settings(data, tenants=own)) as service:
            call_id = new_call()
            await service.event(call_id, "call_started", reply_channel="answer")
            await service.says(call_id, "I want to speak to a person")
            await service.until(call_id, "active")
            assert total(service, "orchestrator_actions_unconfirmed_total", reason="status") == 1
            assert total(service, "orchestrator_actions_unconfirmed_total") == 1
            for outcome in ("requested", "failed"):
                assert total(service, "orchestrator_handoffs_total", tenant=TENANT, outcome=outcome) == 1
            await service.event(call_id, "call_ended", reason="caller left")
            await service.until(call_id, "ended")
            assert total(service, "orchestrator_calls_abandoned_total", tenant=TENANT, stage="transfer") == 1
            assert total(service, "orchestrator_calls_ended_total", outcome="completed") == 0


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
            assert IDLE in (await http.get("/monitoring/metrics")).text
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


async def test_a_recognizer_that_does_not_answer_is_told(data: Path) -> None:
    hearing = {"backend": "openai", "openai_url": "http://127.0.0.1:9", "openai_key": "k"}
    async with running(settings(data, tenants=SHORT, hearing=hearing)) as service:
        assert (await looked_at(service, "hearing")).status.state is HealthState.HEALTHY
        silence = Utterance(pcm=bytes(3200), sample_rate=16_000)
        transcriber = service.app.registry.get(Hearing).transcriber
        assert transcriber is not None
        for _ in range(50):
            with pytest.raises(OrchestratorError):
                await transcriber.transcribe(silence)
        found = await looked_at(service, "hearing")
        assert (found.status.state, found.status.reason) == (HealthState.UNHEALTHY, "circuit_open")
        assert "not understood" in found.consequence
        assert (await service.http.get("/health/ready")).status_code == 200


async def test_a_recognizer_that_is_not_installed_is_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hearing = {"backend": "commands", "commands": ("yes", "no")}
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    async with running(settings(data, tenants=SHORT, hearing=hearing)) as service:
        assert service.app.registry.get(Hearing).missing
        found = await looked_at(service, "hearing.missing")
        assert (found.status.state, found.status.reason) == (HealthState.DEGRADED, "not_installed")


async def test_who_listens_to_nobody_has_no_such_check(service: Client) -> None:
    components = service.app.registry.get(HealthKeeper).health.components
    assert not [each for each in components if each.startswith("hearing")]


@pytest.mark.server
async def test_a_shared_store_is_judged_by_itself_and_not_by_what_is_said_of_circuits(
    data: Path, valkey_database: str
) -> None:
    shop, desk = {"bookstore": {**SHORT[TENANT], "name": "The Bookstore"}}, {"livekit": {"tenant": "bookstore"}}
    async with running(settings(data, tenants=shop, **desk, resilience={"shared_url": valkey_database})) as service:
        resilience = service.app.registry.get(Resilience)
        resilience.tenants.of("actions", "bookstore")
        resilience.manager.breaker("actions:bookstore").force_open()
        assert any("bookstore is" in note for note in resilience.manager.health().notes)
        assert (await looked_at(service, "shared-store")).status.state is HealthState.HEALTHY
        assert (await looked_at(service, "actions")).status.state is HealthState.DEGRADED
    gone = {"shared_url": "redis://127.0.0.1:9"}
    async with running(settings(data, tenants=shop, **desk, resilience=gone)) as service:
        found = await looked_at(service, "shared-store")
        assert (found.status.state, found.status.reason, found.observed) == (HealthState.DEGRADED, "out", 2)


async def looked_at(service: Client, component: str) -> ComponentReport:
    health = service.app.registry.get(HealthKeeper).health
    return (await health.detailed(component, fresh=True)).components[component]


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
