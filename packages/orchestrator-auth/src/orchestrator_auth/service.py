"""All of it, put together: for a service that wants the whole thing.

What the user types:

    auth = Auth.build(
        AuthConfig(issuer="https://calls.example", audience="calls", origins=["https://calls.example"]),
        records=SqlRecords(engine), revocations=SqlRevocations(engine), sealer=sealer, pepper=Pepper({"2030-01": key}), sink=sink, clock=SystemClock(),
    )
    await auth.open()

Everything is on `auth`: `users`, `signin`, `sessions`, `keys`, `verifier`, `guard`, `admin`, … Services that need less build those parts themselves.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self, TypedDict

from orchestrator_auth._jwt.claims import TokenProfile
from orchestrator_auth._jwt.issuer import TokenIssuer
from orchestrator_auth._jwt.key_ring import KeyRing, KeyRingConfig, SealedKeys
from orchestrator_auth._jwt.keys import Algorithm
from orchestrator_auth._jwt.revocation import RevocationConfig, Revocations, RevocationStore
from orchestrator_auth._jwt.verifier import TokenVerifier
from orchestrator_auth.admin import Admin
from orchestrator_auth.api_keys import ApiKeys, KeyLimiter, MemoryKeyLimiter
from orchestrator_auth.audit import Auditor
from orchestrator_auth.authenticator import Authenticator, MasterToken
from orchestrator_auth.guard import Guard
from orchestrator_auth.keyed_hash import Pepper
from orchestrator_auth.members import Members
from orchestrator_auth.mfa import SecondFactor
from orchestrator_auth.passwords import GuessLimits, HasherConfig, PasswordHasher, PasswordRules
from orchestrator_auth.rbac import PolicyHolder, StaticPolicy, default_policy
from orchestrator_auth.records import RecordStore
from orchestrator_auth.sessions import SessionConfig, Sessions
from orchestrator_auth.signin import SignIn
from orchestrator_auth.users import Users
from orchestrator_kernel.ports import AuditSink, Clock, Sealer

__all__ = ["Auth", "AuthConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthConfig:
    """What differs between services. Times in seconds.

    Attributes:
        issuer: The `iss` of our tokens, usually the service's address.
        audience: Their `aud`.
        name: What a user's authenticator application shows.
        origins: Where our own pages come from; a cookie is accepted for changes from these only.
        host_is_known: Whether the application answers for known hosts only, checked before the gate; then pages of the host that is asked are our own too.
        second_factor_roles: Roles that count only in a session where a second factor was shown; their people can sign in and enrol, and nothing else.
        tenants: Those that there are, read whenever a role or a key is given; None where the service cannot know.
        algorithm: Of new signing keys; not HS256, since the keys lie where other processes read them.
        access_lifetime: Of access tokens, 15 minutes.
        sessions: How long sessions last.
        hashing: What a password's hash costs.
        passwords: What a new password has to be.
        guesses: How fast one account may be guessed at.
    """

    issuer: str
    audience: str
    name: str = "Orchestrator"
    origins: Collection[str] = ()
    host_is_known: bool = False
    second_factor_roles: Collection[str] = ()
    tenants: Collection[str] | None = None
    algorithm: Algorithm = Algorithm.ES256
    access_lifetime: float = 900.0
    sessions: SessionConfig = field(default_factory=SessionConfig)
    hashing: HasherConfig = field(default_factory=HasherConfig)
    passwords: PasswordRules = field(default_factory=PasswordRules)
    guesses: GuessLimits = field(default_factory=GuessLimits)


class _Common(TypedDict):
    """What nearly every part takes."""

    pepper: Pepper
    audit: Auditor
    clock: Clock


@dataclass(frozen=True, slots=True)
class _Tokens:
    """The parts that make and check access tokens."""

    ring: KeyRing
    revocations: Revocations
    issuer: TokenIssuer
    verifier: TokenVerifier

    @classmethod
    def build(
        cls, config: AuthConfig, records: RecordStore, store: RevocationStore, sealer: Sealer, clock: Clock
    ) -> Self:
        longest = config.access_lifetime + 60
        ring_config = KeyRingConfig(algorithm=config.algorithm, token_lifetime=longest)
        ring = KeyRing(SealedKeys(records, sealer), clock=clock, config=ring_config)
        revocations = Revocations(store, clock=clock, config=RevocationConfig(token_lifetime=longest))
        profile = TokenProfile(issuer=config.issuer, audience=config.audience, max_lifetime=longest)
        issuer = TokenIssuer(profile, ring, clock=clock, revocations=revocations, lifetime=config.access_lifetime)
        return cls(ring, revocations, issuer, TokenVerifier(profile, ring, clock=clock, revocations=revocations))


@dataclass(frozen=True, kw_only=True)
class Auth:
    """The parts of one service."""

    audit: Auditor
    policies: PolicyHolder
    ring: KeyRing
    revocations: Revocations
    issuer: TokenIssuer
    verifier: TokenVerifier
    users: Users
    factor: SecondFactor
    sessions: Sessions
    signin: SignIn
    keys: ApiKeys
    records: RecordStore
    session_records: RecordStore
    config: AuthConfig
    clock: Clock
    master: MasterToken | None = None

    @classmethod
    def build(
        cls,
        config: AuthConfig,
        *,
        records: RecordStore,
        revocations: RevocationStore,
        sealer: Sealer,
        pepper: Pepper,
        sink: AuditSink,
        clock: Clock,
        policies: PolicyHolder | None = None,
        session_records: RecordStore | None = None,
        key_records: RecordStore | None = None,
        limiter: KeyLimiter | None = None,
        master: MasterToken | None = None,
    ) -> Self:
        """The parts, wired.

        Args:
            config: What differs between services.
            records: Where people, second factors and signing keys are kept.
            revocations: Where revocations are kept.
            sealer: Seals names, seeds and signing keys.
            pepper: For everything that is kept as a keyed hash.
            sink: Where audit events go.
            clock: Where every time comes from.
            policies: Who may do what; the package's own policy unless given.
            session_records: For sessions, where they lie elsewhere, for example in Valkey.
            key_records: For API keys, where they lie elsewhere, for example in Vault.
            limiter: Counts the requests of API keys; in this process unless given.
            master: A token from the configuration that may do everything.

        Raises:
            ConfigurationError: A value is out of range, or the algorithm is HS256.
        """
        tokens = _Tokens.build(config, records, revocations, sealer, clock)
        common = _Common(pepper=pepper, audit=Auditor(sink, clock=clock), clock=clock)
        hasher = PasswordHasher(config.hashing)
        users = Users(records, sealer, hasher, **common, rules=config.passwords, per_account=config.guesses)
        factor = SecondFactor(records, sealer, **common, issuer=config.name, limits=config.guesses)
        kept, rules, limiter = session_records or records, config.sessions, limiter or MemoryKeyLimiter(clock)
        sessions = Sessions(kept, tokens.issuer, tokens.revocations, **common, roles_of=users.roles, config=rules)
        return cls(
            audit=common["audit"],
            policies=policies or StaticPolicy(default_policy()),
            ring=tokens.ring,
            revocations=tokens.revocations,
            issuer=tokens.issuer,
            verifier=tokens.verifier,
            users=users,
            factor=factor,
            sessions=sessions,
            signin=SignIn(users, factor, sessions, **common),
            keys=ApiKeys(key_records or records, **common, limiter=limiter, tenants=config.tenants),
            records=records,
            session_records=kept,
            config=config,
            clock=clock,
            master=master,
        )

    @cached_property
    def authenticator(self) -> Authenticator:
        """Knows users by tokens and cookies, and services by keys."""
        return Authenticator(
            self.policies,
            verifier=self.verifier,
            api_keys=self.keys,
            sessions=self.sessions,
            origins=self.config.origins,
            master=self.master,
            host_is_known=self.config.host_is_known,
            second_factor_roles=self.config.second_factor_roles,
        )

    @cached_property
    def guard(self) -> Guard:
        """Decides by the policy in force."""
        return Guard(self.policies, audit=self.audit, clock=self.clock)

    @cached_property
    def admin(self) -> Admin:
        """What the operator does from a shell."""
        return Admin(
            users=self.users,
            sessions=self.sessions,
            keys=self.keys,
            ring=self.ring,
            revocations=self.revocations,
            factor=self.factor,
            policies=self.policies,
            store=self.records,
            audit=self.audit,
            clock=self.clock,
            second_factor_roles=self.config.second_factor_roles,
            tenants=self.config.tenants,
        )

    @cached_property
    def members(self) -> Members:
        """What administrators do for the people of a tenant."""
        return Members(
            self.users,
            self.sessions,
            self.factor,
            self.revocations,
            policies=self.policies,
            audit=self.audit,
            tenants=self.config.tenants,
        )

    async def open(self) -> None:
        """Make ready at start: the first signing key is made, or the present ones are read.

        Raises:
            AuthStoreFailed: The store does not answer.
        """
        await self.ring.open()
        await self.revocations.ensure_fresh()

    async def purge(self) -> int:
        """Drop what is over: sessions, links, counts of wrong answers. Call it now and then; how many records that were.

        Raises:
            AuthStoreFailed: The store does not answer.
        """
        now = self.clock.now()
        dropped = await self.records.purge(now)
        return dropped + (await self.session_records.purge(now) if self.session_records is not self.records else 0)
