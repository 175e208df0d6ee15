"""Objectives and alerts of the running application: computed, told to real receivers, answered, kept over restarts, and refused when they are bad."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from app_support import AUTHORIZED, CALLER, SHORT, Client, Commands, listening, running, settings
from fastapi import FastAPI, Request, Response
from pydantic import SecretStr

from orchestrator_app.cli._settings import load_settings
from orchestrator_app.composition.alerting import Alerting, configured_alerting
from orchestrator_app.composition.application import compose
from orchestrator_app.composition.metrics import CATALOGUE
from orchestrator_app.composition.slo import configured_slos
from orchestrator_app.settings import AppSettings
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import SystemClock, WebhookRequest
from orchestrator_monitoring.slo_monitor import require_declared
from orchestrator_security.webhook_security import StandardWebhooksVerifier, WebhookSecret

SECRET = "whsec_" + base64.b64encode(b"secret-of-the-receiver-of-the-tests").decode()
KEY = "0123456789abcdef0123456789abcdef"

RULES = """
[[rule]]
name = "requests_seen"
severity = "critical"
events = 'orchestrator_http_requests_total{method="GET"}'
window = "1m"
above = 0
summary = "Somebody asks"
runbook = "https://runbooks.example/asking"

[[receiver]]
name = "endpoint"
type = "webhook"
url = "URL/hook"
secret = "SECRET"

[[receiver]]
name = "pager"
type = "pagerduty"
url = "URL/v2/enqueue"
routing_key = "KEY"

[[route]]
name = "all"
receivers = ["endpoint", "pager", "log"]
group_wait = "1s"
group_interval = "2s"

[heartbeat]
receivers = ["endpoint"]
"""


@dataclass
class Receivers:
    """What was told to a webhook and to a pager, over HTTP."""

    url: str = ""
    hooks: list[dict[str, Any]] = field(default_factory=list)
    proofs: list[str] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [each["data"] for each in self.hooks if each["type"] == f"monitoring.{kind}"]


@asynccontextmanager
async def receivers() -> AsyncGenerator[Receivers, None]:
    found, app = Receivers(), FastAPI()
    verifier = StandardWebhooksVerifier([WebhookSecret("only", SecretStr(SECRET))], clock=SystemClock())

    @app.post("/hook")
    async def hook(request: Request) -> Response:
        body, headers = await request.body(), [(name, value) for name, value in request.headers.items()]
        sender = verifier.verify(WebhookRequest(method="POST", url=str(request.url), headers=headers, body=body))
        found.proofs.append(sender.delivery_id or "")
        found.hooks.append(json.loads(body))
        return Response(status_code=204)

    @app.post("/v2/enqueue")
    async def enqueue(request: Request) -> Response:
        event = await request.json()
        found.events.append(event)
        good = event["routing_key"] == KEY and event["event_action"] in {"trigger", "acknowledge", "resolve"}
        return Response(status_code=202 if good else 400, content='{"status": "success"}')

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    found.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield found
    finally:
        server.should_exit = True
        await task


async def until(happened: Callable[[], object], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not happened():
            await asyncio.sleep(0.05)


def watched(data: Path, url: str) -> Any:
    file = data / "alerts.toml"
    file.write_text(RULES.replace("URL", url).replace("SECRET", SECRET).replace("KEY", KEY))
    fast = {"alerts": file, "evaluate_seconds": 1, "sample_seconds": 1}
    return settings(data, tenants=SHORT, monitoring=fast)


async def test_an_alert_is_told_answered_and_kept_over_a_restart(data: Path) -> None:
    async with receivers() as told:
        configured = watched(data, told.url)
        async with running(configured) as service:
            await service.get("/v1/calls")
            await until(lambda: told.told("alerts") and told.events)
            await until(lambda: told.told("heartbeat"))
            (alert,) = told.told("alerts")[0]["firing"]
            assert (alert["rule"], alert["severity"]) == ("requests_seen", "critical")
            assert told.events[0]["event_action"] == "trigger"
            shown = (await service.get("/monitoring/alerts")).json()
            assert shown["evaluates"] is True
            (found,) = [each for each in shown["alerts"] if each["rule"] == "requests_seen"]
            assert (found["id"], found["state"], found["acknowledged_by"]) == (alert["fingerprint"], "firing", "")

            done = await service.post(f"/monitoring/alerts/{found['id']}/acknowledge")
            assert done.json() == {"id": found["id"], "by": "operator"}
            await until(lambda: any(each["event_action"] == "acknowledge" for each in told.events))
            kept = await service.audited("system.admin.action", f"alert:{found['id']}")
            assert kept.action == "acknowledge an alert"

            for missing in ("0" * 32,):
                refused = await service.post(f"/monitoring/alerts/{missing}/acknowledge")
                assert (refused.status_code, refused.json()["code"]) == (404, "unknown_alert")
        async with running(configured) as service:
            shown = (await service.get("/monitoring/alerts")).json()["alerts"]
            (found,) = [each for each in shown if each["rule"] == "requests_seen"]
            assert found["acknowledged_by"] == "operator"
            quiet = await service.post(
                f"/monitoring/alerts/{found['id']}/silence", {"minutes": 10, "reason": "a test of silence"}
            )
            assert quiet.status_code == 200
            (found,) = [
                each
                for each in (await service.get("/monitoring/alerts")).json()["alerts"]
                if each["rule"] == "requests_seen"
            ]
            assert found["silenced_until"] is not None
            states = {each["name"]: each for each in (await service.get("/monitoring/receivers")).json()}
            assert states["endpoint"]["sent"] >= 2
            assert states["pager"]["refused"] == 0
        assert len(set(told.proofs)) == len(told.proofs)


async def test_the_checks_of_receivers_open_no_incident(data: Path) -> None:
    async with receivers() as told:
        async with running(watched(data, told.url)) as service:
            checked = (await service.get("/monitoring/pagerduty/health")).json()
            assert checked == {"name": "pager", "kind": "pagerduty", "healthy": True, "reason": ""}
            assert all(each["event_action"] != "trigger" for each in told.events[:1])
            assert (await service.get("/monitoring/pagerduty/status")).json()["name"] == "pager"
            posted = (await service.post("/monitoring/pagerduty/test-alert")).json()
            await until(lambda: any(each["dedup_key"] == posted["notice"] for each in told.events))
            posted = (await service.post("/monitoring/receivers/endpoint/test")).json()
            await until(lambda: told.told("test"))
            assert posted["notice"] in told.proofs
            unknown = await service.post("/monitoring/receivers/nobody/check")
            assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_receiver")
        url = told.url
    async with running(watched(data, url)) as service:
        gone = (await service.post("/monitoring/receivers/endpoint/check")).json()
        assert gone["healthy"] is False
        assert "connect failed" in gone["reason"]


async def test_objectives_are_computed_from_what_happened(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as service:
        before = {each["name"]: each for each in (await service.post("/slo/evaluate")).json()}
        for _ in range(30):
            await service.get("/v1/calls")
        after = {each["name"]: each for each in (await service.post("/slo/evaluate")).json()}
        assert after["api_availability"]["events"] - before["api_availability"]["events"] >= 30
        assert after["api_availability"]["sli"] == 1.0
        assert after["api_availability"]["budget_consumed"] == 0
        assert after["goal_conversion"]["status"] == "unknown"
        assert "no traffic" in after["goal_conversion"]["note"]
        budgets = {each["name"]: each for each in (await service.get("/slo/error-budget")).json()}
        assert budgets["api_availability"]["events"] == after["api_availability"]["events"]
        assert budgets["api_availability"]["allowed_ratio"] == 0.001
        (burns,) = (await service.get("/slo/burn-rate", name="action_latency")).json()
        assert burns["max_rate"] == pytest.approx(10)
        definitions = (await service.get("/slo/definitions")).json()
        assert [each["name"] for each in definitions] == list(after)
        assert (await service.get("/slo/health")).json()["status"] == "healthy"
        assert (await service.get("/slo/status", name="none")).json()["code"] == "unknown_objective"
        promises = {each["name"]: each for each in (await service.get("/monitoring/sla/status")).json()}
        assert promises["call_success"]["objective"] == 0.99
        scraped = (await service.get("/metrics")).text
        assert 'orchestrator_slo_objective_ratio{slo="api_availability"} 0.999' in scraped
        assert "orchestrator_process_memory_used_ratio " in scraped
    async with running(settings(data, tenants=SHORT)) as service:
        again = {each["name"]: each for each in (await service.get("/slo/status")).json()}
        assert again["api_availability"]["events"] >= after["api_availability"]["events"]


def test_everything_that_ships_counts_what_the_service_declares(data: Path) -> None:
    configured = settings(data)
    for slo in configured_slos(configured).slos:
        require_declared(slo, CATALOGUE)
    assert len(configured_slos(configured).slos) == 9
    assert len(configured_alerting(configured).rules) == 6


def test_thresholds_change_what_is_built_in(data: Path) -> None:
    wanted = {"call_success": 98, "action_seconds": 2, "satisfaction": 5, "cpu": 70, "memory": 60, "error_rate": 3}
    configured = settings(data, monitoring={"thresholds": wanted})
    slos = {each.name: each for each in configured_slos(configured).slos}
    assert slos["call_success"].objective == 0.98
    assert slos["action_latency"].indicator.ratio.part.matchers[-1].value == "2"
    assert slos["caller_satisfaction"].indicator.ratio.part.matchers[-1].value == "4"
    rules = {each.name: each.check for each in configured_alerting(configured).rules}
    assert (rules["high_cpu_usage"].bound, rules["high_memory_usage"].bound) == (0.7, 0.6)
    assert rules["high_call_failure_rate"].above == 0.03
    with pytest.raises(ConfigurationError, match="is no bucket"):
        configured_slos(settings(data, monitoring={"thresholds": {"action_seconds": 4.2}}))


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("orchestrator_http_requests_total", "orchestrator_http_request_total", 2, "did you mean"),
        ('{method="GET"}', '{verb="GET"}', 2, "has no label verb"),
        ('type = "webhook"', 'type = "carrier pigeon"', 13, "must be one of slack"),
        ('"KEY"', '"short"', 17, "32 letters"),
        (
            'receivers = ["endpoint", "pager", "log"]',
            'receivers = ["endpoints"]',
            25,
            "no receiver is called endpoints",
        ),
    ],
)
def test_a_bad_rule_or_receiver_keeps_the_service_from_starting(
    data: Path, old: str, new: str, line: int, reason: str
) -> None:
    file = data / "alerts.toml"
    assert old in RULES
    file.write_text(
        RULES.replace(old, new).replace("URL", "http://127.0.0.1:9").replace("SECRET", SECRET).replace("KEY", KEY)
    )
    with pytest.raises(ConfigurationError, match=reason) as refused:
        compose(settings(data, monitoring={"alerts": file}))
    assert f"{file}:{line}: " in str(refused.value)
    assert SECRET not in str(refused.value)


def test_receivers_from_the_settings(data: Path) -> None:
    everything = {
        "slack_url": "https://hooks.slack.com/services/T/B/x",
        "pagerduty_key": KEY,
        "webhook_url": "https://example.org/hook",
        "webhook_secret": SECRET,
        "alertmanager_url": "http://alertmanager:9093",
        "heartbeats": ("webhook",),
        "email": {"host": "mail.example.org", "sender": "a@example.org", "recipients": ("b@example.org",)},
    }
    application = compose(settings(data, monitoring=everything))
    service = application.registry.get(Alerting).service
    assert set(service.receivers) == {"log", "slack", "pagerduty", "email", "webhook", "alertmanager"}
    assert service.routing.heartbeats == ("webhook",)
    assert CALLER not in repr(service)


async def test_the_commands(data: Path, tmp_path: Path) -> None:
    """In processes of their own: they ask a service that runs here."""
    async with receivers() as told, listening(watched(data, told.url)) as service:
        await service.get("/v1/calls")
        await until(lambda: told.told("alerts"))
        for arguments, expected in (
            (("alerts", "list"), "Somebody asks"),
            (("alerts", "test", "pager"), "pagerduty"),
            (("slo", "status"), "api_availability"),
        ):
            done = await _orchestrator(tmp_path, service, *arguments)
            assert done.returncode == 0, done.stderr
            assert expected in done.stdout
        (alert,) = [
            each
            for each in (await service.get("/monitoring/alerts")).json()["alerts"]
            if each["rule"] == "requests_seen"
        ]
        for arguments in (("ack", alert["id"]), ("silence", alert["id"], "--minutes", "5")):
            done = await _orchestrator(tmp_path, service, "alerts", *arguments, "--json")
            assert json.loads(done.stdout) == {"id": alert["id"], "by": "operator"}


async def _orchestrator(folder: Path, service: Client, *arguments: str) -> subprocess.CompletedProcess[str]:
    token = AUTHORIZED["authorization"].removeprefix("Bearer ")
    variables = {"ORCHESTRATOR_SECURITY__ACCESS_TOKEN": token, "PATH": "/usr/bin:/bin", "COLUMNS": "200"}
    command = [sys.executable, "-m", "orchestrator_app", *arguments, "--url", service.url, "--data", str(folder)]
    return await asyncio.to_thread(
        subprocess.run, command, env=variables, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_rules_for_prometheus_and_checks_of_files(data: Path, tmp_path: Path, command: Commands) -> None:
    listed = json.loads(command("slo", "list", "--data", str(data), "--json", folder=tmp_path).stdout)
    assert {"name": "call_success", "objective": 0.99}.items() <= {
        key: listed[2][key] for key in ("name", "objective")
    }.items()
    rules = command("slo", "rules", "--data", str(data), folder=tmp_path)
    assert "slo:error_ratio:rate1h" in rules.stdout
    written = command("slo", "rules", "--tests", str(tmp_path / "prometheus"), "--data", str(data), folder=tmp_path)
    assert written.returncode == 0
    assert (tmp_path / "prometheus" / "rules.yml").read_text() == rules.stdout
    bad = tmp_path / "bad.toml"
    bad.write_text(
        '[[slo]]\nname = "calls"\nobjective = 90\ntotal = "orchestrator_calls_ended_total"\n'
        "bad = 'orchestrator_calls_ended_total{outcome=\"failed\"}'\n"
    )
    refused = command("slo", "check", str(bad), folder=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"{bad}:1: calls: the page at 14.4x over 1h can never fire" in refused.stderr


def test_the_names_of_earlier_settings(data: Path, tmp_path: Path, command: Commands) -> None:
    earlier = {
        "ALERTING_ENABLED": "false",
        "ALERT_EVALUATION_INTERVAL": "45",
        "PROMETHEUS_URL": "http://prometheus:9090",
        "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T/B/x",
        "SLACK_CHANNEL": "#alerts",
        "PAGERDUTY_INTEGRATION_KEY": KEY,
        "MONITORING_WEBHOOK_URL": "https://example.org/hook",
        "VOICEHIVE_EMAIL__SMTP_HOST": "mail.example.org",
        "VOICEHIVE_EMAIL__SMTP_PORT": "2525",
        "VOICEHIVE_EMAIL__SMTP_USER": "ops",
        "VOICEHIVE_EMAIL__SMTP_PASSWORD": "a-password",
        "VOICEHIVE_EMAIL__FROM": "orchestrator@example.org",
        "VOICEHIVE_EMAIL__TLS": "true",
        "VOICEHIVE_EMAIL__RECIPIENTS": '["ops@example.org", "boss@example.org"]',
        "CALL_SUCCESS_RATE_THRESHOLD": "99",
        "PMS_RESPONSE_TIME_THRESHOLD": "2",
        "GUEST_SATISFACTION_THRESHOLD": "4",
        "CPU_USAGE_THRESHOLD": "80",
        "MEMORY_USAGE_THRESHOLD": "80",
        "ERROR_RATE_THRESHOLD": "5",
    }
    shown = command("config", "--data", str(data), "--json", folder=tmp_path, **earlier)
    assert shown.returncode == 0, shown.stderr
    assert "a-password" not in shown.stdout + shown.stderr
    assert KEY not in shown.stdout + shown.stderr
    with pytest.MonkeyPatch.context() as patch:
        for name, value in earlier.items():
            patch.setenv(name, value)
        patch.chdir(tmp_path)
        loaded: AppSettings = load_settings(None, data_dir=data).value
    own = loaded.monitoring
    assert (own.alerting, own.evaluate_seconds, str(own.prometheus_url)) == (False, 45.0, "http://prometheus:9090/")
    assert (own.email.port, own.email.security, own.email.recipients) == (
        2525,
        "starttls",
        ("ops@example.org", "boss@example.org"),
    )
    config = configured_alerting(loaded)
    assert [each.name for each in config.receivers] == ["slack", "pagerduty", "email", "webhook"]
    assert {each.name: each.check for each in config.rules}["high_memory_usage"].bound == 0.8
    assert configured_slos(loaded).find("call_success").objective == 0.99
