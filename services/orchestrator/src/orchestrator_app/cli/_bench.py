"""`orchestrator bench`: how long callers wait for their answers while so many calls run at once.

Every call has one turn in so many seconds, at an instant that does not move when the service is late (an open loop), and what is measured is the
whole time from that instant to the answer: the request, the journal's commit, the dialogue, the answer. The voice has no part in it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Final

from orchestrator_app.cli._client import CallClient, Credentials, Service, client_for, start_service
from orchestrator_app.cli._print import counted, print_json
from orchestrator_app.cli._settings import load_settings
from orchestrator_app.composition.secrets import load_secrets
from orchestrator_app.settings import AppSettings
from orchestrator_kernel.exceptions import ConfigurationError, OrchestratorError
from orchestrator_kernel.ports import Json
from orchestrator_performance.benchmarking import Gate, LatencyReport, open_loop
from orchestrator_performance.benchmarking.capacity import Bracket, find_capacity

__all__ = ["Plan", "run_bench"]

WORDS: Final = (
    "I'd like to book a table for four on Friday at seven",
    "The name is Harbour",
    "Could you say that again please",
    "yes",
    "What are your opening hours",
)
"""What each caller says, turn by turn, in place of a voice."""

CALLER: Final = "+4930901820"
STEP_SECONDS: Final = 20.0
"""How long each load is tried while the largest is looked for."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured.

    Attributes:
        calls: At once.
        every: Seconds between two turns of a call.
        seconds: Of measurement, after one turn of each call that is not measured.
        target: Milliseconds that 99 of 100 turns keep.
        most: The largest number of calls to try while the limit is looked for; 0 does not look for it.
    """

    calls: int
    every: float
    seconds: float
    target: float
    most: int = 0


@dataclass(frozen=True, slots=True)
class _Target:
    """A running service."""

    service: Service
    tenant: str
    processes: tuple[int, ...] | None


def run_bench(plan: Plan, *, url: str | None, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Load a service and show how it did; leaves with 1 if the target was missed or an answer failed, and with 3 on a machine too busy to tell."""
    report, found = asyncio.run(_bench(plan, url, config, data))
    if as_json:
        document = report.as_json()
        document["calls"], document["every"] = plan.calls, plan.every
        if found is not None:
            document["capacity"] = {"carried": found.carried, "refused": found.refused, "trials": list(found.trials)}
        print_json(document)
    else:
        sys.stdout.write(f"{report.table()}\n")
        if found is not None:
            sys.stdout.write(_told(found, plan))
    if report.passed is not True:
        sys.exit(1 if report.passed is False else 3)


def _told(found: Bracket, plan: Plan) -> str:
    limit = f"one turn each {plan.every:g} s, p99 within {plan.target:g} ms"
    carried = counted(found.carried, "call")
    if found.refused is None:
        return f"carried: {carried}, all that were tried ({limit})\n"
    return f"carried: {carried}; not carried: {found.refused} ({limit})\n"


async def _bench(
    plan: Plan, url: str | None, config: Path | None, data: Path | None
) -> tuple[LatencyReport, Bracket | None]:
    async with _running(plan, url, config, data) as target:
        report = await _measure(target, plan.calls, plan, plan.seconds)
        found = None
        if plan.most:

            async def carries(calls: int) -> bool:
                tried = await _measure(target, calls, plan, STEP_SECONDS)
                p99 = tried.latency.percentile(99) * 1000
                _say(f"{counted(calls, 'call')}: p99 {p99:.1f} ms, {tried.failed} failed")
                return tried.passed is not False and p99 <= plan.target

            found = await find_capacity(carries, start=plan.calls, most=plan.most)
        return report, found


@asynccontextmanager
async def _running(
    plan: Plan, url: str | None, config: Path | None, data: Path | None
) -> AsyncGenerator[_Target, None]:
    """The service at a URL, with the secrets in force here, or one of its own on a free port with an empty data folder."""
    settings = load_settings(config, data_dir=data).value
    tenant = "default" if "default" in settings.tenants else next(iter(settings.tenants))
    if url is not None:
        yield _Target(_service_at(url, settings), tenant, None)
        return
    with tempfile.TemporaryDirectory(prefix="orchestrator-bench-") as folder:
        environment = {
            **os.environ,
            "ORCHESTRATOR_LOG__LEVEL": "WARNING",
            "ORCHESTRATOR_SERVER__DRAIN_SECONDS": "1",
            # What is looked for is the limit of the service, not that of its settings.
            "ORCHESTRATOR_CALLS__MAX_CALLS": str(max(plan.calls, plan.most) * 2 + 100),
        }
        running = await start_service(environment, Path(folder) / "data", Credentials())
        try:
            yield _Target(running.service, tenant, (running.pid,))
        finally:
            await running.stop()


def _service_at(url: str, settings: AppSettings) -> Service:
    agents = load_secrets(settings).agents
    if not agents:
        raise ConfigurationError(
            "events are signed with an agent's secret, and none is known here; set agents.secrets as the service has it",
            details={"setting": "agents.secrets"},
        )
    return Service(url.rstrip("/"), (), "", next(iter(agents.values())))


async def _measure(target: _Target, calls: int, plan: Plan, seconds: float) -> LatencyReport:
    rate = calls / plan.every
    _say(
        f"{counted(calls, 'call')}, {rate:g} {'turn' if rate == 1 else 'turns'} a second, "
        f"{plan.every:g} s to begin them and {seconds:g} s of measurement ..."
    )
    async with client_for(target.service, connections=1_000) as client:
        await _Crowd(client, target.tenant, 1).check()
        crowd = _Crowd(client, target.tenant, calls)
        try:
            return await open_loop(
                f"a turn, {counted(calls, 'call')} at once",
                arrive=crowd.turn,
                rate=rate,
                seconds=seconds,
                warmup=plan.every,
                gates=Gate(at_most_ms=plan.target, percentile=99),
                processes=target.processes,
            )
        finally:
            await crowd.leave()


@dataclass(slots=True)
class _Caller:
    """One place on the line; when a call is over, the next one takes it."""

    call_id: str = ""
    sequence: int = 0
    words: Iterator[str] = field(default_factory=lambda: iter(()))


class _Crowd:
    """So many callers at once, who speak in turn."""

    def __init__(self, client: CallClient, tenant: str, calls: int) -> None:
        self._client = client
        self._tenant = tenant
        self._callers = [_Caller() for _ in range(calls)]
        self._next = cycle(self._callers)
        self._ending = set[asyncio.Task[None]]()
        self._not_ended: OrchestratorError | None = None

    async def check(self) -> None:
        """One call of one turn.

        Raises:
            OrchestratorError: The service does not take it; says why.
        """
        await self.turn()
        await self.leave()

    async def turn(self) -> None:
        """The next caller's next words, or the begin of the next call in this place; answered when there is something to say."""
        caller = next(self._next)
        words = next(caller.words, None)
        if words is not None:
            await self._say(self._event(caller, "transcription", {"text": words, "final": True, "language": "en-US"}))
            return
        self._end(caller)
        beginning = _Caller(f"bench-{secrets.token_hex(8)}")
        data: dict[str, Json] = {"caller": CALLER, "language": "en-US", "reply_channel": "answer"}
        await self._say(self._event(beginning, "call_started", data))
        # A call that did not begin has no further turn.
        caller.call_id, caller.sequence, caller.words = beginning.call_id, beginning.sequence, iter(WORDS)

    async def _say(self, event: dict[str, Json]) -> None:
        answer = await self._client.event(event)
        if not answer["actions"]:
            raise OrchestratorError(
                f"{event['type']} was answered without a word ({answer['status']}, {answer['state']})"
            )

    def _event(self, caller: _Caller, kind: str, data: dict[str, Json]) -> dict[str, Json]:
        caller.sequence += 1
        self._client.sequence = caller.sequence - 1
        return self._client.next_event(kind, caller.call_id, self._tenant, **data)

    def _end(self, caller: _Caller) -> None:
        if caller.call_id:
            task = asyncio.create_task(self._hang_up(self._event(caller, "call_ended", {"reason": "hung up"})))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            caller.call_id = ""

    async def _hang_up(self, event: dict[str, Json]) -> None:
        try:
            await self._client.event(event)
        except OrchestratorError as error:
            self._not_ended = error

    async def leave(self) -> None:
        """Everybody hangs up.

        Raises:
            OrchestratorError: A call could not be ended; says why.
        """
        for caller in self._callers:
            self._end(caller)
            if len(self._ending) >= 20:
                await _all(self._ending)
        await _all(self._ending)
        if self._not_ended is not None:
            raise OrchestratorError(f"a call could not be ended: {self._not_ended}") from self._not_ended


async def _all(tasks: set[asyncio.Task[None]]) -> None:
    await asyncio.gather(*tuple(tasks))


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
