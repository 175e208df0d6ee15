"""When a caller speaks: the beginning and the end of an utterance, from nothing but how loud the line is. Pure.

The noise of the line is followed; what is clearly above it is a voice. The beginning is certain after `onset_ms` of voice, and after `barge_in_ms` while we speak
ourselves, since our own voice comes back in many lines. The end is certain after `end_ms` of silence; already after `pause_ms` it is likely, and what the recognizer
makes of it then is mostly what it will be.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from orchestrator_kernel.exceptions import ConfigurationError

__all__ = ["Endpointer", "EndpointingConfig", "Signal"]

_QUIETEST: Final = -75.0
_NOISIEST: Final = -30.0
_NEW_MS: Final = 240.0
_NO_NOISE: Final = -38.0
"""dBov; louder than most lines are."""


class Signal(StrEnum):
    """What has become certain."""

    STARTED = "started"
    PAUSED = "paused"
    RESUMED = "resumed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointingConfig:
    """How patient it is; milliseconds and dB.

    Attributes:
        above_noise: So much louder than the line's noise is a voice.
        least_level: dBov; what is fainter is no voice, however quiet the line.
        onset_ms: Voice for so long is a beginning, `barge_in_ms` while we speak.
        barge_in_louder: dB that a voice must have more while we speak.
        pause_ms: Silence for so long may be an end.
        end_ms: Silence for so long is one.
        longest_ms: An utterance ends after this, whatever is heard.
    """

    above_noise: float = 12.0
    least_level: float = -50.0
    onset_ms: float = 80.0
    barge_in_ms: float = 160.0
    barge_in_louder: float = 6.0
    pause_ms: float = 240.0
    end_ms: float = 500.0
    longest_ms: float = 15_000.0

    def __post_init__(self) -> None:
        for name in ("onset_ms", "barge_in_ms", "pause_ms", "end_ms", "longest_ms"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ConfigurationError(f"{name} must be a positive number", details={"setting": name})
        if self.pause_ms > self.end_ms:
            raise ConfigurationError("pause_ms must not be longer than end_ms", details={"setting": "pause_ms"})


class Endpointer:
    """Follows one line."""

    def __init__(self, config: EndpointingConfig | None = None) -> None:
        self._config = config or EndpointingConfig()
        self._noise = -60.0
        self._age = 0.0
        self._voiced = 0.0
        self._silent = 0.0
        self._length = 0.0
        self._talking = False
        self._paused = False

    @property
    def talking(self) -> bool:
        """Whether an utterance has begun and not ended."""
        return self._talking

    @property
    def noise(self) -> float:
        """The level of the line's noise, dBov."""
        return self._noise

    @property
    def silent_ms(self) -> float:
        """For how long there has been no voice, since the utterance began."""
        return self._silent

    @property
    def voiced_ms(self) -> float:
        """How much voice the utterance has, or had."""
        return self._voiced

    def feed(self, level: float, milliseconds: float = 20.0, *, speaking: bool = False) -> Signal | None:
        """What the next piece of the line makes certain.

        Args:
            level: dBov.
            milliseconds: How long the piece is.
            speaking: Whether we are speaking meanwhile.
        """
        voice = self._is_voice(level, speaking=speaking and not self._talking)
        self._follow(level, milliseconds, voice=voice)
        if self._talking:
            return self._within(milliseconds, voice=voice)
        return self._before(milliseconds, voice=voice, speaking=speaking)

    def _is_voice(self, level: float, *, speaking: bool) -> bool:
        config = self._config
        least = max(self._noise + config.above_noise, config.least_level)
        return level >= least + (config.barge_in_louder if speaking else 0.0)

    def _follow(self, level: float, milliseconds: float, *, voice: bool) -> None:
        """Noise is what is always there: it is followed down at once and up slowly, and hardly while somebody speaks."""
        self._age += milliseconds
        # A line that is new is taken at its word, unless it is as loud as a voice.
        new = self._age <= _NEW_MS and level < _NO_NOISE
        rate = 0.3 if level < self._noise or new else (0.002 if voice else 0.05)
        steps = milliseconds / 20.0
        self._noise += (level - self._noise) * min(1.0, rate * steps)
        self._noise = max(_QUIETEST, min(_NOISIEST, self._noise))

    def _before(self, milliseconds: float, *, voice: bool, speaking: bool) -> Signal | None:
        # A short gap takes back as much as a short sound gave: a click is no beginning.
        self._voiced = self._voiced + milliseconds if voice else max(0.0, self._voiced - milliseconds)
        if self._voiced < (self._config.barge_in_ms if speaking else self._config.onset_ms):
            return None
        self._talking, self._paused = True, False
        self._silent, self._length = 0.0, self._voiced
        return Signal.STARTED

    def _within(self, milliseconds: float, *, voice: bool) -> Signal | None:
        self._length += milliseconds
        if voice:
            self._voiced += milliseconds
            self._silent = 0.0
            resumed, self._paused = self._paused, False
            if self._length < self._config.longest_ms:
                return Signal.RESUMED if resumed else None
        else:
            self._silent += milliseconds
        if self._silent >= self._config.end_ms or self._length >= self._config.longest_ms:
            return self._end()
        if self._silent >= self._config.pause_ms and not self._paused:
            self._paused = True
            return Signal.PAUSED
        return None

    def _end(self) -> Signal:
        self._talking = self._paused = False
        self._voiced = 0.0
        return Signal.ENDED
