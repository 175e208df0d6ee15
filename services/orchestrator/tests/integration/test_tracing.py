"""Traces of the running application, as a collector gets them: read with OpenTelemetry's own messages."""

from __future__ import annotations

import asyncio
import gzip
import json
import signal
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from app_peers import Asked, provider, says
from app_support import (
    AGENT_SECRET,
    CALLER,
    ROOT_KEY,
    SHORT,
    TENANT,
    TOKEN,
    Client,
    Commands,
    Process,
    client_of,
    new_call,
    running,
    settings,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from orchestrator_app.composition.application import compose
from orchestrator_app.composition.tracing import Traces
from orchestrator_kernel.exceptions import ConfigurationError

PROTOBUF = "application/x-protobuf"


class Collected:
    """What was exported, one dictionary for each span."""

    def __init__(self, asked: list[Asked]) -> None:
        self._asked = asked

    @property
    def raw(self) -> bytes:
        return b"".join(gzip.decompress(each.body) for each in self._asked if each.path == "/v1/traces")

    @property
    def spans(self) -> list[dict[str, Any]]:
        return list(self._spans())

    def named(self, name: str) -> list[dict[str, Any]]:
        return [span for span in self.spans if span["name"] == name]

    def _spans(self) -> Iterator[dict[str, Any]]:
        for each in self._asked:
            if each.path != "/v1/traces":
                continue
            request = ExportTraceServiceRequest()
            request.ParseFromString(gzip.decompress(each.body))
            for resource in request.resource_spans:
                told = {one.key: one.value.string_value for one in resource.resource.attributes}
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        yield {
                            "name": span.name,
                            "trace": span.trace_id.hex(),
                            "id": span.span_id.hex(),
                            "parent": span.parent_span_id.hex(),
                            "service": told["service.name"],
                            "instance": told["service.instance.id"],
                            "attributes": {one.key: _value(one.value) for one in span.attributes},
                            "start": span.start_time_unix_nano,
                            "end": span.end_time_unix_nano,
                        }


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


def tracing(url: str, **more: Any) -> dict[str, Any]:
    return {"endpoint": url, "service": "desk", **more}


@asynccontextmanager
async def traced(data: Path, **more: Any) -> AsyncGenerator[tuple[Client, Collected], None]:
    """The application, and what its collector has got; all of it once the application has ended."""
    async with (
        provider(lambda _: says(200, b"", PROTOBUF)) as collector,
        running(settings(data, tracing=tracing(collector.url, **more), tenants=SHORT)) as client,
    ):
        yield client, Collected(collector.asked)


async def exported(client: Client) -> None:
    found = client.app.registry.get(Traces).tracing
    assert found is not None
    assert await asyncio.to_thread(found.flush)


async def a_call(client: Client, *words: str) -> str:
    call = new_call()
    await client.event(call, "call_started", reply_channel="answer", caller=CALLER)
    for each in words:
        await client.says(call, each)
    await client.event(call, "call_ended", reason="hang_up")
    await client.until(call, "ended")
    return call


async def test_a_call_is_one_trace_with_its_turns_below_it(data: Path) -> None:
    async with traced(data) as (client, collected):
        call = await a_call(client, "When is breakfast?", "And where is breakfast?")
        await exported(client)
        [root] = collected.named("call")
        turns = [span for span in collected.named("turn") if span["trace"] == root["trace"]]
        assert root["parent"] == ""
        assert root["attributes"]["orchestrator.call.id"] == call
        assert root["attributes"]["orchestrator.tenant.id"] == TENANT
        assert root["attributes"]["orchestrator.call.turns"] == len(turns) >= 2
        assert {turn["parent"] for turn in turns} == {root["id"]}
        assert "speech" in {turn["attributes"]["orchestrator.turn.kind"] for turn in turns}
        assert all(turn["attributes"]["orchestrator.turn.seconds"] >= 0 for turn in turns)
        assert all(root["start"] <= turn["start"] <= turn["end"] for turn in turns)
        assert {span["service"] for span in collected.spans} == {"desk"}
        assert not collected.named("call resumed")
        assert root["attributes"]["orchestrator.call.resumed"] is False


async def test_what_is_tidied_up_after_the_end_is_no_second_call(data: Path) -> None:
    """A caller who hangs up in the middle of a turn leaves an answer to be cancelled and sentences to be cleared."""
    async with traced(data) as (client, collected):
        calls = [new_call() for _ in range(5)]
        for call in calls:
            await client.event(call, "call_started", caller=CALLER)
            await client.says(call, "When is breakfast?")
            await client.event(call, "call_ended", reason="hang_up")
            await client.event(call, "transcription", text="Hello?", final=True)
            await client.until(call, "ended")
        await asyncio.sleep(0.1)
        await exported(client)
        assert len(collected.named("call")) == len(calls)
        assert not collected.named("call resumed")


async def test_a_request_goes_on_with_the_trace_that_its_answer_names(data: Path) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    async with traced(data) as (client, collected):
        answer = await client.http.get("/", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
        await client.http.get("/health/live")
        await exported(client)
        of_trace = [each for each in collected.spans if each["trace"] == trace]
        [span] = [each for each in of_trace if "http.request.method" in each["attributes"]]
        assert span["parent"] == "b7ad6b7169203331"
        # What the answer says, a log line says too: the span is found by it.
        assert answer.headers["traceresponse"].split("-")[1:3] == [trace, span["id"]]
        assert span["attributes"]["http.response.status_code"] == 401
        assert not [each for each in collected.spans if "health" in each["name"]]


async def test_statements_are_below_the_request_that_needs_them(data: Path) -> None:
    async with traced(data) as (client, collected):
        await client.get("/v1/calls")
        await exported(client)
        [request] = collected.named("GET /v1/calls")
        below = [span for span in collected.spans if span["parent"] == request["id"]]
        assert "sqlite" in {span["attributes"].get("db.system.name") for span in below}


async def test_what_is_asked_of_a_tenant_s_system_is_in_the_trace_of_the_call(data: Path) -> None:
    done = says(200, json.dumps({"status": "done"}).encode(), "application/json")
    async with provider(lambda asked: says(200, b"", PROTOBUF) if asked.path == "/v1/traces" else done) as peer:
        action = {"url": f"{peer.url}/guests/{CALLER}?who=Zoe", "private_hosts": ("127.0.0.1",)}
        tenants = {TENANT: {**SHORT[TENANT], "transfer_action": action}}
        async with running(settings(data, tracing=tracing(peer.url), tenants=tenants)) as client:
            call = new_call()
            await client.event(call, "call_started", reply_channel="answer")
            await client.says(call, "I want to speak to a person")
            await client.until(call, "ending")
            await client.event(call, "call_ended", reason="hang_up")
            await client.until(call, "ended")
            await exported(client)
        collected = Collected(peer.asked)
        [root], [action_span] = collected.named("call"), collected.named("action")
        [sent] = [asked for asked in peer.asked if asked.path != "/v1/traces"]
        request = next(span for span in collected.named("POST") if span["parent"] == action_span["id"])
        assert action_span["parent"] == root["id"]
        assert action_span["attributes"]["orchestrator.action.status"] == "done"
        assert sent.headers["traceparent"].split("-")[1:3] == [root["trace"], request["id"]]
        assert CALLER.encode() not in collected.raw
        assert b"Zoe" not in collected.raw


async def test_nothing_personal_is_in_a_span(data: Path) -> None:
    """What the caller says of themselves is said in every way that a provider sends it, and looked for in what was exported."""
    person = {
        "name": "Quentin Zyxwvut",
        "mail": "quentin@zyxwvut.example",
        "card": "4111 1111 1111 1111",
        "iban": "DE89370400440532013000",
    }
    async with traced(data) as (client, collected):
        for number in range(5):
            call = f"call-_{CALLER}_{number}-{new_call()}"
            await client.event(call, "call_started", reply_channel="answer", caller=CALLER)
            for words in person.values():
                await client.says(call, f"My name is {person['name']}, it is {words}")
            await client.event(call, "dtmf", digit="4")
            await client.event(call, "error", message=f"{person['mail']} broke", fatal=number == 4)
            await client.event(call, "call_ended", reason=f"{person['name']} hung up")
            await client.until(call, "failed" if number == 4 else "ended")
        await client.http.get(f"/{person['mail']}?caller={CALLER}", headers={"baggage": f"who={person['mail']}"})
        await client.http.post("/call/event", content=json.dumps({"who": person["mail"]}).encode())
        await exported(client)
        assert len(collected.named("call")) == 5
        told = collected.raw
        for canary in (CALLER, CALLER.lstrip("+"), *person.values(), *person["name"].split(), "zyxwvut"):
            assert canary.encode() not in told, (canary, [span for span in collected.spans if canary in str(span)][:3])


async def test_errors_are_kept_when_little_else_is(data: Path) -> None:
    async with traced(data, ratio=0.0) as (client, collected):
        await client.get("/")
        await a_call(client)
        await exported(client)
        assert [span["name"] for span in collected.spans] == ["call"]
        answer = await client.get("/monitoring/traces")
        assert answer.json()["spans"]["sampled_out"] >= 2
        scraped = await client.get("/metrics")
        assert 'orchestrator_trace_spans_total{fate="exported"}' in scraped.text


async def test_traces_are_told_and_flushed_by_request(data: Path) -> None:
    async with traced(data) as (client, collected):
        await client.get("/")
        answer = await client.post("/monitoring/traces/flush")
        assert (answer.status_code, answer.json()["flushed"]) == (200, True)
        assert collected.named("GET /")
        state = (await client.get("/monitoring/traces")).json()
        assert state["enabled"]
        assert state["exporter"] == "otlp"
        assert state["spans"]["exported"] >= 1
        assert (await client.http.get("/monitoring/traces")).status_code == 401


async def test_a_collector_that_is_down_harms_nothing_and_its_loss_is_told(data: Path) -> None:
    async with running(settings(data, tracing=tracing("http://127.0.0.1:9"), tenants=SHORT)) as client:
        await a_call(client, "breakfast")
        answer = await client.post("/monitoring/traces/flush")
        assert answer.json()["flushed"] is False or answer.json()["spans"]["export_failed"] > 0


async def test_without_a_collector_nothing_is_traced(data: Path) -> None:
    async with running(settings(data, tenants=SHORT)) as client:
        await a_call(client, "breakfast")
        answer = await client.get("/monitoring/traces")
        assert (answer.json()["enabled"], answer.json()["exporter"]) == (False, "none")
        assert set(answer.json()["spans"].values()) == {0}
        assert (await client.post("/monitoring/traces/flush")).json()["flushed"] is True


@pytest.mark.parametrize(
    "wrong", [{"ratio": 2}, {"endpoint": "collector:4318"}, {"slow_turn": 0}, {"ca_file": "none.pem"}]
)
def test_a_wrong_setting_is_refused(data: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, ConfigurationError), match=next(iter(wrong))):
        compose(settings(data, tracing={"endpoint": "https://collector.example", **wrong}))


def test_settings_of_the_earlier_service_are_understood(command: Commands, tmp_path: Path) -> None:
    old = {
        "TRACING_ENABLED": "false",
        "OTLP_ENDPOINT": "http://collector:4318",
        "TRACE_SAMPLE_RATE": "0.01",
        "VOICEHIVE_SERVICE_NAME": "front",
    }
    done = command("config", "--json", folder=tmp_path, **old)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["settings"]
    shown = {name: str(told[f"tracing.{name}"]["value"]).strip('"').lower() for name in ("enabled", "ratio", "service")}
    assert shown == {"enabled": "false", "ratio": "0.01", "service": "front"}
    assert "collector:4318" in str(told["tracing.endpoint"]["value"])


@pytest.mark.slow
async def test_a_call_over_two_processes_is_one_trace(command: Commands, tmp_path: Path) -> None:
    """The first process is killed while the call goes on; the second one resumes it and sees its end."""
    async with provider(lambda _: says(200, b"", PROTOBUF)) as collector:
        variables = {
            "ORCHESTRATOR_TRACING__ENDPOINT": collector.url,
            "ORCHESTRATOR_SECURITY__ACCESS_TOKEN": TOKEN,
            "ORCHESTRATOR_SECURITY__ROOT_KEY": ROOT_KEY,
            "ORCHESTRATOR_AGENTS__SECRETS": json.dumps({"first": AGENT_SECRET}),
            "ORCHESTRATOR_SPEECH__BACKENDS": "[]",
        }
        call = new_call()
        sequences: dict[str, int] = {}
        first = await asyncio.to_thread(Process, tmp_path, **variables)
        async with client_of(first) as client:
            client.sequences = sequences
            await client.event(call, "call_started", tenant="default", reply_channel="answer")
            await client.says(call, "Hello", tenant="default")
            assert (await client.post("/monitoring/traces/flush")).json()["flushed"]
        first.signal(signal.SIGKILL)
        assert await asyncio.to_thread(first.wait) == -signal.SIGKILL
        second = await asyncio.to_thread(Process, tmp_path, **variables)
        async with client_of(second) as client:
            client.sequences = sequences
            await client.says(call, "Are you still there?", tenant="default")
            await client.event(call, "call_ended", tenant="default", reason="hang_up")
            await client.until(call, "ended")
        second.signal()
        assert await asyncio.to_thread(second.wait) == 0
    collected = Collected(collector.asked)
    [root] = collected.named("call")
    of_call = [span for span in collected.spans if span["trace"] == root["trace"]]
    turns = [span for span in of_call if span["name"] == "turn"]
    assert command("calls", "trace", call, folder=tmp_path, **variables).stdout.strip() == root["trace"]
    assert len({span["instance"] for span in turns}) == 2
    assert {span["parent"] for span in turns} == {root["id"]}
    assert len({span["id"] for span in of_call}) == len(of_call)
    assert root["attributes"]["orchestrator.call.resumed"] is True
    assert root["start"] <= min(span["start"] for span in turns)
    assert "call resumed" in {span["name"] for span in of_call}
