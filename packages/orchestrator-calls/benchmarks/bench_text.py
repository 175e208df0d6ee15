"""What the text legs cost per message: reading the relay's frames, and cutting a model's stream into sentences, over the JSON decoder's own work."""

from __future__ import annotations

import json
from collections.abc import Iterable

from orchestrator_calls._chat_stream import ChatStream
from orchestrator_calls._sentences import SentenceCutter, spoken
from orchestrator_calls._sse import EventStream
from orchestrator_calls.legs.conversation_relay import Prompt, parse_frame
from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, compare

PROMPT = json.dumps({"type": "prompt", "voicePrompt": "I'd like a table for four on Friday at seven", "lang": "en-US", "last": True})  # fmt: skip
TEXT = (
    "We have a table for four at 7.30 p.m. on Friday, by the window. Shall I book it for you? Dr. Smith may join. " * 4
)
EVENTS = [
    json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "delta": {"content": f"{word} "}, "finish_reason": None}],
        }
    )
    for word in TEXT.split()
]
STREAM = [f"data: {event}\n\n".encode() for event in EVENTS]
SENTENCES = 12


def frames() -> Report:
    """A prompt of the relay, parsed and validated."""

    def read() -> None:
        if not isinstance(parse_frame(PROMPT), Prompt):
            raise AssertionError  # noqa: TRY004

    return compare(
        "a prompt of ConversationRelay, over json.loads of it",
        baseline=Contender("json.loads", lambda: json.loads(PROMPT)),
        contenders=[Contender("parse_frame", read)],
        gates={"parse_frame": Gate(at_most=8)},
    )


def answers() -> Report:
    """A model's answer of 88 tokens: events, chunks, sentences, and what can be spoken."""

    def cut() -> None:
        events, stream, cutter = EventStream(), ChatStream(), SentenceCutter()
        said = [
            spoken(sentence)
            for piece in STREAM
            for data in events.feed(piece)
            for sentence in cutter.feed(stream.feed(data))
        ]
        said += [spoken(sentence) for sentence in cutter.rest()]
        if len(said) != SENTENCES:
            raise AssertionError(said)

    return compare(
        "a streamed answer of 88 tokens cut into sentences, over json.loads of its events",
        baseline=Contender("json.loads", lambda: [json.loads(event) for event in EVENTS], operations=len(EVENTS)),
        contenders=[Contender("cut into sentences", cut, operations=len(EVENTS))],
        gates={"cut into sentences": Gate(at_most=12)},
    )


def benches() -> Iterable[Bench]:
    return [frames, answers]
