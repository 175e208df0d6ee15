"""A session, and what may become of it: pure functions from one state to the next."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from orchestrator_auth.exceptions import TokenRefused
from orchestrator_auth.keyed_hash import Pepper
from orchestrator_kernel.exceptions import ConfigurationError

REFRESH_PREFIX: Final = "ort_"
COOKIE_PREFIX: Final = "ocs_"
_MAX_CREDENTIAL: Final = 512
_SECRET_BYTES: Final = 32


class SessionKind(StrEnum):
    """How a session is carried: by an access and a refresh token, or by a cookie."""

    TOKEN = "token"  # noqa: S105 - a kind
    BROWSER = "browser"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """How long sessions last, in seconds.

    Attributes:
        refresh_lifetime: A refresh token that is not used for so long is over, and its session with it: 7 days.
        browser_idle: A browser's session that is not used for so long is over: 24 hours.
        absolute: However much it is used, a session ends after this, and its user signs in again: 30 days.
        touch_interval: How exactly the last use is known; more often it is not written down.
    """

    refresh_lifetime: float = 7 * 86_400.0
    browser_idle: float = 86_400.0
    absolute: float = 30 * 86_400.0
    touch_interval: float = 60.0

    def __post_init__(self) -> None:
        for name in ("refresh_lifetime", "browser_idle", "absolute", "touch_interval"):
            if not 0 < getattr(self, name) <= 31_536_000:
                raise ConfigurationError(f"{name} must be up to a year of seconds", details={"setting": name})

    def idle(self, kind: SessionKind) -> timedelta:
        """How long a session of this kind lasts without use."""
        return timedelta(seconds=self.refresh_lifetime if kind is SessionKind.TOKEN else self.browser_idle)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One sign-in of one user on one device.

    Attributes:
        generation: How often its refresh token was exchanged.
        secret_hash: Keyed hash of the secret part of the present refresh token, or of the cookie.
        expires_at: When it ends if it is not used.
        ends_at: When it ends in any case.
        second_factor_at: When a second factor was last shown in it.
        ended_at: When it was ended; kept a while so that a late refresh token is recognized.
        label: What the user sees in a list, for example the browser's name.
    """

    id: str
    user_id: str
    tenant: str
    kind: SessionKind
    secret_hash: str
    created_at: datetime
    authenticated_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ends_at: datetime
    generation: int = 0
    second_factor_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str = ""
    label: str = ""

    def alive(self, now: datetime) -> bool:
        """Whether it lasts at `now`."""
        return self.ended_at is None and now < self.expires_at

    def used(self, now: datetime, config: SessionConfig) -> Session:
        """The session after a use: it lasts longer, up to its absolute end."""
        return replace(self, last_used_at=now, expires_at=min(now + config.idle(self.kind), self.ends_at))

    def ended(self, now: datetime, reason: str) -> Session:
        """The session after its end."""
        return replace(self, ended_at=now, end_reason=reason) if self.ended_at is None else self


class RefreshToken(NamedTuple):
    """The parts of a refresh token that is ours beyond doubt: its MAC was checked."""

    session_id: str
    generation: int
    secret: str


class Rotation(StrEnum):
    """What came of presenting a refresh token."""

    ROTATED = "rotated"
    UNKNOWN = "session is unknown"
    ENDED = "session has ended"
    EXPIRED = "refresh token is expired"
    REUSED = "refresh token was used before"
    WRONG_KIND = "session has no refresh token"


def make_refresh_token(session_id: str, generation: int, secret: str, pepper: Pepper) -> str:
    """The text of a refresh token; the MAC lets it be told from a forgery without asking the store."""
    text = f"{session_id}.{generation}.{secret}"
    return f"{REFRESH_PREFIX}{text}.{pepper.hash(text, 'refresh-token')}"


def read_refresh_token(token: str, pepper: Pepper) -> RefreshToken:
    """The parts of a refresh token.

    Raises:
        TokenRefused: It is none of ours.
    """
    if len(token) > _MAX_CREDENTIAL or not token.isascii() or not token.startswith(REFRESH_PREFIX):
        raise TokenRefused("not a refresh token")
    text, _, mac = token.removeprefix(REFRESH_PREFIX).rpartition(".")
    if not pepper.matches(text, "refresh-token", mac):
        raise TokenRefused("refresh token is forged")
    session_id, generation, secret = text.split(".")
    return RefreshToken(session_id, int(generation), secret)


def make_cookie(session_id: str, secret: str) -> str:
    """The value of a session's cookie."""
    return f"{COOKIE_PREFIX}{session_id}.{secret}"


def read_cookie(value: str) -> tuple[str, str]:
    """The session's id and the secret; neither is proved yet.

    Raises:
        TokenRefused: It does not look like one of ours.
    """
    session_id, _, secret = value.removeprefix(COOKIE_PREFIX).partition(".")
    parts_ok = session_id.isascii() and session_id.isalnum() and 0 < len(session_id) <= 64 and bool(secret)
    if len(value) > _MAX_CREDENTIAL or not value.startswith(COOKIE_PREFIX) or not parts_ok:
        raise TokenRefused("not a session cookie")
    return session_id, secret


def rotate(
    session: Session | None,
    presented: RefreshToken,
    new_secret_hash: str,
    *,
    pepper: Pepper,
    now: datetime,
    config: SessionConfig,
) -> tuple[Session | None, Rotation]:
    """What a session becomes when a refresh token of it is presented, and what to answer (RFC 9700 section 4.14.2).

    A token works once. One that comes a second time was stolen, by whoever came first or by whoever comes now: the whole family ends.
    """
    if session is None:
        return None, Rotation.UNKNOWN
    if session.kind is not SessionKind.TOKEN:
        return None, Rotation.WRONG_KIND
    if session.ended_at is not None:
        return None, Rotation.ENDED
    if not session.alive(now):
        return None, Rotation.EXPIRED
    current = presented.generation == session.generation
    if not current or not pepper.matches(presented.secret, "session-secret", session.secret_hash):
        return session.ended(now, Rotation.REUSED), Rotation.REUSED
    later = session.used(now, config)
    return replace(later, generation=session.generation + 1, secret_hash=new_secret_hash), Rotation.ROTATED


def new_secret() -> str:
    """A secret that nobody guesses."""
    return secrets.token_hex(_SECRET_BYTES)
