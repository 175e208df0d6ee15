"""Actions against a real server that does everything wrong which can be done wrong: the caller is never told of a success that nobody confirmed."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import json
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from calls_peers import Answer, Peer, drops, hangs, head, peer, replies, sends
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orchestrator_calls.actions import ActionOutcome, ActionRequest, ActionStatus
from orchestrator_calls.http_actions import ActionEndpoint, ActionTaken, AddressRefused, HttpActions
from orchestrator_kernel.exceptions import ConfigurationError, ExternalServiceError
from orchestrator_kernel.http import HttpClientConfig, create_client

DONE, REFUSED, UNCONFIRMED = ActionStatus.DONE, ActionStatus.REFUSED, ActionStatus.UNCONFIRMED
LOOPBACK = frozenset({"127.0.0.1"})
REQUEST = ActionRequest(
    key="act_0123456789abcdef0123456789abcdef",
    call_id="call-1",
    tenant="harbour",
    name="book_table",
    arguments={"guests": 4, "name": "Müller"},
    language="de-DE",
    caller="+4915112345678",
)


class Signer:
    """Counts what it signs."""

    def __init__(self) -> None:
        self.signed: list[tuple[bytes, str]] = []

    def sign(self, body: bytes, *, delivery_id: str, at: dt.datetime) -> Mapping[str, str]:
        self.signed.append((body, delivery_id))
        return {"webhook-id": delivery_id, "webhook-signature": f"v1,{len(self.signed)}"}


@asynccontextmanager
async def acting(
    answer: Answer, *, tls: ssl.SSLContext | None = None, ca_file: str | None = None, **options: Any
) -> AsyncIterator[tuple[HttpActions, Peer, list[ActionTaken]]]:
    """Actions at a peer. `endpoint` holds more of the endpoint; `host` is the name in its URL."""
    taken: list[ActionTaken] = []
    endpoint = {"private_hosts": LOOPBACK, "limit": 2.0, **options.pop("endpoint", {})}
    host = options.pop("host", "127.0.0.1")
    config = HttpClientConfig(read_timeout=0.4, connect_timeout=0.4, ca_file=ca_file)
    async with peer(answer, tls) as server, create_client(config) as client:
        url = f"{server.scheme}://{host}:{server.port}/bookings"
        where = ActionEndpoint(**{"url": url, **endpoint})
        yield HttpActions(lambda *_: where, client, observe=taken.append, **options), server, taken


def times(count: int) -> Callable[[Callable[[], Awaitable[ActionOutcome]]], Awaitable[ActionOutcome]]:
    """A retry policy: so many attempts while the error may go away."""

    async def retry(attempt: Callable[[], Awaitable[ActionOutcome]]) -> ActionOutcome:
        for number in range(1, count + 1):
            try:
                return await attempt()
            except ExternalServiceError as error:
                if not error.retryable or number == count:
                    raise
        raise AssertionError

    return retry


async def test_an_action_is_sent_with_its_key_and_its_outcome_is_what_the_other_side_says() -> None:
    signer = Signer()
    answer = replies(200, {"status": "done", "data": {"number": "H-417"}})
    async with acting(answer, endpoint={"sign": signer, "headers": {"x-tenant": "harbour"}}) as (
        actions,
        server,
        taken,
    ):
        outcome = await actions.run(REQUEST)
    assert outcome == ActionOutcome(status=DONE, data={"number": "H-417"})
    [asked] = server.asked
    assert (asked.method, asked.path) == ("POST", "/bookings")
    assert asked.headers["idempotency-key"] == asked.headers["webhook-id"] == REQUEST.key
    assert asked.headers["webhook-signature"] == "v1,1"
    assert asked.headers["x-tenant"] == "harbour"
    assert asked.json["type"] == "call.action.book_table"
    assert asked.json["data"]["arguments"] == {"guests": 4, "name": "Müller"}
    assert asked.json["data"]["caller"] == "+4915112345678"
    assert signer.signed == [(asked.body, REQUEST.key)]
    assert [(each.action, each.status, each.reason) for each in taken] == [("book_table", DONE, "")]


async def test_a_refusal_says_why() -> None:
    async with acting(replies(409, {"status": "refused", "reason": "fully_booked"})) as (actions, _, _):
        assert await actions.run(REQUEST) == ActionOutcome(status=REFUSED, reason="fully_booked")


BODY = json.dumps({"status": "done"}).encode()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(hangs, "read_timeout", id="hangs"),
        pytest.param(drops, "answer_broken|connection_lost", id="drops the connection"),
        pytest.param(sends(head(200, length=len(BODY)), then=5), "read_timeout", id="stops after the head"),
        pytest.param(sends(head(200, length=len(BODY)) + BODY[:5]), "answer_broken", id="truncates"),
        pytest.param(sends(head(200, length=len(BODY) + 40) + BODY), "answer_broken", id="promises more than it sends"),
        pytest.param(sends(head(200, length=5) + BODY), "no_json", id="sends more than it promises"),
        pytest.param(sends(head(200, length=10_000_000)), "answer_too_large", id="promises too much"),
        pytest.param(sends(head(200, transfer_encoding="chunked") + b"zz\r\n"), "answer_broken", id="broken chunks"),
        pytest.param(sends(b"SSH-2.0-OpenSSH_9.6\r\n"), "answer_broken", id="speaks another protocol"),
        pytest.param(replies(200, b"<html>done</html>", "text/html"), "no_json", id="wrong content type"),
        pytest.param(replies(200, BODY, content_encoding="gzip"), "answer_compressed", id="compressed"),
        pytest.param(replies(200, {"status": "ok"}), "no_status", id="says nothing of the outcome"),
        pytest.param(replies(429, {}, retry_after="1"), "status_429", id="too many requests"),
        pytest.param(replies(500, {"status": "done"}), "status_500", id="fails"),
        pytest.param(replies(404, {"error": "unknown"}), "status_404", id="unknown path"),
        pytest.param(replies(307, {}, location="http://127.0.0.1:1/"), "redirected", id="redirects elsewhere"),
    ],
)
async def test_whatever_goes_wrong_is_not_confirmed_and_says_why(answer: Answer, reason: str) -> None:
    begun = time.monotonic()
    async with acting(answer) as (actions, server, taken):
        outcome = await actions.run(REQUEST)
    assert outcome.status is UNCONFIRMED
    assert outcome.reason in reason.split("|")
    assert time.monotonic() - begun < 2.5
    assert len(server.asked) == 1  # nothing is followed, nothing is repeated without a policy
    assert [each.reason for each in taken] == [outcome.reason]


async def test_a_drip_of_bytes_ends_with_the_limit() -> None:
    async def drip(_: object, writer: asyncio.StreamWriter) -> None:
        writer.write(head(200, length=1000))
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    begun = time.monotonic()
    async with acting(drip, endpoint={"limit": 0.6}) as (actions, _, _):
        assert await actions.run(REQUEST) == ActionOutcome(status=UNCONFIRMED, reason="deadline")
    assert 0.5 < time.monotonic() - begun < 2


async def test_nobody_at_the_port_is_not_confirmed() -> None:
    async with acting(hangs, endpoint={"url": "http://127.0.0.1:9/"}) as (actions, _, _):
        assert (await actions.run(REQUEST)).reason == "connect_failed"


async def test_attempts_are_repeated_with_the_same_key_and_signed_anew() -> None:
    signer = Signer()
    async with acting(replies(503, {}), endpoint={"sign": signer}, retry=times(3)) as (actions, server, _):

        async def third_time(asked: Any, writer: asyncio.StreamWriter) -> None:
            answer = replies(200, {"status": "done"}) if len(server.asked) == 3 else replies(503, {})
            await answer(asked, writer)

        server.answer = third_time
        assert (await actions.run(REQUEST)).status is DONE
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 1
    assert len({asked.body for asked in server.asked}) == 1
    assert [asked.headers["webhook-signature"] for asked in server.asked] == ["v1,1", "v1,2", "v1,3"]


async def test_what_cannot_go_away_is_not_repeated() -> None:
    async with acting(replies(400, {}), retry=times(5)) as (actions, server, _):
        assert (await actions.run(REQUEST)).reason == "status_400"
    assert len(server.asked) == 1


async def test_an_action_without_endpoint_is_not_confirmed() -> None:
    async with create_client(HttpClientConfig()) as client:
        actions = HttpActions(lambda *_: None, client)
        assert await actions.run(REQUEST) == ActionOutcome(status=UNCONFIRMED, reason="not_configured")
        assert await actions.probe(REQUEST) is None


async def test_a_cancelled_action_leaves_nothing_open() -> None:
    async with acting(hangs) as (actions, server, taken):
        task = asyncio.create_task(actions.run(REQUEST))
        async with asyncio.timeout(2):
            while not server.asked:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert taken == []


# --- probes -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (replies(200, {"status": "done", "data": {"number": "H-417"}}), DONE),
        (replies(200, {"status": "refused", "reason": "fully_booked"}), REFUSED),
        (replies(404, {}), None),
        (replies(200, {"status": "unknown"}), None),
        (replies(500, {}), None),
        (hangs, None),
    ],
)
async def test_a_probe_tells_only_what_the_other_side_knows(answer: Answer, status: ActionStatus | None) -> None:
    async with peer(answer) as server, create_client(HttpClientConfig(read_timeout=0.3)) as client:
        where = ActionEndpoint(
            url=f"{server.url}/bookings", probe_url=f"{server.url}/bookings/{{key}}", private_hosts=LOOPBACK
        )
        outcome = await HttpActions(lambda *_: where, client).probe(REQUEST)
    assert (outcome.status if outcome else None) is status
    assert (server.asked[0].method, server.asked[0].path) == ("GET", f"/bookings/{REQUEST.key}")
    assert server.asked[0].headers["idempotency-key"] == REQUEST.key


# --- where it may lead --------------------------------------------------------------------------------------------------------


def resolver(*answers: Sequence[str]) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """Answers one after the other, the last one again and again."""
    left = list(answers)

    async def find(host: str, port: int) -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return find


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"])
async def test_a_host_that_leads_to_a_private_address_is_refused(address: str) -> None:
    where = {"url": "https://pms.example/bookings", "private_hosts": frozenset[str]()}
    async with acting(hangs, endpoint=where, find=resolver([address])) as (actions, server, _):
        assert await actions.run(REQUEST) == ActionOutcome(status=UNCONFIRMED, reason="address_refused")
    assert server.asked == []


async def test_a_host_allowed_by_name_is_asked_at_the_address_that_was_checked() -> None:
    """The name leads elsewhere the second time it is asked for: nobody asks a second time."""
    options: dict[str, Any] = {
        "endpoint": {"private_hosts": frozenset({"pms.internal"})},
        "host": "pms.internal",
        "find": resolver(["127.0.0.1"], ["192.0.2.1"]),
    }
    async with acting(replies(200, {"status": "done"}), **options) as (actions, server, _):
        assert (await actions.run(REQUEST)).status is DONE
    assert server.asked[0].headers["host"] == f"pms.internal:{server.port}"


async def test_every_attempt_is_checked() -> None:
    options: dict[str, Any] = {
        "endpoint": {"private_hosts": frozenset({"pms.internal"})},
        "host": "pms.internal",
        "find": resolver(["127.0.0.1"], []),
        "retry": times(2),
    }
    async with acting(replies(503, {}), **options) as (actions, server, _):
        assert (await actions.run(REQUEST)).reason == "unknown_host"
    assert len(server.asked) == 1


async def test_a_host_that_does_not_exist_is_not_confirmed() -> None:
    where = {"url": "https://pms.invalid/bookings", "private_hosts": frozenset[str]()}
    async with acting(hangs, endpoint=where) as (actions, _, _):
        assert (await actions.run(REQUEST)).reason == "unknown_host"


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://10.0.0.1:8443/x", "https://[::1]/", "https://169.254.169.254/latest"]
)
def test_a_private_address_is_refused_when_it_is_configured(url: str) -> None:
    with pytest.raises(AddressRefused):
        ActionEndpoint(url=url)
    assert ActionEndpoint(url=url, private_hosts=frozenset({"127.0.0.1", "10.0.0.1", "::1", "169.254.169.254"})).url


@pytest.mark.parametrize(
    "options",
    [
        {"url": ""},
        {"url": "pms.example/bookings"},
        {"url": "http://pms.example/"},
        {"url": "ftp://pms.example/"},
        {"url": "https://user:secret@pms.example/"},
        {"url": "https://pms.example/#part"},
        {"url": "https://pms.example:0/"},
        {"url": "https://[pms/"},
        {"url": "https://[v1.pms]/"},
        {"url": "https://0177.0.0.1/"},
        {"url": "https://xn--.example/"},
        {"url": "https://pms.example/a\0"},
        {"url": "https://pms.example/", "probe_url": "http://pms.example/"},
        {"url": "https://pms.example/", "limit": 0},
        {"url": "https://pms.example/", "headers": {"authorization": "Bearer secret\n"}},
    ],
)
def test_an_endpoint_that_cannot_be_used_is_refused_when_it_is_configured(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ActionEndpoint(**options)
    assert "secret" not in str(caught.value)


def test_an_endpoint_shows_no_secret() -> None:
    where = ActionEndpoint(url="https://pms.example/", headers={"authorization": "Bearer secret"}, sign=Signer())
    assert "secret" not in repr(where)


# --- TLS ----------------------------------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, str]:
    """A server's context with a certificate for `name` only, and the file of its authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = dt.datetime.now(dt.UTC)
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        alternative = x509.DNSName(name)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority, private = folder / "ca.pem", folder / "key.pem"
    authority.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority, private)
    return context, str(authority)


@pytest.mark.parametrize(
    ("certified", "status"), [("pms.internal", DONE), ("other.internal", UNCONFIRMED), ("127.0.0.1", UNCONFIRMED)]
)
async def test_the_certificate_must_be_for_the_name_though_the_address_is_connected_to(
    tmp_path: Path, certified: str, status: ActionStatus
) -> None:
    tls, authority = certificate(tmp_path, certified)
    options: dict[str, Any] = {
        "endpoint": {"private_hosts": frozenset({"pms.internal"})},
        "host": "pms.internal",
        "find": resolver(["127.0.0.1"]),
    }
    async with acting(replies(200, {"status": "done"}), tls=tls, ca_file=authority, **options) as (actions, _, _):
        assert (await actions.run(REQUEST)).status is status
