"""Sessions and refresh tokens: each works once, and a second use ends the family, in whatever order things happen."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from auth_support import PROFILE, HandClock, ListSink
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_auth.audit import Auditor
from orchestrator_auth.exceptions import CredentialRefused, TokenRefused
from orchestrator_auth.jwt_service import (
    KeyRing,
    MemoryKeys,
    MemoryRevocations,
    Revocations,
    TokenIssuer,
    TokenVerifier,
)
from orchestrator_auth.keyed_hash import Pepper
from orchestrator_auth.models import UserContext
from orchestrator_auth.records import MemoryRecords
from orchestrator_auth.sessions import Begin, SessionConfig, SessionNotFound, Sessions
from orchestrator_kernel.exceptions import ConfigurationError

PEPPER = Pepper({"one": b"1" * 32})
BEGIN = Begin(user_id="u-1", tenant="hotel-7", label="Firefox")


class World:
    """Sessions with all they need, in memory."""

    def __init__(self, records: MemoryRecords | None = None, config: SessionConfig | None = None) -> None:
        self.clock = HandClock()
        self.sink = ListSink()
        self.records = records or MemoryRecords()
        self.roles: dict[str, frozenset[str] | None] = {"u-1": frozenset({"hotel_staff"}), "u-2": frozenset()}
        self.revocations = Revocations(MemoryRevocations(), clock=self.clock)
        self.ring = KeyRing(MemoryKeys(), clock=self.clock)
        issuer = TokenIssuer(PROFILE, self.ring, clock=self.clock, revocations=self.revocations)
        self.verifier = TokenVerifier(PROFILE, self.ring, clock=self.clock, revocations=self.revocations)
        self.sessions = Sessions(
            self.records,
            issuer,
            self.revocations,
            pepper=PEPPER,
            roles_of=self.roles_of,
            audit=Auditor(self.sink, clock=self.clock),
            clock=self.clock,
            config=config,
        )

    async def roles_of(self, user: str, tenant: str) -> frozenset[str] | None:
        return self.roles.get(user)

    async def accepts(self, token: str) -> bool:
        try:
            await self.verifier.verify(token)
        except TokenRefused:
            return False
        return True

    async def refreshes(self, token: str) -> bool:
        try:
            await self.sessions.refresh(token)
        except TokenRefused:
            return False
        return True


@pytest.fixture
async def world() -> World:
    world = World()
    await world.ring.open()
    return world


def actor(user: str = "u-1", *permissions: str, tenant: str = "hotel-7") -> UserContext:
    return UserContext(user_id=user, tenant=tenant, permissions=set(permissions))


# --- refresh


async def test_a_refresh_gives_new_tokens_and_the_roles_of_now(world: World) -> None:
    first = await world.sessions.begin(BEGIN)
    world.roles["u-1"] = frozenset({"guest_user"})
    second = await world.sessions.refresh(first.refresh_token)
    assert second.refresh_token != first.refresh_token
    verified = await world.verifier.verify(second.access_token)
    assert verified.roles == {"guest_user"}
    assert verified.session_id == first.session_id == second.session_id
    assert world.sink.types() == ["auth.login.success", "auth.token.refresh"]


async def test_a_used_refresh_token_ends_the_session_and_everything_made_from_it(world: World) -> None:
    first = await world.sessions.begin(BEGIN)
    second = await world.sessions.refresh(first.refresh_token)
    third = await world.sessions.refresh(second.refresh_token)
    other = await world.sessions.begin(BEGIN)
    with pytest.raises(TokenRefused) as caught:
        await world.sessions.refresh(first.refresh_token)
    assert caught.value.reason == "refresh token was used before"
    assert not await world.refreshes(third.refresh_token)
    for pair in (first, second, third):
        assert not await world.accepts(pair.access_token)
    # Another sign-in of the same user is another family.
    assert await world.accepts(other.access_token)
    assert await world.refreshes(other.refresh_token)
    theft = next(event for event in world.sink.events if event.outcome == "denied")
    assert (theft.severity, theft.actor) == ("high", "u-1")


async def test_an_access_token_is_no_refresh_token_and_the_other_way_round(world: World) -> None:
    pair = await world.sessions.begin(BEGIN)
    assert not await world.refreshes(pair.access_token)
    assert not await world.accepts(pair.refresh_token)
    assert await world.refreshes(pair.refresh_token)


@given(st.data())
def test_a_forged_refresh_token_ends_nobody_s_session(data) -> None:
    async def scenario() -> None:
        world = World()
        await world.ring.open()
        pair = await world.sessions.begin(BEGIN)
        text = pair.refresh_token
        place = data.draw(st.integers(0, len(text) - 1))
        forged = text[:place] + data.draw(st.characters()) + text[place + data.draw(st.integers(0, 3)) :]
        if forged != text:
            assert not await world.refreshes(forged)
        stranger = f"ort_{pair.session_id}.0.{'0' * 64}.one:{'0' * 64}"
        assert not await world.refreshes(stranger)
        assert await world.refreshes(text)

    asyncio.run(scenario())


async def test_a_refresh_token_lasts_seven_days_after_its_last_use_and_a_session_thirty(world: World) -> None:
    """Refresh tokens of seven days once died with a session of one."""
    pair = await world.sessions.begin(BEGIN)
    for _ in range(4):
        world.clock.seconds += 7 * 86_400 - 1
        pair = await world.sessions.refresh(pair.refresh_token)
    world.clock.seconds += 2 * 86_400 + 10
    assert not await world.refreshes(pair.refresh_token)
    pair = await world.sessions.begin(BEGIN)
    world.clock.seconds += 7 * 86_400
    with pytest.raises(TokenRefused) as caught:
        await world.sessions.refresh(pair.refresh_token)
    assert "expired" in caught.value.reason


async def test_who_may_not_sign_in_any_more_gets_no_new_tokens(world: World) -> None:
    pair = await world.sessions.begin(BEGIN)
    world.roles["u-1"] = None
    assert not await world.refreshes(pair.refresh_token)
    assert not await world.accepts(pair.access_token)
    with pytest.raises(CredentialRefused):
        await world.sessions.begin(BEGIN)


class _Turn:
    def __await__(self):
        yield


class SteppedRecords(MemoryRecords):
    """Gives way before every access, so that a schedule decides who is next."""

    async def get(self, kind: str, id: str):  # noqa: A002 - as the protocol has it
        await _Turn()
        return await super().get(kind, id)

    async def replace(self, record):
        await _Turn()
        return await super().replace(record)


def step(coroutines: list[Any], schedule: Any) -> list[Any]:
    """Run the coroutines in the order that `schedule` draws; what each returned, or raised."""
    results: dict[int, Any] = {}
    alive = list(range(len(coroutines)))
    try:
        while alive:
            number = alive[schedule(len(alive))]
            try:
                coroutines[number].send(None)
            except StopIteration as stop:
                results[number] = stop.value
                alive.remove(number)
            except TokenRefused as error:
                results[number] = error
                alive.remove(number)
    finally:
        for coroutine in coroutines:  # Hypothesis may break an example off
            coroutine.close()
    return [results[number] for number in range(len(coroutines))]


def one(coroutine: Any) -> Any:
    (result,) = step([coroutine], lambda _: 0)
    return result


def check_interleaving(data) -> None:
    world = World(SteppedRecords())
    one(world.ring.open())
    pairs = [one(world.sessions.begin(BEGIN))]
    succeeded: dict[str, int] = {}
    presented: dict[str, int] = {}
    for _ in range(data.draw(st.integers(1, 4), label="rounds")):
        tokens = [pair.refresh_token for pair in pairs]
        chosen = data.draw(st.lists(st.sampled_from(tokens), min_size=1, max_size=4), label="presented at once")
        results = step(
            [world.sessions.refresh(token) for token in chosen],
            lambda count: data.draw(st.integers(0, count - 1), label="next"),
        )
        for token, result in zip(chosen, results, strict=True):
            presented[token] = presented.get(token, 0) + 1
            if not isinstance(result, TokenRefused):
                succeeded[token] = succeeded.get(token, 0) + 1
                pairs.append(result)
    assert all(count == 1 for count in succeeded.values())
    stolen = any(presented[token] > 1 for token in succeeded)
    alive = [pair for pair in pairs if one(world.accepts(pair.access_token))]
    newest = one(world.refreshes(pairs[-1].refresh_token))
    if stolen:
        assert not alive
        assert not newest
        assert "auth.token.refresh" in [event.type for event in world.sink.events if event.severity == "high"]
    else:
        assert len(alive) == len(pairs)
        assert newest


@given(st.data())
@settings(max_examples=150)
def test_reuse_kills_the_family_in_every_interleaving(data) -> None:
    check_interleaving(data)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(8))
@given(data=st.data())
@settings(max_examples=2_500)
def test_reuse_kills_the_family_in_every_interleaving_for_long(part, data) -> None:
    check_interleaving(data)


# --- cookies


async def test_a_cookie_opens_its_session_for_a_day_after_the_last_use(world: World) -> None:
    session, cookie = await world.sessions.begin_browser(BEGIN)
    for _ in range(3):
        world.clock.seconds += 86_399
        found, roles = await world.sessions.check_cookie(cookie)
        assert (found.id, roles) == (session.id, {"hotel_staff"})
    world.clock.seconds += 86_401
    with pytest.raises(TokenRefused):
        await world.sessions.check_cookie(cookie)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "ocs_",
        "ocs_.",
        "ocs_x",
        "ocs_x.",
        "ocs_x.y",
        "x.y",
        "ocs_../x.y",
        "ocs_é.y",
        "ocs_" + "x" * 600 + ".y",
        "ocs_x.\ud800",
    ],
)
async def test_anything_else_is_no_cookie(world: World, value) -> None:
    with pytest.raises(TokenRefused):
        await world.sessions.check_cookie(value)


async def test_a_cookie_needs_its_secret_and_a_session_of_a_browser(world: World) -> None:
    _, cookie = await world.sessions.begin_browser(BEGIN)
    pair = await world.sessions.begin(BEGIN)
    for forged in (cookie[:-1] + ("0" if cookie[-1] != "0" else "1"), f"ocs_{pair.session_id}.{'0' * 64}"):
        with pytest.raises(TokenRefused):
            await world.sessions.check_cookie(forged)
    world.roles["u-1"] = None
    with pytest.raises(TokenRefused):
        await world.sessions.check_cookie(cookie)


async def test_a_csrf_token_belongs_to_one_session(world: World) -> None:
    one_session, _ = await world.sessions.begin_browser(BEGIN)
    other, _ = await world.sessions.begin_browser(BEGIN)
    token = world.sessions.csrf_token(one_session)
    assert world.sessions.check_csrf(one_session, token)
    assert not world.sessions.check_csrf(other, token)
    assert not world.sessions.check_csrf(one_session, "")
    assert not world.sessions.check_csrf(one_session, "one:é")


async def test_the_last_use_is_written_down_once_a_minute(world: World) -> None:
    session, cookie = await world.sessions.begin_browser(BEGIN)
    for _ in range(61):
        world.clock.seconds += 1
        await world.sessions.check_cookie(cookie)
    record = await world.records.get("session", session.id)
    assert record is not None
    assert record.version == 2


# --- seen and ended


async def test_ones_sessions_are_listed_the_last_used_first_without_secrets(world: World) -> None:
    first = await world.sessions.begin(BEGIN)
    world.clock.seconds += 1
    second, _ = await world.sessions.begin_browser(Begin(user_id="u-1", tenant="hotel-7", label="x" * 200))
    await world.sessions.begin(Begin(user_id="u-2", tenant="hotel-7"))
    found = await world.sessions.of_user("u-1")
    assert [session.id for session in found] == [second.id, first.session_id]
    assert [len(session.label) for session in found] == [100, 7]
    record = await world.records.get("session", first.session_id)
    assert record is not None
    assert first.refresh_token.split(".")[2] not in record.body


async def test_an_ended_session_is_over_at_once(world: World) -> None:
    pair = await world.sessions.begin(BEGIN)
    await world.sessions.end(pair.session_id, by=actor())
    assert not await world.accepts(pair.access_token)
    assert not await world.refreshes(pair.refresh_token)
    assert await world.sessions.of_user("u-1") == []


async def test_nobody_ends_another_s_session_without_permission(world: World) -> None:
    """Any session id was once accepted, so that everybody could sign out everybody."""
    pair = await world.sessions.begin(BEGIN)
    for stranger in (actor("u-2"), actor("u-2", "session:end", tenant="hotel-8"), actor("u-2", "session:view")):
        with pytest.raises(SessionNotFound) as caught:
            await world.sessions.end(pair.session_id, by=stranger)
        assert caught.value.status == 404
    assert await world.accepts(pair.access_token)
    await world.sessions.end(pair.session_id, by=actor("u-2", "session:end"))
    assert not await world.accepts(pair.access_token)
    with pytest.raises(SessionNotFound):
        await world.sessions.end(pair.session_id, by=actor())


async def test_all_sessions_end_but_the_one_that_is_kept(world: World) -> None:
    pairs = [await world.sessions.begin(BEGIN) for _ in range(3)]
    assert await world.sessions.end_all("u-1", reason="password changed", keep=pairs[0].session_id) == 2
    assert [await world.accepts(pair.access_token) for pair in pairs] == [True, False, False]
    assert await world.sessions.end_all("u-1", reason="signed out everywhere") == 1
    assert not await world.accepts(pairs[0].access_token)
    assert await world.accepts((await world.sessions.begin(BEGIN)).access_token)


async def test_a_confirmed_second_factor_is_told_by_new_tokens_of_this_session_only(world: World) -> None:
    pair, other = await world.sessions.begin(BEGIN), await world.sessions.begin(BEGIN)
    assert (await world.verifier.verify(pair.access_token)).second_factor_at is None
    world.clock.seconds += 10
    confirmed = await world.sessions.confirm_second_factor(pair.session_id)
    assert confirmed is not None
    verified = await world.verifier.verify(confirmed.access_token)
    assert verified.second_factor_at == world.clock.now().timestamp()
    later = await world.sessions.refresh(confirmed.refresh_token)
    assert (await world.verifier.verify(later.access_token)).second_factor_at == verified.second_factor_at
    refreshed = await world.sessions.refresh(other.refresh_token)
    assert (await world.verifier.verify(refreshed.access_token)).second_factor_at is None
    assert not await world.refreshes(pair.refresh_token)


async def test_a_confirmed_second_factor_in_a_browser_is_kept_in_its_session(world: World) -> None:
    session, cookie = await world.sessions.begin_browser(BEGIN)
    assert await world.sessions.confirm_second_factor(session.id) is None
    found, _ = await world.sessions.check_cookie(cookie)
    assert found.second_factor_at == world.clock.now()
    await world.sessions.end(session.id, by=actor())
    with pytest.raises(TokenRefused):
        await world.sessions.confirm_second_factor(session.id)


async def test_session_data_that_somebody_wrote_into_the_store_is_never_run(world: World) -> None:
    """Roles read back from the store were once given to eval."""
    pair = await world.sessions.begin(BEGIN)
    record = await world.records.get("session", pair.session_id)
    assert record is not None
    marker = "__import__('os').environ.update(AUTH_PWNED='1')"
    world.records._records["session", pair.session_id] = type(record)(
        kind="session", id=pair.session_id, body=marker, version=1
    )
    with pytest.raises(Exception, match="not readable"):
        await world.sessions.refresh(pair.refresh_token)
    import os

    assert "AUTH_PWNED" not in os.environ


# --- the pepper


def test_a_pepper_rotates_and_old_hashes_stay_good() -> None:
    old = Pepper({"one": b"1" * 32})
    both = Pepper({"one": b"1" * 32, "two": b"2" * 32})
    stored = old.hash("secret", "x")
    assert both.matches("secret", "x", stored)
    assert both.hash("secret", "x").startswith("two:")
    assert both.name("zoe", "login") == old.name("zoe", "login")
    assert not Pepper({"two": b"2" * 32}).matches("secret", "x", stored)
    assert not both.matches("secret", "y", stored)
    assert not both.matches("Secret", "x", stored)
    assert "1111" not in repr(both)


@pytest.mark.parametrize("keys", [{}, {"a": b"short"}, {"A b": b"1" * 32}])
def test_a_pepper_is_valid_or_cannot_be_made(keys) -> None:
    with pytest.raises(ConfigurationError):
        Pepper(keys)


@pytest.mark.parametrize("name", ["refresh_lifetime", "browser_idle", "absolute", "touch_interval"])
def test_the_times_of_sessions_are_checked(name) -> None:
    for value in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ConfigurationError):
            SessionConfig(**{name: value})
