"""Calls that another process owns: their events are appended here, and their answers are read from the journal."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from orchestrator_calls._snapshot import taken_up
from orchestrator_calls.call import Call, Turn
from orchestrator_calls.events import TERMINAL, Event
from orchestrator_calls.journal import CallRow, Lease, SharedJournal
from orchestrator_calls.notices import EventKept, Notice, StateChanged
from orchestrator_kernel.ports import Clock

__all__ = ["Following"]

LOOK_AGAIN: Final = 0.1
"""Seconds between two looks without a hint."""

TRUSTED: Final = 5.0
"""Seconds for which a process that answered counts as the owner; one that died meanwhile is followed by another, which answers."""

FOLLOW_AGAIN: Final = 0.25
"""Seconds between two looks for somebody who watches."""

MOST_TURNS: Final = 128

_MOST: Final = 500


@dataclass(slots=True)
class _Followed:
    row: CallRow
    call: Call
    position: int = 0
    answered_at: float = float("-inf")


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
        self._waking: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def told(self, call_id: str) -> bool:
        """There is news of a call; whether anybody here waits for it."""
        waiters = self._waking.get(call_id, ())
        for waiting in waiters:
            waiting.set()
        return bool(waiters)

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

    async def answered(
        self, row: CallRow, event: Event, key: str, limit: float, *, new: bool
    ) -> tuple[Turn | None, Call]:
        """The answered turn that `event` belongs to under `key`; None when there was none within `limit` seconds, or none will come.

        The answer to a `new` event is told of by a hint, so that it is looked for then.
        """
        deadline = self._clock.monotonic() + limit
        followed = await self._follow(row)
        wake = asyncio.Event()
        self._waking[row.call_id].add(wake)
        try:
            while True:
                left = deadline - self._clock.monotonic()
                if new:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(max(0.0, min(LOOK_AGAIN, left))):
                            await wake.wait()
                new = True
                wake.clear()
                settled, turn = await self._look(followed, event, key)
                if settled:
                    followed.answered_at = self._clock.monotonic()
                if settled or left <= 0:
                    return (turn if settled else None), followed.call
        finally:
            self._waking[row.call_id].discard(wake)
            if not self._waking[row.call_id]:
                del self._waking[row.call_id]

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

    async def _look(self, followed: _Followed, event: Event, key: str) -> tuple[bool, Turn | None]:
        """Whether there is nothing to wait for any more, and the turn if there is one."""
        call = followed.call
        news = (await self._journal.news({call.id: followed.position}, own=True)).get(call.id)
        if news is None:
            return True, None
        self._owner(news.lease)
        for each in news.events:
            call.apply(each)
            followed.position = max(followed.position, each.position)
        if len(call.turns) > MOST_TURNS:
            call.compact(followed.position)
        turn = call.turn_of(key)
        if turn is not None:
            return turn.outcome is not None, turn
        return news.taken >= event.position or call.state in TERMINAL, None

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
