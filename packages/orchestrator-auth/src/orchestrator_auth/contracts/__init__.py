"""What every store promises; for everyone who implements one.

What the user types, in a test module run by pytest with `asyncio_mode = "auto"`:

    class TestMyStore(RecordStoreContract):
        async def make(self) -> RecordStore:
            return MyStore(...)
"""

from orchestrator_auth.contracts.record_store import RecordStoreContract
from orchestrator_auth.contracts.revocation_store import RevocationStoreContract

__all__ = ["RecordStoreContract", "RevocationStoreContract"]
