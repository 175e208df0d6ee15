"""E-mail over SMTP: text and HTML, to recipients by severity. The standard library's client on a thread, whose socket is shut when its time is over.

Heading fields keep the mails of a group together, and say to other machines that a machine wrote them.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate
from typing import Final, Literal

from orchestrator_kernel.models import Severity
from orchestrator_monitoring._alerting.groups import Notice
from orchestrator_monitoring._alerting.receiving import NoticeFailed
from orchestrator_monitoring._alerting.routing import AlertingRefused
from orchestrator_monitoring._alerting.states import AlertRecord
from orchestrator_monitoring._receivers.texts import SHOWN, alert_line, plain_text, severity, title

__all__ = ["EmailConfig", "EmailReceiver"]

_LIMIT: Final = 15.0
_COLOURS: Final = {
    Severity.LOW: "#1c5d99",
    Severity.MEDIUM: "#8a6d00",
    Severity.HIGH: "#b34700",
    Severity.CRITICAL: "#a61b1b",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailConfig:
    """How mail is sent.

    Attributes:
        host: The SMTP server.
        port: 587 with STARTTLS, 465 with TLS, as a rule.
        security: starttls, tls, or none on a network of one's own.
        user: Empty: without signing in.
        password: A secret.
        sender: The address in From.
        recipients: Who gets everything.
        by_severity: Who gets what is so bad, besides.
        ca_file: PEM file of the authorities to trust instead of the built-in ones.

    Raises:
        AlertingRefused: There is no recipient, or an address has a line break or no @.
    """

    host: str
    port: int = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    sender: str = "orchestrator@localhost"
    recipients: tuple[str, ...] = ()
    by_severity: Mapping[Severity, tuple[str, ...]] = field(default_factory=dict[Severity, tuple[str, ...]], hash=False)
    ca_file: str | None = None

    def __post_init__(self) -> None:
        everybody = (*self.recipients, *(each for some in self.by_severity.values() for each in some))
        if not everybody:
            raise AlertingRefused("mail needs at least one recipient")
        for each in (self.sender, *everybody):
            if "@" not in each or not each.isprintable() or any(sign in each for sign in ' ,;<>"'):
                raise AlertingRefused(f"{each!r} is no plain address such as ops@example.org")
        if self.user and self.security == "none":
            raise AlertingRefused("a password is not sent without TLS; use starttls or tls")

    def to(self, worst: Severity) -> tuple[str, ...]:
        """Who gets a mail about something so bad."""
        return tuple(dict.fromkeys((*self.recipients, *self.by_severity.get(worst, ()))))


class EmailReceiver:
    """Sends mail."""

    kind = "email"
    heartbeats = False

    def __init__(self, name: str, config: EmailConfig) -> None:
        self.name = name
        self._config = config

    async def send(self, notice: Notice) -> None:
        to = self._config.to(severity(notice))
        if not to and notice.kind == "test":
            to = tuple(dict.fromkeys(each for some in self._config.by_severity.values() for each in some))
        if to:
            message = _message(notice, self._config.sender, to)
            await self._with_server(lambda server: _hand_over(server, message, self._config.sender, to))

    async def check(self) -> None:
        await self._with_server(lambda server: server.noop())

    async def _with_server(self, work: Callable[[smtplib.SMTP], object]) -> None:
        """Do something with a signed-in connection, on a thread of its own.

        Raises:
            NoticeFailed: It did not work, or not in time.
        """
        session = _Session(self._config, work)
        try:
            async with asyncio.timeout(_LIMIT):
                await session.run()
        except TimeoutError:
            raise NoticeFailed(f"{self.name}: the mail server took longer than {_LIMIT:g} s") from None
        except smtplib.SMTPResponseException as error:
            later = 400 <= error.smtp_code < 500
            raise NoticeFailed(f"{self.name}: the mail server answered {error.smtp_code}", retryable=later) from None
        except smtplib.SMTPRecipientsRefused as error:
            codes = sorted({code for code, _ in error.recipients.values()})
            later = any(400 <= code < 500 for code in codes)
            raise NoticeFailed(
                f"{self.name}: the mail server refused recipients ({', '.join(map(str, codes))})", retryable=later
            ) from None
        except smtplib.SMTPNotSupportedError:
            raise NoticeFailed(
                f"{self.name}: the mail server offers no TLS, or no way to sign in", retryable=False
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            raise NoticeFailed(f"{self.name}: {type(error).__name__} while talking to the mail server") from None


class _Session:
    """One connection, in a daemon thread: a cancelled caller shuts its socket, which ends it at once."""

    def __init__(self, config: EmailConfig, work: Callable[[smtplib.SMTP], object]) -> None:
        self._config = config
        self._work = work
        self._server: smtplib.SMTP | None = None

    async def run(self) -> None:
        loop, done = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

        def settle(error: BaseException | None) -> None:
            if not done.done():
                done.set_result(None) if error is None else done.set_exception(error)

        def talk() -> None:
            failure: BaseException | None = None
            try:
                self._talk()
            except BaseException as error:  # noqa: BLE001 - raised again in the caller's task
                failure = error
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(settle, failure)

        threading.Thread(target=talk, name="smtp", daemon=True).start()
        try:
            await done
        finally:
            if not done.done() or done.cancelled():
                self._shut()

    def _talk(self) -> None:
        config, context = self._config, ssl.create_default_context(cafile=self._config.ca_file)
        server = (
            smtplib.SMTP_SSL(timeout=_LIMIT, context=context)
            if config.security == "tls"
            else smtplib.SMTP(timeout=_LIMIT)
        )
        self._server = server
        # smtplib proves the certificate against the name it was made with.
        server._host = config.host  # type: ignore[attr-defined]  # noqa: SLF001 # pyright: ignore[reportAttributeAccessIssue]
        try:
            code, _ = server.connect(config.host, config.port)
            if code != 220:
                raise smtplib.SMTPResponseException(code, "not ready")
            if config.security == "starttls":
                server.starttls(context=context)
            if config.user:
                server.login(config.user, config.password)
            self._work(server)
            with contextlib.suppress(OSError, smtplib.SMTPException):  # the mail is taken, or the question answered
                server.quit()
        finally:
            server.close()

    def _shut(self) -> None:
        sock = None if self._server is None else self._server.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def _hand_over(server: smtplib.SMTP, message: EmailMessage, sender: str, to: Sequence[str]) -> None:
    """Give the mail to the server for every recipient; one that is refused does not keep it from the others."""
    server.send_message(message, sender, to)


def _message(notice: Notice, sender: str, to: Sequence[str]) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = sender, ", ".join(to)
    message["Subject"] = " ".join(title(notice).split())
    message["Date"] = formatdate(notice.at, usegmt=True)
    domain = sender.rpartition("@")[2]
    message["Message-ID"] = f"<{notice.id}@{domain}>"
    if notice.group:
        # Mail programs show what has one reference as one conversation.
        message["References"] = f"<{notice.group[:64].replace(':', '-')}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    if notice.firing and severity(notice) is Severity.CRITICAL:
        message["Importance"] = "high"
    message.set_content(plain_text(notice))
    message.add_alternative(_html(notice), subtype="html")
    return message


def _html(notice: Notice) -> str:
    colour = _COLOURS[severity(notice)] if notice.firing else "#256d34"
    parts = [*_html_list("Firing", notice.firing), *_html_list("Resolved", notice.resolved)]
    return (
        '<!doctype html><html><body style="font-family:sans-serif;line-height:1.4">'
        f'<h2 style="color:{colour}">{html.escape(title(notice))}</h2>{"".join(parts)}</body></html>'
    )


def _html_list(heading: str, alerts: Sequence[AlertRecord]) -> list[str]:
    if not alerts:
        return []
    items = [f"<li>{_html_alert(each)}</li>" for each in alerts[:SHOWN]]
    if len(alerts) > SHOWN:
        items.append(f"<li>and {len(alerts) - SHOWN} more</li>")
    return [f"<h3>{heading}</h3><ul>{''.join(items)}</ul>"]


def _html_alert(record: AlertRecord) -> str:
    each = record.condition
    text = f"<b>{each.severity.value}</b> {html.escape(alert_line(record))}"
    if each.description:
        text += f"<br>{html.escape(each.description)}"
    if each.runbook.startswith(("http://", "https://")):
        text += f'<br><a href="{html.escape(each.runbook, quote=True)}">Runbook</a>'
    return text
