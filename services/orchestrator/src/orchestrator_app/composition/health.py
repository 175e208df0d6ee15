"""How the process and all it depends on is doing: what is looked at, how, and what it means when it is gone."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator_app.composition.audio import Hearing
from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.metrics import Metrics
from orchestrator_app.composition.resilience import Resilience
from orchestrator_app.composition.speech import Voices
from orchestrator_app.settings import AppSettings
from orchestrator_calls.journal import Journal
from orchestrator_kernel.exceptions import DatabaseError
from orchestrator_kernel.lifecycle import Lifecycle
from orchestrator_kernel.ports import Clock
from orchestrator_monitoring.health import Check, Finding, Health, HealthState, Need

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from orchestrator_auth.vault_client import VaultClient

__all__ = ["AREAS", "HealthKeeper", "make_health"]

AREAS: Final = {
    "vault": "vault",
    "connectors": "actions",
    "database": "database",
    "dependencies": "",
}
"""What `/health/<area>` shows: components whose name begins so; of dependencies, all that are only helpful."""

_LOW: Final = 0.10
_FULL: Final = 0.02


@dataclass(slots=True)
class HealthKeeper:
    """The health of the process, and the loop that looks whether anybody asks or not."""

    health: Health
    _clock: Clock
    _task: asyncio.Task[None] | None = field(default=None)
    _began: float = 0.0
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._began = self._clock.monotonic()

    @property
    def uptime(self) -> float:
        """Seconds since the process was composed."""
        return self._clock.monotonic() - self._began

    async def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self.health.watch(self._stopping), name="health")

    async def stop(self) -> None:
        """Look no more; a look that has begun ends by itself, so that no connection is left in the middle."""
        self._stopping.set()
        if self._task is not None:
            await self._task
        self.health.close()


def make_health(
    settings: AppSettings,
    clock: Clock,
    *,
    lifecycle: Lifecycle,
    metrics: Metrics,
    journal: Journal,
    databases: Databases,
    resilience: Resilience,
    voices: Voices,
    hearing: Hearing,
    vault: VaultClient | None = None,
) -> HealthKeeper:
    """Every check there is something to look at for; what is not configured has none."""
    health = Health(clock=clock, metrics=metrics.counted, draining=lambda: lifecycle.draining)
    health.add(
        Check(
            component="journal",
            probe=lambda: _journal(journal),
            need=Need.REQUIRED,
            kind="datastore",
            consequence="No call can begin or go on here.",
            fresh=0.5,
        ),
        Check(
            component="database.data",
            probe=lambda: _answers(databases.data),
            kind="datastore",
            consequence="No call can begin or go on here.",
        ),
        Check(
            component="database.keys",
            probe=lambda: _answers(databases.keys),
            kind="datastore",
            consequence="What callers said cannot be kept or read.",
        ),
        Check(
            component="disk",
            probe=lambda: _room(settings.data_dir),
            kind="system",
            consequence="When it is full, nothing can be kept.",
            fresh=30.0,
        ),
    )
    _add_circuits(health, settings, resilience, voices)
    _add_hearing(health, resilience, hearing)
    if vault is not None:
        health.add(
            Check(
                component="vault",
                probe=lambda: _token_is_good(vault),
                consequence="API keys and secrets cannot be read.",
            )
        )
    return HealthKeeper(health, clock)


def _add_circuits(health: Health, settings: AppSettings, resilience: Resilience, voices: Voices) -> None:
    """What is asked over the network is judged by its circuit, which sees every call: a probe of its own would cost money and know less."""
    if any(name != "embedded" for name in voices.names):
        health.add(
            Check(
                component="speech",
                probe=lambda: _circuits(resilience, "tts_service"),
                consequence="Callers hear the next voice." if len(voices.names) > 1 else "Callers hear nothing.",
            )
        )
    if voices.missing:
        health.add(
            Check(component="speech.missing", probe=_missing, consequence="Callers hear the next voice, or nothing.")
        )
    health.add(
        Check(
            component="chat",
            probe=lambda: _circuits(resilience, "chat_service"),
            consequence="The script answers where a model should.",
        ),
        Check(
            component="actions",
            probe=lambda: _circuits(resilience, "actions"),
            consequence="Callers hear that nobody can say whether it is done.",
        ),
    )
    if settings.resilience.shared_url is not None:
        health.add(
            Check(
                component="shared-store",
                probe=lambda: _shared(resilience),
                kind="datastore",
                consequence="Limits and circuits are this process's own.",
            )
        )


def _add_hearing(health: Health, resilience: Resilience, hearing: Hearing) -> None:
    """What recognizes speech on media streams: a server's circuit, or a recognizer that was asked for and is not installed."""
    consequence = "Callers on media streams are not understood; keys go on working."
    if hearing.name == "openai":
        health.add(
            Check(component="hearing", probe=lambda: _circuits(resilience, "asr_service"), consequence=consequence)
        )
    if hearing.missing:
        health.add(Check(component="hearing.missing", probe=_missing, consequence=consequence))


async def _journal(journal: Journal) -> None:
    await journal.calls(limit=1)


async def _answers(engine: AsyncEngine) -> None:
    from sqlalchemy import text  # noqa: PLC0415 - with the first look
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except (SQLAlchemyError, OSError) as error:
        # The cause may quote the URL.
        raise DatabaseError("the database does not answer") from error


async def _room(folder: Path) -> Finding:
    usage = await asyncio.to_thread(shutil.disk_usage, folder)
    free = usage.free / usage.total
    state = HealthState.UNHEALTHY if free < _FULL else HealthState.DEGRADED if free < _LOW else HealthState.HEALTHY
    reason = {HealthState.UNHEALTHY: "full", HealthState.DEGRADED: "low"}.get(state, "")
    return Finding(state=state, reason=reason, observed=round(free, 4), unit="ratio")


async def _missing() -> Finding:
    return Finding(state=HealthState.DEGRADED, reason="not_installed")


async def _circuits(resilience: Resilience, dependency: str) -> Finding:
    """Of the dependency and of all that tenants brought along: `dependency` and `dependency:tenant`."""
    circuits = {
        name: each.breaker.state
        for name, each in resilience.manager.snapshot().items()
        if each.breaker is not None and name.partition(":")[0] == dependency
    }
    shut = [name for name, state in circuits.items() if state != "closed"]
    if not shut:
        return Finding(observed=0.0, unit="open circuits")
    state = HealthState.UNHEALTHY if len(shut) == len(circuits) else HealthState.DEGRADED
    return Finding(state=state, reason="circuit_open", observed=float(len(shut)), unit="open circuits")


async def _shared(resilience: Resilience) -> Finding:
    out = resilience.manager.health().stores_out
    if not out:
        return Finding(observed=0.0, unit="stores out")
    return Finding(state=HealthState.DEGRADED, reason="out", observed=float(len(out)), unit="stores out")


async def _token_is_good(vault: VaultClient) -> None:
    """It answers, and our token may still look itself up."""
    await vault.request("GET", "auth/token/lookup-self")
