"""The contract suite of the journal, for everyone who implements one.

What the user types, in a test module run by pytest with `asyncio_mode = "auto"`:

    class TestMyJournal(JournalContract):
        @asynccontextmanager
        async def opened(self):
            yield MyJournal(...)

The suite is plain assertions; importing it needs nothing but this package. It tests what the runtime relies on, so a journal that passes it
can stand behind `CallRuntime`; `SharedJournalContract` tests what several processes on one journal rely on besides.
"""

from orchestrator_calls.contracts._journal import JournalContract
from orchestrator_calls.contracts._sharing import SharedJournalContract

__all__ = ["JournalContract", "SharedJournalContract"]
