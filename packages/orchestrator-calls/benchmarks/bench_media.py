"""What a frame of a media stream costs to read and to write, against the JSON of it."""

from __future__ import annotations

import json
import random
from base64 import b64encode
from collections.abc import Iterable

from orchestrator_calls.endpointing import Endpointer
from orchestrator_calls.legs import twilio_media as wire
from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, compare

STREAM = "MZ" + "1" * 32
PAYLOAD = random.Random(1).randbytes(160)
FRAME = json.dumps(
    {
        "event": "media",
        "sequenceNumber": "3",
        "media": {"track": "inbound", "chunk": "2", "timestamp": "5", "payload": b64encode(PAYLOAD).decode()},
        "streamSid": STREAM,
    }
)


def frames() -> Report:
    """Fifty of each a second and call."""
    endpointer = Endpointer()
    return compare(
        "a frame of a media stream",
        baseline=Contender("json.loads", lambda: json.loads(FRAME)),
        contenders=[
            Contender("parse_message", lambda: wire.parse_message(FRAME, stream=STREAM)),
            Contender("media", lambda: wire.media(STREAM, PAYLOAD)),
            Contender("Endpointer.feed", lambda: endpointer.feed(-60.0)),
        ],
        gates={"parse_message": Gate(at_most=3.0), "media": Gate(at_most=1.0), "Endpointer.feed": Gate(at_most=1.0)},
        seconds=2,
    )


def benches() -> Iterable[Bench]:
    yield frames
