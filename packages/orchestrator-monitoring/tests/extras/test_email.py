"""Mail over real SMTP: aiosmtpd with STARTTLS and signing in, and a server that hangs."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from alert_store_contract import NOW, record
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from notices_support import NOTICES

from orchestrator_kernel.exceptions import ExternalServiceError
from orchestrator_kernel.models import Severity
from orchestrator_monitoring._receivers import email as receiving
from orchestrator_monitoring._receivers.email import EmailConfig, EmailReceiver
from orchestrator_monitoring.alerting import AlertingRefused, Notice


class Mailbox:
    """Keeps mail; refuses who it is told to refuse."""

    def __init__(self) -> None:
        self.mail: list[tuple[list[str], EmailMessage]] = []
        self.refuse: dict[str, str] = {}

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802 - aiosmtpd's name
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        message = message_from_bytes(envelope.content, policy=policy.default)
        self.mail.append((envelope.rcpt_tos, message))
        return "250 OK"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, secret = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem, secret


@pytest.fixture
def mailbox(certificate: tuple[Path, Path]) -> Iterator[tuple[Mailbox, int]]:
    box, context = Mailbox(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def judge(server, session, envelope, mechanism, data) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"ops", b"right"), handled=False)

    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=port,
        tls_context=context,
        require_starttls=True,
        authenticator=judge,
        auth_required=True,
    )
    controller.start()
    yield box, port
    controller.stop()


def config(at: int, certificate: tuple[Path, Path], **values) -> EmailConfig:
    usual = {
        "host": "127.0.0.1",
        "port": at,
        "user": "ops",
        "password": "right",
        "sender": "orchestrator@example.org",
        "recipients": ("all@example.org",),
        "by_severity": {Severity.CRITICAL: ("boss@example.org",)},
        "ca_file": str(certificate[0]),
    }
    return EmailConfig(**{**usual, **values})


@pytest.mark.parametrize("name", NOTICES)
async def test_mail_arrives_as_text_and_html(
    name: str, mailbox: tuple[Mailbox, int], certificate: tuple[Path, Path]
) -> None:
    box, port = mailbox
    await EmailReceiver("mail", config(port, certificate)).send(NOTICES[name])
    ((to, message),) = box.mail
    expected = ["all@example.org"] + (["boss@example.org"] if name == "storm" else [])
    assert to == expected
    assert message["Auto-Submitted"] == "auto-generated"
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert len(message["Subject"]) <= 200
    if name == "storm":
        assert "and 980 more" in text.get_content()
        assert "<b>" not in html.get_content().replace("<b>critical</b>", "")
        assert "&lt;b&gt;" in html.get_content()


async def test_what_an_alert_is_called_writes_no_header(
    mailbox: tuple[Mailbox, int], certificate: tuple[Path, Path]
) -> None:
    box, port = mailbox
    hostile = "slow\r\nBcc: evil@example.org\r\n\r\n<script>"
    [alert] = NOTICES["one"].firing
    told = replace(
        NOTICES["one"],
        labels={"alertname": hostile},
        firing=(replace(alert, condition=replace(alert.condition, rule=hostile, summary=hostile)),),
    )
    await EmailReceiver("mail", config(port, certificate)).send(told)
    ((to, message),) = box.mail
    assert to == ["all@example.org"]
    assert message["Bcc"] is None
    assert "evil@example.org" in message["Subject"]  # as a part of its one line
    html = message.get_body(("html",))
    assert html is not None
    assert "<script>" not in html.get_content()


async def test_the_mails_of_a_group_belong_together(
    mailbox: tuple[Mailbox, int], certificate: tuple[Path, Path]
) -> None:
    box, port = mailbox
    receiver = EmailReceiver("mail", config(port, certificate))
    for name in ("one", "over"):
        await receiver.send(NOTICES[name])
    first, second = (message for _, message in box.mail)
    assert first["References"] == second["References"]
    assert "FIRING" in first["Subject"]
    assert "RESOLVED" in second["Subject"]


async def test_the_check_sends_nothing(mailbox: tuple[Mailbox, int], certificate: tuple[Path, Path]) -> None:
    box, port = mailbox
    await EmailReceiver("mail", config(port, certificate)).check()
    assert box.mail == []


@pytest.mark.parametrize(
    ("values", "retryable"),
    [
        ({"password": "wrong-secret"}, False),
        ({"ca_file": None}, True),
        ({"security": "tls"}, True),
        ({"port": 1}, True),
    ],
)
async def test_what_does_not_fit_is_told_without_secrets(
    values: dict[str, object], retryable: bool, mailbox: tuple[Mailbox, int], certificate: tuple[Path, Path]
) -> None:
    receiver = EmailReceiver("mail", config(mailbox[1], certificate, **values))
    with pytest.raises(ExternalServiceError) as failed:
        await receiver.check()
    assert failed.value.retryable is retryable
    assert "wrong-secret" not in str(failed.value)


async def test_a_refused_recipient(mailbox: tuple[Mailbox, int], certificate: tuple[Path, Path]) -> None:
    box, port = mailbox
    receiver = EmailReceiver("mail", config(port, certificate))
    for answer, retryable in (("550 unknown", False), ("450 later", True)):
        box.refuse = {"all@example.org": answer}
        with pytest.raises(ExternalServiceError) as failed:
            await receiver.send(NOTICES["one"])
        assert failed.value.retryable is retryable


async def test_one_refused_recipient_does_not_keep_it_from_the_others(
    mailbox: tuple[Mailbox, int], certificate: tuple[Path, Path]
) -> None:
    box, port = mailbox
    box.refuse = {"boss@example.org": "550 unknown"}
    await EmailReceiver("mail", config(port, certificate)).send(NOTICES["storm"])
    assert [to for to, _ in box.mail] == [["all@example.org"]]


async def test_a_server_that_drips_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends a letter now and then, so that no single read takes long."""
    monkeypatch.setattr(receiving, "_LIMIT", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        gone = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    for _ in range(200):
                        connection.sendall(b"2")
                        time.sleep(0.05)
                except OSError:
                    gone.set()

        threading.Thread(target=drip, daemon=True).start()
        port = server.getsockname()[1]
        receiver = EmailReceiver("mail", EmailConfig(host="127.0.0.1", port=port, recipients=("a@b",)))
        began = time.monotonic()
        with pytest.raises(ExternalServiceError) as failed:
            await receiver.check()
        assert failed.value.retryable
        assert time.monotonic() - began < 5
        assert gone.wait(5)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"recipients": ()}, "at least one recipient"),
        ({"recipients": ("a@b\nBcc: c@d",)}, "no plain address"),
        ({"sender": "nobody"}, "no plain address"),
        ({"recipients": ("a@b",), "user": "u", "security": "none"}, "not sent without TLS"),
    ],
)
def test_bad_settings_are_refused(values: dict[str, object], reason: str) -> None:
    with pytest.raises(AlertingRefused, match=reason):
        EmailConfig(**{"host": "h", "recipients": ("a@b",), **values})


async def test_nobody_to_write_to() -> None:
    only = EmailConfig(host="127.0.0.1", port=1, by_severity={Severity.CRITICAL: ("a@b",)})
    await EmailReceiver("mail", only).send(Notice(id="n", receiver="mail", group="g", firing=(record(),), at=NOW))
