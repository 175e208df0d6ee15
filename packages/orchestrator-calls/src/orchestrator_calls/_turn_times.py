"""How long callers wait: from an input to its answer, or to the first frame of it, wherever the call's words go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from orchestrator_calls.call import Call, Channel, Turn
from orchestrator_calls.notices import Notice, TurnTimed
from orchestrator_calls.playback import Report
from orchestrator_kernel.ports import Clock

__all__ = ["TurnTimes"]


@dataclass(slots=True)
class TurnTimes:
    """Times the turns of `call`, each once; when what came in is in monotonic seconds. `observe` is told."""

    call: Call
    clock: Clock
    observe: Callable[[Notice], None]
    _since: dict[str, float] = field(default_factory=dict[str, float])

    def came(self, event_id: str, at: float) -> None:
        """An input came in."""
        self._since[event_id] = at

    def opened(self, turn_id: str, inputs: Iterable[str]) -> None:
        """A turn begins: with the last of its inputs, or now where none is known."""
        came = [self._since.pop(each, None) for each in inputs]
        self._since[turn_id] = next((at for at in reversed(came) if at is not None), self.clock.monotonic())

    def since(self, turn_id: str) -> float | None:
        """When the turn began, unless its wait is known or left to the leg already."""
        return self._since.get(turn_id)

    def given(self, turn_id: str) -> None:
        """The leg has the turn's first sentence, and times it."""
        self._since.pop(turn_id, None)

    def closed(self, turn: Turn) -> None:
        """The answer is whole: where it goes into the reply, the wait ends now; where nothing is said, there is none."""
        if self.call.channel is Channel.ANSWER:
            since = self._since.pop(turn.id, None)
            if since is not None:
                self._tell(turn.id, Channel.ANSWER, self.clock.monotonic() - since)
        elif not turn.sentences:
            self._since.pop(turn.id, None)

    def reported(self, report: Report) -> None:
        """Tell how long the caller waited for the first frame, if this report knows."""
        if report.latency_ms is not None:
            self._tell(report.key.rpartition("/")[0], Channel.MEDIA, report.latency_ms / 1000)

    def _tell(self, turn_id: str, channel: Channel, seconds: float) -> None:
        self.observe(TurnTimed(self.call.id, self.call.tenant, turn_id, channel.value, seconds))
