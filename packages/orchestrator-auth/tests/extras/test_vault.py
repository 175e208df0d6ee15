"""The Vault client on a real OpenBao: a development server, and one on disk that is sealed, unsealed and killed."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest
from auth_support import BindingSealer, HandClock, ListSink, b64
from auth_vault_support import client, raft_server
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import SecretStr

from orchestrator_auth._totp import hotp, step_of
from orchestrator_auth.api_keys import ApiKeys, NewKey
from orchestrator_auth.audit import Auditor
from orchestrator_auth.contracts import RecordStoreContract
from orchestrator_auth.exceptions import AuthStoreFailed, CredentialRefused
from orchestrator_auth.jwt_service import SigningKey
from orchestrator_auth.keyed_hash import Pepper
from orchestrator_auth.mfa import SecondFactor, Subject
from orchestrator_auth.models import UserContext
from orchestrator_auth.records import RecordStore
from orchestrator_auth.vault_client import (
    AppRoleLogin,
    JwtLogin,
    KubernetesLogin,
    SealState,
    TokenLogin,
    VaultClient,
    VaultConflict,
    VaultDenied,
    VaultFailed,
    VaultMisconfigured,
    VaultNotFound,
    VaultRateLimited,
    VaultRefused,
    VaultSealed,
    VaultSecretReader,
    VaultUnavailable,
    path_of,
)
from orchestrator_auth.vault_store import VaultRecords
from orchestrator_kernel.contracts import SecretReaderContract
from orchestrator_kernel.ports import Clock, SecretReader, SystemClock
from orchestrator_testing.servers import OpenBao

pytestmark = pytest.mark.server


@pytest.fixture
async def vault(openbao: OpenBao) -> AsyncIterator[VaultClient]:
    async with client(openbao.url, openbao.token) as found:
        yield found


@pytest.fixture
def mount(openbao: OpenBao):
    """Mounts an engine at a place of its own, and says where."""

    def make(kind: str, **body) -> str:
        name = f"{kind}-{uuid4().hex[:8]}"
        openbao.request("POST", f"sys/mounts/{name}", {"type": kind, **body})
        return name

    return make


@pytest.fixture
def auth(openbao: OpenBao):
    def make(kind: str) -> str:
        name = f"{kind}-{uuid4().hex[:8]}"
        openbao.request("POST", f"sys/auth/{name}", {"type": kind})
        return name

    return make


@pytest.fixture
def policy(openbao: OpenBao) -> str:
    name = f"reader-{uuid4().hex[:8]}"
    openbao.request(
        "POST", f"sys/policies/acl/{name}", {"policy": 'path "secret/data/open/*" { capabilities = ["read"] }'}
    )
    openbao.request("POST", "secret/data/open/x", {"data": {"value": "1"}})
    openbao.request("POST", "secret/data/closed/x", {"data": {"value": "2"}})
    return name


# --- KV


async def test_a_secret_has_versions(vault: VaultClient) -> None:
    kv, path = vault.kv(), f"t/{uuid4().hex}"
    assert await kv.write(path, {"password": "één", "n": 1}) == 1
    assert await kv.write(path, {"password": "two"}) == 2
    newest, first = await kv.read(path), await kv.read(path, version=1)
    assert dict(newest.data) == {"password": "two"}
    assert newest.version.version == 2
    assert dict(first.data) == {"password": "één", "n": 1}
    assert newest.version.created_at.utcoffset() is not None
    assert "two" not in repr(newest)
    assert [each.version for each in await kv.versions(path)] == [1, 2]


async def test_check_and_set_lets_one_of_two_win(vault: VaultClient) -> None:
    kv, path = vault.kv(), f"t/{uuid4().hex}"
    assert await kv.write(path, {"v": "0"}, cas=0) == 1
    with pytest.raises(VaultConflict):
        await kv.write(path, {"v": "1"}, cas=0)
    results = await asyncio.gather(*[kv.write(path, {"v": str(n)}, cas=1) for n in range(5)], return_exceptions=True)
    assert sum(result == 2 for result in results) == 1
    assert sum(isinstance(result, VaultConflict) for result in results) == 4


async def test_deleted_versions_come_back_and_destroyed_ones_do_not(vault: VaultClient) -> None:
    kv, path = vault.kv(), f"t/{uuid4().hex}"
    await kv.write(path, {"v": "1"})
    await kv.write(path, {"v": "2"})
    await kv.delete(path)
    with pytest.raises(VaultNotFound):
        await kv.read(path)
    assert (await kv.versions(path))[1].deleted_at is not None
    await kv.undelete(path, [2])
    assert dict((await kv.read(path)).data) == {"v": "2"}
    await kv.delete(path, [1])
    await kv.destroy(path, [2])
    for version in (None, 1, 2):
        with pytest.raises(VaultNotFound):
            await kv.read(path, version=version)
    assert (await kv.versions(path))[1].destroyed
    await kv.forget(path)
    with pytest.raises(VaultNotFound):
        await kv.versions(path)


async def test_notes_and_lists(vault: VaultClient) -> None:
    kv, folder = vault.kv(), f"t/{uuid4().hex}"
    assert await kv.list(folder) == []
    await kv.write(f"{folder}/a", {"v": "1"})
    await kv.write(f"{folder}/b/c", {"v": "1"})
    assert await kv.list(folder) == ["a", "b/"]
    await kv.set_metadata(f"{folder}/a", custom={"owner": "calls"}, max_versions=2, cas_required=True)
    assert await kv.custom_metadata(f"{folder}/a") == {"owner": "calls"}
    with pytest.raises(VaultRefused):
        await kv.write(f"{folder}/a", {"v": "2"})
    for version in (1, 2, 3):
        await kv.write(f"{folder}/a", {"v": "x"}, cas=version)
    assert [each.version for each in await kv.versions(f"{folder}/a")] == [3, 4]


@pytest.mark.parametrize("path", ["", "..", "a/../b", "a//b", "a?x=1", "a#b", "a\nb", "a%2e", "x" * 300])
async def test_no_path_leads_elsewhere(vault: VaultClient, path) -> None:
    with pytest.raises(VaultMisconfigured):
        await vault.kv().read(path)


async def test_a_name_with_anything_else_is_encoded(vault: VaultClient) -> None:
    kv, name = vault.kv(), f"t/{uuid4().hex}/a b+c@d:ü"
    await kv.write(name, {"v": "1"})
    assert dict((await kv.read(name)).data) == {"v": "1"}


# --- engines


async def test_transit_encrypts_rewraps_and_refuses_what_is_too_old(vault: VaultClient, mount) -> None:
    transit = vault.transit(mount("transit"))
    await transit.create_key("calls")
    old = await transit.encrypt("calls", b"\x00secret\xff", associated=b"row-1")
    assert old.startswith("vault:v1:")
    assert await transit.decrypt("calls", old, associated=b"row-1") == b"\x00secret\xff"
    with pytest.raises(VaultRefused):
        await transit.decrypt("calls", old, associated=b"row-2")
    plain = await transit.encrypt("calls", b"x")
    await transit.rotate_key("calls")
    new = await transit.rewrap("calls", plain)
    assert new.startswith("vault:v2:")
    await transit.configure_key("calls", min_decryption_version=2)
    assert await transit.decrypt("calls", new) == b"x"
    with pytest.raises(VaultRefused):
        await transit.decrypt("calls", plain)
    with pytest.raises(VaultMisconfigured):
        await transit.encrypt("calls/../x", b"")


async def test_transit_makes_data_keys_in_a_context(vault: VaultClient, mount) -> None:
    transit = vault.transit(mount("transit"))
    await transit.create_key("tenants", derived=True)
    key = await transit.data_key("tenants", context=b"hotel-7")
    assert len(key.plaintext) == 32
    assert await transit.decrypt("tenants", key.ciphertext, context=b"hotel-7") == key.plaintext
    with pytest.raises(VaultRefused):
        await transit.decrypt("tenants", key.ciphertext, context=b"hotel-8")
    assert key.plaintext.hex() not in repr(key)


async def test_transit_signs(vault: VaultClient, mount) -> None:
    transit = vault.transit(mount("transit"))
    await transit.create_key("signer", kind="ed25519")
    signature = await transit.sign("signer", b"data")
    assert await transit.verify("signer", b"data", signature)
    assert not await transit.verify("signer", b"datb", signature)


async def test_pki_issues_for_the_names_of_the_role(vault: VaultClient, openbao: OpenBao, mount) -> None:
    engine = mount("pki")
    openbao.request("POST", f"{engine}/root/generate/internal", {"common_name": "Test CA", "ttl": "1h"})
    openbao.request("POST", f"{engine}/roles/calls", {"allowed_domains": "calls.example", "allow_subdomains": True})
    pki = vault.pki(engine)
    made = await pki.issue("calls", "a.calls.example", alt_names=["b.calls.example"], ttl_seconds=600)
    certificate = x509.load_pem_x509_certificate(made.certificate.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"a.calls.example", "b.calls.example"}
    assert abs((certificate.not_valid_after_utc - made.expires_at).total_seconds()) < 2
    assert "PRIVATE KEY" in made.private_key
    assert "PRIVATE KEY" not in repr(made)
    await pki.revoke(made.serial)
    with pytest.raises(VaultRefused):
        await pki.issue("calls", "calls.evil")


async def test_one_time_codes_agree_with_ours_both_ways(vault: VaultClient, mount) -> None:
    totp = vault.totp(mount("totp"))
    # Theirs made from our seed is accepted by us, once.
    clock = SystemClock()
    from orchestrator_auth.records import MemoryRecords

    factor = SecondFactor(
        MemoryRecords(),
        BindingSealer(),
        pepper=Pepper({"p": b"1" * 32}),
        audit=Auditor(ListSink(), clock=clock),
        clock=clock,
        issuer="Calls",
    )
    zoe = Subject("u-1", "hotel-7")
    enrolment = await factor.enrol(zoe, account="zoe")
    await totp.import_key("ours", enrolment.uri)
    assert len(await factor.confirm(zoe, await totp.code("ours"))) == 10
    # Ours made from their seed is accepted by them, once.
    uri = await totp.create_key("theirs", issuer="Calls", account="zoe")
    secret = uri.partition("secret=")[2].partition("&")[0]
    code = hotp(base64.b32decode(secret + "=" * (-len(secret) % 8)), step_of(time.time()))
    assert await totp.check("theirs", code)
    with pytest.raises(VaultRefused):  # a code that was used is an error to them, a wrong one is not
        await totp.check("theirs", code)
    assert not await totp.check("theirs", "000000" if code != "000000" else "000001")


async def test_a_wrapped_answer_is_read_once(vault: VaultClient) -> None:
    wrapped = await vault.wrap({"secret_id": "s"}, seconds=60)
    assert wrapped.seconds == 60
    assert wrapped.token not in repr(wrapped)
    assert (await vault.unwrap(wrapped.token))["data"] == {"secret_id": "s"}
    with pytest.raises(VaultRefused):
        await vault.unwrap(wrapped.token)
    with pytest.raises(VaultRefused):
        await vault.unwrap("made-up")


async def test_leases_are_renewed_and_revoked(vault: VaultClient, openbao: OpenBao, mount) -> None:
    engine = mount("pki")
    openbao.request("POST", f"{engine}/root/generate/internal", {"common_name": "Test CA", "ttl": "1h"})
    openbao.request("POST", f"{engine}/roles/calls", {"allow_any_name": True, "generate_lease": True, "ttl": "10m"})
    answer = await vault.request("POST", path_of(engine, "issue", "calls"), {"common_name": "a.example"})
    lease = answer["lease_id"]
    assert lease
    with pytest.raises(VaultRefused):  # a certificate's lease cannot be made longer, and says so
        await vault.renew_lease(lease, seconds=60)
    await vault.revoke_lease(lease)
    with pytest.raises(VaultRefused):
        await vault.renew_lease(lease)


# --- logging in


async def test_an_app_role_reads_what_its_policy_opens(openbao: OpenBao, auth, policy) -> None:
    where = auth("approle")
    openbao.request(
        "POST", f"auth/{where}/role/calls", {"token_policies": policy, "token_ttl": "60s", "secret_id_num_uses": 1}
    )
    role = openbao.request("GET", f"auth/{where}/role/calls/role-id")["data"]["role_id"]

    def secret() -> SecretStr:
        return SecretStr(openbao.request("POST", f"auth/{where}/role/calls/secret-id")["data"]["secret_id"])

    async with client(openbao.url, AppRoleLogin(role_id=role, secret_id=secret, mount=where)) as vault:
        assert dict((await vault.kv().read("open/x")).data) == {"value": "1"}
        with pytest.raises(VaultDenied) as caught:
            await vault.kv().read("closed/x")
        assert not caught.value.retryable
    once = secret()
    async with client(openbao.url, AppRoleLogin(role_id=role, secret_id=once, mount=where)) as vault:
        await vault.kv().read("open/x")
    async with client(openbao.url, AppRoleLogin(role_id=role, secret_id=once, mount=where)) as vault:
        with pytest.raises(VaultRefused):
            await vault.kv().read("open/x")


async def test_a_token_is_renewed_in_time_and_replaced_at_its_longest_life(openbao: OpenBao, auth, policy) -> None:
    where = auth("approle")
    role_body = {"token_policies": policy, "token_ttl": "2s", "token_max_ttl": "5s"}
    openbao.request("POST", f"auth/{where}/role/calls", role_body)
    role = openbao.request("GET", f"auth/{where}/role/calls/role-id")["data"]["role_id"]
    secret = SecretStr(openbao.request("POST", f"auth/{where}/role/calls/secret-id")["data"]["secret_id"])
    seen = set()
    async with client(openbao.url, AppRoleLogin(role_id=role, secret_id=secret, mount=where)) as vault:
        end = time.monotonic() + 9
        while time.monotonic() < end:
            await vault.kv().read("open/x")
            seen.add(await vault._keeper.value())
            await asyncio.sleep(0.2)
        last = await vault._keeper.value()
    assert 2 <= len(seen) <= 4
    # Given back at the end.
    async with client(openbao.url, last) as vault:
        with pytest.raises(VaultDenied):
            await vault.kv().read("open/x")


async def test_a_revoked_token_is_replaced_without_the_caller_noticing(openbao: OpenBao, auth, policy) -> None:
    where = auth("approle")
    openbao.request("POST", f"auth/{where}/role/calls", {"token_policies": policy})
    role = openbao.request("GET", f"auth/{where}/role/calls/role-id")["data"]["role_id"]
    secret = SecretStr(openbao.request("POST", f"auth/{where}/role/calls/secret-id")["data"]["secret_id"])
    async with client(openbao.url, AppRoleLogin(role_id=role, secret_id=secret, mount=where)) as vault:
        await vault.kv().read("open/x")
        openbao.request("POST", "auth/token/revoke", {"token": await vault._keeper.value()})
        results = await asyncio.gather(*[vault.kv().read("open/x") for _ in range(10)])
        assert len(results) == 10


async def test_a_given_token_is_kept_alive_while_nothing_is_asked(openbao: OpenBao) -> None:
    made = openbao.request("POST", "auth/token/create", {"ttl": "2s", "policies": ["root"]})
    token = made["auth"]["client_token"]
    async with client(openbao.url, token) as vault:
        async with asyncio.timeout(20):
            keeping = asyncio.create_task(vault.keep_alive())
            await asyncio.sleep(4)
            keeping.cancel()
        await vault.kv().list()
        await asyncio.sleep(2.5)
        with pytest.raises(VaultDenied):
            await vault.kv().list()


class Hasty(SystemClock):
    """Waits a hundredth of the time."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 100)


async def test_a_token_that_cannot_be_had_yet_is_had_once_it_can(
    openbao: OpenBao, auth, policy, tmp_path: Path
) -> None:
    where, key, file = auth("jwt"), SigningKey.generate("ES256"), tmp_path / "jwt"
    pem = key.key.as_pem(private=False).decode()
    openbao.request("POST", f"auth/{where}/config", {"jwt_validation_pubkeys": [pem]})
    body = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": policy}
    openbao.request("POST", f"auth/{where}/role/calls", body)
    login = JwtLogin(role="calls", jwt=file, mount=where)
    async with client(openbao.url, login, clock=Hasty()) as vault, asyncio.timeout(30):
        keeping = asyncio.create_task(vault.keep_alive())
        await asyncio.sleep(0.2)
        assert not keeping.done()
        file.write_text(signed_by(key).get_secret_value() + "\n")
        while vault._keeper.renew_in == float("inf"):
            await asyncio.sleep(0.02)
        assert not keeping.done()
        keeping.cancel()


def signed_by(key: SigningKey, audience: str = "vault") -> SecretStr:
    claims = {"sub": "calls", "aud": audience, "exp": int(time.time()) + 60, "iat": int(time.time())}
    signed = f"{b64(json.dumps({'alg': 'ES256', 'kid': key.kid}).encode())}.{b64(json.dumps(claims).encode())}"
    return SecretStr(f"{signed}.{b64(key.sign(signed.encode()))}")


async def test_a_signed_token_of_an_identity_provider(openbao: OpenBao, auth, policy, tmp_path: Path) -> None:
    where = auth("jwt")
    key = SigningKey.generate("ES256")
    pem = key.key.as_pem(private=False).decode()
    openbao.request("POST", f"auth/{where}/config", {"jwt_validation_pubkeys": [pem]})
    body = {"role_type": "jwt", "user_claim": "sub", "bound_audiences": ["vault"], "token_policies": policy}
    openbao.request("POST", f"auth/{where}/role/calls", body)

    async with client(openbao.url, JwtLogin(role="calls", jwt=lambda: signed_by(key), mount=where)) as vault:
        assert dict((await vault.kv().read("open/x")).data) == {"value": "1"}
    async with client(openbao.url, JwtLogin(role="calls", jwt=signed_by(key, "other"), mount=where)) as vault:
        with pytest.raises(VaultRefused):
            await vault.kv().read("open/x")
    file = tmp_path / "jwt"
    file.write_text(signed_by(key).get_secret_value() + "\n")
    async with client(openbao.url, JwtLogin(role="calls", jwt=file, mount=where)) as vault:
        assert dict((await vault.kv().read("open/x")).data) == {"value": "1"}
    async with client(openbao.url, JwtLogin(role="calls", jwt=tmp_path / "none", mount=where)) as vault:
        with pytest.raises(VaultMisconfigured):
            await vault.kv().read("open/x")


class _TokenReview(BaseHTTPRequestHandler):
    """What a Kubernetes API server says about a service account's token, to whoever may ask."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        good = body["spec"]["token"] == self.server.token  # type: ignore[attr-defined]
        user = {
            "username": "system:serviceaccount:calls:orchestrator",
            "uid": "1",
            "groups": ["system:serviceaccounts"],
        }
        status = {"authenticated": good, **({"user": user} if good else {"error": "no"})}
        answer = json.dumps(
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "status": status}
        ).encode()
        self.send_response(201)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments) -> None:
        pass


def a_certificate() -> str:
    """A certificate of nobody: the connection below needs none, but the setting does."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nobody")])
    begin = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(begin).not_valid_after(begin + timedelta(hours=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


async def test_the_service_account_of_a_pod(openbao: OpenBao, auth, policy, tmp_path: Path) -> None:
    key = SigningKey.generate("ES256")
    claims = {"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:calls:orchestrator", "exp": int(time.time()) + 600, "iat": int(time.time()), "kubernetes.io": {"namespace": "calls", "serviceaccount": {"name": "orchestrator", "uid": "1"}}}  # fmt: skip
    signed = f"{b64(json.dumps({'alg': 'ES256'}).encode())}.{b64(json.dumps(claims).encode())}"
    token = f"{signed}.{b64(key.sign(signed.encode()))}"
    server = ThreadingHTTPServer(("127.0.0.1", 0), _TokenReview)
    server.token = token  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        where = auth("kubernetes")
        host = f"http://127.0.0.1:{server.server_port}"
        openbao.request("POST", f"auth/{where}/config", {"kubernetes_host": host, "token_reviewer_jwt": token, "disable_iss_validation": True, "disable_local_ca_jwt": True, "kubernetes_ca_cert": a_certificate()})  # fmt: skip
        role = {
            "bound_service_account_names": "orchestrator",
            "bound_service_account_namespaces": "calls",
            "token_policies": policy,
        }
        openbao.request("POST", f"auth/{where}/role/calls", role)
        file = tmp_path / "token"
        file.write_text(token + "\n")
        async with client(openbao.url, KubernetesLogin(role="calls", token_file=file, mount=where)) as vault:
            assert dict((await vault.kv().read("open/x")).data) == {"value": "1"}
        file.write_text(token[:-4] + "AAAA")
        async with client(openbao.url, KubernetesLogin(role="calls", token_file=file, mount=where)) as vault:
            with pytest.raises(VaultRefused):
                await vault.kv().read("open/x")
        async with client(
            openbao.url, KubernetesLogin(role="calls", token_file=tmp_path / "none", mount=where)
        ) as vault:
            with pytest.raises(VaultMisconfigured):
                await vault.kv().read("open/x")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_namespaces_keep_apart(openbao: OpenBao) -> None:
    name = f"ns-{uuid4().hex[:8]}"
    openbao.request("POST", f"sys/namespaces/{name}")
    async with (
        client(openbao.url, openbao.token, namespace=name) as inside,
        client(openbao.url, openbao.token) as outside,
    ):
        await inside.request("POST", path_of("sys", "mounts", "secret"), {"type": "kv-v2"})
        path = f"t/{uuid4().hex}"
        for _ in range(50):
            try:
                await inside.kv().write(path, {"v": "inside"})
            except VaultFailed:  # a fresh engine upgrades itself for a moment
                await asyncio.sleep(0.1)
            else:
                break
        assert dict((await inside.kv().read(path)).data) == {"v": "inside"}
        with pytest.raises(VaultNotFound):
            await outside.kv().read(path)


# --- what goes wrong


@pytest.mark.parametrize("token", ["made-up", "s.0000"])
async def test_a_token_that_is_none_is_denied_and_not_told(openbao: OpenBao, token) -> None:
    async with client(openbao.url, token) as vault:
        with pytest.raises(VaultDenied) as caught:
            await vault.kv().read("open/x")
    assert token not in str(caught.value)


async def test_a_quota_that_is_used_up(openbao: OpenBao, mount, vault: VaultClient) -> None:
    engine = mount("kv", options={"version": "2"})
    for _ in range(50):
        try:
            await vault.kv(engine).write("x", {"v": "1"})
        except VaultFailed:
            await asyncio.sleep(0.1)
        else:
            break
    openbao.request("POST", f"sys/quotas/rate-limit/{engine}", {"path": f"{engine}/", "rate": 2, "interval": "60s"})
    await asyncio.gather(*[vault.kv(engine).read("x") for _ in range(4)], return_exceptions=True)
    with pytest.raises(VaultRateLimited) as caught:
        await vault.kv(engine).read("x")
    assert caught.value.retryable
    openbao.request("DELETE", f"sys/quotas/rate-limit/{engine}")


async def test_a_server_that_is_not_there_or_is_something_else() -> None:
    async with client("http://127.0.0.1:1", "t") as vault:
        with pytest.raises(VaultUnavailable) as caught:
            await vault.kv().read("x")
        assert (caught.value.retryable, caught.value.status) == (True, 502)
        with pytest.raises(VaultUnavailable):
            await vault.health()


async def test_an_engine_that_is_not_mounted(vault: VaultClient) -> None:
    with pytest.raises(VaultRefused):
        await vault.kv("nowhere").read("x")


async def test_what_vault_says_about_a_secret_is_not_passed_on(vault: VaultClient, mount) -> None:
    transit = vault.transit(mount("transit"))
    await transit.create_key("k")
    with pytest.raises(VaultRefused) as caught:
        await transit.decrypt("k", "vault:v1:very-secret-text")
    assert "very-secret-text" not in f"{caught.value!r} {caught.value.details}"


async def test_init_unseal_seal_and_kill() -> None:
    with raft_server() as server:
        async with client(server.url, "none") as stranger:
            assert await stranger.health() is SealState.UNINITIALIZED
            with pytest.raises(VaultSealed):
                await stranger.kv().read("x")
        made = server.call("PUT", "sys/init", {"secret_shares": 3, "secret_threshold": 2})
        root = made["root_token"]
        async with client(server.url, root) as vault:
            assert await vault.health() is SealState.SEALED
            with pytest.raises(VaultSealed) as caught:
                await vault.kv().read("x")
            assert caught.value.retryable
            unseal(server, made["keys"])
            await until_active(vault)
            await vault.request("POST", path_of("sys", "mounts", "secret"), {"type": "kv-v2"})
            for _ in range(50):
                try:
                    await vault.kv().write("x", {"v": "kept"})
                except VaultFailed:
                    await asyncio.sleep(0.1)
                else:
                    break
            server.kill()
            with pytest.raises(VaultUnavailable):
                await vault.kv().read("x")
            server.start()
            assert await vault.health() is SealState.SEALED
            with pytest.raises(VaultSealed):
                await vault.kv().read("x")
            unseal(server, made["keys"])
            await until_active(vault)
            assert dict((await vault.kv().read("x")).data) == {"v": "kept"}
            await vault.request("PUT", path_of("sys", "seal"))
            with pytest.raises(VaultSealed):
                await vault.kv().read("x")


def unseal(server, keys: list[str]) -> None:
    for key in keys[:2]:
        server.call("PUT", "sys/unseal", {"key": key})


async def until_active(vault: VaultClient) -> None:
    async with asyncio.timeout(30):
        while await vault.health() is not SealState.ACTIVE:
            await asyncio.sleep(0.05)


# --- as a reader of secrets, and as a store


class TestVaultSecretReader(SecretReaderContract):
    @pytest.fixture(autouse=True)
    async def _reader(self, vault: VaultClient) -> None:
        await vault.kv().write(self.name, {"value": self.value, "other": "o", "number": 1})
        self.reader = VaultSecretReader(vault)

    def make(self) -> SecretReader:
        return self.reader

    async def test_a_field_can_be_named_and_has_to_be_there(self) -> None:
        assert (await self.reader.read("a-name#other")).get_secret_value() == "o"
        for name in ("a-name#none", "a-name#number", "../x", ""):
            with pytest.raises(Exception, match="no secret"):
                await self.reader.read(name)


class TestRecordsInVault(RecordStoreContract):
    @pytest.fixture(autouse=True)
    def _kv(self, vault: VaultClient) -> None:
        self.vault = vault

    async def make(self) -> RecordStore:
        return VaultRecords(self.vault.kv(), prefix=f"auth/{uuid4().hex}")

    async def test_an_alias_that_leads_nowhere_is_taken_over(self) -> None:
        store = VaultRecords(self.vault.kv(), prefix=f"auth/{uuid4().hex}")
        from orchestrator_auth.records import Record

        assert await store._take("thing", "a", "r1")  # killed before it wrote the record
        assert await store.by_alias("thing", "a") is None
        assert await store.add(Record(kind="thing", id="r2", body="x", alias="a"))
        found = await store.by_alias("thing", "a")
        assert found is not None
        assert found.id == "r2"


async def test_api_keys_live_in_vault_and_an_outage_is_no_wrong_key(openbao: OpenBao) -> None:
    """Any error of the store once read as a wrong key."""
    clock: Clock = HandClock()
    admin = UserContext(user_id="u-1", tenant="hotel-7", permissions={"api_key:create", "api_key:revoke", "call:view"})
    async with client(openbao.url, openbao.token) as vault:
        store = VaultRecords(vault.kv(), prefix=f"auth/{uuid4().hex}")
        keys = ApiKeys(store, pepper=Pepper({"p": b"1" * 32}), audit=Auditor(ListSink(), clock=clock), clock=clock)
        made = await keys.create(NewKey(service="billing", tenant="hotel-7", permissions={"call:view"}), by=admin)
        assert (await keys.verify(made.text)).service == "billing"
        await keys.revoke(made.key.id, by=admin)
        with pytest.raises(CredentialRefused):
            await keys.verify(made.text)
    async with client("http://127.0.0.1:1", TokenLogin(SecretStr("t"))) as nowhere:
        lost = ApiKeys(
            VaultRecords(nowhere.kv()),
            pepper=Pepper({"p": b"1" * 32}),
            audit=Auditor(ListSink(), clock=clock),
            clock=clock,
        )
        with pytest.raises(AuthStoreFailed):
            await lost.verify(made.text)
