"""Calls that another process owns: their events are appended here, and their answers are read from the journal.

However many wait, one look at a time is under way, and it is for all of them: a database that is slow is not asked more often for that.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from orchestrator_calls._environment import GRAIN
from orchestrator_calls._mailbox import MailboxFull
from orchestrator_calls._outcomes import MARGIN, awaited, told_with
from orchestrator_calls._snapshot import taken_up
from orchestrator_calls.call import Call, Turn
from orchestrator_calls.events import TERMINAL, Event
from orchestrator_calls.journal import CallRow, JournalUnavailable, Lease, News, SharedJournal
from orchestrator_calls.notices import EventKept, Notice, StateChanged
from orchestrator_kernel.ports import Clock

__all__ = ["Following"]

logger = logging.getLogger(__name__)

LOOK_AGAIN: Final = 0.1
"""Seconds between two looks without a hint."""

TRUSTED: Final = 30.0
"""Seconds for which a process that answered counts as the owner; one that died meanwhile is followed by another, which answers."""

FOLLOW_AGAIN: Final = 0.25
"""Seconds between two looks for somebody who watches."""

BUSY_SECONDS: Final = 1.0
"""For how long a call counts as busy after its owner said so."""

MOST_TURNS: Final = 128

_MOST: Final = 500


@dataclass(slots=True)
class _Followed:
    """A call of another process, as far as it is known here.

    Attributes:
        taken: How far its owner has taken in what others appended.
        gone: The journal has no such call any more.
        waiting: Those who wait for its answers; each is set after a look.
    """

    row: CallRow
    call: Call
    position: int = 0
    taken: int = 0
    gone: bool = False
    answered_at: float = float("-inf")
    waiting: set[asyncio.Event] = field(default_factory=set[asyncio.Event])

    def take(self, news: News | None) -> None:
        """Take in what a look has found."""
        self.gone = news is None
        if news is not None:
            self.taken = news.taken
            for each in news.events:
                self.call.apply(each)
                self.position = max(self.position, each.position)
            if len(self.call.turns) > MOST_TURNS:
                self.call.compact(self.position)
        for waiting in self.waiting:
            waiting.set()

    def known(self, event: Event, key: str) -> tuple[bool, Turn | None]:
        """Whether there is nothing to wait for any more, and the turn if there is one."""
        turn = self.call.turn_of(key)
        if turn is not None:
            return turn.outcome is not None, turn
        return self.gone or self.taken >= event.position or self.call.state in TERMINAL, None


class Following:
    """Waits for answers that other processes give.

    Args:
        language: The first language of a tenant.
        owner: Told of the owner of each call that is looked at, so that one which is ours and not at work is taken up.
    """

    def __init__(
        self,
        journal: SharedJournal,
        clock: Clock,
        language: Callable[[str], str],
        owner: Callable[[Lease], None],
    ) -> None:
        self._owner = owner
        self._journal = journal
        self._clock = clock
        self._language = language
        self._calls: OrderedDict[str, _Followed] = OrderedDict()
        self._waited: dict[str, _Followed] = {}
        self._hints: set[str] = set()
        self._busy: dict[str, float] = {}
        self._wake = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._stopped = False

    def told(self, call_id: str) -> bool:
        """There is news of a call; whether anybody here waits for it."""
        if call_id not in self._waited:
            return False
        self._hints.add(call_id)
        self._wake.set()
        return True

    def busy(self, call_id: str) -> None:
        """The owner of a call has more waiting for it than it may: nothing is taken in for it here for a moment."""
        now = self._clock.monotonic()
        self._busy = {each: until for each, until in self._busy.items() if until > now}
        self._busy[call_id] = now + BUSY_SECONDS

    def require_room(self, call_id: str) -> None:
        """Refuse an event of a call whose owner has enough of them.

        Raises:
            MailboxFull: Nothing was kept; send it again.
        """
        left = self._busy.get(call_id, 0.0) - self._clock.monotonic()
        if left > 0:
            raise MailboxFull("the call has too many events waiting; send this one again", retry_after=left)

    def doubt(self, call_id: str) -> None:
        """The process that answered last does not answer now."""
        if (followed := self._calls.get(call_id)) is not None:
            followed.answered_at = float("-inf")

    def known(self, call_id: str) -> CallRow | None:
        """The row of an open call that another process answered for a moment ago: it need not be asked for again."""
        followed = self._calls.get(call_id)
        if followed is None or followed.call.state in TERMINAL:
            return None
        return followed.row if self._clock.monotonic() - followed.answered_at < TRUSTED else None

    async def stop(self) -> None:
        """Look no more; who still waits is told that there is no answer."""
        self._stopped = True
        for followed in self._waited.values():
            for waiting in followed.waiting:
                waiting.set()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})

    async def answered(
        self, row: CallRow, event: Event, key: str, limit: float, *, new: bool
    ) -> tuple[Turn | None, Call]:
        """The answered turn that `event` belongs to under `key`; None when there was none within `limit` seconds, or none will come.

        The answer to a `new` event is told of by a hint, so that it is looked for then.
        """
        followed = await self._follow(row)

        def settled() -> bool:
            return followed.known(event, key)[0]

        if not await self._until(followed, settled, limit, at_once=not new):
            return None, followed.call
        followed.answered_at = self._clock.monotonic()
        return followed.known(event, key)[1], followed.call

    async def outcomes(self, row: CallRow, turn: Turn, patience: float) -> tuple[Turn, ...]:
        """The turns that tell of actions and go to the caller with the answer of `turn`; its own are waited for, but not beyond patience."""
        followed = await self._follow(row)
        if awaited(followed.call, turn) and turn.closed_at is not None:
            left = patience + MARGIN - (self._clock.now() - turn.closed_at).total_seconds()
            await self._until(followed, lambda: not awaited(followed.call, turn), left)
        return told_with(followed.call, turn, patience)

    async def _until(
        self, followed: _Followed, done: Callable[[], bool], limit: float, *, at_once: bool = False
    ) -> bool:
        """Whether `done` held after a look, within `limit` seconds; the first look is `at_once`, or when something is heard."""
        deadline = self._clock.monotonic() + limit
        looked, call_id = asyncio.Event(), followed.row.call_id
        followed.waiting.add(looked)
        self._waited[call_id] = followed
        if at_once:
            self.told(call_id)
        try:
            while not self._stopped and (left := deadline - self._clock.monotonic()) > 0:
                self._look_on()
                try:
                    async with asyncio.timeout(left):
                        await looked.wait()
                except TimeoutError:
                    break
                looked.clear()
                if done():
                    return True
            return False
        finally:
            followed.waiting.discard(looked)
            if not followed.waiting and self._waited.get(call_id) is followed:
                del self._waited[call_id]

    async def follow(self, row: CallRow, tell: Callable[[Notice], None], *, elsewhere: Callable[[], bool]) -> None:
        """Tell what happens in a call as long as `elsewhere` holds; returns when it is over."""
        call = Call(row.call_id, row.tenant, self._language(row.tenant))
        position, _ = await taken_up(self._journal, call)
        for event in await self._journal.read(call.id, after=position):
            call.apply(event)
        state = call.state
        while state not in TERMINAL:
            await self._clock.sleep(FOLLOW_AGAIN)
            news = (await self._journal.news({call.id: call.position}, own=True)).get(call.id)
            for event in news.events if news else ():
                call.apply(event)
                if elsewhere():
                    tell(EventKept(event))
            before, state = state, call.state
            if state is not before and elsewhere():
                tell(StateChanged(call.id, call.tenant, before, state, call.end_reason))

    # --- looking ------------------------------------------------------------------------------------------------------------

    def _look_on(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_for_all(), name="peers answers")

    async def _look_for_all(self) -> None:
        """Look at the calls that hints named, and now and then at all, for as long as anybody waits."""
        looked_at = self._clock.monotonic()
        while self._waited:
            left = looked_at + LOOK_AGAIN - self._clock.monotonic()
            if not self._hints and left > GRAIN:
                self._wake.clear()
                try:
                    async with asyncio.timeout(left):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                continue
            wanted = self._hints & self._waited.keys()
            self._hints.clear()
            if left <= GRAIN:
                looked_at, wanted = self._clock.monotonic(), set(self._waited)
            await self._look({call_id: self._waited[call_id] for call_id in wanted})

    async def _look(self, wanted: Mapping[str, _Followed]) -> None:
        """Look at these; what goes wrong is logged and looked for again, for what is waited for was kept."""
        try:
            asked = {call_id: each.position for call_id, each in wanted.items()}
            news = await self._journal.news(asked, own=True) if asked else {}
        except JournalUnavailable as error:
            logger.warning("answers of other processes cannot be read now", exc_info=error)
            await self._clock.sleep(LOOK_AGAIN)
        except Exception:
            logger.exception("looking for answers of other processes failed")
            await self._clock.sleep(LOOK_AGAIN)
        else:
            for call_id, each in wanted.items():
                if (found := news.get(call_id)) is not None:
                    self._owner(found.lease)
                each.take(found)

    async def _follow(self, row: CallRow) -> _Followed:
        followed = self._calls.get(row.call_id)
        if followed is None:
            call = Call(row.call_id, row.tenant, self._language(row.tenant))
            position, _ = await taken_up(self._journal, call)
            followed = self._calls.setdefault(row.call_id, _Followed(row, call, position))
        self._calls.move_to_end(row.call_id)
        while len(self._calls) > _MOST:
            self._calls.popitem(last=False)
        return followed
