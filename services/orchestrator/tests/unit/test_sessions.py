"""What opens the media socket of one call, for a short time."""

from __future__ import annotations

import string
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_app.sessions import SessionTokens
from orchestrator_kernel.exceptions import AuthenticationError
from orchestrator_kernel.ports import SystemClock


@dataclass
class At(SystemClock):
    """A clock that stands where it is put."""

    instant: datetime = datetime(2030, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant


KEY = bytes(range(32))
CALL = "call_0123456789abcdef"
calls = st.text(string.ascii_letters + string.digits + "_.:@+-", min_size=1, max_size=40)


def tokens(clock: At | None = None, key: bytes = KEY) -> SessionTokens:
    return SessionTokens(key, 300.0, clock or At())


def opens(token: str, call_id: str = CALL, sessions: SessionTokens | None = None) -> bool:
    try:
        (sessions or tokens()).check(token, call_id)
    except AuthenticationError:
        return False
    return True


@given(calls)
def test_a_token_opens_its_call(call_id: str) -> None:
    assert opens(tokens().issue(call_id), call_id)


@given(calls, calls)
def test_a_token_opens_no_other_call(one: str, other: str) -> None:
    assert opens(tokens().issue(one), other) == (one == other)


@given(st.data())
def test_no_changed_token_opens_anything(data: st.DataObject) -> None:
    token = tokens().issue(CALL)
    place = data.draw(st.integers(0, len(token) - 1))
    kind = data.draw(st.sampled_from(["replaced", "removed", "inserted", "cut"]))
    character = data.draw(st.characters())
    changed = {
        "replaced": token[:place] + character + token[place + 1 :],
        "removed": token[:place] + token[place + 1 :],
        "inserted": token[:place] + character + token[place:],
        "cut": token[:place],
    }[kind]

    assert opens(changed) == (changed == token)


@given(st.text())
def test_nothing_that_was_not_issued_opens_anything(text: str) -> None:
    assert not opens(text)


@given(st.integers(0, 10**15))
def test_nobody_makes_a_token_last_longer(expiry: int) -> None:
    token = tokens().issue(CALL)
    body, _, signature = token.rpartition(".")
    nonce, _, issued = body.rpartition(".")

    assert opens(f"{nonce}.{expiry}.{signature}") == (str(expiry) == issued)


@pytest.mark.parametrize(("seconds", "good"), [(0, True), (299, True), (300, False), (301, False), (86_400, False)])
def test_a_token_is_good_for_its_lifetime(seconds: int, good: bool) -> None:
    clock = At()
    token = tokens(clock).issue(CALL)

    clock.instant += timedelta(seconds=seconds)

    assert opens(token, sessions=tokens(clock)) == good


def test_any_process_with_the_key_can_check_and_no_other() -> None:
    token = tokens().issue(CALL)

    assert opens(token, sessions=tokens())
    assert not opens(token, sessions=tokens(key=bytes(32)))


def test_no_two_tokens_are_alike_and_none_tells_its_call() -> None:
    issued = {tokens().issue(CALL) for _ in range(100)}

    assert len(issued) == 100
    assert not [token for token in issued if CALL in token]


@pytest.mark.parametrize(
    "token", ["", ".", "..", "...", "\ud800.1.x", "a.١٢.b", "a.-1.b", "a.1e9.b", "a." + "9" * 400 + ".b", "é.1.é"]
)
def test_what_is_no_token_is_refused_in_the_same_words(token: str) -> None:
    with pytest.raises(AuthenticationError) as caught:
        tokens().check(token, CALL)

    assert "session token" in str(caught.value)


def test_the_key_is_not_shown() -> None:
    assert "1f" not in repr(tokens())
    assert repr(KEY) not in repr(tokens())
