"""Keys that rotate while everything runs, and tokens that are revoked: what other processes see, and when."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from auth_support import PROFILE, START, BindingSealer, HandClock, good_claims, make_token
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from orchestrator_auth.exceptions import AuthStoreFailed, TokenRefused
from orchestrator_auth.jwt_service import (
    Algorithm,
    KeyRing,
    KeyRingConfig,
    MemoryKeys,
    MemoryRevocations,
    RevocationConfig,
    Revocations,
    SealedKeys,
    SigningKey,
    StoredKeys,
    TokenIssuer,
    TokenProfile,
    TokenRequest,
    TokenVerifier,
)
from orchestrator_auth.records import MemoryRecords
from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.virtual_time import LoopClock, run

REQUEST = TokenRequest(subject="u-1", tenant="hotel-7", session_id="s-1")


class Process:
    """One process of several that share their stores: an issuer and a verifier of its own."""

    def __init__(self, keys, revocations, clock, *, ring: KeyRingConfig | None = None, lifetime: float = 900) -> None:
        self.ring = KeyRing(keys, clock=clock, config=ring)
        self.revocations = Revocations(revocations, clock=clock)
        self.issuer = TokenIssuer(PROFILE, self.ring, clock=clock, revocations=self.revocations, lifetime=lifetime)
        self.verifier = TokenVerifier(PROFILE, self.ring, clock=clock, revocations=self.revocations)

    async def accepts(self, token: str) -> bool:
        try:
            await self.verifier.verify(token)
        except TokenRefused:
            return False
        return True


async def two_processes(clock: HandClock) -> tuple[Process, Process]:
    keys, revocations = MemoryKeys(), MemoryRevocations()
    both = Process(keys, revocations, clock), Process(keys, revocations, clock)
    for process in both:
        await process.ring.open()
    return both


# --- keys


async def test_processes_that_start_at_once_agree_on_the_first_key() -> None:
    keys, clock = MemoryKeys(), HandClock()
    rings = [KeyRing(keys, clock=clock) for _ in range(5)]
    await asyncio.gather(*[ring.open() for ring in rings])
    assert len({(await ring.signing_key()).kid for ring in rings}) == 1


async def test_a_new_key_is_published_before_it_signs_and_the_old_one_outlives_its_tokens() -> None:
    clock = HandClock()
    ring = KeyRing(MemoryKeys(), clock=clock, config=KeyRingConfig(publish_ahead=5, token_lifetime=100))
    await ring.open()
    old = await ring.signing_key()
    new = await ring.rotate()
    assert {jwk["kid"] for jwk in (await ring.jwks())["keys"]} == {old.kid, new.kid}
    assert (await ring.signing_key()).kid == old.kid
    clock.seconds += 5
    assert (await ring.signing_key()).kid == new.kid
    clock.seconds += 99.9
    assert ring.find(old.kid)
    clock.seconds += 0.2
    assert ring.find(old.kid) is None
    assert {jwk["kid"] for jwk in (await ring.jwks())["keys"]} == {new.kid}
    await ring.rotate()
    assert old.kid not in {key.kid for key in await ring.keys()}


async def rotate_under_load(seconds: float) -> tuple[int, int, int]:
    """Four workers issue and check tokens while the key changes every 100 ms; how many were checked, how often it changed, what was refused."""
    clock, keys, revocations = LoopClock(START), MemoryKeys(), MemoryRevocations()
    config = KeyRingConfig(publish_ahead=0.05, token_lifetime=1.0)
    workers = [Process(keys, revocations, clock, ring=config, lifetime=0.9) for _ in range(4)]
    for worker in workers:
        await worker.ring.open()
    valid: list[tuple[float, str]] = []
    outliving: list[tuple[float, str]] = []
    checked = rotations = refused = 0
    end = clock.monotonic() + seconds

    async def rotate() -> None:
        nonlocal rotations
        while clock.monotonic() < end:
            await workers[rotations % 4].ring.rotate()
            rotations += 1
            await clock.sleep(0.1)

    async def work(worker: Process, pause: float) -> None:
        nonlocal checked, refused
        while clock.monotonic() < end:
            valid.append((clock.monotonic(), await worker.issuer.issue(REQUEST)))
            # A token that would live for a quarter of an hour, if its key did.
            key = await worker.ring.signing_key()
            outliving.append((key.verifies_until.timestamp(), make_token(key, good_claims(clock.now().timestamp()))))
            for issued, token in valid[-12:]:
                if clock.monotonic() < issued + 0.85:
                    assert await worker.accepts(token)
                    checked += 1
            if len(outliving) > 900:
                assert not await worker.accepts(outliving[-900][1])
                refused += 1
            await clock.sleep(pause)

    await asyncio.gather(rotate(), *[work(worker, 0.007 + n / 1000) for n, worker in enumerate(workers)])
    return checked, rotations, refused


def test_keys_rotated_every_100_ms_under_load_refuse_no_valid_token_and_believe_no_removed_key() -> None:
    checked, rotations, refused = run(rotate_under_load(6))
    assert checked > 10_000
    assert rotations >= 59
    assert refused > 500


@pytest.mark.soak
def test_keys_rotated_every_100_ms_for_a_minute() -> None:
    checked, rotations, refused = run(rotate_under_load(60))
    assert checked > 100_000
    assert rotations >= 590
    assert refused > 8_000


async def test_a_removed_key_is_believed_by_nobody_after_half_a_second() -> None:
    clock = HandClock()
    one, other = await two_processes(clock)
    token = await one.issuer.issue(REQUEST)
    assert await other.accepts(token)
    leaked = await one.ring.signing_key()
    await one.ring.rotate()
    assert await one.ring.remove(leaked.kid)
    assert not await one.accepts(token)
    assert (await one.ring.signing_key()).kid != leaked.kid
    clock.seconds += 0.51
    assert not await other.accepts(token)
    assert not await one.ring.remove(leaked.kid)


async def test_the_last_key_cannot_be_removed() -> None:
    ring = KeyRing(MemoryKeys(), clock=HandClock())
    await ring.open()
    with pytest.raises(ConfigurationError, match="rotate first"):
        await ring.remove((await ring.signing_key()).kid)


async def test_a_ring_that_was_not_opened_says_so() -> None:
    with pytest.raises(AuthStoreFailed, match="open the ring"):
        await KeyRing(MemoryKeys(), clock=HandClock()).signing_key()


def test_a_shared_secret_is_not_kept_where_others_read_it() -> None:
    config = KeyRingConfig(algorithm=Algorithm.HS256)
    with pytest.raises(ConfigurationError, match="HS256 is for one process"):
        KeyRing(SealedKeys(MemoryRecords(), BindingSealer()), clock=HandClock(), config=config)


@pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.EDDSA, Algorithm.RS256])
async def test_stored_keys_are_sealed_and_come_back_whole(algorithm) -> None:
    records, clock = MemoryRecords(), HandClock()
    ring = KeyRing(SealedKeys(records, BindingSealer()), clock=clock, config=KeyRingConfig(algorithm=algorithm))
    await ring.open()
    token = await TokenIssuer(PROFILE, ring, clock=clock).issue(REQUEST)
    again = KeyRing(SealedKeys(records, BindingSealer()), clock=clock)
    await again.open()
    assert await TokenVerifier(PROFILE, again, clock=clock).verify(token)
    record = await records.get("key_ring", "default")
    assert record is not None
    assert (await ring.signing_key()).kid not in bytes.fromhex(record.body).decode()


async def test_a_shared_secret_is_never_published() -> None:
    ring = KeyRing(MemoryKeys(), clock=HandClock(), config=KeyRingConfig(algorithm=Algorithm.HS256))
    await ring.open()
    assert await ring.jwks() == {"keys": []}


async def test_published_keys_hold_nothing_private() -> None:
    for algorithm in (Algorithm.ES256, Algorithm.EDDSA, Algorithm.RS256):
        jwk = SigningKey.generate(algorithm).public_jwk()
        assert jwk is not None
        assert not {"d", "p", "q", "k"} & jwk.keys()
        assert jwk["use"] == "sig"


@given(st.text() | st.binary().map(str))
def test_a_stored_key_that_is_none_is_refused_in_the_house_way(text) -> None:
    with pytest.raises(ConfigurationError):
        SigningKey.from_json(text)


def test_a_key_shows_nothing_of_itself() -> None:
    key = SigningKey.generate("HS256")
    assert json.loads(key.to_json())["k"] not in repr(key)


@pytest.mark.parametrize(
    "changes", [{"leeway": 61}, {"leeway": -1}, {"issuer": ""}, {"audience": ""}, {"max_lifetime": 0}]
)
def test_a_profile_is_valid_or_cannot_be_made(changes) -> None:
    with pytest.raises(ConfigurationError):
        TokenProfile(**{"issuer": "i", "audience": "a", **changes})


# --- revocation


@pytest.mark.parametrize("how", ["token", "session", "user", "tenant", "everything"])
async def test_a_revocation_works_at_once_here_and_within_half_a_second_elsewhere(how) -> None:
    clock = HandClock()
    one, other = await two_processes(clock)
    token = await one.issuer.issue(REQUEST)
    verified = await other.verifier.verify(token)
    assert await one.accepts(token)
    revocations = one.revocations
    await {
        "token": lambda: revocations.revoke_token(verified.token_id),
        "session": lambda: revocations.revoke_session("s-1"),
        "user": lambda: revocations.revoke_user("u-1"),
        "tenant": lambda: revocations.revoke_tenant("hotel-7"),
        "everything": revocations.revoke_everything,
    }[how]()
    assert not await one.accepts(token)
    clock.seconds += 0.51
    assert not await other.accepts(token)
    with pytest.raises(TokenRefused) as caught:
        await other.verifier.verify(token)
    assert "revoked" in caught.value.reason


@pytest.mark.parametrize("how", ["revoke_user", "revoke_tenant", "revoke_everything"])
async def test_who_signs_in_right_after_a_revocation_is_in(how) -> None:
    clock = HandClock()
    one, other = await two_processes(clock)
    arguments = {"revoke_user": ["u-1"], "revoke_tenant": ["hotel-7"], "revoke_everything": []}[how]
    await getattr(one.revocations, how)(*arguments)
    token = await one.issuer.issue(REQUEST)
    assert await one.accepts(token)
    clock.seconds += 0.51
    assert await other.accepts(token)


@pytest.mark.parametrize("second", ["user", "tenant", "everything"])
@pytest.mark.parametrize("elsewhere", [False, True])
async def test_a_second_revocation_at_the_same_instant_catches_who_signed_in_between(second, elsewhere) -> None:
    clock = HandClock()
    one, other = await two_processes(clock)
    await one.revocations.revoke_user("u-1")
    token = await one.issuer.issue(REQUEST)
    assert await one.accepts(token)
    revocations = (other if elsewhere else one).revocations
    await {
        "user": lambda: revocations.revoke_user("u-1"),
        "tenant": lambda: revocations.revoke_tenant("hotel-7"),
        "everything": revocations.revoke_everything,
    }[second]()
    clock.seconds += 0.51
    assert not await one.accepts(token)
    assert not await other.accepts(token)
    assert await one.accepts(await one.issuer.issue(REQUEST))


async def test_many_revocations_at_once_date_no_token_out_of_reach() -> None:
    one, _ = await two_processes(HandClock())
    for number in range(3000):
        await one.revocations.revoke_user(f"u-{number}")
    assert await one.accepts(await one.issuer.issue(TokenRequest(subject="u-2999", tenant="hotel-7")))


async def test_the_platform_s_own_tokens_can_be_revoked_as_a_tenant_s() -> None:
    one, _ = await two_processes(HandClock())
    staff = await one.issuer.issue(TokenRequest(subject="u-1", tenant="*"))
    hotel = await one.issuer.issue(REQUEST)
    await one.revocations.revoke_tenant("*")
    assert not await one.accepts(staff)
    assert await one.accepts(hotel)


async def test_another_user_another_tenant_another_session_stay_in() -> None:
    clock = HandClock()
    one, _ = await two_processes(clock)
    token = await one.issuer.issue(REQUEST)
    await one.revocations.revoke_user("u-2")
    await one.revocations.revoke_tenant("hotel-8")
    await one.revocations.revoke_session("s-2")
    await one.revocations.revoke_token("t-2")
    assert await one.accepts(token)


async def test_a_token_that_a_fast_clock_dated_ahead_is_revoked_too() -> None:
    clock = HandClock()
    one, _ = await two_processes(clock)
    key = await one.ring.signing_key()
    now = clock.now().timestamp()
    token = make_token(key, good_claims(now + 0.4, nbf=now))
    assert await one.accepts(token)
    await one.revocations.revoke_user("u-1")
    assert not await one.accepts(token)


async def test_revocations_are_forgotten_once_their_tokens_are_over() -> None:
    clock, store = HandClock(), MemoryRevocations()
    revocations = Revocations(store, clock=clock, config=RevocationConfig(token_lifetime=900))
    for number in range(1000):
        await revocations.revoke_user(f"u-{number}")
        clock.seconds += 10
    assert len(store._kept) < 110
    assert sum(map(len, revocations._cutoffs.values())) < 110


async def test_a_store_that_lost_its_memory_makes_nobody_forget() -> None:
    clock, store = HandClock(), MemoryRevocations()
    revocations = Revocations(store, clock=clock)
    ring = KeyRing(MemoryKeys(), clock=clock)
    await ring.open()
    token = await TokenIssuer(PROFILE, ring, clock=clock).issue(REQUEST)
    verifier = TokenVerifier(PROFILE, ring, clock=clock, revocations=revocations)
    await revocations.revoke_user("u-2")
    await revocations.revoke_session("s-1")
    revocations._store = MemoryRevocations()
    clock.seconds += 1
    with pytest.raises(TokenRefused):
        await verifier.verify(token)
    await Revocations(revocations._store, clock=clock).revoke_user("u-3")
    clock.seconds += 1
    await revocations.ensure_fresh()
    assert revocations.earliest(user="u-3", tenant="t") > 0


class Broken(MemoryRevocations):
    down = False

    async def changes(self, after, now):
        if self.down:
            raise AuthStoreFailed("down")
        return await super().changes(after, now)


async def test_nobody_is_let_in_while_revocations_cannot_be_read() -> None:
    clock, store = HandClock(), Broken()
    process = Process(MemoryKeys(), store, clock)
    await process.ring.open()
    token = await process.issuer.issue(REQUEST)
    assert await process.accepts(token)
    store.down = True
    clock.seconds += 0.51
    with pytest.raises(AuthStoreFailed) as caught:
        await process.verifier.verify(token)
    assert caught.value.status == 503
    store.down = False
    assert await process.accepts(token)


# --- the cache


async def test_a_remembered_token_costs_no_signature(monkeypatch) -> None:
    one, _ = await two_processes(HandClock())
    token = await one.issuer.issue(REQUEST)
    await one.verifier.verify(token)
    monkeypatch.setattr(SigningKey, "verify", lambda *_: pytest.fail("verified again"))
    assert (await one.verifier.verify(token)).subject == "u-1"


async def test_the_cache_is_bounded() -> None:
    clock = HandClock()
    ring = KeyRing(MemoryKeys(), clock=clock)
    await ring.open()
    issuer = TokenIssuer(PROFILE, ring, clock=clock)
    verifier = TokenVerifier(PROFILE, ring, clock=clock, cache_size=10)
    for _ in range(50):
        await verifier.verify(await issuer.issue(REQUEST))
    assert len(verifier._cache) == 10


class TwoProcesses(RuleBasedStateMachine):
    """Two processes, one store: no token is believed more than a second after its expiry, its revocation, or its key's removal."""

    @initialize()
    def start(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock = HandClock()
        self.processes = self.loop.run_until_complete(two_processes(self.clock))
        self.tokens: dict[str, tuple[str, str, str]] = {}
        self.ends: dict[str, float] = {}
        self.expires: dict[str, float] = {}
        self.struck: set[str] = set()
        """Users and keys that were ever revoked: a process that has not heard of it yet may issue what others refuse."""

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.close()

    def do(self, awaitable):
        return self.loop.run_until_complete(awaitable)

    def end(self, what: str) -> None:
        for token, facts in self.tokens.items():
            if what in facts:
                self.ends[token] = min(self.ends[token], self.clock.seconds)

    @rule(which=st.integers(0, 1), user=st.sampled_from(["alice", "bob"]))
    def issue(self, which: int, user: str) -> None:
        session = f"session-{len(self.tokens)}"
        request = TokenRequest(subject=user, tenant="hotel-7", session_id=session)
        token = self.do(self.processes[which].issuer.issue(request))
        kid = self.do(self.processes[which].ring.signing_key()).kid
        self.tokens[token] = user, session, kid
        self.ends[token] = self.expires[token] = self.clock.seconds + 900
        if kid in self.struck:
            self.ends[token] = self.clock.seconds

    @rule(seconds=st.sampled_from([0.1, 0.4, 0.6, 1.0, 1.0, 1.0, 300.0, 899.0]))
    def wait(self, seconds: float) -> None:
        self.clock.seconds += seconds

    @rule(which=st.integers(0, 1), user=st.sampled_from(["alice", "bob"]))
    def revoke_user(self, which: int, user: str) -> None:
        self.do(self.processes[which].revocations.revoke_user(user))
        self.end(user)
        self.struck.add(user)

    @rule(which=st.integers(0, 1))
    def revoke_tenant(self, which: int) -> None:
        self.do(self.processes[which].revocations.revoke_tenant("hotel-7"))
        for user in ("alice", "bob"):
            self.end(user)
            self.struck.add(user)

    @rule(which=st.integers(0, 1), data=st.data())
    def revoke_session(self, which: int, data) -> None:
        if self.tokens:
            session = f"session-{data.draw(st.integers(0, len(self.tokens) - 1))}"
            self.do(self.processes[which].revocations.revoke_session(session))
            self.end(session)

    @rule(which=st.integers(0, 1))
    def rotate(self, which: int) -> None:
        self.do(self.processes[which].ring.rotate())

    @rule(which=st.integers(0, 1))
    def a_key_leaks(self, which: int) -> None:
        ring = self.processes[which].ring
        leaked = self.do(ring.signing_key()).kid
        self.do(ring.rotate())
        self.do(ring.remove(leaked))
        self.end(leaked)
        self.struck.add(leaked)

    @invariant()
    def each_token_is_believed_exactly_as_long_as_it_should(self) -> None:
        for token, facts in getattr(self, "tokens", {}).items():
            for process in self.processes:
                accepted = self.do(process.accepts(token))
                assert not accepted or self.clock.seconds < self.ends[token] + 1.0
                untouched = self.ends[token] == self.expires[token] and self.struck.isdisjoint(facts)
                assert accepted or not untouched or self.clock.seconds >= self.ends[token]


TestTwoProcesses = TwoProcesses.TestCase
TestTwoProcesses.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


class TestTwoProcessesLong(TwoProcesses.TestCase):
    settings = settings(max_examples=400, stateful_step_count=60, deadline=None)


TestTwoProcessesLong.pytestmark = [pytest.mark.soak]  # type: ignore[attr-defined]


async def test_a_token_is_valid_from_its_first_to_its_last_second() -> None:
    clock = HandClock()
    one, _ = await two_processes(clock)
    token = await one.issuer.issue(REQUEST)
    for _ in range(9):
        assert await one.accepts(token)
        clock.seconds += 99.99
    clock.seconds += 1.2
    assert not await one.accepts(token)


async def test_a_key_that_came_a_moment_ago_is_found_without_waiting() -> None:
    clock = HandClock()
    one, other = await two_processes(clock)
    assert await other.accepts(await one.issuer.issue(REQUEST))
    stored = await one.ring._store.load()
    key = SigningKey.generate(signs_from=clock.now() - timedelta(seconds=1))
    await one.ring._store.save(StoredKeys(stored.version, (*stored.keys, key)))
    assert await other.accepts(make_token(key, good_claims(clock.now().timestamp())))
