"""`orchestrator check`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry

from orchestrator_app.cli._check_security import security_findings
from orchestrator_app.cli._print import print_json, print_table
from orchestrator_app.cli._settings import load_settings
from orchestrator_app.composition.audio import make_hearing
from orchestrator_app.composition.calls import make_responders
from orchestrator_app.composition.database import open_databases, schema_states
from orchestrator_app.composition.resilience import make_resilience
from orchestrator_app.composition.secrets import data_folder, load_secrets
from orchestrator_app.composition.speech import make_voices
from orchestrator_app.composition.tenants import with_tenants
from orchestrator_app.composition.twilio import TwilioPlan
from orchestrator_app.settings import AppSettings
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.ports import SystemClock

__all__ = ["run_check"]

CONNECT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class _Finding:
    what: str
    state: str
    detail: str


Check = Callable[[AppSettings], Awaitable[list[_Finding]]]


def run_check(*, config: Path | None, data: Path | None, as_json: bool, security: bool) -> None:
    """Check everything, or the doors, tell all of it, and leave with 1 when something does not work."""
    settings = with_tenants(load_settings(config, data_dir=data).value)
    findings = [_Finding("settings", "ok", f"{settings.environment} in {settings.region}")]
    if security:
        findings += [_Finding(*row) for row in asyncio.run(security_findings(settings))]
    else:
        findings += asyncio.run(_all(settings))
    if as_json:
        print_json([{"what": each.what, "state": each.state, "detail": each.detail} for each in findings])
    else:
        print_table("Check", ["what", "state", "detail"], [(each.what, each.state, each.detail) for each in findings])
    if any(each.state == "failed" for each in findings):
        sys.exit(1)


async def _all(settings: AppSettings) -> list[_Finding]:
    checks: dict[str, Check] = {
        "data folder": _data,
        "secrets": _secrets,
        "database": _database,
        "dialogue": _dialogue,
        "voice": _voice,
        "hearing": _hearing,
        "LiveKit": _livekit,
        "Twilio": _twilio,
    }
    findings: list[_Finding] = []
    for name, check in checks.items():
        try:
            findings.extend(await check(settings))
        except OrchestratorError as error:
            findings.append(_Finding(name, "failed", error.message))
    return findings


async def _data(settings: AppSettings) -> list[_Finding]:
    return [_Finding("data folder", "ok", str(data_folder(settings).resolve()))]


async def _secrets(settings: AppSettings) -> list[_Finding]:
    secrets = load_secrets(settings)
    where = f"access token in {secrets.access_token_file}" if secrets.access_token_file else "from the settings"
    return [_Finding("secrets", "ok", where)]


async def _database(settings: AppSettings) -> list[_Finding]:
    databases = open_databases(settings)
    try:
        states = await schema_states(databases)
    finally:
        await databases.close()
    findings: list[_Finding] = []
    embedded = settings.database.url is None and settings.database.keys_url is None
    for state in states:
        if state.up_to_date:
            findings.append(_Finding(f"tables of {state.package}", "ok", state.head))
        elif embedded:
            findings.append(_Finding(f"tables of {state.package}", "ok", "made or upgraded at start"))
        else:
            findings.append(
                _Finding(f"tables of {state.package}", "failed", "not up to date; run `orchestrator migrate`")
            )
    return findings


async def _dialogue(settings: AppSettings) -> list[_Finding]:
    responders = make_responders(settings)
    findings = [_Finding("dialogue", "ok", f"scripts of {', '.join(responders)}")]
    for name, tenant in settings.tenants.items() if _accounts(settings) else ():
        unknown = [each for each in responders[name].script.settings.targets if TwilioPlan.number(tenant, each) is None]
        if unknown and tenant.transfer_action is None:
            nobody = f"callers for {', '.join(unknown)} come back to the desk: set transfers.{unknown[0]} to a number"
            findings.append(_Finding(f"transfers of {name}", "missing", nobody))
    return findings


async def _voice(settings: AppSettings) -> list[_Finding]:
    voices = make_voices(settings, make_resilience(settings, SystemClock()))
    try:
        findings = [await _reachable(name, url) for name, url in _remote_voices(settings)]
        await voices.start()
    finally:
        await voices.stop()
    if "embedded" in voices.names:
        findings.append(_Finding("voice embedded", "ok", "speaks"))
    if voices.missing:
        # Calls without media socket need no voice.
        findings.append(_Finding("voice embedded", "missing", voices.missing))
    return findings


async def _hearing(settings: AppSettings) -> list[_Finding]:
    if settings.hearing.backend == "none":
        return [_Finding("hearing", "off", "no hearing.backend: raw audio of calls is not listened to")]
    hearing = make_hearing(settings, make_resilience(settings, SystemClock()), CollectorRegistry())
    try:
        await hearing.start()
    finally:
        await hearing.stop()
    if hearing.missing:
        return [_Finding("hearing", "failed", hearing.missing)]
    if settings.hearing.backend == "openai":
        return [await _reachable("openai", str(settings.hearing.openai_url), what="hearing")]
    return [_Finding("hearing commands", "ok", "knows every word of the lists")]


def _remote_voices(settings: AppSettings) -> list[tuple[str, str]]:
    speech = settings.speech
    urls = {
        "openai": str(speech.openai_url),
        "elevenlabs": str(speech.elevenlabs_url),
        "router": str(speech.router_url),
    }
    return [(name, urls[name]) for name in settings.speech.backends if name in urls]


async def _reachable(name: str, url: str, *, what: str = "voice") -> _Finding:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(parts.hostname, port)
        writer.close()
    except (OSError, TimeoutError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        return _Finding(f"{what} {name}", "failed", f"{parts.hostname}:{port} cannot be reached: {reason}")
    return _Finding(f"{what} {name}", "ok", f"{parts.hostname}:{port} answers")


async def _livekit(settings: AppSettings) -> list[_Finding]:
    keys = len(settings.livekit.more_keys) + (settings.livekit.api_key is not None)
    if not keys:
        return [_Finding("LiveKit", "off", "no api_key: its webhooks are refused")]
    return [_Finding("LiveKit", "ok", f"{keys} API key{'s' if keys > 1 else ''}")]


async def _twilio(settings: AppSettings) -> list[_Finding]:
    accounts = _accounts(settings)
    if not accounts:
        return [_Finding("Twilio", "off", "no account_sid: its webhooks are refused")]
    return [_Finding("Twilio", "ok", f"{accounts} account{'s' if accounts > 1 else ''}")]


def _accounts(settings: AppSettings) -> int:
    return len(settings.twilio.more_accounts) + (settings.twilio.account_sid is not None)
