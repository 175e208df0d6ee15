"""`orchestrator demo --audio FILE.wav`: a call from real audio. The recording is played on a Twilio media stream; the service hears, decides and speaks by itself."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast
from xml.etree import ElementTree as ET

from orchestrator_app.cli._client import CallClient, Service, client_for, served
from orchestrator_app.cli._demo_call import CALLER, DIALED, TENANT, Show
from orchestrator_app.cli._print import print_json, print_table
from orchestrator_app.cli._recording import Said, load_caller
from orchestrator_app.cli._relay import TwilioAccount, TwilioClient
from orchestrator_app.cli._stream import Phone, stream_session
from orchestrator_app.settings import OLD_NAMES, PREFIX
from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_kernel.http import HttpClientConfig, create_client
from orchestrator_kernel.ports import Json, SystemClock
from orchestrator_performance.audio_optimizer import G711, Wav, write_wav
from orchestrator_performance.benchmarking import LatencyHistogram

__all__ = ["run_audio_demo"]

WAIT: Final = 20.0
QUIET: Final = 0.7
"""Seconds for which the desk must have been silent before the caller speaks."""

OVER: Final = 1.5
"""Seconds: a caller who leaves less silence before an utterance speaks it over the desk's answer."""


@dataclass(slots=True)
class _AudioDemo:
    show: Show
    wav: Wav
    said: Sequence[Said]
    account: TwilioAccount = field(default_factory=TwilioAccount.made)
    latencies: list[float | None] = field(default_factory=list[float | None])
    over: list[bool] = field(default_factory=list[bool])
    heard: bytes = b""
    cut_off: int = 0
    ended_by: str = "the caller"


def run_audio_demo(audio: Path, *, as_json: bool, wav: Path) -> None:
    """Start the service, play the recording to it, show the call; leave with 1 if an utterance got no answer."""
    if importlib.util.find_spec("pocketsphinx") is None:
        raise ConfigurationError("the demo needs the embedded recognizer; install orchestrator-app[voice,asr]")
    recording, said = load_caller(audio)
    demo = _AudioDemo(Show(quiet=as_json, clock=SystemClock()), recording, said)
    view = asyncio.run(_run(demo))
    codec = G711("PCMU")
    wav.write_bytes(write_wav(codec.decode(demo.heard), 8000, encoding="PCMU"))
    told = _document(demo, view, audio, wav)
    if as_json:
        print_json(told)
    else:
        _table(told)
    if demo.show.failures:
        sys.exit(1)


async def _run(demo: _AudioDemo) -> dict[str, Json]:
    with tempfile.TemporaryDirectory(prefix="orchestrator-demo-") as folder:
        environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(PREFIX) and name not in OLD_NAMES
            },
            "ORCHESTRATOR_CONFIG": _settings_file(Path(folder), demo.account),
        }
        async with served(environment, Path(folder) / "data") as service, client_for(service) as client:
            if not service.voices:
                raise OrchestratorError("the demo needs the embedded voice; install orchestrator-app[voice,asr]")
            return await _call(demo, service, client)


def _settings_file(folder: Path, account: TwilioAccount) -> str:
    path = folder / "orchestrator.toml"
    path.touch(mode=0o600)
    path.write_text(
        f'[log]\nlevel = "WARNING"\n[server]\ndrain_seconds = 1.0\n[hearing]\nbackend = "commands"\n'
        f'[tenants.{TENANT}]\nname = "The Harbour House"\nnumbers = ["{DIALED}"]\nlanguages = ["en-US"]\n'
        f'line = "stream"\n' + account.settings(TENANT)
    )
    return str(path)


async def _call(demo: _AudioDemo, service: Service, client: CallClient) -> dict[str, Json]:
    show, clock = demo.show, demo.show.clock
    async with create_client(HttpClientConfig(base_url=service.url, read_timeout=20.0)) as http:
        twilio = TwilioClient(http, service.url, demo.account, CALLER, DIALED)
        show.started = clock.monotonic()
        show.say("phone", f"{CALLER} rings at Twilio")
        connect = _connect(await twilio.post("voice", CallStatus="ringing", Direction="inbound"))
        stream = connect.find("Stream")
        if stream is None:
            raise OrchestratorError("the call was not connected to a media stream")
        parameters = {str(each.get("name")): str(each.get("value")) for each in stream.iter("Parameter")}
        async with stream_session(str(stream.get("url")), twilio, clock, parameters) as phone:
            try:
                await _converse(demo, phone)
            except TimeoutError as error:
                show.expect(False, str(error))
            demo.heard, demo.cut_off = phone.heard, phone.clears
            demo.ended_by = "the desk" if phone.closed.is_set() else "the caller"
        show.say("phone", f"{demo.ended_by} hangs up")
        status = "in-progress" if demo.ended_by == "the desk" else "completed"
        await twilio.post(str(connect.get("action")), CallStatus=status)
        return await _ended(demo, client, twilio.sid)


def _connect(root: ET.Element | None) -> ET.Element:
    verb = root.find("Connect") if root is not None else None
    if verb is None:
        raise OrchestratorError("the call was not connected")
    return verb


async def _converse(demo: _AudioDemo, phone: Phone) -> None:
    show = demo.show
    await phone.until(lambda each: each.first_audio_at is not None, WAIT, "the greeting")
    for number, said in enumerate(demo.said, 1):
        over = number > 1 and said.after < OVER
        if over:
            await show.clock.sleep(said.after)
        else:
            await phone.silence(QUIET, WAIT, "the desk's silence")
        if phone.closed.is_set():
            show.expect(False, f"the call lasts until utterance {number}")
            return
        show.say("caller", f"utterance {number}: {said.seconds:.1f} s" + (" (over the desk's voice)" if over else ""))
        demo.over.append(over)
        phone.say(said.frames)
        await phone.until(lambda each: each.ended_at is not None, said.seconds + WAIT, "the end of the utterance")
        ended = cast("float", phone.ended_at)
        await phone.until(
            lambda each: each.first_audio_at is not None or each.closed.is_set(),
            WAIT,
            f"the answer to utterance {number}",
        )
        first = phone.first_audio_at
        demo.latencies.append(None if first is None else (first - ended) * 1000)
        if first is not None:
            show.say("desk", f"answers   [{(first - ended) * 1000:.0f} ms after the last word]")
    await phone.until(lambda each: each.closed.is_set() or not each.hears, WAIT, "the end of the last answer")
    # An order to hang up follows the last word.
    await phone.silence(QUIET, WAIT, "the desk's silence")


async def _ended(demo: _AudioDemo, client: CallClient, call: str) -> dict[str, Json]:
    deadline = demo.show.clock.monotonic() + WAIT
    while (view := await client.view(call))["state"] != "ended" and demo.show.clock.monotonic() < deadline:
        await demo.show.clock.sleep(0.05)
    demo.show.expect(view["state"] == "ended", "the call is ended")
    turns = [turn for turn in cast("list[dict[str, Json]]", view["turns"]) if turn["kind"] == "speech"]
    demo.show.expect(len(turns) == len(demo.said), f"{len(demo.said)} utterances are {len(demo.said)} turns")
    demo.show.expect(all(turn["spoken"] for turn in turns), "every turn is answered")
    return view


def _document(demo: _AudioDemo, view: dict[str, Json], audio: Path, wav: Path) -> dict[str, object]:
    turns = [turn for turn in cast("list[dict[str, Json]]", view["turns"]) if turn["kind"] == "speech"]
    waits = LatencyHistogram.of([each / 1000 for each in demo.latencies if each is not None])
    utterances: list[dict[str, object]] = []
    for number, said in enumerate(demo.said[: len(demo.latencies)]):
        turn = turns[number] if number < len(turns) else {}
        waited = demo.latencies[number]
        utterances.append(
            {
                "seconds": round(said.seconds, 2),
                "over_the_desk": demo.over[number],
                "heard": turn.get("caller"),
                "decided": turn.get("command") or turn.get("intent"),
                "said": turn.get("spoken"),
                "played": turn.get("heard"),
                "interrupted": turn.get("interrupted"),
                "first_audio_ms": None if waited is None else round(waited, 1),
            }
        )
    return {
        "call": {"id": view["id"], "state": view["state"], "end_reason": view["end_reason"], "events": view["events"]},
        "caller": {"file": str(audio), "seconds": round(demo.wav.seconds, 2), "encoding": demo.wav.encoding},
        "utterances": utterances,
        "cut_off": demo.cut_off,
        "end_of_speech_to_first_audio_ms": {
            name: round(waits.percentile(percent) * 1000, 1) if waits.count else None
            for name, percent in (("median", 50), ("p95", 95), ("max", 100))
        },
        "audio": {"file": str(wav), "seconds": round(len(demo.heard) / 8000, 2)},
        "failures": demo.show.failures,
    }


def _table(told: dict[str, object]) -> None:
    rows = [
        (
            number,
            each["heard"] or "(nothing)",
            each["decided"] or "",
            " ".join(cast("list[str]", each["said"] or [])),
            "to the end" if not each["interrupted"] else f"“{each['played']}”",
            each["first_audio_ms"] or "",
        )
        for number, each in enumerate(cast("list[dict[str, object]]", told["utterances"]), 1)
    ]
    print()  # noqa: T201
    print_table("Utterance by utterance", ["", "heard", "decided", "said", "played", "ms"], rows)
    audio = cast("dict[str, object]", told["audio"])
    print(f"ms: from the caller's last word to the first audio. What the caller heard: {audio['file']}")  # noqa: T201
    failures = cast("list[str]", told["failures"])
    print("Every utterance was answered." if not failures else "Not as expected: " + "; ".join(failures))  # noqa: T201
