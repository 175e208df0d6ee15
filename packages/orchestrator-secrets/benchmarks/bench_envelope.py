"""What the envelope costs: over bare AES-256-GCM, with many keys, and with the key store in a database."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy.ext.asyncio import create_async_engine

from orchestrator_kernel.ports import SealScope, SystemClock
from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, acompare, run_main
from orchestrator_secrets.envelope import EnvelopeConfig, EnvelopeSealer, MasterKeyFile, MemoryKeyStore, Wrapped
from orchestrator_secrets.migrations import HISTORY
from orchestrator_secrets.sql_key_store import SqlKeyStore

DATA = os.urandom(200)
FEW, MANY = 10, 100_000


class PlainMasterKeys:
    """Master keys without a file, so that a hundred thousand data keys are made in seconds."""

    def __init__(self) -> None:
        self._key = AESGCM(os.urandom(32))

    async def ids(self) -> Sequence[str]:
        return ("mk",)

    async def wrap(self, key: bytes, context: bytes) -> Wrapped:
        nonce = os.urandom(12)
        return Wrapped("mk", nonce + self._key.encrypt(nonce, key, context))

    async def unwrap(self, wrapped: Wrapped, context: bytes) -> bytes:
        return self._key.decrypt(wrapped.data[:12], wrapped.data[12:], context)


def scope(number: int) -> SealScope:
    return SealScope("tenant-1", f"caller-{number}", "calls.journal")


async def sealed_for(sealer: EnvelopeSealer, people: int) -> list[tuple[SealScope, bytes]]:
    return [(scope(number), await sealer.seal(DATA, scope(number))) for number in range(people)]


def opening(sealer: EnvelopeSealer, sealed: list[tuple[SealScope, bytes]], name: str) -> Contender:
    """Opens what ten people have, in turn."""
    turns: Iterator[tuple[SealScope, bytes]] = itertools.cycle(sealed[:: len(sealed) // FEW])

    async def call() -> None:
        who, each = next(turns)
        await sealer.open(each, who)

    return Contender(name, call)


async def number_of_keys() -> list[Report]:
    """Opening is flat in the number of keys, whether the key is in memory or has to be fetched and unwrapped."""
    reports: list[Report] = []
    for title, seconds in (("keys in memory", 3600.0), ("every key fetched and unwrapped anew", 0.0)):
        contenders: list[Contender] = []
        for people in (FEW, MANY):
            store, masters = MemoryKeyStore(), PlainMasterKeys()
            making = EnvelopeSealer(masters, store, clock=SystemClock(), config=EnvelopeConfig(cached_keys=MANY))
            sealed = await sealed_for(making, people)
            cached = MANY if seconds else 1
            config = EnvelopeConfig(cached_keys=cached, cache_seconds=seconds)
            sealer = EnvelopeSealer(masters, store, clock=SystemClock(), config=config)
            for who, each in sealed:
                await sealer.open(each, who)
            contenders.append(opening(sealer, sealed, f"{people} keys"))
        report = await acompare(
            f"opening 200 bytes, {title}",
            baseline=contenders[0],
            contenders=contenders[1:],
            gates={f"{MANY} keys": Gate(at_most=1.25)},
        )
        reports.append(report)
    return reports


async def over_bare_encryption() -> list[Report]:
    """The envelope adds a look-up and the associated data to AES-256-GCM itself."""
    sealer = EnvelopeSealer(PlainMasterKeys(), MemoryKeyStore(), clock=SystemClock())
    who, bare, nonce = scope(1), AESGCM(os.urandom(32)), os.urandom(12)
    sealed, ciphertext = await sealer.seal(DATA, who), bare.encrypt(nonce, DATA, b"associated")

    async def encrypt() -> bytes:
        return bare.encrypt(os.urandom(12), DATA, b"associated")

    async def decrypt() -> bytes:
        return bare.decrypt(nonce, ciphertext, b"associated")

    return [
        await acompare(
            "sealing 200 bytes, store in memory",
            baseline=Contender("bare AESGCM.encrypt", encrypt),
            contenders=[Contender("seal", lambda: sealer.seal(DATA, who))],
        ),
        await acompare(
            "opening 200 bytes, key in memory",
            baseline=Contender("bare AESGCM.decrypt", decrypt),
            contenders=[Contender("open", lambda: sealer.open(sealed, who))],
        ),
    ]


async def over_sql() -> Report:
    """Every seal asks the store whether the key still exists; seals at the same time ask together."""
    with tempfile.TemporaryDirectory() as folder:
        engine = create_async_engine(f"sqlite+aiosqlite:///{folder}/keys.db")
        async with engine.connect() as connection:
            await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        async with engine.begin() as connection:
            await connection.run_sync(HISTORY.upgrade)
        keys = MasterKeyFile(Path(folder) / "master.keys")
        sealer = EnvelopeSealer(keys, SqlKeyStore(engine), clock=SystemClock())
        people = [scope(number) for number in range(50)]
        await asyncio.gather(*[sealer.seal(DATA, who) for who in people])

        async def together() -> None:
            await asyncio.gather(*[sealer.seal(DATA, who) for who in people])

        report = await acompare(
            "sealing 200 bytes, keys in SQLite",
            baseline=Contender("one seal at a time", lambda: sealer.seal(DATA, people[0])),
            contenders=[Contender("50 at the same time", together, operations=50)],
            gates={"50 at the same time": Gate(at_most=0.25)},
            clock="wall",
        )
        await engine.dispose()
        return report


def benches() -> Iterable[Bench]:
    return [number_of_keys, over_bare_encryption, over_sql]


if __name__ == "__main__":
    sys.exit(run_main(benches))
