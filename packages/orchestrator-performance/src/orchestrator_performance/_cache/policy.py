"""Which entry leaves when there is no room: W-TinyLFU, with lazy promotion. Pure.

A new entry enters a small *window*; what falls out of the window is admitted to the main part only if it was asked for more often than
what would have to leave for it. The main part is a segmented queue: *probation*, and *protected* for what was asked for again. Source: Einziger, Friedman,
Manes, "TinyLFU" (ACM TOS 13, 2017), and the hill climbing of Einziger, Eytan, Friedman, Manes, "Adaptive Software Cache Management" (Middleware 2018),
which sizes the window by the hit ratio it brings.

What differs: a hit only counts on the entry itself. The lists are put in order when room is needed, with a second chance for what was touched
meanwhile, so hits cost next to nothing, need no lock, and are counted exactly; the sketch knows only keys that are not here.
"""

from __future__ import annotations

from orchestrator_performance._cache.entry import Chain, Entry
from orchestrator_performance._cache.sketch import HIGHEST, FrequencySketch

__all__ = ["TinyLfu"]

_SAMPLE = 10
_PROTECTED = 0.8
_FIRST_WINDOW, _LEAST_WINDOW, _MOST_WINDOW = 0.01, 0.002, 0.8
_STEP, _DECAY, _RESTART = 0.0625, 0.98, 0.05
_NOISE, _HOMEWARD = 0.002, 0.25
_MOVES = 16


class TinyLfu:
    """The order of the entries of one store. It decides; the store removes.

    Args:
        capacity: About how many entries there will be when it is full.
    """

    __slots__ = (
        "_candidate",
        "_climb_at",
        "_counted",
        "_epoch",
        "_ratio",
        "_sample",
        "_share",
        "_sketch",
        "_step",
        "asked",
        "probation",
        "protected",
        "window",
    )

    def __init__(self, capacity: int) -> None:
        self.window, self.probation, self.protected = Chain(), Chain(), Chain()
        self._sketch = FrequencySketch(capacity)
        self._sample = _SAMPLE * max(64, capacity)
        self._epoch = 0
        self._share = _FIRST_WINDOW
        self._step = _STEP
        self._ratio = 0.0
        self._counted = (0, 0)
        self._climb_at = self._sample
        self._candidate: Entry | None = None
        self.asked = 0
        """Hits so far, as the owner counts them."""

    def __len__(self) -> int:
        return self.window.size + self.probation.size + self.protected.size

    def empty(self) -> None:
        """Let go of all entries; how often keys were asked for is remembered."""
        self.window, self.probation, self.protected = Chain(), Chain(), Chain()
        self._candidate = None

    def insert(self, entry: Entry, entered: int) -> None:
        """Take a new entry in; `entered` counts all that were, this one included."""
        entry.hits = entry.seen = self._sketch.add(hash(entry.key))
        entry.epoch = self._epoch
        self._sketch.step()
        self.window.push(entry)
        if self.asked + entered >= self._climb_at:
            self._next_sample(entered)

    def replace(self, old: Entry, new: Entry) -> None:
        """Put `new` where `old` is, with what is known of the key: it was asked for, or it would not be written again."""
        chain = old.chain
        new.hits, new.epoch, new.seen = old.hits + 1, old.epoch, old.seen
        if old is self._candidate:
            self._candidate = new
        if chain is not None:
            chain.remove(old)
            chain.push(new)

    def remove(self, entry: Entry) -> None:
        """Take out what was deleted or has expired."""
        if entry is self._candidate:
            self._candidate = None
        if entry.chain is not None:
            entry.chain.remove(entry)

    def victim(self) -> Entry | None:
        """Who leaves now; the entry is still in its list. None when there is nobody."""
        self._overflow()
        candidate = self._candidate
        loser = self._oldest_untouched()
        if loser is candidate:
            loser = self._oldest_untouched(but=candidate) if candidate is not None else None
        if candidate is None:
            # The window takes its room from the main part.
            return loser or self.window.tail or self.protected.tail
        if loser is None:
            return candidate
        if self._frequency(candidate) > self._frequency(loser):
            return loser
        return candidate

    def gone(self, entry: Entry) -> None:
        """The entry was evicted; remember how often it was asked for."""
        self._sketch.raise_to(hash(entry.key), self._frequency(entry))
        self.remove(entry)

    def _overflow(self) -> None:
        """Keep the window at its share; what falls out stands for admission."""
        limit = max(1, int(len(self) * self._share))
        moves = 0
        while self.window.size > limit and moves < _MOVES:
            moves += 1
            entry = self.window.tail
            if entry is None:
                return
            self.window.remove(entry)
            if entry.touched:
                entry.seen = entry.hits
                self.window.push(entry)
                continue
            self.probation.push(entry)
            self._candidate = entry

    def _oldest_untouched(self, but: Entry | None = None) -> Entry | None:
        """The tail of probation, after those that were touched have been promoted."""
        for _ in range(_MOVES):
            entry = self.probation.tail
            if entry is None or entry is but:
                self._demote(need=True)
                entry = self.probation.tail
                return None if entry is None or entry is but else entry
            if not entry.touched:
                return entry
            entry.seen = entry.hits
            if entry is self._candidate:
                self._candidate = None
            self.probation.remove(entry)
            self.protected.push(entry)
            self._demote(need=False)
        return self.probation.tail

    def _demote(self, *, need: bool) -> None:
        """Move the oldest of protected back when there are too many, or when probation needs one."""
        limit = int((self.probation.size + self.protected.size) * _PROTECTED)
        for _ in range(_MOVES):
            entry = self.protected.tail
            if entry is None or not (need or self.protected.size > limit):
                return
            self.protected.remove(entry)
            if entry.touched:
                entry.seen = entry.hits
                self.protected.push(entry)
                continue
            # Behind a candidate that was just pushed: at the head both are safe for one round.
            self.probation.push(entry)
            if need:
                return

    def _frequency(self, entry: Entry) -> int:
        """How often it was asked for, older times counting half, and half of that, and so on."""
        behind = self._epoch - entry.epoch
        if behind:
            touched = entry.touched
            entry.hits = min(entry.hits, 2 * HIGHEST) >> min(behind, 8)
            entry.seen = -1 if touched else entry.hits
            entry.epoch = self._epoch
        return min(entry.hits, HIGHEST)

    def _next_sample(self, entered: int) -> None:
        """Let all counts fade, and move the window's share up or down by what it brought."""
        self._epoch += 1
        self._sketch.halve()
        asked, before = self.asked - self._counted[0], self._counted[1]
        ratio = asked / max(1, asked + entered - before)
        change = ratio - self._ratio
        if abs(change) >= _RESTART:
            self._step = _STEP if self._step >= 0 else -_STEP
        if abs(change) < _NOISE:
            # Nothing learnt: a small window is wrong most seldom.
            self._share += (_FIRST_WINDOW - self._share) * _HOMEWARD
        else:
            if change < 0:
                self._step = -self._step
            self._share = min(_MOST_WINDOW, max(_LEAST_WINDOW, self._share + self._step))
            self._step *= _DECAY
        self._ratio = ratio
        self._counted = (self.asked, entered)
        self._climb_at = self.asked + entered + self._sample
