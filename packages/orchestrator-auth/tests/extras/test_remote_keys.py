"""Another authority: its key set and its introspection endpoint, served over real HTTP, and what a bad one gets."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest
from auth_support import PROFILE, HandClock, good_claims, make_token
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from orchestrator_auth.exceptions import IdentityProviderFailed, TokenRefused
from orchestrator_auth.jwt_service import (
    IntrospectionClient,
    IntrospectionConfig,
    RemoteKeys,
    RemoteKeysConfig,
    SigningKey,
    TokenVerifier,
    read_key_set,
)
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.http import HttpClientConfig, create_client


class Authority:
    """A server whose answer the test decides: status, headers, body."""

    def __init__(self) -> None:
        self.answer: tuple[int, dict[str, str], bytes] = (404, {}, b"")
        self.decide: Callable[[str, bytes], tuple[int, dict[str, str], bytes]] | None = None
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                authority.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                status, headers, data = authority.decide(self.path, body) if authority.decide else authority.answer
                self.send_response(status)
                for name, value in {"content-length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, *arguments) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def publish(self, *keys: SigningKey, **more: Any) -> None:
        self.answer = 200, {}, json.dumps({"keys": [key.public_jwk() for key in keys], **more}).encode()


@pytest.fixture
def authority() -> Iterator[Authority]:
    found = Authority()
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


@pytest.fixture
async def http():
    async with create_client(HttpClientConfig()) as client:
        yield client


KEY, NEXT = SigningKey.generate("ES256"), SigningKey.generate("RS256")


def token(key: SigningKey, clock: HandClock) -> str:
    return make_token(key, good_claims(clock.now().timestamp()))


def verifier(authority: Authority, http, clock: HandClock, **changes) -> TokenVerifier:
    keys = RemoteKeys(RemoteKeysConfig(url=f"{authority.url}/keys", **changes), http, clock=clock)
    return TokenVerifier(PROFILE, keys, clock=clock)


async def test_tokens_of_another_authority_are_believed_with_one_fetch(authority: Authority, http) -> None:
    clock = HandClock()
    authority.publish(KEY, NEXT)
    checking = verifier(authority, http, clock)
    for key in (KEY, NEXT, KEY):
        assert (await checking.verify(token(key, clock))).subject == "u-1"
    assert len(authority.requests) == 1


async def test_a_new_key_is_fetched_when_it_is_first_seen_and_unknown_ones_do_not_flood(
    authority: Authority, http
) -> None:
    clock = HandClock()
    authority.publish(KEY)
    checking = verifier(authority, http, clock)
    await checking.verify(token(KEY, clock))
    authority.publish(KEY, NEXT)
    clock.seconds += 10
    assert await checking.verify(token(NEXT, clock))
    assert len(authority.requests) == 2
    for _ in range(100):
        with pytest.raises(TokenRefused):
            await checking.verify(token(SigningKey.generate("ES256"), clock))
        clock.seconds += 0.05
    assert len(authority.requests) == 2
    clock.seconds += 10
    with pytest.raises(TokenRefused):
        await checking.verify(token(SigningKey.generate("ES256"), clock))
    assert len(authority.requests) == 3


async def test_a_key_that_was_withdrawn_is_believed_no_longer_than_the_cache(authority: Authority, http) -> None:
    clock = HandClock()
    authority.publish(KEY)
    checking = verifier(authority, http, clock)
    await checking.verify(token(KEY, clock))
    authority.publish(NEXT)
    clock.seconds += 301
    with pytest.raises(TokenRefused):
        await checking.verify(token(KEY, clock))


async def test_a_redirect_leads_nowhere(authority: Authority, http) -> None:
    clock, elsewhere = HandClock(), Authority()
    thread = threading.Thread(target=elsewhere.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        elsewhere.publish(KEY)
        authority.answer = 302, {"location": f"{elsewhere.url}/keys"}, b""
        with pytest.raises(IdentityProviderFailed):
            await verifier(authority, http, clock).verify(token(KEY, clock))
        assert elsewhere.requests == []
    finally:
        elsewhere.server.shutdown()
        thread.join()
        elsewhere.server.server_close()


@pytest.mark.parametrize(
    "answer",
    [
        (500, {}, b""),
        (404, {}, b'{"keys": []}'),
        (200, {}, b""),
        (200, {}, b"not json"),
        (200, {}, b"[]"),
        (200, {}, b'{"keys": {}}'),
        (200, {}, b"[" * 100_000),
        (200, {}, b'{"keys": [], "x": "' + b"x" * 70_000 + b'"}'),
        (200, {}, b"\xff\xfe"),
        (200, {"content-encoding": "gzip"}, b"x"),
        (200, {}, json.dumps({"keys": [json.loads(KEY.to_json())]}).encode()),
        (200, {}, json.dumps({"keys": [KEY.public_jwk(), KEY.public_jwk()]}).encode()),
    ],
)
async def test_an_authority_that_answers_nonsense_is_not_believed(authority: Authority, http, answer) -> None:
    clock = HandClock()
    authority.answer = answer
    checking = verifier(authority, http, clock)
    for _ in range(2):
        with pytest.raises(IdentityProviderFailed) as caught:
            await checking.verify(token(KEY, clock))
        assert (caught.value.status, caught.value.retryable) == (503, True)
    assert len(authority.requests) == 1  # nor is it asked again at once
    authority.publish(KEY)
    clock.seconds += 10
    assert await checking.verify(token(KEY, clock))


async def test_the_last_keys_stay_for_a_while_when_the_authority_is_gone(authority: Authority, http) -> None:
    clock = HandClock()
    authority.publish(KEY)
    checking = verifier(authority, http, clock, stale_seconds=600)
    await checking.verify(token(KEY, clock))
    authority.answer = 503, {}, b""
    clock.seconds += 301
    assert await checking.verify(token(KEY, clock))
    clock.seconds += 300
    with pytest.raises(IdentityProviderFailed):
        await checking.verify(token(KEY, clock))


def test_only_keys_that_verify_with_our_algorithms_are_taken() -> None:
    good = KEY.public_jwk()
    assert good is not None
    others = [
        1,
        {},
        {**good, "kid": "enc", "use": "enc"},
        {**good, "kid": "alg", "alg": "ES384"},
        {**good, "kid": 7},
        {**good, "kid": "curve", "crv": "P-521"},
        {**good, "kid": "broken", "x": "AA"},
        {"kty": "RSA", "kid": "tiny", "n": "AQAB", "e": "AQAB"},
        {"kty": ["EC"], "kid": "list"},
    ]
    without_alg = {name: value for name, value in good.items() if name != "alg"} | {"kid": "plain"}
    found = read_key_set(json.dumps({"keys": [*others, good, without_alg]}).encode())
    assert set(found) == {KEY.kid, "plain"}
    with pytest.raises(ValueError, match="private"):
        read_key_set(json.dumps({"keys": [{"kty": "oct", "kid": "s", "k": "AAAA"}]}).encode())


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.text() | st.integers(),
        lambda s: st.lists(s) | st.dictionaries(st.sampled_from(["keys", "kty", "kid", "x"]), s),
    ).map(lambda v: json.dumps(v).encode())
)
def test_any_bytes_are_a_key_set_or_a_value_error(data) -> None:
    try:
        assert isinstance(read_key_set(data), dict)
    except ValueError:
        pass


@pytest.mark.parametrize("url", ["http://auth.example/keys", "ftp://x", "https://", "", "file:///etc/passwd"])
def test_a_key_set_comes_over_tls(url) -> None:
    with pytest.raises(ConfigurationError):
        RemoteKeysConfig(url=url)
    with pytest.raises(ConfigurationError):
        IntrospectionConfig(url=url, client_id="c", client_secret=SecretStr("s"))
    with pytest.raises(ConfigurationError):
        RemoteKeysConfig(url="https://auth.example/keys", min_interval=500)


# --- introspection


def asking(authority: Authority, http, clock: HandClock, **changes) -> IntrospectionClient:
    config = IntrospectionConfig(
        url=f"{authority.url}/introspect", client_id="calls", client_secret=SecretStr("s3cret"), **changes
    )
    return IntrospectionClient(config, PROFILE, http, clock=clock)


def active(clock: HandClock, **changes: Any) -> bytes:
    return json.dumps({"active": True, **good_claims(clock.now().timestamp(), **changes)}).encode()


async def test_an_active_token_says_who_it_is(authority: Authority, http) -> None:
    clock = HandClock()
    authority.answer = 200, {}, active(clock, iss=None, jti=None, iat=None, nbf=None)
    client = asking(authority, http, clock)
    found = await client.verify("opaque-token")
    assert (found.subject, found.tenant, found.roles) == ("u-1", "hotel-7", {"hotel_staff"})
    path, headers, body = authority.requests[0]
    assert path == "/introspect"
    assert parse_qs(body.decode()) == {"token": ["opaque-token"], "token_type_hint": ["access_token"]}
    assert headers["authorization"].startswith("Basic ")
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    await client.verify("opaque-token")
    assert len(authority.requests) == 1
    clock.seconds += 1
    authority.answer = 200, {}, b'{"active": false}'
    with pytest.raises(TokenRefused):
        await client.verify("opaque-token")


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "billing"},
        {"iss": "https://evil.example"},
        {"exp": None},
        {"exp": 1},
        {"sub": None},
        {"client_id": None},
        {"active": "true"},
        {"active": 1},
    ],
)
async def test_an_answer_about_something_else_is_refused(authority: Authority, http, changes) -> None:
    clock = HandClock()
    authority.answer = 200, {}, active(clock, **changes)
    with pytest.raises(TokenRefused):
        await asking(authority, http, clock).verify("opaque-token")


@pytest.mark.parametrize(
    "answer",
    [
        (401, {}, b"{}"),
        (500, {}, b""),
        (200, {}, b"no"),
        (200, {}, b"[]"),
        (302, {"location": "/x"}, b""),
        (200, {}, b'{"active": true, "active": false}'),
    ],
)
async def test_an_endpoint_that_answers_nonsense_is_not_believed(authority: Authority, http, answer) -> None:
    clock = HandClock()
    authority.answer = answer
    with pytest.raises(IdentityProviderFailed):
        await asking(authority, http, clock).verify("opaque-token")
    nowhere = IntrospectionConfig(url="http://127.0.0.1:1/", client_id="c", client_secret=SecretStr("s"))
    with pytest.raises(IdentityProviderFailed):
        await IntrospectionClient(nowhere, PROFILE, http, clock=clock).verify("opaque-token")


@pytest.mark.parametrize("value", ["", "x" * 9000, "é"])
async def test_what_is_no_token_is_not_asked_about(authority: Authority, http, value) -> None:
    with pytest.raises(TokenRefused):
        await asking(authority, http, HandClock()).verify(value)
    assert authority.requests == []
    with pytest.raises(ConfigurationError):
        asking(authority, http, HandClock(), cache_seconds=61)
