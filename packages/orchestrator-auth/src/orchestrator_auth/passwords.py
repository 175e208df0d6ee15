"""Passwords: hashed with Argon2id off the event loop (extra `[passwords]`), judged when chosen, and guessed only slowly.

What the user types:

    hasher = PasswordHasher()
    stored = await hasher.hash(password)
    verdict = await hasher.verify(stored, password)      # Verdict(good=True, upgrade=None)
"""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from orchestrator_auth._people.guessable import is_guessable
from orchestrator_auth.exceptions import LoginRefused, WeakPassword
from orchestrator_auth.keyed_hash import Pepper
from orchestrator_auth.records import RecordStore, Table
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.ports import Clock

if TYPE_CHECKING:
    from argon2 import PasswordHasher as Argon2

__all__ = ["GuessLimits", "Guesses", "HasherConfig", "PasswordHasher", "PasswordRules", "Verdict"]

T = TypeVar("T")

_MAX_LENGTH: Final = 256
_RUNS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
)
_KIND: Final = "guesses"


@dataclass(frozen=True, slots=True, kw_only=True)
class HasherConfig:
    """Argon2id's parameters (RFC 9106 section 4, the second recommended choice) and how many hashes are computed at a time.

    Attributes:
        time_cost: Passes over the memory.
        memory_kib: Memory of one hash, KiB.
        parallelism: Lanes of one hash.
        at_once: Hashes at a time; their memory adds up, the others wait.
    """

    time_cost: int = 3
    memory_kib: int = 65_536
    parallelism: int = 4
    at_once: int = 4

    def __post_init__(self) -> None:
        for name in ("time_cost", "parallelism", "at_once"):
            if not 0 < getattr(self, name) <= 64:
                raise ConfigurationError(f"{name} must be 1 to 64", details={"setting": name})
        if not 8 * self.parallelism <= self.memory_kib <= 4_194_304:
            raise ConfigurationError("memory_kib must be at least 8 per lane", details={"setting": "memory_kib"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the password is right; and a new hash to keep, when the old one was made with other parameters."""

    good: bool
    upgrade: str | None = None


class PasswordHasher:
    """Argon2id with a limit on how much runs at once.

    Raises:
        ConfigurationError: The extra is not installed.
    """

    def __init__(self, config: HasherConfig | None = None) -> None:
        self._config = config or HasherConfig()
        self._argon2 = _argon2(self._config)
        self._places = asyncio.Semaphore(self._config.at_once)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """The hash to keep, with its parameters and its own salt."""
        normal = _normal(password)
        return await self._off_the_loop(lambda: self._argon2.hash(normal))

    async def verify(self, stored: str | None, password: str) -> Verdict:
        """Whether the password is the one of the hash. Without a hash it takes as long, and is never right."""
        if self._nobody is None:
            self._nobody = await self.hash(secrets.token_hex(32))
        normal = _normal(password)
        against = stored or self._nobody
        good = await self._off_the_loop(lambda: _check(self._argon2, against, normal))
        if not good or not stored:
            return Verdict(False)
        upgrade = await self.hash(password) if self._argon2.check_needs_rehash(stored) else None
        return Verdict(True, upgrade)

    async def _off_the_loop(self, work: Callable[[], T]) -> T:
        async with self._places:
            return await asyncio.to_thread(work)


def _argon2(config: HasherConfig) -> Argon2:
    try:
        import argon2  # noqa: PLC0415 - only with the extra
    except ModuleNotFoundError as error:
        raise ConfigurationError("passwords need the extra: install orchestrator-auth[passwords]") from error
    return argon2.PasswordHasher(
        time_cost=config.time_cost, memory_cost=config.memory_kib, parallelism=config.parallelism
    )


def _check(hasher: Argon2, stored: str, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 - only with the extra

    try:
        return hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


def _normal(password: str) -> str:
    """One text however it was typed; what cannot be encoded cannot be anybody's password."""
    return unicodedata.normalize("NFKC", password[:_MAX_LENGTH]).encode(errors="replace").decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordRules:
    """What a new password has to be (NIST SP 800-63B section 5.1.1.2): long, and not what everybody tries first. No rules about kinds of characters.

    Attributes:
        min_length: Characters; 12 unless given, never less than 8.
        blocked: Passwords that are refused, in small letters: a list of leaked ones.
        words: Of which a password shall not mainly consist, in small letters: the name of the service, of the company. Common ones are known.
    """

    min_length: int = 12
    blocked: Collection[str] = frozenset()
    words: Collection[str] = frozenset()

    def __post_init__(self) -> None:
        if not 8 <= self.min_length <= 64:
            raise ConfigurationError("min_length must be 8 to 64", details={"setting": "min_length"})
        object.__setattr__(self, "blocked", frozenset(self.blocked))
        object.__setattr__(self, "words", frozenset(self.words))

    def check(self, password: str, *, login: str = "") -> None:
        """Return if the password may be chosen.

        Raises:
            WeakPassword: It may not; the message says what to change.
        """
        if len(password) < self.min_length:
            raise WeakPassword(f"Use at least {self.min_length} characters; several words are easiest to remember.")
        if len(password) > _MAX_LENGTH:
            raise WeakPassword(f"Use at most {_MAX_LENGTH} characters.")
        lowered = unicodedata.normalize("NFKC", password).casefold()
        if len(set(lowered)) < 5 or any(lowered in run * 3 or lowered[::-1] in run * 3 for run in _RUNS):
            raise WeakPassword("Use more different characters, and no rows of the keyboard.")
        name = login.partition("@")[0].casefold()
        if lowered in self.blocked or (len(name) >= 4 and name in lowered) or is_guessable(lowered, self.words):
            raise WeakPassword("Choose something that is not your name and not among the passwords tried first.")


@dataclass(frozen=True, slots=True, kw_only=True)
class GuessLimits:
    """How fast somebody may be wrong.

    Attributes:
        free: Wrong answers that cost nothing.
        first_wait: Seconds to wait after the next; each further one doubles it.
        longest_wait: Seconds; the wait never gets longer.
        forgotten_after: Seconds without an attempt after which all are forgotten.
    """

    free: int = 5
    first_wait: float = 2.0
    longest_wait: float = 900.0
    forgotten_after: float = 3_600.0

    def __post_init__(self) -> None:
        if not 1 <= self.free <= 1_000_000 or not 0 < self.first_wait <= self.longest_wait <= 86_400:
            raise ConfigurationError("limits on guesses must be positive, and waits at most a day")


@dataclass(frozen=True, slots=True)
class _Count:
    wrong: int
    last: datetime
    blocked_until: datetime
    over: datetime


class Guesses:
    """Counts wrong answers for something, an account or an address, in all processes together.

    An attempt counts as wrong before it is judged and is forgiven when it was right, so a thousand at the same time are a thousand.

    Args:
        store: Of the counts.
        pepper: Names of accounts and addresses are kept only as keyed hashes.
        purpose: What is counted; other purposes have other counts.
        limits: How fast.
    """

    def __init__(
        self, store: RecordStore, *, pepper: Pepper, clock: Clock, purpose: str, limits: GuessLimits | None = None
    ) -> None:
        self._table = Table(store, _KIND, _Count, expiry=lambda count: count.over)
        self._pepper = pepper
        self._clock = clock
        self._purpose = purpose
        self._limits = limits or GuessLimits()

    async def attempt(self, name: str) -> None:
        """Count an attempt.

        Raises:
            LoginRefused: Too many were wrong; `retry_after` is not told, for it would tell that the account exists.
        """
        now = self._clock.now()
        if not await self._table.change(self._key(name), lambda count: self._next(count, now)):
            raise LoginRefused(f"too many wrong answers for this {self._purpose}")

    async def forgive(self, name: str) -> None:
        """The attempt was right: forget all wrong ones."""
        await self._table.remove(self._key(name))

    async def take_back(self, name: str) -> None:
        """The attempt was right: it does not count, the wrong ones before it still do."""

        def decide(count: _Count | None) -> tuple[_Count | None, None]:
            return (
                None if count is None else replace(count, wrong=max(count.wrong - 1, 0), blocked_until=count.last)
            ), None

        await self._table.change(self._key(name), decide)

    async def blocked(self, name: str) -> bool:
        """Whether an attempt would be refused now."""
        count = await self._table.get(self._key(name))
        return count is not None and self._clock.now() < count.blocked_until

    def _key(self, name: str) -> str:
        return self._pepper.name(name, f"guesses-{self._purpose}")

    def _next(self, count: _Count | None, now: datetime) -> tuple[_Count | None, bool]:
        if count is None or now >= count.over:
            count = _Count(0, now, now, now)
        if now < count.blocked_until:
            return None, False
        wrong = count.wrong + 1
        beyond = wrong - self._limits.free
        wait = min(self._limits.first_wait * 2.0 ** min(beyond, 60), self._limits.longest_wait) if beyond >= 0 else 0.0
        until = now + timedelta(seconds=wait)
        over = max(until, now + timedelta(seconds=self._limits.forgotten_after))
        return replace(count, wrong=wrong, last=now, blocked_until=until, over=over), True
