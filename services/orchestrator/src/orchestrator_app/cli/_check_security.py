"""The state of each door, for `orchestrator check --security`: read from the settings and from what is really there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from orchestrator_app.cli._check_auth import auth_findings
from orchestrator_app.composition.audit import audit_keys
from orchestrator_app.composition.database import open_databases
from orchestrator_app.composition.resilience import make_resilience
from orchestrator_app.composition.secrets import AppSecrets, load_secrets
from orchestrator_app.composition.secrets_expiry import expiries, own_ages
from orchestrator_app.settings import AppSettings
from orchestrator_kernel.exceptions import DatabaseError
from orchestrator_kernel.ports import SystemClock
from orchestrator_security.audit_logging import verify_audit
from orchestrator_security.headers_middleware import api
from orchestrator_security.pii_redactor import GDPR_FIELDS, Kind

__all__ = ["security_findings"]

_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})

_SOON = 14
"""Days before a secret's end in which the check warns."""
_OLD = 365
"""Days after which a secret that was made here should be exchanged."""

Row = tuple[str, str, str]
"""What was looked at; ok, open, weak, off or failed; and in words."""


async def security_findings(settings: AppSettings) -> list[Row]:
    """Every door and what stands in it."""
    secrets = load_secrets(settings)
    return [
        *_access(settings, secrets),
        *await auth_findings(settings, secrets),
        *_network(settings),
        *_senders(settings),
        *_endings(settings),
        *_ages(settings),
        *_what_leaves(),
        *_limits(settings),
        await _audit(settings, secrets),
    ]


def _access(settings: AppSettings, secrets: AppSecrets) -> Iterator[Row]:
    made = secrets.access_token_file
    where = f"made at first start, in {made}, mode 600" if made else "from the settings"
    yield "access token", "ok", where
    root = settings.security.root_key
    yield "root key", "ok", "from the settings" if root else f"made at first start, in {settings.data_dir / 'root.key'}"
    loose = [path.name for path in _secret_files(settings.data_dir) if path.stat().st_mode & 0o077]
    if loose:
        yield "secret files", "failed", f"others may read {', '.join(loose)}; set their mode to 600"


def _secret_files(folder: Path) -> Iterator[Path]:
    for name in ("access.token", "root.key", "agent.secret", "master.keys"):
        if (folder / name).exists():
            yield folder / name


def _network(settings: AppSettings) -> Iterator[Row]:
    server = settings.server
    public = server.public_url
    if public is not None and public.scheme == "https":
        yield "TLS", "ok", f"ended before us for {public.host}; browsers are told to stay there (HSTS)"
    elif server.host in _LOCAL:
        yield "TLS", "off", "listens on this machine only"
    else:
        yield "TLS", "weak", f"listens on {server.host} without server.public_url of https://: no HSTS"
    yield "hosts", "ok", ", ".join(sorted(server.known_hosts))
    yield "other pages (CORS)", "ok", ", ".join(server.cors_origins) or "none may use the API"
    proxies = settings.resilience.trusted_proxies
    yield "proxies", "ok", f"X-Forwarded-For believed from {', '.join(proxies)}" if proxies else "none is believed"


def _senders(settings: AppSettings) -> Iterator[Row]:
    livekit = settings.livekit
    keys = len(livekit.more_keys) + (livekit.api_key is not None)
    yield "LiveKit webhooks", "ok" if keys else "off", f"{keys} keys" if keys else "no key: refused"
    agents = settings.agents
    yield "media agents", "ok", f"HMAC, {len(agents.secrets) or 1} secrets" + ("" if agents.secrets else ", made here")
    if agents.bearer_key is not None:
        yield "static agent key", "weak", "agents.bearer_key proves neither body nor time; replace it by agents.secrets"
    accounts = len(settings.twilio.tokens)
    yield "Twilio", "ok" if accounts else "off", f"{accounts} accounts" if accounts else "no account: refused"
    hotel = settings.hotel_events
    if not hotel.secrets:
        yield "hotel system", "off", "no secret: refused"
    else:
        where = f"from {', '.join(hotel.addresses)}" if hotel.addresses else "from any address"
        yield "hotel system", "ok", f"HMAC, {len(hotel.secrets)} secrets, {where}"


def _endings(settings: AppSettings) -> Iterator[Row]:
    """When secrets of senders end."""
    now, endless = SystemClock().now(), list[str]()
    for name, end in expiries(settings).items():
        if end is None:
            endless.append(name)
            continue
        days = (end - now).days
        if end <= now:
            yield f"secret {name}", "weak", f"ended on {end:%Y-%m-%d} and is refused; remove it"
        else:
            yield f"secret {name}", "weak" if days < _SOON else "ok", f"ends on {end:%Y-%m-%d}, in {days} days"
    if endless:
        yield "secrets without an end", "ok", f"{', '.join(endless)}; security.secret_expiry gives them one"


def _ages(settings: AppSettings) -> Iterator[Row]:
    """How old the secrets are that were made here."""
    now = SystemClock().now()
    for name, since in own_ages(settings).items():
        days = max((now - since).days, 0)
        old = days > _OLD
        yield f"age of {name}", "weak" if old else "ok", f"{days} days" + (f"; exchange it after {_OLD}" if old else "")


def _what_leaves() -> Iterator[Row]:
    policy = api()
    yield "headers", "ok", f"{len(policy.headers())} on every answer, the server's own name on none"
    yield "redaction", "ok", f"{len(Kind)} kinds and {len(GDPR_FIELDS)} fields, and who is in each call"


def _limits(settings: AppSettings) -> Iterator[Row]:
    for rule in make_resilience(settings, SystemClock()).rules:
        yield f"limit {rule.name}", "ok", rule.limits
    yield "bodies", "ok", f"{settings.server.max_body} bytes at most"


async def _audit(settings: AppSettings, secrets: AppSecrets) -> Row:
    databases = open_databases(settings)
    try:
        found = await verify_audit(databases.data, audit_keys(settings, secrets), now=SystemClock().now())
    except DatabaseError as error:
        return "audit log", "off", f"not begun yet: {error.message}"
    finally:
        await databases.close()
    if found.intact:
        return "audit log", "ok", f"intact, {found.entries} records"
    first = found.findings[0]
    return "audit log", "failed", f"changed: {first.kind} at record {first.seq}; run `orchestrator audit verify`"
