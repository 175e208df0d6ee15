"""What waits, what is lost, and that the limits hold whatever happens."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_performance.audio_optimizer import AudioBudget, AudioBusy, AudioError, FrameBuffer

FRAME = bytes(320)


def test_a_full_buffer_loses_its_oldest_frame():
    with AudioBudget().open("call-1", max_frames=3) as buffer:
        assert [buffer.put(bytes([number]) * 320) for number in range(5)] == [0, 0, 0, 1, 1]
        assert [buffer.take()[0] for _ in range(3)] == [2, 3, 4]
        assert buffer.take() is None
        assert (buffer.stats().put, buffer.stats().taken, buffer.stats().dropped) == (5, 3, 2)


def test_a_frame_is_kept_as_it_is_and_what_can_change_is_copied():
    with AudioBudget().open("call-1") as buffer:
        mutable = bytearray(FRAME)
        buffer.put(FRAME)
        buffer.put(mutable)
        mutable[0] = 1
        assert buffer.take() is FRAME
        assert buffer.take() == FRAME


def test_the_budget_holds_over_all_calls_and_the_greedy_one_pays():
    budget = AudioBudget(10 * 320)
    quiet, greedy = budget.open("quiet"), budget.open("greedy")
    for _ in range(2):
        quiet.put(FRAME)
    for _ in range(50):
        greedy.put(FRAME)
    assert (len(quiet), len(greedy)) == (2, 8)
    for _ in range(3):
        quiet.put(FRAME)
    assert (len(quiet), len(greedy)) == (5, 5), "who has less than a fair share takes it from who has more"
    stats = budget.stats()
    assert (stats.bytes, stats.peak, stats.dropped, stats.put) == (3200, 3200, 45, 55)


def test_a_closed_stream_gives_its_room_back():
    budget = AudioBudget(3200, max_streams=1)
    buffer = budget.open("call-1")
    buffer.put(FRAME)
    with pytest.raises(AudioError, match="stream call-1: it has a buffer already"):
        budget.open("call-1")
    with pytest.raises(AudioBusy):
        budget.open("call-2")
    buffer.close()
    buffer.close()
    assert (budget.stats().streams, budget.stats().bytes, budget.stats().refused) == (0, 0, 1)
    with pytest.raises(AudioError, match="stream call-1: the buffer is closed"):
        buffer.put(FRAME)
    budget.open("call-2").close()


def test_what_is_no_frame_is_refused_and_the_stream_goes_on():
    budget = AudioBudget(1000)
    with budget.open("call-1") as buffer:
        for wrong in (b"", bytes(1001)):
            with pytest.raises(AudioError, match=f"stream call-1: a frame of {len(wrong)} bytes"):
                buffer.put(wrong)
        buffer.put(FRAME)
        assert buffer.take() == FRAME
    for settings in ({"limit": 0}, {"max_streams": 0}):
        with pytest.raises(ConfigurationError):
            AudioBudget(**settings)
    with pytest.raises(ConfigurationError):
        budget.open("call-2", max_frames=0)


async def test_a_reader_gets_the_frames_as_they_come_until_the_end():
    buffer, heard = AudioBudget().open("call-1"), []

    async def read() -> None:
        heard.extend([frame[0] async for frame in buffer.frames()])

    reader = asyncio.create_task(read())
    for number in range(3):
        buffer.put(bytes([number]) * 320)
        await asyncio.sleep(0)
    buffer.put(bytes([3]) * 320)
    buffer.end()
    await asyncio.wait_for(reader, 1)
    assert heard == [0, 1, 2, 3]
    buffer.close()


async def test_a_reader_that_is_cancelled_loses_no_frame():
    with AudioBudget().open("call-1") as buffer:
        reader = asyncio.create_task(anext(buffer.frames()))
        await asyncio.sleep(0)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        buffer.put(FRAME)
        assert await anext(buffer.frames()) == FRAME


class Buffers(RuleBasedStateMachine):
    """Several streams against a model: lists of frames."""

    LIMIT = 2000

    def __init__(self) -> None:
        super().__init__()
        self.budget = AudioBudget(self.LIMIT, max_streams=3)
        self.open: dict[str, FrameBuffer] = {}
        self.put = self.gone = 0

    @rule(name=st.sampled_from("abcd"))
    def begin(self, name: str) -> None:
        if name in self.open:
            return
        if len(self.open) == 3:
            with pytest.raises(AudioBusy):
                self.budget.open(name)
            return
        self.open[name] = self.budget.open(name, max_frames=5)

    @rule(name=st.sampled_from("abcd"), size=st.integers(1, LIMIT))
    def add(self, name: str, size: int) -> None:
        if name in self.open:
            self.open[name].put(bytes(size))
            self.put += 1

    @rule(name=st.sampled_from("abcd"))
    def take(self, name: str) -> None:
        if name in self.open:
            waiting = len(self.open[name])
            assert (self.open[name].take() is None) == (waiting == 0)

    @rule(name=st.sampled_from("abcd"))
    def close(self, name: str) -> None:
        if name in self.open:
            self.open.pop(name).close()

    @invariant()
    def nothing_is_lost_from_the_books(self) -> None:
        stats, streams = self.budget.stats(), self.budget.streams()
        assert stats.bytes == sum(each.bytes for each in streams) <= self.LIMIT
        assert stats.streams == len(self.open)
        assert stats.put == self.put
        assert stats.put == stats.taken + stats.dropped + sum(each.frames for each in streams)
        assert all(each.frames <= 5 and each.put == each.taken + each.dropped + each.frames for each in streams)


TestBuffers = Buffers.TestCase
