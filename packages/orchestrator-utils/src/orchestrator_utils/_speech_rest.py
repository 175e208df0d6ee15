"""When a voice that spoils sentence after sentence is left alone, and when it is tried again."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

__all__ = ["Rest", "Rests"]

logger = logging.getLogger(__name__)

_MOST: Final = 1_000


@dataclass(slots=True)
class Rest:
    """Of one voice: `limit` spoiled sentences in a row begin a rest of `seconds`, at whose end one sentence is the probe.

    A sentence counts by how it ended, whoever asked for it; so one that began before a rest may end it, as it should.
    """

    name: str
    limit: int
    seconds: float
    monotonic: Callable[[], float]
    _spoiled: int = 0
    _until: float | None = None
    _probing: bool = False

    def over(self) -> bool:
        """Whether the voice may be asked in its turn; after a rest that is true once, until it is known how the probe went."""
        if self._until is None:
            return True
        if self._probing or self.monotonic() < self._until:
            return False
        self._probing = True
        return True

    def spoken(self) -> None:
        """A sentence was spoken to its end."""
        if self._until is not None:
            logger.info("voice is back", extra={"voice": self.name})
        self._spoiled, self._until, self._probing = 0, None, False

    def spoiled(self) -> None:
        """A sentence broke off, or nobody heard it begin."""
        self._spoiled += 1
        if self._spoiled >= self.limit:
            self._until, self._probing = self.monotonic() + self.seconds, False
            logger.warning("voice rests", extra={"voice": self.name, "seconds": self.seconds})

    def unknown(self) -> None:
        """Nothing was learned; the next sentence may be the probe."""
        self._probing = False


class Rests:
    """Those of one backend, one for each of its voices: a tenant whose voice is broken silences nobody else's.

    Args:
        name: The backend's.
        limit: As of `Rest`.
        seconds: As of `Rest`.
        monotonic: As of `Rest`.
    """

    def __init__(self, name: str, limit: int, seconds: float, monotonic: Callable[[], float]) -> None:
        self._make: Callable[[], Rest] = lambda: Rest(name, limit, seconds, monotonic)
        self._by_voice: OrderedDict[str | None, Rest] = OrderedDict()

    def of(self, voice: str | None) -> Rest:
        """The rest of a voice; that which was asked for longest ago is forgotten beyond a thousand."""
        rest = self._by_voice.pop(voice, None) or self._make()
        self._by_voice[voice] = rest
        if len(self._by_voice) > _MOST:
            self._by_voice.popitem(last=False)
        return rest
