"""What happens in calls, for all open pages: one look at the calls, and for each page a set of what it has not seen.

A page that does not keep up costs a set of ids and no more: what happens twice is told once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Final

from orchestrator_kernel.ports.operations import LiveCalls

__all__ = ["Changes", "Hub"]

_MOST: Final = 5_000


class Changes:
    """What one page has not seen yet.

    Attributes:
        everything: So much happened, or something that is no call, that all is to be read again.
        closing: No more comes.
    """

    def __init__(self) -> None:
        self._calls: set[str] = set()
        self._told = asyncio.Event()
        self.everything = False
        self.closing = False

    def tell(self, call_id: str) -> None:
        """Something happened in this call."""
        if len(self._calls) >= _MOST:
            self._calls.clear()
            self.everything = True
        self._calls.add(call_id)
        self._told.set()

    def tell_all(self) -> None:
        """Something happened anywhere."""
        self.everything = True
        self._told.set()

    def close(self) -> None:
        """Nothing more will be told."""
        self.closing = True
        self._told.set()

    def take(self) -> tuple[frozenset[str], bool]:
        """The calls in which something happened since the last time, and whether all is to be read again."""
        found = frozenset(self._calls), self.everything
        self._calls.clear()
        self.everything = False
        if not self.closing:
            self._told.clear()
        return found

    async def wait(self, limit: float) -> None:
        """Return when something happened, or after `limit` seconds."""
        try:
            async with asyncio.timeout(limit):
                await self._told.wait()
        except TimeoutError:
            return


class Hub:
    """Tells all pages; looks at the calls only while there is a page.

    Attributes:
        closed: Set when all pages are to end.
    """

    def __init__(self, calls: LiveCalls | None) -> None:
        self._calls = calls
        self._pages: set[Changes] = set()
        self._watching = ExitStack()
        self.closed = asyncio.Event()

    @property
    def pages(self) -> int:
        """How many look."""
        return len(self._pages)

    @contextmanager
    def page(self) -> Generator[Changes, None, None]:
        """What one page has not seen, for as long as the context lasts."""
        changes = Changes()
        if not self._pages and self._calls is not None:
            self._watching.enter_context(self._calls.watch(self._tell))
        self._pages.add(changes)
        if self.closed.is_set():
            changes.close()
        try:
            yield changes
        finally:
            self._pages.discard(changes)
            if not self._pages:
                self._watching.close()

    def _tell(self, call_id: str) -> None:
        for page in self._pages:
            page.tell(call_id)

    def tell_all(self) -> None:
        """Something changed that is no call."""
        for page in self._pages:
            page.tell_all()

    def close(self) -> None:
        """End all pages, and those that come later."""
        self.closed.set()
        for page in self._pages:
            page.close()
