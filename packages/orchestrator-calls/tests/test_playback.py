"""Playing sentences on a media leg, on virtual time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from calls_support import Leg, Metronome, virtual
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls.events import EventType
from orchestrator_calls.playback import FRAME_MS, MediaClosed, MediaSink, Player, Report, heard_words
from orchestrator_kernel.ports import Speech, SpeechChunk, SpeechFailed, SpeechRequest, WordTiming
from orchestrator_kernel.virtual_time import LoopClock, run

WORDS = "one two three four five six seven eight nine ten"
LEAD = 0.06
STARTED, PROGRESS = EventType.PLAYBACK_STARTED, EventType.PLAYBACK_PROGRESS
FINISHED, CLEARED = EventType.PLAYBACK_FINISHED, EventType.PLAYBACK_CLEARED
sleep = asyncio.sleep


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Stage:
    """A player at work, its leg, and what it reported when."""

    player: Player
    leg: Leg
    reports: list[tuple[float, Report]] = field(default_factory=list)

    def say(self, key: str, text: str = WORDS, since: float | None = None) -> None:
        self.player.speak(key, SpeechRequest(text=text, language="en-US"), since)

    def told(self, kind: EventType) -> list[Report]:
        return [report for _, report in self.reports if report.type is kind]

    def messages(self) -> list[tuple[str, str]]:
        return [(str(message["type"]), str(message.get("key", ""))) for _, message in self.leg.controls]


@asynccontextmanager
async def playing(
    voice: Speech | None = None, sink: MediaSink | None = None, *, reports: bool = False
) -> AsyncIterator[Stage]:
    leg = sink or Leg(reports=reports)
    stage = Stage(None, leg)  # type: ignore[arg-type]
    stage.player = Player(voice or Metronome(), leg, LoopClock(), lambda r: stage.reports.append((now(), r)), lead=LEAD)
    task = asyncio.create_task(stage.player.run())
    try:
        yield stage
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Voice:
    """Speaks pieces of given lengths (ms of silence in front of the samples, ms of samples), then fails if it is to."""

    def __init__(self, *pieces: tuple[float, int], error: Exception | None = None, rate: int = 8000) -> None:
        self.pieces, self.error, self.rate = pieces, error, rate
        self.begun: list[float] = []
        self.open = 0

    async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
        self.begun.append(now())
        self.open += 1
        try:
            for wait, length in self.pieces:
                await sleep(wait / 1000)
                yield SpeechChunk(b"\1\0" * (self.rate * length // 1000), self.rate)
            if self.error is not None:
                raise self.error
        finally:
            self.open -= 1


# --- pacing -----------------------------------------------------------------------------------------------------------------


@virtual
async def test_frames_are_20_ms_and_sent_in_time_a_little_ahead():
    async with playing() as stage:
        await sleep(1)
        stage.say("a", "one two")
        await sleep(2)
        times = [at for at, _ in stage.leg.frames]
        assert times == [pytest.approx(max(1.0, 1 + place * 0.02 - LEAD)) for place in range(20)]
        assert {len(frame) for _, frame in stage.leg.frames} == {320}
        assert [message["type"] for _, message in stage.leg.controls] == ["speech", "end"]
        assert stage.leg.controls[0][1] == {
            "type": "speech",
            "key": "a",
            "text": "one two",
            "language": "en-US",
            "encoding": "pcm_s16le",
            "sample_rate": 8000,
            "frame_ms": 20,
        }


@virtual
async def test_it_is_finished_when_its_last_frame_was_heard_and_the_first_report_tells_the_latency():
    async with playing() as stage:
        await sleep(1)
        stage.say("a", "one two", since=0.75)
        await sleep(2)
        [(begun, started), (done, finished)] = stage.reports
        assert (started, begun) == (Report(STARTED, "a", latency_ms=pytest.approx(250.0)), 1.0)
        assert (finished, done) == (Report(FINISHED, "a", 400), pytest.approx(1.4))
        assert stage.player.silent


@virtual
async def test_the_last_frame_is_filled_with_silence():
    async with playing(Voice((0, 50))) as stage:
        stage.say("a")
        await sleep(1)
        assert [len(frame) for _, frame in stage.leg.frames] == [320] * 3
        assert stage.leg.frames[-1][1] == b"\1\0" * 80 + b"\0\0" * 80
        assert stage.told(FINISHED) == [Report(FINISHED, "a", 60)]


@virtual
async def test_the_next_sentence_follows_without_a_pause_though_its_voice_is_slow_to_begin():
    async with playing(Voice((300, 1000))) as stage:
        stage.say("a")
        stage.say("b")
        await sleep(0.8)
        stage.say("c")
        await sleep(5)
        times = [at for at, _ in stage.leg.frames]
        assert len(times) == 150
        assert [later - earlier for earlier, later in itertools.pairwise(times[3:])] == [pytest.approx(0.02)] * 146


@virtual
async def test_only_the_next_sentence_is_made_ahead():
    voice = Voice((0, 1000))
    async with playing(voice) as stage:
        for key in "abcd":
            stage.say(key)
        await sleep(0.5)
        assert len(voice.begun) == 2
        await sleep(1)
        assert len(voice.begun) == 3


@virtual
async def test_a_slow_voice_moves_what_follows_and_what_counts_as_heard():
    async with playing(Voice((0, 400), (1000, 400))) as stage:
        stage.say("a", "one two three four")
        await sleep(1.1)
        stage.player.stop()
        # 400 ms were heard, then nothing until 1.0 s, then 100 ms.
        assert stage.told(CLEARED)[0].played_ms == 500


@virtual
async def test_what_else_there_is_to_say_does_not_wait_for_a_slow_voice():
    async with playing(Voice((0, 100), (5000, 100))) as stage:
        stage.say("a")
        await sleep(1)
        stage.player.control({"type": "hang_up", "key": "h"})
        await sleep(0.001)
        assert stage.messages()[-1] == ("hang_up", "h")


@virtual
async def test_a_sentence_that_was_heard_is_reported_while_the_next_is_awaited():
    async with playing(Voice((1000, 200))) as stage:
        stage.say("a")
        await sleep(1.1)
        stage.say("b")
        await sleep(0.2)
        assert [report.key for report in stage.told(FINISHED)] == ["a"]


# --- barge-in ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tenth", range(0, 205, 1))
def test_at_every_10_ms_of_a_sentence_nothing_is_sent_after_the_stop_and_the_words_that_were_heard_are_kept(tenth):
    @virtual
    async def interrupted() -> None:
        async with playing() as stage:
            stage.say("a")
            at = tenth / 100
            await sleep(at)
            sent = len(stage.leg.frames)
            stage.player.stop()
            [report] = stage.told(CLEARED) or stage.told(FINISHED)
            await sleep(3)
            assert len(stage.leg.frames) == sent
            assert stage.told(CLEARED) + stage.told(FINISHED) == [report]
            if report.type is CLEARED:
                assert report.played_ms == pytest.approx(min(at * 1000, 2000), abs=1)
                assert report.heard == " ".join(WORDS.split()[: report.played_ms // 200])
                assert report.reason == "interrupted"

    interrupted()


@virtual
async def test_what_was_never_begun_is_reported_as_unheard_and_the_leg_drops_only_what_it_has():
    async with playing() as stage:
        for key in "abc":
            stage.say(key)
        await sleep(0.5)
        stage.player.stop()
        await sleep(0.01)
        assert [(report.key, report.heard) for report in stage.told(CLEARED)] == [
            ("a", "one two"),
            ("b", ""),
            ("c", ""),
        ]
        assert [message for message in stage.messages() if message[0] == "clear"] == [("clear", "a")]
        stage.say("d", "again")
        await sleep(0.1)
        assert stage.leg.texts() == [WORDS, "again"]


@virtual
async def test_one_sentence_can_be_stopped_and_the_others_go_on():
    async with playing() as stage:
        stage.say("a", "one")
        stage.say("b", "two")
        stage.say("c", "three")
        stage.player.stop(["b"])
        await sleep(2)
        assert [report.key for report in stage.told(FINISHED)] == ["a", "c"]
        assert [report.key for report in stage.told(CLEARED)] == ["b"]


@virtual
async def test_the_voice_of_what_is_stopped_is_stopped_too():
    voice = Voice((0, 100), (5000, 100))
    async with playing(voice) as stage:
        stage.say("a")
        stage.say("b")
        await sleep(0.5)
        assert voice.open == 2
        stage.player.stop()
        await sleep(0.001)
        assert voice.open == 0


@virtual
async def test_a_word_that_is_told_with_later_samples_than_its_own_counts_as_heard():
    class Late:
        async def synthesize(self, request: SpeechRequest) -> AsyncGenerator[SpeechChunk, None]:
            yield SpeechChunk(b"\0\0" * 8000, 8000)
            yield SpeechChunk(b"\0\0" * 8000, 8000, (WordTiming("one", 0, 400), WordTiming("two", 400, 2000)))

    async with playing(Late()) as stage:
        stage.say("a", "one two")
        await sleep(0.6)
        stage.player.stop()
        assert stage.told(CLEARED)[0].heard == "one"


# --- a leg that reports -----------------------------------------------------------------------------------------------------


@virtual
async def test_what_the_leg_says_it_played_counts_above_our_clock():
    async with playing(reports=True) as stage:
        stage.say("a")
        await sleep(1.0)
        stage.player.stop()
        assert stage.told(CLEARED) == []
        await sleep(0.1)
        stage.player.reported(CLEARED, "a", 450)
        assert stage.told(CLEARED) == [Report(CLEARED, "a", 450, "one two", reason="interrupted")]
        await sleep(1)
        assert len(stage.told(CLEARED)) == 1


@virtual
async def test_a_leg_that_does_not_tell_in_time_is_not_waited_for():
    async with playing(reports=True) as stage:
        stage.say("a")
        await sleep(1.0)
        stage.player.stop()
        await sleep(0.3)
        assert stage.told(CLEARED) == [Report(CLEARED, "a", 1000, "one two three four five", reason="interrupted")]
        stage.player.reported(CLEARED, "a", 400)
        assert len(stage.told(CLEARED)) == 1


@virtual
async def test_a_leg_says_when_a_sentence_is_finished_or_is_believed_to_be_through_with_it():
    async with playing(reports=True) as stage:
        stage.say("a", "one two")
        stage.say("b", "three")
        await sleep(0.65)
        assert stage.told(FINISHED) == []
        stage.player.reported(FINISHED, "a", 400)
        assert [report.key for report in stage.told(FINISHED)] == ["a"]
        await sleep(2)
        assert stage.told(FINISHED) == [Report(FINISHED, "a", 400), Report(FINISHED, "b", 200)]


@virtual
async def test_progress_is_reported_for_every_further_word():
    async with playing(reports=True) as stage:
        stage.say("a")
        await sleep(1)
        for played in (100, 150, 210, 260, 405, 90_000):
            stage.player.reported(PROGRESS, "a", played)
        sent = len(stage.leg.frames) * FRAME_MS
        assert [(report.played_ms, report.heard) for report in stage.told(PROGRESS)] == [
            (210, "one"),
            (405, "one two"),
            (sent, "one two three four five"),
        ]


@virtual
async def test_a_leg_whose_buffer_ran_dry_is_not_through_with_the_sentence():
    async with playing(Voice((0, 400), (1000, 400)), reports=True) as stage:
        stage.say("a", "one two three four")
        await sleep(0.7)
        stage.player.reported(FINISHED, "a", 400)
        await sleep(3)
        assert len(stage.leg.frames) == 40
        assert [report.played_ms for report in stage.told(FINISHED)] == [800]


@virtual
async def test_a_leg_that_clears_by_itself_gets_no_more_of_the_sentence():
    async with playing(reports=True) as stage:
        stage.say("a")
        stage.say("b", "next")
        await sleep(0.5)
        sent = len(stage.leg.frames)
        stage.player.reported(CLEARED, "a", 430)
        await sleep(2)
        assert stage.told(CLEARED) == [Report(CLEARED, "a", 430, "one two", reason="interrupted")]
        assert stage.leg.texts() == [WORDS, "next"]
        assert len(stage.leg.frames) == sent + 10


@virtual
async def test_reports_about_what_is_not_sounding_are_ignored():
    async with playing(reports=True) as stage:
        stage.say("a")
        await sleep(0.1)
        reported = len(stage.reports)
        for kind in (STARTED, PROGRESS, FINISHED, CLEARED):
            stage.player.reported(kind, "other", 100)
        stage.player.reported(STARTED, "a", 0)
        assert len(stage.reports) == reported


# --- what goes wrong --------------------------------------------------------------------------------------------------------


@virtual
async def test_a_voice_that_fails_in_the_middle_ends_the_sentence_with_what_was_sent():
    async with playing(Voice((0, 400), error=SpeechFailed("broken"))) as stage:
        stage.say("a", "one two")
        stage.say("b", "three")
        await sleep(3)
        failed = stage.told(CLEARED)
        assert [(report.key, report.played_ms, report.reason) for report in failed] == [
            ("a", 400, "speech_failed"),
            ("b", 400, "speech_failed"),
        ]
        assert ("end", "a") in stage.messages()


@virtual
@pytest.mark.parametrize(
    ("voice", "reason"),
    [
        (Voice(), "speech_failed"),
        (Voice((0, 0)), "speech_failed"),
        (Voice((0, 20), rate=10), "speech_failed"),
        (Voice(error=RuntimeError("bug")), "RuntimeError"),
    ],
    ids=["nothing", "no samples", "no rate", "a bug"],
)
async def test_a_voice_that_speaks_nothing_is_a_failure(voice, reason):
    async with playing(voice) as stage:
        stage.say("a")
        await sleep(1)
        assert stage.reports == [(0.0, Report(CLEARED, "a", 0, "", reason=reason))]
        assert stage.player.silent


class Broken(Leg):
    """A leg that is gone after so many frames."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.left = frames

    async def audio(self, frame: bytes) -> None:
        if not self.left:
            raise MediaClosed
        self.left -= 1
        await super().audio(frame)


@virtual
async def test_when_the_leg_is_gone_what_was_heard_is_reported_and_what_was_never_begun_is_not():
    reports: list[Report] = []
    player = Player(Metronome(), Broken(33), LoopClock(), reports.append)
    player.speak("a", SpeechRequest(text=WORDS, language="en-US"))
    player.speak("b", SpeechRequest(text=WORDS, language="en-US"))
    with pytest.raises(MediaClosed):
        await player.run()
    [_, report] = reports
    assert (report.type, report.key, report.reason) == (CLEARED, "a", "leg lost")
    assert (report.played_ms, report.heard) == (600, "one two three")
    assert player.silent


@virtual
async def test_a_player_that_is_ended_says_so_last_and_reports():
    async with playing() as stage:
        stage.say("a")
        stage.say("b")
        await sleep(0.5)
        stage.player.end({"type": "bye"})
        await sleep(0.01)
        sent = len(stage.leg.frames)
        await sleep(3)
        assert len(stage.leg.frames) == sent
        assert stage.messages()[-1] == ("bye", "")
        assert [(each.key, each.heard) for each in stage.told(CLEARED)] == [("a", "one two")]


@virtual
async def test_a_player_that_is_ended_waits_for_the_leg_to_tell_what_was_heard():
    async with playing(reports=True) as stage:
        stage.say("a")
        await sleep(1)
        stage.player.stop()
        stage.player.end({"type": "bye"})
        await sleep(0.1)
        stage.player.reported(CLEARED, "a", 250)
        assert stage.told(CLEARED) == [Report(CLEARED, "a", 250, "one", reason="interrupted")]


# --- every order of things --------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.01, 0.05, 0.13, 0.25, 0.7]),
        st.sampled_from(["say", "say", "stop", "stop first", "progress", "finished", "cleared", "control"]),
        st.integers(0, 1500),
    ),
    max_size=14,
)


@given(STEPS, st.booleans(), st.sampled_from([(0, 300), (40, 300), (400, 260)]), st.booleans())
def test_whatever_happens_each_sentence_ends_once_and_is_heard_as_far_as_it_was_sent(steps, reports, piece, fails):
    async def scene() -> None:
        voice = Voice(piece, piece, error=SpeechFailed("broken") if fails else None)
        async with playing(voice, reports=reports) as stage:
            keys: list[str] = []
            for wait, step, played in steps:
                await sleep(wait)
                match step:
                    case "say":
                        keys.append(f"k{len(keys)}")
                        stage.say(keys[-1], "one two three")
                    case "stop":
                        stage.player.stop()
                    case "stop first":
                        stage.player.stop(keys[:1])
                    case "control":
                        stage.player.control({"type": "hang_up"})
                    case _:
                        stage.player.reported(EventType(f"playback_{step}"), keys[-1] if keys else "x", played)
            await sleep(60)
            assert stage.player.silent
            assert voice.open == 0
            ends = [report.key for _, report in stage.reports if report.type in {FINISHED, CLEARED}]
            assert sorted(ends) == sorted(keys)
            for _, report in stage.reports:
                assert 0 <= report.played_ms <= 600
            in_order = [report.key for report in stage.told(STARTED)]
            assert in_order == sorted(in_order, key=lambda key: int(key[1:]))
            undisturbed = not fails and not any(step in {"stop", "stop first", "cleared"} for _, step, _ in steps)
            if undisturbed:
                length = -(-2 * piece[1] // FRAME_MS) * FRAME_MS
                assert [report.played_ms for report in stage.told(FINISHED)] == [length] * len(keys)

    run(scene())


# --- heard words ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 500), max_size=8), st.integers(0, 4000))
def test_heard_words_are_those_that_were_fully_played(lengths, played):
    ends = [sum(lengths[: place + 1]) for place in range(len(lengths))]
    words = [
        WordTiming(f"w{place}", end - length, end)
        for place, (length, end) in enumerate(zip(lengths, ends, strict=True))
    ]
    heard = heard_words("ignored", words, played, None).split()
    assert heard == [f"w{place}" for place, end in enumerate(ends) if end <= played]


def test_without_timings_words_are_spread_evenly_over_what_is_known():
    assert heard_words("one two three four", (), 1000, 2000) == "one two"
    assert heard_words("one two three four", (), 9000, 2000) == "one two three four"
    assert heard_words("one two three four", (), 1000, None) == ""
    assert heard_words("", (), 1000, 2000) == ""
