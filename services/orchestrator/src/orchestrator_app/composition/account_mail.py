"""Mail to people who sign in: links to choose a password with, and notices of what was done with their account."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from orchestrator_app.settings import AppSettings
from orchestrator_auth.fastapi_routes import ResetMail
from orchestrator_auth.users import User, UserNotFound, Users
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.lifecycle import cancel
from orchestrator_kernel.models import AuditEvent, Outcome, Severity

if TYPE_CHECKING:
    from orchestrator_kernel.ports import Clock

__all__ = ["AccountMail", "password_page"]

logger = logging.getLogger(__name__)

_WAITING: Final = 1_000
_PAUSES: Final = (2.0, 20.0, 120.0)
_SMTP_SECONDS: Final = 10.0
_QUIET_SECONDS: Final = 3_600.0
"""The same notice comes once an hour at most: whoever mistypes a code is told once."""

_DONE: Final[Mapping[str, str]] = {
    "auth.password.changed": "Your password was changed.",
    "mfa.disabled": "Your second factor was removed.",
    "mfa.recovery_code_generated": "Your second factor has new recovery codes; the old ones are void.",
    "mfa.recovery_code_used": "A recovery code took the place of your second factor.",
}
_DENIED: Final[Mapping[str, str]] = {
    "mfa.verification": "Somebody gave your password, and then a wrong code.",
    "auth.token.refresh": "A copy of your sign-in was used somewhere else. That session is ended; sign in again.",
}
_ADVICE: Final = "If that was not you, choose a new password at once, and tell your administrator."
_RESET: Final = """Somebody asked for a new password for you. If that was you, open this link within half an hour; it works once:

{link}

If it was not, there is nothing you need to do."""
_INVITATION: Final = """You were invited. Open this link within a day to choose a password; it works once:

{link}"""


def password_page(settings: AppSettings) -> str:
    """Where a password is chosen: the token follows as the fragment."""
    server = settings.server
    base = str(server.public_url or f"http://{server.host}:{server.port}").rstrip("/")
    return f"{base}/auth/password/set"


@dataclass(frozen=True, slots=True)
class _Letter:
    user_id: str
    subject: str
    text: str = field(repr=False)


class AccountMail(ResetMail):
    """Sends letters one after the other, behind the answers of the service. One that cannot be sent is tried again for some minutes.

    Args:
        settings: The mail server is that of alerts, `monitoring.email`.
        clock: Of the pauses.
    """

    def __init__(self, settings: AppSettings, clock: Clock) -> None:
        self._server = settings.monitoring.email
        self._page = password_page(settings)
        self._place = settings.server.public_url.host if settings.server.public_url else "the orchestrator"
        self._clock = clock
        self._letters: asyncio.Queue[_Letter] = asyncio.Queue(_WAITING)
        self._told: dict[tuple[str, str], float] = {}
        self._users: Users | None = None
        self._task: asyncio.Task[None] | None = None

    def look_up_in(self, users: Users) -> None:
        """Where addresses are found."""
        self._users = users

    async def send(self, user: User, token: str) -> None:
        self._post(_Letter(user.id, "Choose a new password", _RESET.format(link=self._link(token))))

    async def invite(self, user: User, token: str) -> bool:
        if self._users is None or "@" not in await self._users.login_of(user):
            return False
        return self._post(_Letter(user.id, "You are invited", _INVITATION.format(link=self._link(token))))

    def _link(self, token: str) -> str:
        return f"{self._page}#{quote(token, safe='')}"

    def observe(self, event: AuditEvent) -> None:
        """Write to the person whom an audit event concerns, if it is one that they should know of."""
        text = _DONE.get(event.type) if event.outcome is Outcome.SUCCESS else None
        if event.outcome is Outcome.DENIED and (event.type != "auth.token.refresh" or event.severity is Severity.HIGH):
            text = _DENIED.get(event.type)
        kind, _, named = event.resource.partition(":")
        user_id = named if kind == "user" else event.actor
        if text is None or not user_id.startswith("u-"):
            return
        now = self._clock.monotonic()
        if now - self._told.get((user_id, text), -_QUIET_SECONDS) < _QUIET_SECONDS:
            return
        self._told = {key: at for key, at in self._told.items() if now - at < _QUIET_SECONDS} | {(user_id, text): now}
        self._post(_Letter(user_id, "Your account", f"{text}\n\n{_ADVICE}"))

    async def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._send_all(), name="account mail")

    async def stop(self) -> None:
        """Send no further letter; how many are lost is logged."""
        if self._task is not None:
            await cancel(self._task)
        if not self._letters.empty():
            logger.warning("letters are not sent", extra={"letters": self._letters.qsize()})

    def _post(self, letter: _Letter) -> bool:
        try:
            self._letters.put_nowait(letter)
        except asyncio.QueueFull:
            logger.error("a letter is not sent: too many wait")  # noqa: TRY400 - there is nothing to trace
            return False
        return True

    async def _send_all(self) -> None:
        while True:
            letter = await self._letters.get()
            for pause in (*_PAUSES, None):
                try:
                    await self._send(letter)
                except (OSError, smtplib.SMTPException, OrchestratorError) as error:
                    logger.warning("a letter could not be sent", extra={"error": type(error).__name__})
                    if pause is None or isinstance(error, UserNotFound):
                        break
                    await self._clock.sleep(pause)
                else:
                    break

    async def _send(self, letter: _Letter) -> None:
        if self._users is None:
            return
        address = await self._users.login_of(await self._users.get(letter.user_id))
        if "@" not in address:
            return
        message = EmailMessage()
        message["From"], message["To"] = self._server.sender, address
        message["Subject"] = f"{letter.subject} ({self._place})"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        await asyncio.to_thread(self._hand_over, message)

    def _hand_over(self, message: EmailMessage) -> None:
        own = self._server
        with self._connected() as server:
            if own.user and own.password is not None and own.security != "none":
                server.login(own.user, own.password.get_secret_value())
            server.send_message(message)

    def _connected(self) -> smtplib.SMTP:
        own, context = self._server, ssl.create_default_context()
        host = own.host or ""
        if own.security == "tls":
            return smtplib.SMTP_SSL(host, own.port, timeout=_SMTP_SECONDS, context=context)
        server = smtplib.SMTP(host, own.port, timeout=_SMTP_SECONDS)
        if own.security == "starttls":
            server.starttls(context=context)
        return server
