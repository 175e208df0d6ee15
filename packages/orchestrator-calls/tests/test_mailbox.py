"""The bounded mailbox of a call."""

from __future__ import annotations

import asyncio

import pytest
from calls_support import virtual
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orchestrator_calls._mailbox import Mailbox, MailboxFull


def test_a_place_is_reserved_before_and_free_again_when_the_message_is_taken():
    mailbox: Mailbox[str] = Mailbox(2)
    mailbox.reserve()
    mailbox.reserve()
    with pytest.raises(MailboxFull) as refused:
        mailbox.reserve()
    assert (refused.value.status, refused.value.retry_after) == (429, 1.0)
    mailbox.deliver("a", urgent=False)
    with pytest.raises(MailboxFull):
        mailbox.reserve()
    assert mailbox.take() == "a"
    mailbox.reserve()
    mailbox.release()
    mailbox.reserve()


def test_own_messages_come_first_then_urgent_ones_each_in_their_order():
    mailbox: Mailbox[str] = Mailbox(10)
    for name in ("n1", "u1", "n2", "u2"):
        mailbox.reserve()
        mailbox.deliver(name, urgent=name.startswith("u"))
    mailbox.post("o1")
    mailbox.post("o2")
    assert [mailbox.take() for _ in range(7)] == ["o1", "o2", "u1", "u2", "n1", "n2", None]


def test_own_messages_of_one_kind_can_be_taken_out():
    mailbox: Mailbox[object] = Mailbox(1)
    for message in (1, "a", 2):
        mailbox.post(message)
    assert mailbox.take_own(int) == [1, 2]
    assert (mailbox.take(), mailbox.take()) == ("a", None)


@virtual
async def test_waiting_ends_with_a_message_or_in_time():
    mailbox: Mailbox[str] = Mailbox(1)
    time = asyncio.get_running_loop().time
    await mailbox.wait(5.0)
    assert time() == pytest.approx(5.0)
    asyncio.get_running_loop().call_later(2.0, mailbox.post, "x")
    await mailbox.wait(None)
    assert time() == pytest.approx(7.0)
    await mailbox.wait(None)
    await mailbox.wait(0.0)
    assert mailbox.take() == "x"


class Model(RuleBasedStateMachine):
    """What was accepted is handed out, each once; what is refused was never accepted."""

    def __init__(self) -> None:
        super().__init__()
        self.mailbox: Mailbox[int] = Mailbox(3)
        self.reserved = 0
        self.lanes: list[list[int]] = [[], [], []]
        self.number = 0

    def next(self, lane: int) -> int:
        self.number += 1
        self.lanes[lane].append(self.number)
        return self.number

    @rule()
    def reserve(self) -> None:
        if self.reserved + len(self.lanes[1]) + len(self.lanes[2]) < 3:
            self.mailbox.reserve()
            self.reserved += 1
        else:
            with pytest.raises(MailboxFull):
                self.mailbox.reserve()

    @precondition(lambda self: self.reserved)
    @rule(urgent=st.booleans())
    def deliver(self, *, urgent: bool) -> None:
        self.reserved -= 1
        self.mailbox.deliver(self.next(1 if urgent else 2), urgent=urgent)

    @precondition(lambda self: self.reserved)
    @rule()
    def release(self) -> None:
        self.reserved -= 1
        self.mailbox.release()

    @rule()
    def post(self) -> None:
        self.mailbox.post(self.next(0))

    @rule()
    def take(self) -> None:
        lane = next((lane for lane in self.lanes if lane), None)
        assert self.mailbox.take() == (lane.pop(0) if lane else None)

    @invariant()
    def counts(self) -> None:
        assert len(self.mailbox) == sum(map(len, self.lanes))


TestModel = Model.TestCase
