"""One of several processes that share the calls of a PostgreSQL: `peers_child.py URL FOLDER NAME LEASE`.

Says its port, then answers lines of JSON: an event to submit, and how long to wait for its turn.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from calls_support import Echo

from orchestrator_calls.engine import create_engine
from orchestrator_calls.events import Event, EventType
from orchestrator_calls.runtime import CallRuntime, PeersConfig
from orchestrator_calls.sql_journal import SqlJournal
from orchestrator_kernel.exceptions import OrchestratorError
from orchestrator_kernel.ports import SystemClock
from orchestrator_secrets.envelope import EnvelopeConfig, EnvelopeSealer, MasterKeyFile
from orchestrator_secrets.sql_key_store import SqlKeyStore

logger = logging.getLogger(__name__)

LAG = 0.1
"""Seconds that the event loop may be late before it is noted."""


async def note_lag() -> None:
    while True:
        due = time.monotonic() + LAG
        await asyncio.sleep(LAG)
        if (late := time.monotonic() - due) > LAG:
            logger.info("the event loop was %.3f s late", late)


async def main(url: str, folder: Path, name: str, lease: float) -> None:
    logging.basicConfig(
        filename=folder / f"{name}.log", level=logging.INFO, format="%(created).3f %(name)s %(message)s"
    )
    lagging = asyncio.create_task(note_lag())
    clock = SystemClock()
    sealer = EnvelopeSealer(
        MasterKeyFile(folder / "master.keys"),
        SqlKeyStore(create_engine(url)),
        clock=clock,
        config=EnvelopeConfig(seal_trust_seconds=1.0),
    )
    journal = SqlJournal(create_engine(url), sealer, clock, process=name)
    await journal.open()
    runtime = CallRuntime(
        journal=journal,
        responder=lambda _: Echo(),
        clock=clock,
        pseudonym=lambda _tenant, caller: f"p{caller[1:]}",
        peers=PeersConfig(name=name, lease=lease),
    )

    async def answer(line: bytes, writer: asyncio.StreamWriter) -> None:
        request = json.loads(line)
        now = datetime.now(UTC)
        event = Event(
            id=request["id"],
            call_id=request["call"],
            tenant="t1",
            type=EventType(request["type"]),
            source="agent",
            sequence=request["sequence"],
            occurred_at=now,
            received_at=now,
            payload=request["payload"],
        )
        try:
            receipt = await runtime.submit(event, wait=request["wait"])
            told = {
                "duplicate": receipt.duplicate,
                "said": [each.text for each in receipt.turn.sentences] if receipt.turn else None,
            }
        except OrchestratorError as error:
            told = {"error": error.code}
        writer.write(json.dumps({"id": event.id, **told}).encode() + b"\n")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.TaskGroup() as tasks:
            while line := await reader.readline():
                tasks.create_task(answer(line, writer))
        writer.close()

    async with runtime:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        await server.serve_forever()
    lagging.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])))
