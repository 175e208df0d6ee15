"""When the secrets of senders end, and how old the application's own are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from orchestrator_app.settings import AppSettings
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_secrets.envelope import MasterKeyFile
from orchestrator_security.webhook_security import WebhookSecret

__all__ = ["STATIC_KEY", "expiries", "own_ages", "sender_secret", "twilio_secret_id"]

STATIC_KEY = "static"
"""The id of the static key of earlier agents."""


def sender_secret(settings: AppSettings, door: str, name: str, value: SecretStr) -> WebhookSecret:
    """The secret as the door's verifier takes it, with its end from `security.secret_expiry`; it is called `door:name` there."""
    prefix = "livekit-" if door == "livekit" else ""
    return WebhookSecret(f"{prefix}{name}"[:128], value, settings.security.secret_expiry.get(f"{door}:{name}"))


def twilio_secret_id(account: str, number: int) -> str:
    """The id of an account's auth token: 0 the first, 1 the secondary one."""
    return f"{account}-{number}"


def expiries(settings: AppSettings) -> Mapping[str, datetime | None]:
    """Every secret of a sender by `door:name`, and when it ends.

    Raises:
        ConfigurationError: `security.secret_expiry` names one that is none.
    """
    known, told = list(_names(settings)), settings.security.secret_expiry
    unknown = sorted(set(told) - set(known))
    if unknown:
        raise ConfigurationError(
            f"security.secret_expiry names no secret by {', '.join(unknown)}; there are: {', '.join(known) or 'none'}"
        )
    return {name: told.get(name) for name in known}


def own_ages(settings: AppSettings) -> Mapping[str, datetime]:
    """Since when the application's own secrets are there, by the name of their file; those that the settings give have none."""
    folder = settings.data_dir
    files = [folder / name for name in ("access.token", "root.key", "agent.secret")]
    since = {file.name: _written(file) for file in files if file.exists()}
    keys = folder / "master.keys"
    if keys.exists():
        # A ring is as old as the key that wraps, whenever its file was written.
        since[keys.name] = list(MasterKeyFile(keys, create=False).created().values())[-1]
    return since


def _written(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)


def _names(settings: AppSettings) -> Iterator[str]:
    livekit, agents = settings.livekit, settings.agents
    yield from (f"livekit:{key}" for key in (*livekit.more_keys, *([livekit.api_key] if livekit.api_key else [])))
    yield from (f"agents:{name}" for name in agents.secrets)
    if agents.bearer_key is not None:
        yield f"agents:{STATIC_KEY}"
    for account, tokens in settings.twilio.tokens.items():
        yield from (f"twilio:{twilio_secret_id(account, number)}" for number in range(len(tokens)))
    yield from (f"hotel:{name}" for name in settings.hotel_events.secrets)
