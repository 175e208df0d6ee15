"""Who may do what: people, sessions, keys and roles in the application's database, and the operators' access token."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import importlib.util
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AsyncExitStack
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from orchestrator_app.composition.account_mail import AccountMail
from orchestrator_app.composition.database import Databases
from orchestrator_app.composition.performance import Connect, ConnectStore, connect_alone, connect_store_alone
from orchestrator_app.composition.secrets import AppSecrets
from orchestrator_app.settings import AppSettings
from orchestrator_auth.authenticator import MasterToken
from orchestrator_auth.jwt_service import Algorithm, RevocationStore
from orchestrator_auth.keyed_hash import Pepper
from orchestrator_auth.models import Role
from orchestrator_auth.passwords import GuessLimits, PasswordRules
from orchestrator_auth.rbac import PolicyFile
from orchestrator_auth.records import RecordStore
from orchestrator_auth.service import Auth, AuthConfig
from orchestrator_auth.sessions import SessionConfig
from orchestrator_auth.sql_store import SqlRecords, SqlRevocations
from orchestrator_kernel.exceptions import ConfigurationError, Detail
from orchestrator_kernel.http import HttpClientConfig
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.models import AuditEvent
from orchestrator_kernel.ports import AuditSink, Clock, Redactor, Sealer
from orchestrator_security.audit_logging import audit_pseudonym
from orchestrator_utils.correlation import current

if TYPE_CHECKING:
    from orchestrator_auth.api_keys import KeyLimiter
    from orchestrator_auth.vault_client import VaultClient, VaultLogin

__all__ = ["AUDIENCE", "REQUEST", "AuthKeeper", "RequestAudit", "make_auth", "needs_second_factor", "refusal_of"]

logger = logging.getLogger(__name__)

AUDIENCE: Final = "orchestrator"
_DAY: Final = 86_400.0
_DENIED: Final = "authz.access.denied"
_REFUSAL: Final = "auth_refusal"

Scope = MutableMapping[str, Any]

REQUEST: ContextVar[Scope | None] = ContextVar("request", default=None)
"""The request that is being answered."""


class RequestAudit:
    """The audit sink of sign-in and access: its events carry the correlation id, and the client as a pseudonym.

    Why access was denied is left with the request instead: the record of how the request ended says it.

    Args:
        sink: Where the events go.
        redactor: Takes personal data out of details.
        pseudonym_key: As that of the audit log, so that both call a client alike.
        observe: Told of each event once it is kept.
    """

    def __init__(
        self,
        sink: AuditSink,
        *,
        redactor: Redactor,
        pseudonym_key: bytes,
        observe: Callable[[AuditEvent], None] | None = None,
    ) -> None:
        self._sink = sink
        self._redactor = redactor
        self._key = pseudonym_key
        self._observe = observe

    async def record(self, event: AuditEvent) -> None:
        scope = REQUEST.get()
        if scope is not None and event.type == _DENIED and _REFUSAL not in scope:
            scope[_REFUSAL] = event
            return
        await self.keep(event)

    async def keep(self, event: AuditEvent) -> None:
        """Record the event, whatever it says."""
        details = cast("dict[str, Detail]", self._redactor.redact(dict(event.details)))
        scope = REQUEST.get()
        client = None if scope is None else scope.get("client")
        if client:
            details["client"] = audit_pseudonym(self._key, "client", client[0], event.tenant)
        correlation = current()
        correlation_id = event.correlation_id or (correlation.correlation_id if correlation else None)
        await self._sink.record(replace(event, details=details, correlation_id=correlation_id))
        if self._observe is not None:
            self._observe(event)


def refusal_of(scope: Scope) -> AuditEvent | None:
    """Why access was denied to this request, told once."""
    return cast("AuditEvent | None", scope.pop(_REFUSAL, None))


@dataclass(slots=True)
class AuthKeeper:
    """The parts of sign-in and access, and what has to be done for them while the service runs.

    Attributes:
        auth: The parts.
        audit: Where their events go.
        vault: Where API keys lie; None where they lie in the database.
        mail: To people who sign in; None without a mail server.
    """

    auth: Auth
    audit: RequestAudit
    vault: VaultClient | None
    mail: AccountMail | None
    _key_seconds: float
    _policy: PolicyFile | None
    _connections: AsyncExitStack = field(default_factory=AsyncExitStack)
    _tasks: tuple[asyncio.Task[None], ...] = ()

    async def start(self) -> None:
        """Read policy and keys, and begin to look after them.

        Raises:
            PolicyInvalid: The policy file is none.
            AuthStoreFailed: The database does not answer.
        """
        await self.load_policy()
        await self.auth.open()
        if self.mail is not None:
            await self.mail.start()
        watching = [self._policy.watch()] if self._policy is not None else []
        renewing = [self.vault.keep_alive()] if self.vault is not None else []
        self._tasks = tuple(asyncio.create_task(each, name="auth") for each in (*watching, *renewing))

    async def load_policy(self) -> None:
        """Read the policy file, if there is one.

        Raises:
            PolicyInvalid: It cannot be read, or is no policy.
        """
        if self._policy is not None:
            await self._policy.load()

    async def stop(self) -> None:
        """Look after them no longer, and give connections back."""
        if self.mail is not None:
            await self.mail.stop()
        await cancel(*self._tasks)
        await self._connections.aclose()

    @property
    def jobs(self) -> Mapping[str, Callable[[], Awaitable[int]]]:
        """What is to be done now and then: drop what is over, replace the signing key when it is old."""
        return {"sign-in": self.auth.purge, "signing keys": self._rotate}

    async def _rotate(self) -> int:
        key = await self.auth.ring.rotate_when_older(self._key_seconds)
        if key is None:
            return 0
        logger.info("signing key rotated", extra={"kid": key.kid})
        return 1


def make_auth(
    settings: AppSettings,
    secrets: AppSecrets,
    databases: Databases,
    clock: Clock,
    *,
    sealer: Sealer,
    sink: AuditSink,
    redactor: Redactor,
    connect: Connect = connect_alone,
    connect_store: ConnectStore = connect_store_alone,
) -> AuthKeeper:
    """Sign-in and access as the settings say; nothing is connected yet.

    Raises:
        ConfigurationError: A setting is wrong, or needs an extra; says which.
    """
    own = settings.auth
    records = SqlRecords(databases.data)
    connections = AsyncExitStack()
    shared = _shared(settings, databases, clock, connections, connect_store)
    vault = _vault(settings, clock, connections, connect)
    policy = None if own.policy_file is None else PolicyFile(own.policy_file, clock=clock)
    mail = AccountMail(settings, clock) if settings.monitoring.email.host else None
    observe = None if mail is None else mail.observe
    key = secrets.derive("audit pseudonyms")
    audit = RequestAudit(sink, redactor=redactor, pseudonym_key=key, observe=observe)
    auth = Auth.build(
        _config(settings),
        records=records,
        revocations=shared.revocations,
        sealer=sealer,
        pepper=_pepper(settings, secrets),
        sink=audit,
        clock=clock,
        policies=policy,
        session_records=shared.sessions,
        key_records=None if vault is None else _key_records(settings, vault),
        limiter=shared.limiter,
        master=_master(settings, secrets, clock),
    )
    if mail is not None:
        mail.look_up_in(auth.users)
    return AuthKeeper(auth, audit, vault, mail, own.key_days * _DAY, policy, connections)


def _config(settings: AppSettings) -> AuthConfig:
    own, public = settings.auth, settings.server.public_url
    origin = "" if public is None else f"{public.scheme}://{public.host}" + _port_of(settings)
    return AuthConfig(
        issuer=own.issuer or origin or AUDIENCE,
        audience=AUDIENCE,
        name="Orchestrator",
        origins=[origin] if origin else [],
        host_is_known=True,
        second_factor_roles=needs_second_factor(settings),
        tenants=settings.tenants,
        algorithm=Algorithm(own.algorithm),
        access_lifetime=own.access_minutes * 60,
        sessions=SessionConfig(
            refresh_lifetime=own.refresh_days * _DAY,
            browser_idle=own.browser_idle_minutes * 60,
            absolute=own.session_days * _DAY,
        ),
        passwords=PasswordRules(
            min_length=own.least_password, blocked=_blocked(own.blocked_passwords), words={"orchestrator", "voicehive"}
        ),
        guesses=GuessLimits(
            free=own.free_attempts,
            first_wait=min(2.0, own.longest_wait_minutes * 60),
            longest_wait=own.longest_wait_minutes * 60,
        ),
    )


def _pepper(settings: AppSettings, secrets: AppSecrets) -> Pepper:
    """The keys of all hashes; each is named by itself, so that what it hashed is found again when it is an earlier one."""
    earlier = [
        hmac.digest(each.get_secret_value().encode(), b"pepper", "sha256") for each in settings.auth.earlier_root_keys
    ]
    keys = [*earlier, secrets.derive("pepper")]
    return Pepper({f"k-{hashlib.sha256(key).hexdigest()[:16]}": key for key in keys})


def needs_second_factor(settings: AppSettings) -> tuple[str, ...]:
    """The roles that count only once a second factor was shown."""
    said = settings.auth.second_factor_roles
    if said is None:
        return (Role.SYSTEM_ADMIN,) if settings.environment == "production" else ()
    return said


def _blocked(file: Path | None) -> frozenset[str]:
    if file is None:
        return frozenset()
    try:
        with file.open(encoding="utf-8") as lines:
            return frozenset(line.rstrip("\n").casefold() for line in lines)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"auth.blocked_passwords: {file} cannot be read: {getattr(error, 'strerror', None) or 'it is no UTF-8'}"
        ) from error


def _port_of(settings: AppSettings) -> str:
    """The port as browsers write it: not at all when it is the usual one."""
    public = settings.server.public_url
    usual = {"http": 80, "https": 443}
    if public is None or public.port in {None, usual.get(public.scheme)}:
        return ""
    return f":{public.port}"


def _master(settings: AppSettings, secrets: AppSecrets, clock: Clock) -> MasterToken | None:
    if not settings.auth.access_token:
        return None
    counts = settings.auth.access_token_is_second_factor
    if counts is None:
        counts = settings.environment != "production"
    return MasterToken(secrets.access_token.get_secret_value(), clock=clock if counts else None)


class _Shared(NamedTuple):
    """What processes share: revocations, the counts of API keys (None: each counts for itself), sessions (None: with all else)."""

    revocations: RevocationStore
    limiter: KeyLimiter | None = None
    sessions: RecordStore | None = None


def _shared(
    settings: AppSettings,
    databases: Databases,
    clock: Clock,
    connections: AsyncExitStack,
    connect_store: ConnectStore,
) -> _Shared:
    url = settings.auth.shared_url
    if url is None:
        return _Shared(SqlRevocations(databases.data))
    if importlib.util.find_spec("redis") is None:
        raise ConfigurationError("auth.shared_url needs the extra: install orchestrator-app[redis]")
    from orchestrator_auth.redis_store import RedisKeyLimiter, RedisRecords, RedisRevocations  # noqa: PLC0415

    try:
        client = connect_store("auth", url.get_secret_value())
    except ConfigurationError:
        # It speaks of a pool, which is not what was set.
        raise ConfigurationError("auth.shared_url is no URL of redis:// or valkey://") from None
    connections.push_async_callback(client.aclose)
    sessions = RedisRecords(client) if settings.auth.sessions == "shared" else None
    return _Shared(RedisRevocations(client), RedisKeyLimiter(client, clock=clock), sessions)


def _vault(settings: AppSettings, clock: Clock, connections: AsyncExitStack, connect: Connect) -> VaultClient | None:
    own = settings.vault
    if own.url is None:
        return None
    from orchestrator_auth.vault_client import VaultClient, VaultConfig  # noqa: PLC0415 - most have no Vault

    http = connect("vault", HttpClientConfig(base_url=str(own.url).rstrip("/")))
    vault = VaultClient(http, _vault_login(settings), clock=clock, config=VaultConfig(namespace=own.namespace))
    connections.push_async_callback(http.aclose)
    connections.push_async_exit(vault)
    return vault


def _vault_login(settings: AppSettings) -> VaultLogin:
    from orchestrator_auth.vault_client import AppRoleLogin, JwtLogin, KubernetesLogin, TokenLogin  # noqa: PLC0415

    own = settings.vault
    if own.token is not None:
        return TokenLogin(own.token)
    if own.role_id is not None and own.secret_id is not None:
        return AppRoleLogin(role_id=own.role_id, secret_id=own.secret_id, mount=own.login_mount or "approle")
    if own.jwt_role is not None and own.jwt_file is not None:
        return JwtLogin(role=own.jwt_role, jwt=own.jwt_file, mount=own.login_mount or "jwt")
    return KubernetesLogin(role=own.kubernetes_role or "", mount=own.login_mount or "kubernetes")


def _key_records(settings: AppSettings, vault: VaultClient) -> RecordStore:
    from orchestrator_auth.vault_store import VaultRecords  # noqa: PLC0415

    return VaultRecords(vault.kv(settings.vault.mount), prefix=settings.vault.api_keys_path)
