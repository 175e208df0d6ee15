"""Passwords, people and signing in: with real Argon2id, at parameters that are quick."""

from __future__ import annotations

import asyncio
import re
import statistics
import time

import pytest
from auth_support import PROFILE, BindingSealer, HandClock, ListSink

from orchestrator_auth._totp import hotp, step_of
from orchestrator_auth.audit import Auditor
from orchestrator_auth.exceptions import AccessDenied, LoginRefused, TokenRefused, WeakPassword
from orchestrator_auth.jwt_service import (
    KeyRing,
    MemoryKeys,
    MemoryRevocations,
    Revocations,
    TokenIssuer,
    TokenVerifier,
)
from orchestrator_auth.keyed_hash import Pepper
from orchestrator_auth.mfa import SecondFactor, Subject
from orchestrator_auth.models import ALL_TENANTS, Grant, UserContext
from orchestrator_auth.passwords import GuessLimits, HasherConfig, PasswordHasher, PasswordRules
from orchestrator_auth.rbac import context_of, default_policy
from orchestrator_auth.records import MemoryRecords
from orchestrator_auth.sessions import Sessions
from orchestrator_auth.signin import Challenge, SignedIn, SignIn
from orchestrator_auth.users import LoginTaken, User, UserNotFound, Users
from orchestrator_kernel.exceptions import ConfigurationError, ValidationError

QUICK = HasherConfig(time_cost=1, memory_kib=256, parallelism=1)
PEPPER = Pepper({"one": b"1" * 32})
PASSWORD = "correct horse battery"
POLICY = default_policy()


class World:
    def __init__(self) -> None:
        self.clock, self.sink, self.records = HandClock(), ListSink(), MemoryRecords()
        clock, audit = self.clock, Auditor(self.sink, clock=self.clock)
        self.users = Users(
            self.records, BindingSealer(), PasswordHasher(QUICK), pepper=PEPPER, audit=audit, clock=clock
        )
        self.factor = SecondFactor(
            self.records, BindingSealer(), pepper=PEPPER, audit=audit, clock=clock, issuer="Calls"
        )
        revocations = Revocations(MemoryRevocations(), clock=clock)
        self.ring = KeyRing(MemoryKeys(), clock=clock)
        issuer = TokenIssuer(PROFILE, self.ring, clock=clock, revocations=revocations)
        self.verifier = TokenVerifier(PROFILE, self.ring, clock=clock, revocations=revocations)
        self.sessions = Sessions(
            self.records, issuer, revocations, pepper=PEPPER, roles_of=self.users.roles, audit=audit, clock=clock
        )
        self.signin = SignIn(self.users, self.factor, self.sessions, pepper=PEPPER, audit=audit, clock=clock)

    async def zoe(self, **changes) -> User:
        grants = [Grant("hotel_staff", "hotel-7")]
        arguments = {"tenant": "hotel-7", "grants": grants, "password": PASSWORD, **changes}
        return await self.users.create("Zoë@Example.org", **arguments)

    async def knows(self, login: str, password: str, address: str = "192.0.2.1") -> bool:
        try:
            await self.users.authenticate(login, password, address=address)
        except LoginRefused as error:
            told = error.message, error.retry_after, dict(error.details)
        else:
            return True
        assert told == (LoginRefused("").message, None, {})
        return False

    async def code(self, user: User) -> str:
        """Enrol the user, and the code of the next step."""
        subject = Subject(user.id, user.tenant)
        enrolment = await self.factor.enrol(subject, account="zoe")
        import base64

        self.seed = base64.b32decode(enrolment.secret + "=" * (-len(enrolment.secret) % 8))
        await self.factor.confirm(subject, self.now_code())
        self.clock.seconds += 30
        return self.now_code()

    def now_code(self) -> str:
        return hotp(self.seed, step_of(self.clock.now().timestamp()))


@pytest.fixture
async def world() -> World:
    world = World()
    await world.ring.open()
    return world


# --- hashing


async def test_a_hash_is_argon2id_with_its_own_salt() -> None:
    hasher = PasswordHasher(QUICK)
    first, second = await hasher.hash(PASSWORD), await hasher.hash(PASSWORD)
    assert first.startswith("$argon2id$v=19$m=256,t=1,p=1$")
    assert first != second
    assert (await hasher.verify(first, PASSWORD)).good
    assert not (await hasher.verify(first, PASSWORD + "x")).good


async def test_parameters_that_grew_give_a_new_hash_at_the_next_sign_in() -> None:
    old = await PasswordHasher(QUICK).hash(PASSWORD)
    better = PasswordHasher(HasherConfig(time_cost=2, memory_kib=256, parallelism=1))
    verdict = await better.verify(old, PASSWORD)
    assert verdict.upgrade is not None
    assert "t=2" in verdict.upgrade
    assert (await better.verify(verdict.upgrade, PASSWORD)).upgrade is None
    assert (await better.verify(old, "wrong")).upgrade is None


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "",
        "x",
        "$argon2id$v=19$m=256,t=1,p=1$",
        "$2b$12$abc",
        "$argon2id$v=19$m=9999999999,t=1,p=1$YWFhYWFhYWE$YWFh",
    ],
)
async def test_without_a_real_hash_no_password_is_right(stored) -> None:
    hasher = PasswordHasher(QUICK)
    for password in ("", PASSWORD, "nobody has this password", "\ud800"):
        assert not (await hasher.verify(stored, password)).good


async def test_one_password_however_it_is_typed() -> None:
    hasher = PasswordHasher(QUICK)
    assert (await hasher.verify(await hasher.hash("Zoe\u0308 und \ufb01sch"), "Zo\u00eb und fisch")).good


async def test_the_loop_runs_on_while_a_password_is_hashed() -> None:
    hasher = PasswordHasher(HasherConfig(time_cost=8, memory_kib=65_536, parallelism=1))
    beats, gaps = time.perf_counter(), []
    hashing = asyncio.create_task(hasher.hash(PASSWORD))
    while not hashing.done():
        await asyncio.sleep(0.001)
        gaps.append(time.perf_counter() - beats)
        beats = time.perf_counter()
    assert len(gaps) > 10
    assert statistics.median(gaps) < 0.02


async def test_no_more_hashes_than_allowed_run_at_once() -> None:
    hasher = PasswordHasher(HasherConfig(time_cost=1, memory_kib=256, parallelism=1, at_once=2))
    running, most = 0, 0
    original = hasher._argon2.hash

    class Watched:
        def hash(self, password):
            nonlocal running, most
            running += 1
            most = max(most, running)
            time.sleep(0.005)
            try:
                return original(password)
            finally:
                running -= 1

    hasher._argon2 = Watched()  # type: ignore[assignment]
    await asyncio.gather(*[hasher.hash(PASSWORD) for _ in range(8)])
    assert most == 2


@pytest.mark.parametrize("changes", [{"time_cost": 0}, {"memory_kib": 1}, {"at_once": 0}, {"parallelism": 100}])
def test_parameters_are_valid_or_cannot_be_made(changes) -> None:
    with pytest.raises(ConfigurationError):
        HasherConfig(**changes)


# --- rules


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "x" * 257,
        "aaaaaaaaaaaaaa",
        "abababababab",
        "abcdefghijklmn",
        "qwertyuiopas",
        "098765432109",
        "zoe-zoe-zoe-zoe-1",
        "welcome-to-hotel",
        "WELCOME-to-hotel",
    ],
)
def test_what_is_easily_guessed_is_refused(password) -> None:
    with pytest.raises(WeakPassword):
        PasswordRules(blocked={"welcome-to-hotel"}).check(password, login="zoe-zoe@example.org")


COMMON = (
    "password",
    "iloveyou",
    "welcome",
    "letmein",
    "dragon",
    "sunshine",
    "princess",
    "football",
    "administrator",
    "qwerty",
)
CLOTHES = ("{}{}", "{}{}!", "{}-{}", "{}_{}#", "!{}{}", "my{}{}", "the.{}.{}", "{}@{}")


def test_the_three_thousand_passwords_that_are_tried_first_are_refused() -> None:
    """Common words of twelve characters with what people put around them: years, rows of digits, signs, letters exchanged, the word twice."""
    numbers = [*map(str, range(1960, 2031)), "1", "12", "123", "1234", "12345", "123456", "007", "69"]
    made = {shape.format(word, number) for word in COMMON for shape in CLOTHES for number in numbers}
    made |= {word.capitalize() + number for word in COMMON for number in numbers}
    made |= {
        word.replace("o", "0").replace("a", "@").replace("s", "$").replace("e", "3") + number
        for word in COMMON
        for number in numbers
    }
    made |= (
        {word * 2 for word in COMMON} | {f"{word} {word}" for word in COMMON} | {"orchestrator1", "The-Orchestrator!"}
    )
    long = sorted(each for each in made if len(each) >= 12)
    rules, passed = PasswordRules(words={"orchestrator"}), []
    for each in long:
        try:
            rules.check(each)
        except WeakPassword:
            continue
        passed.append(each)
    assert len(long) > 3_000
    assert passed == []


@pytest.mark.parametrize(
    "password", ["sunshine football dragon", "my password is long", "correct horse battery", "test the welcome mat 7"]
)
def test_several_words_are_several_even_if_common(password) -> None:
    PasswordRules().check(password)


@pytest.mark.parametrize(
    "password", [PASSWORD, "x1y2z3 und mehr", "пароль не угадать", "a" * 5 + "bcd ef gh" + "!" * 200]
)
def test_what_is_long_is_good(password) -> None:
    PasswordRules().check(password, login="zoe@example.org")


def test_rules_are_valid_or_cannot_be_made() -> None:
    with pytest.raises(ConfigurationError):
        PasswordRules(min_length=7)


# --- people


async def test_a_person_is_found_by_the_name_however_it_is_typed(world: World) -> None:
    zoe = await world.zoe()
    for login in ("zoë@example.org", " ZOË@EXAMPLE.ORG ", "zoe\u0308@example.org"):
        found = await world.users.find(login)
        assert found is not None
        assert found.id == zoe.id
        assert await world.knows(login, PASSWORD)
    with pytest.raises(LoginTaken):
        await world.users.create("zoë@example.ORG", tenant="hotel-8")
    assert await world.users.login_of(zoe) == "zoë@example.org"
    assert [user.id for user in await world.users.of_tenant("hotel-7")] == [zoe.id]


async def test_neither_name_nor_password_is_kept_in_clear(world: World) -> None:
    await world.zoe()
    kept = str(world.records._records).casefold()
    for secret in ("zoë", "zoe", "example.org", PASSWORD, "battery"):
        assert secret not in kept
    assert "zoë" not in str(world.sink.events)


@pytest.mark.parametrize("login", ["", " ", "x" * 255, "zoe\n", "zoe\x00"])
async def test_what_is_no_name_makes_nobody(world: World, login) -> None:
    if login == "zoe\n":
        login = "zo\ne"
    with pytest.raises(ValidationError):
        await world.users.create(login, tenant="hotel-7")
    assert not await world.knows(login, PASSWORD)


async def test_a_disabled_person_is_kept_out_everywhere(world: World) -> None:
    zoe = await world.zoe()
    signed = await world.signin.password("zoë@example.org", PASSWORD, address="a")
    assert isinstance(signed, SignedIn)
    await world.users.set_disabled(zoe.id, disabled=True, by="u-admin")
    assert not await world.knows("zoë@example.org", PASSWORD)
    assert signed.pair is not None
    with pytest.raises(TokenRefused):
        await world.sessions.refresh(signed.pair.refresh_token)
    assert await world.users.begin_reset("zoë@example.org") is None
    await world.users.set_disabled(zoe.id, disabled=False, by="u-admin")
    assert await world.knows("zoë@example.org", PASSWORD)


async def test_a_deleted_person_leaves_the_name_free(world: World) -> None:
    zoe = await world.zoe()
    await world.users.delete(zoe.id, by="u-admin")
    assert not await world.knows("zoë@example.org", PASSWORD)
    with pytest.raises(UserNotFound):
        await world.users.get(zoe.id)
    assert (await world.zoe()).id != zoe.id


async def test_a_better_hash_is_kept_at_sign_in(world: World) -> None:
    zoe = await world.zoe()
    world.users._hasher = PasswordHasher(HasherConfig(time_cost=2, memory_kib=256, parallelism=1))
    assert await world.knows("zoë@example.org", PASSWORD)
    assert "t=2" in (await world.users.get(zoe.id)).password_hash
    assert await world.knows("zoë@example.org", PASSWORD)


# --- guessing


async def test_a_locked_account_and_one_that_does_not_exist_answer_the_same(world: World) -> None:
    await world.zoe()
    for login in ("zoë@example.org", "nobody@example.org"):
        for number in range(5):
            assert not await world.knows(login, "wrong", address=f"a{number}")
        assert not await world.knows(login, PASSWORD, address="b")
        with pytest.raises(LoginRefused) as caught:
            await world.users.authenticate(login, PASSWORD, address="c")
        assert caught.value.reason == "too many wrong answers for this account"
    world.clock.seconds += 2
    assert await world.knows("zoë@example.org", PASSWORD)
    assert all(event.details["reason"] for event in world.sink.events if event.outcome == "denied")


async def test_an_unknown_name_takes_as_long_as_a_wrong_password() -> None:
    world = World()
    slow = HasherConfig(time_cost=4, memory_kib=16_384, parallelism=1)
    many = GuessLimits(free=1000)
    audit = Auditor(world.sink, clock=world.clock)
    users = Users(world.records, BindingSealer(), PasswordHasher(slow), pepper=PEPPER, audit=audit, clock=world.clock, per_account=many, per_address=many)  # fmt: skip
    await users.create("zoe@example.org", tenant="t", password=PASSWORD)

    async def seconds(login: str) -> float:
        begin = time.process_time()
        with pytest.raises(LoginRefused):
            await users.authenticate(login, "wrong", address="a")
        return time.process_time() - begin

    await seconds("warm@example.org")
    known, unknown = [], []
    for _ in range(15):
        known.append(await seconds("zoe@example.org"))
        unknown.append(await seconds("nobody@example.org"))
    assert 0.7 < statistics.median(unknown) / statistics.median(known) < 1.4


async def test_an_address_that_guesses_at_many_accounts_gets_slow(world: World) -> None:
    await world.zoe()
    for number in range(50):
        assert not await world.knows(f"user{number}@example.org", "wrong", address="192.0.2.9")
    assert not await world.knows("zoë@example.org", PASSWORD, address="192.0.2.9")
    assert await world.knows("zoë@example.org", PASSWORD, address="192.0.2.10")


async def test_ones_own_account_does_not_buy_guesses_at_others(world: World) -> None:
    await world.zoe()
    wrong = 0
    for number in range(80):
        assert number >= 50 or await world.knows("zoë@example.org", PASSWORD, address="thief")
        wrong += not await world.knows(f"user{number}@example.org", "wrong", address="thief")
    with pytest.raises(LoginRefused) as caught:
        await world.users.authenticate("zoë@example.org", PASSWORD, address="thief")
    assert "address" in caught.value.reason


# --- passwords changed


async def test_a_changed_password_is_the_only_one(world: World) -> None:
    zoe = await world.zoe()
    with pytest.raises(LoginRefused):
        await world.users.change_password(zoe.id, "wrong", "another good one")
    with pytest.raises(WeakPassword):
        await world.users.change_password(zoe.id, PASSWORD, "short")
    await world.users.change_password(zoe.id, PASSWORD, "another good one")
    assert not await world.knows("zoë@example.org", PASSWORD)
    assert await world.knows("zoë@example.org", "another good one")


async def test_a_reset_token_works_once(world: World) -> None:
    zoe = await world.zoe()
    begun = await world.users.begin_reset("zoë@example.org")
    assert begun is not None
    _, token = begun
    with pytest.raises(WeakPassword):
        await world.users.finish_reset(token, "short")
    assert (await world.users.finish_reset(token, "another good one")).id == zoe.id
    assert await world.knows("zoë@example.org", "another good one")
    with pytest.raises(LoginRefused):
        await world.users.finish_reset(token, "a third good one")
    assert token.rpartition(".")[2] not in str(world.records._records)


async def test_a_reset_token_ends_with_its_time_and_with_the_next(world: World) -> None:
    zoe = await world.zoe()
    old = await world.users.issue_reset(zoe, lifetime=60)
    new = await world.users.issue_reset(zoe, lifetime=60)
    with pytest.raises(LoginRefused):
        await world.users.finish_reset(old, "another good one")
    world.clock.seconds += 60
    with pytest.raises(LoginRefused):
        await world.users.finish_reset(new, "another good one")
    assert await world.users.begin_reset("nobody@example.org") is None


@pytest.mark.parametrize(
    "token", ["", "opr_", "opr_u-1", "opr_u-1.", "opr_.x", "opr_u-../x.y", "opr_u-1.\ud800", "x" * 10_000]
)
async def test_anything_else_is_no_reset_token(world: World, token) -> None:
    await world.zoe()
    with pytest.raises(LoginRefused):
        await world.users.finish_reset(token, "another good one")


async def test_of_many_who_bring_the_same_reset_token_one_sets_the_password(world: World) -> None:
    zoe = await world.zoe()
    token = await world.users.issue_reset(zoe, lifetime=60)

    async def finish(number: int) -> bool:
        try:
            await world.users.finish_reset(token, f"another good one {number}")
        except LoginRefused:
            return False
        return True

    assert sum(await asyncio.gather(*[finish(number) for number in range(8)])) == 1


# --- roles


def actor(*roles: str, tenant: str = "hotel-7") -> UserContext:
    return UserContext(user_id="u-admin", tenant=tenant, permissions=POLICY.permissions(tenant, roles))


async def test_roles_count_where_they_were_granted_and_the_platform_s_everywhere(world: World) -> None:
    zoe = await world.zoe(grants=[Grant("hotel_staff", "hotel-7"), Grant("auditor", ALL_TENANTS)])
    assert await world.users.roles(zoe.id, "hotel-7") == {"hotel_staff", "auditor"}
    assert await world.users.roles(zoe.id, "hotel-8") == {"auditor"}
    assert await world.users.roles(zoe.id, ALL_TENANTS) == {"auditor"}
    assert await world.users.roles("u-nobody", "hotel-7") is None


async def test_nobody_gives_what_they_do_not_hold(world: World) -> None:
    zoe = await world.zoe()
    for by, grant in [
        (actor("hotel_admin"), Grant("system_admin", "hotel-7")),
        (actor("hotel_admin"), Grant("hotel_staff", "hotel-8")),
        (actor("hotel_admin"), Grant("guest_user", ALL_TENANTS)),
        (actor("hotel_staff"), Grant("guest_user", "hotel-7")),
    ]:
        with pytest.raises(AccessDenied):
            await world.users.grant(zoe.id, grant, by=by, policy=POLICY)
    await world.users.grant(zoe.id, Grant("hotel_admin", "hotel-7"), by=actor("hotel_admin"), policy=POLICY)
    assert await world.users.roles(zoe.id, "hotel-7") == {"hotel_staff", "hotel_admin"}
    with pytest.raises(AccessDenied):
        await world.users.withdraw(zoe.id, Grant("hotel_admin", "hotel-7"), by=actor("hotel_admin", tenant="hotel-8"))
    await world.users.withdraw(zoe.id, Grant("hotel_admin", "hotel-7"), by=actor("hotel_admin"))
    assert await world.users.roles(zoe.id, "hotel-7") == {"hotel_staff"}
    platform = actor("system_admin", tenant=ALL_TENANTS)
    await world.users.grant(zoe.id, Grant("operator", ALL_TENANTS), by=platform, policy=POLICY)
    with pytest.raises(UserNotFound):
        await world.users.grant("u-nobody", Grant("operator", ALL_TENANTS), by=platform, policy=POLICY)


async def test_an_enrolment_is_a_picture_of_its_uri(world: World) -> None:
    enrolment = await world.factor.enrol(Subject("u-1", "hotel-7"), account="zoe")
    assert enrolment.qr_png().startswith(b"\x89PNG\r\n\x1a\n")
    svg = enrolment.qr_svg()
    assert "<svg" in svg
    assert "<script" not in svg
    other = await world.factor.enrol(Subject("u-2", "hotel-7"), account="zoe")
    assert other.qr_svg() != svg


# --- signing in


async def test_without_a_second_factor_the_password_is_enough(world: World) -> None:
    zoe = await world.zoe()
    signed = await world.signin.password("zoë@example.org", PASSWORD, address="a", label="Firefox")
    assert isinstance(signed, SignedIn)
    assert signed.pair is not None
    user = context_of(await world.verifier.verify(signed.pair.access_token), POLICY)
    assert (user.user_id, user.tenant, user.roles) == (zoe.id, "hotel-7", {"hotel_staff"})
    assert user.may("call:start")
    assert user.second_factor_at is None


async def test_with_a_second_factor_the_password_opens_nothing(world: World) -> None:
    """Signing in once never asked for it."""
    zoe = await world.zoe()
    code = await world.code(zoe)
    challenge = await world.signin.password("zoë@example.org", PASSWORD, address="a")
    assert isinstance(challenge, Challenge)
    assert await world.sessions.of_user(zoe.id) == []
    with pytest.raises(TokenRefused):
        await world.verifier.verify(challenge.token)
    with pytest.raises(LoginRefused):
        await world.signin.second_factor(challenge.token, "000000" if code != "000000" else "000001")
    signed = await world.signin.second_factor(challenge.token, code)
    assert signed.pair is not None
    user = context_of(await world.verifier.verify(signed.pair.access_token), POLICY)
    assert user.second_factor_at == world.clock.now()
    # The same code is spent, whatever the challenge.
    with pytest.raises(LoginRefused):
        await world.signin.second_factor(challenge.token, code)


async def test_a_challenge_ends_and_cannot_be_made_up(world: World) -> None:
    await world.code(await world.zoe())
    challenge = await world.signin.password("zoë@example.org", PASSWORD, address="a")
    assert isinstance(challenge, Challenge)
    other = challenge.token.replace("hotel-7", "hotel-8")
    for forged in ("", "och_", "och_a|b|c|d|e|one:0", other, challenge.token[:-1], challenge.token + "0"):
        with pytest.raises(LoginRefused):
            await world.signin.second_factor(forged, world.now_code())
    world.clock.seconds += 300
    with pytest.raises(LoginRefused):
        await world.signin.second_factor(challenge.token, world.now_code())


async def test_a_browser_gets_a_cookie_with_or_without_a_second_factor(world: World) -> None:
    zoe = await world.zoe()
    signed = await world.signin.password("zoë@example.org", PASSWORD, address="a", browser=True)
    assert isinstance(signed, SignedIn)
    assert signed.pair is None
    assert (await world.sessions.check_cookie(signed.cookie))[0].user_id == zoe.id
    code = await world.code(zoe)
    challenge = await world.signin.password("zoë@example.org", PASSWORD, address="a", browser=True)
    assert isinstance(challenge, Challenge)
    again = await world.signin.second_factor(challenge.token, code)
    session, _ = await world.sessions.check_cookie(again.cookie)
    assert session.second_factor_at == world.clock.now()


async def test_where_one_has_no_role_one_does_not_sign_in(world: World) -> None:
    await world.zoe()
    with pytest.raises(LoginRefused) as caught:
        await world.signin.password("zoë@example.org", PASSWORD, address="a", tenant="hotel-8")
    assert caught.value.message == LoginRefused("").message


async def test_a_step_up_is_for_the_session_of_the_request(world: World) -> None:
    """Anybody's second factor could once be changed with one's own password, by naming another user in the body."""
    zoe = await world.zoe()
    signed = await world.signin.password("zoë@example.org", PASSWORD, address="a")
    assert isinstance(signed, SignedIn)
    assert signed.pair is not None
    code = await world.code(zoe)
    user = context_of(await world.verifier.verify(signed.pair.access_token), POLICY)
    _, pair = await world.signin.step_up(user, code)
    assert pair is not None
    confirmed = context_of(await world.verifier.verify(pair.access_token), POLICY)
    assert confirmed.second_factor_at == world.clock.now()
    stranger = await world.users.create("max@example.org", tenant="hotel-7", grants=zoe.grants, password=PASSWORD)
    world.clock.seconds += 30
    other = UserContext(user_id=stranger.id, tenant="hotel-7", session_id=user.session_id)
    with pytest.raises(LoginRefused):
        await world.signin.step_up(other, world.now_code())
    with pytest.raises(TokenRefused):
        await world.signin.step_up(UserContext(user_id=zoe.id, tenant="hotel-7"), world.now_code())


async def test_every_refusal_is_an_event_with_its_reason(world: World) -> None:
    await world.zoe()
    await world.knows("zoë@example.org", "wrong")
    await world.knows("nobody@example.org", "wrong")
    reasons = [event.details["reason"] for event in world.sink.events if event.type == "auth.login.failure"]
    assert reasons == ["wrong password", "unknown name"]
    assert not re.search(r"zoë|nobody", str(world.sink.events[-2:]))


def test_the_time_for_a_code_is_bounded(world: World) -> None:
    with pytest.raises(ConfigurationError):
        SignIn(
            world.users, world.factor, world.sessions, pepper=PEPPER, audit=None, clock=world.clock, challenge_seconds=0
        )  # type: ignore[arg-type]
