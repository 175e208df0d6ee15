"""The second factor: codes of an authenticator application (RFC 6238), each good once in all processes, and ten recovery codes.

What the user types:

    factor = SecondFactor(records, sealer, pepper=pepper, audit=auditor, clock=clock, issuer="Calls")
    enrolment = await factor.enrol(subject, account="zoe")     # show enrolment.qr_svg()
    codes = await factor.confirm(subject, "123456")            # show the recovery codes, once
    await factor.verify(subject, "654321")
"""

from __future__ import annotations

import base64
import io
import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from orchestrator_auth._totp import hotp, matching_step, provisioning_uri, step_of
from orchestrator_auth.audit import Auditor
from orchestrator_auth.exceptions import LoginRefused
from orchestrator_auth.keyed_hash import Pepper
from orchestrator_auth.passwords import Guesses, GuessLimits
from orchestrator_auth.records import RecordStore, Table
from orchestrator_kernel.exceptions import ConfigurationError, ValidationError
from orchestrator_kernel.models import Outcome, require_identifier
from orchestrator_kernel.ports import Clock, Sealer, SealScope

__all__ = [
    "AlreadyEnrolled",
    "Enrolment",
    "FactorStatus",
    "Method",
    "NotEnrolled",
    "SecondFactor",
    "Subject",
    "authenticator_code",
]

_KIND: Final = "second_factor"
_SEED_BYTES: Final = 20
_RECOVERY_CODES: Final = 10
_LETTERS: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


class NotEnrolled(ValidationError):
    """This user has no second factor, or no enrolment to confirm."""

    default_code = "second_factor_not_enrolled"
    default_status = 409


class AlreadyEnrolled(ValidationError):
    """This user has a second factor already; it is removed first."""

    default_code = "second_factor_already_enrolled"
    default_status = 409


class Method(StrEnum):
    """How a second factor was shown."""

    TOTP = "totp"
    RECOVERY_CODE = "recovery_code"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose second factor; the seed is sealed for exactly this person."""

    user_id: str
    tenant: str

    def __post_init__(self) -> None:
        require_identifier(self.user_id, "user id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What the user's application needs; shown once, and nothing until a first code confirms it.

    Attributes:
        secret: The seed in base32, for typing.
        uri: The same for the QR code.
    """

    secret: str = field(repr=False)
    uri: str = field(repr=False)

    def qr_svg(self) -> str:
        """The QR code as SVG (extra `[qr]`)."""
        out = io.BytesIO()
        self._qr("svg", out)
        return out.getvalue().decode()

    def qr_png(self) -> bytes:
        """The QR code as PNG (extra `[qr]`)."""
        out = io.BytesIO()
        self._qr("png", out)
        return out.getvalue()

    def _qr(self, kind: str, out: io.BytesIO) -> None:
        try:
            import segno  # noqa: PLC0415 - only with the extra
        except ModuleNotFoundError as error:
            raise ConfigurationError("QR codes need the extra: install orchestrator-auth[qr]") from error
        segno.make(self.uri, micro=False, error="m").save(out, kind=kind, scale=6)


def authenticator_code(secret: str, at: datetime) -> str:
    """What the user's application shows for a seed in base32; for tests and demonstrations.

    >>> from datetime import UTC
    >>> authenticator_code("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", datetime(2005, 3, 18, 1, 58, 29, tzinfo=UTC))
    '081804'
    """
    seed = base64.b32decode(secret + "=" * (-len(secret) % 8))
    return hotp(seed, step_of(at.timestamp()))


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorStatus:
    """What a user may know about the own second factor."""

    enabled: bool
    enabled_at: datetime | None = None
    recovery_codes_left: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Factor:
    """As stored: the seeds sealed, the recovery codes hashed."""

    sealed_seed: str = ""
    pending_seed: str = ""
    last_step: int = -1
    recovery: tuple[str, ...] = ()
    enabled_at: datetime | None = None


class SecondFactor:
    """Second factors of all users.

    Args:
        store: Of the factors.
        sealer: Seals the seeds, so that the store alone gives none away.
        pepper: For the recovery codes, and the count of wrong codes.
        audit: Told of everything.
        issuer: What the user's application shows.
        limits: How fast somebody may be wrong.
    """

    def __init__(
        self,
        store: RecordStore,
        sealer: Sealer,
        *,
        pepper: Pepper,
        audit: Auditor,
        clock: Clock,
        issuer: str,
        limits: GuessLimits | None = None,
    ) -> None:
        self._table = Table(store, _KIND, _Factor)
        self._sealer = sealer
        self._pepper = pepper
        self._audit = audit
        self._clock = clock
        self._issuer = issuer
        self._guesses = Guesses(store, pepper=pepper, clock=clock, purpose="second-factor", limits=limits)

    async def status(self, user_id: str) -> FactorStatus:
        """What there is; also for a user who never enrolled."""
        factor = await self._table.get(user_id)
        if factor is None or factor.enabled_at is None:
            return FactorStatus(enabled=False)
        return FactorStatus(enabled=True, enabled_at=factor.enabled_at, recovery_codes_left=len(factor.recovery))

    async def enrol(self, subject: Subject, *, account: str) -> Enrolment:
        """A fresh seed, waiting for its first code; an earlier one that waits is forgotten.

        Raises:
            AlreadyEnrolled: There is a second factor in force.
        """
        seed = secrets.token_bytes(_SEED_BYTES)
        sealed = (await self._sealer.seal(seed, _scope(subject))).hex()

        def decide(factor: _Factor | None) -> tuple[_Factor | None, str]:
            if factor is not None and factor.enabled_at is not None:
                return None, ""
            again = factor is not None and bool(factor.pending_seed)
            kind = "mfa.secret_regenerated" if again else "mfa.enrollment"
            return replace(factor or _Factor(), pending_seed=sealed), kind

        begun = await self._table.change(subject.user_id, decide)
        if not begun:
            raise AlreadyEnrolled("There is a second factor already. Remove it first, then add the new one.")
        await self._tell(begun, subject)
        uri = provisioning_uri(seed, account=account, issuer=self._issuer)
        return Enrolment(secret=base64.b32encode(seed).decode().rstrip("="), uri=uri)

    async def confirm(self, subject: Subject, code: str) -> tuple[str, ...]:
        """Put the enrolment in force with its first code; the recovery codes, told this once.

        Raises:
            NotEnrolled: Nothing waits to be confirmed.
            LoginRefused: The code is wrong.
        """
        await self._guesses.attempt(subject.user_id)
        factor = await self._table.get(subject.user_id)
        if factor is None or not factor.pending_seed:
            raise NotEnrolled("There is no enrolment to confirm. Begin one first.")
        step = await self._step(factor.pending_seed, subject, code, after=-1)
        if step is None:
            raise await self._refused(subject, "wrong code at enrolment")
        codes, hashes = self._new_recovery_codes(subject)
        pending, now = factor.pending_seed, self._clock.now()

        def decide(found: _Factor | None) -> tuple[_Factor | None, bool]:
            if found is None or found.pending_seed != pending:
                return None, False
            return _Factor(sealed_seed=pending, last_step=step, recovery=hashes, enabled_at=now), True

        if not await self._table.change(subject.user_id, decide):
            raise NotEnrolled("The enrolment was confirmed or begun anew meanwhile.")
        await self._guesses.forgive(subject.user_id)
        await self._tell("mfa.verification", subject, method="enrolment")
        await self._tell("mfa.recovery_code_generated", subject)
        return codes

    async def verify(self, subject: Subject, code: str) -> Method:
        """Spend a code: of the application, or a recovery code. Each is good once, in whatever process.

        Raises:
            LoginRefused: Wrong, spent, not enrolled, or too many were wrong.
        """
        await self._guesses.attempt(subject.user_id)
        factor = await self._table.get(subject.user_id)
        if factor is None or factor.enabled_at is None:
            raise await self._refused(subject, "not enrolled")
        typed = code.replace(" ", "").replace("-", "").upper()
        if len(typed) == 6 and typed.isdigit():
            method = Method.TOTP
            spent = await self._spend_totp(factor, subject, typed)
        else:
            method = Method.RECOVERY_CODE
            spent = await self._spend_recovery_code(subject, typed)
        if not spent:
            raise await self._refused(subject, f"{method} is wrong or spent")
        await self._guesses.forgive(subject.user_id)
        await self._tell("mfa.verification", subject, method=str(method))
        if method is Method.RECOVERY_CODE:
            await self._tell("mfa.recovery_code_used", subject)
        return method

    async def regenerate_recovery_codes(self, subject: Subject) -> tuple[str, ...]:
        """Ten new recovery codes in place of all old ones. For the caller to authorize: it takes a second factor shown a moment ago.

        Raises:
            NotEnrolled: There is no second factor.
        """
        codes, hashes = self._new_recovery_codes(subject)

        def decide(factor: _Factor | None) -> tuple[_Factor | None, bool]:
            if factor is None or factor.enabled_at is None:
                return None, False
            return replace(factor, recovery=hashes), True

        if not await self._table.change(subject.user_id, decide):
            raise NotEnrolled("There is no second factor to make recovery codes for.")
        await self._tell("mfa.recovery_code_generated", subject)
        return codes

    async def disable(self, subject: Subject, *, by: str) -> bool:
        """Remove the second factor; false if there was none. For the caller to authorize: oneself, or an administrator."""
        removed = await self._table.remove(subject.user_id)
        await self._audit.record(
            "mfa.disabled",
            actor=by,
            outcome=Outcome.SUCCESS if removed else Outcome.FAILURE,
            resource=f"user:{subject.user_id}",
            tenant=subject.tenant,
        )
        return removed

    async def _spend_totp(self, factor: _Factor, subject: Subject, code: str) -> bool:
        step = await self._step(factor.sealed_seed, subject, code, after=factor.last_step)
        if step is None:
            return False
        seed = factor.sealed_seed

        def decide(found: _Factor | None) -> tuple[_Factor | None, bool]:
            # Somebody may have spent it, or replaced the seed, since it was read.
            if found is None or found.sealed_seed != seed or found.last_step >= step:
                return None, False
            return replace(found, last_step=step), True

        return await self._table.change(subject.user_id, decide)

    async def _spend_recovery_code(self, subject: Subject, code: str) -> bool:
        def decide(found: _Factor | None) -> tuple[_Factor | None, bool]:
            if found is None:
                return None, False
            text = f"{subject.user_id}|{code}"
            left = tuple(each for each in found.recovery if not self._pepper.matches(text, "recovery-code", each))
            if len(left) == len(found.recovery):
                return None, False
            return replace(found, recovery=left), True

        return await self._table.change(subject.user_id, decide)

    async def _step(self, sealed: str, subject: Subject, code: str, *, after: int) -> int | None:
        seed = await self._sealer.open(bytes.fromhex(sealed), _scope(subject))
        return matching_step(seed, code, self._clock.now().timestamp(), after=after)

    def _new_recovery_codes(self, subject: Subject) -> tuple[tuple[str, ...], tuple[str, ...]]:
        plain = ["".join(secrets.choice(_LETTERS) for _ in range(10)) for _ in range(_RECOVERY_CODES)]
        hashes = tuple(self._pepper.hash(f"{subject.user_id}|{code}", "recovery-code") for code in plain)
        return tuple(f"{code[:5]}-{code[5:]}" for code in plain), hashes

    async def _tell(self, kind: str, subject: Subject, **details: str) -> None:
        await self._audit.record(
            kind, actor=subject.user_id, resource=f"user:{subject.user_id}", tenant=subject.tenant, details=details
        )

    async def _refused(self, subject: Subject, reason: str) -> LoginRefused:
        await self._audit.refuse("mfa.verification", reason, actor=subject.user_id)
        return LoginRefused(reason)


def _scope(subject: Subject) -> SealScope:
    return SealScope(subject.tenant, subject.user_id, "auth.totp-seed")
