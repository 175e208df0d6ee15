"""The jitter buffer: frames that come unevenly, out of order, twice or not at all leave evenly and in order.

It waits before it begins, for as long as the network is uneven: the interarrival jitter of RFC 3550 (section 6.4.1), doubled, between one frame and the most it
may be. Pure: who uses it says when a frame arrived, and asks for one every frame's length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_performance._audio.errors import AudioError

__all__ = ["JitterBuffer", "JitterStats"]

TRIFLE: Final = 0.1
"""Of a frame: so little unevenness is none."""


@dataclass(frozen=True, slots=True)
class JitterStats:
    """Frames since the stream began.

    Attributes:
        received: All that came; `late` after their turn, `duplicate` a second time, `overflow` while as many waited as may.
        played: That left; `concealed` is how often one was missing when it was its turn, `skipped` how many left unplayed, to catch up.
        jitter_ms: The network's, as of now; `depth` is how many frames wait, `target` how many should.
    """

    received: int
    played: int
    concealed: int
    late: int
    duplicate: int
    overflow: int
    skipped: int
    jitter_ms: float
    depth: int
    target: int


class JitterBuffer:
    """For one stream.

    Args:
        stream: Named in errors.
        frame_ms: The length of each frame.
        max_depth: Frames that may wait; a frame that comes when so many do replaces the oldest.
        modulus: Where the sequence numbers begin anew; 65,536 for RTP, None where they do not.
    """

    def __init__(
        self, *, stream: str = "", frame_ms: float = 20.0, max_depth: int = 10, modulus: int | None = 65536
    ) -> None:
        if max_depth < 2 or frame_ms <= 0:
            raise ConfigurationError("max_depth must be at least 2, and frame_ms positive")
        self._stream = stream
        self._frame_ms = frame_ms
        self._max_depth = max_depth
        self._modulus = modulus
        self._frames: dict[int, bytes] = {}
        self._next: int | None = None
        self._newest = 0
        self._filling = True
        self._jitter = 0.0
        self._transit: float | None = None
        self._long = 0
        self._received = self._played = self._concealed = 0
        self._late = self._duplicate = self._overflow = self._skipped = 0

    @property
    def target(self) -> int:
        """How many frames should wait."""
        return max(1, min(self._max_depth - 1, 1 + math.ceil(2 * self._jitter / self._frame_ms - TRIFLE)))

    def put(self, sequence: int, frame: bytes, arrived: float) -> None:
        """A frame came in.

        Args:
            sequence: The sender's count of frames.
            frame: Immutable; kept as it is.
            arrived: Monotonic seconds.

        Raises:
            AudioError: The sequence number cannot be one.
        """
        if sequence < 0 or (self._modulus is not None and sequence >= self._modulus):
            raise AudioError(f"{sequence} is no sequence number", stream=self._stream)
        place = self._unwrapped(sequence)
        self._received += 1
        self._measure(place, arrived)
        if self._next is not None and place < self._next:
            self._late += 1
        elif place in self._frames:
            self._duplicate += 1
        else:
            self._keep(place, frame)

    def _keep(self, place: int, frame: bytes) -> None:
        self._frames[place] = frame
        self._newest = max(self._newest, place)
        while len(self._frames) > self._max_depth:
            oldest = min(self._frames)
            del self._frames[oldest]
            self._overflow += 1
            self._next = oldest + 1

    def _unwrapped(self, sequence: int) -> int:
        """The count without its new beginnings: of all places with this number, the one nearest to the newest."""
        if self._modulus is None or self._received == 0:
            return sequence
        turns = round((self._newest - sequence) / self._modulus)
        return sequence + turns * self._modulus

    def _measure(self, place: int, arrived: float) -> None:
        transit = arrived * 1000 - place * self._frame_ms
        if self._transit is not None:
            self._jitter += (abs(transit - self._transit) - self._jitter) / 16
        self._transit = transit

    def get(self) -> bytes | None:
        """The frame whose turn it is; None where there is none, and noise or the last frame is to be played in its place."""
        if self._filling:
            if len(self._frames) < self.target:
                return None
            self._filling = False
            self._next = min(self._frames) if self._next is None else self._next
        self._catch_up()
        place = self._next
        if place is None:
            return None
        frame = self._frames.pop(place, None)
        if frame is not None:
            self._next = place + 1
            self._played += 1
            return frame
        self._concealed += 1
        if self._frames:
            # It is lost: those behind it came.
            self._next = place + 1
        else:
            # All are late: wait until enough are there again.
            self._filling = True
        return None

    def _catch_up(self) -> None:
        """A second of more waiting than should is a delay that nobody needs: skip a frame."""
        self._long = self._long + 1 if len(self._frames) > self.target + 2 else 0
        if self._long * self._frame_ms >= 1000 and self._next is not None:
            self._long = 0
            if self._frames.pop(self._next, None) is not None:
                self._skipped += 1
            self._next += 1

    def stats(self) -> JitterStats:
        """What came, left and was lost."""
        return JitterStats(
            received=self._received,
            played=self._played,
            concealed=self._concealed,
            late=self._late,
            duplicate=self._duplicate,
            overflow=self._overflow,
            skipped=self._skipped,
            jitter_ms=self._jitter,
            depth=len(self._frames),
            target=self.target,
        )
