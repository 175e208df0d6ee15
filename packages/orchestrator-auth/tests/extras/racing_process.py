"""One of several processes: waits for the start signal, then brings the same code, or checks tokens, through the database in argv."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

sys.path.insert(0, str(Path(__file__).parents[1]))

from auth_support import PROFILE, BindingSealer, ListSink

from orchestrator_auth.audit import Auditor
from orchestrator_auth.exceptions import LoginRefused, TokenRefused
from orchestrator_auth.jwt_service import KeyRing, KeyRingConfig, Revocations, SealedKeys, TokenVerifier
from orchestrator_auth.keyed_hash import Pepper
from orchestrator_auth.mfa import SecondFactor, Subject
from orchestrator_auth.passwords import GuessLimits
from orchestrator_auth.sql_store import SqlRecords, SqlRevocations
from orchestrator_kernel.ports import SystemClock

PEPPER = Pepper({"one": b"1" * 32})
CLOCK = SystemClock()


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def engine_on(url: str):
    engine = create_async_engine(url)
    if url.startswith("sqlite"):

        @event.listens_for(engine.sync_engine, "connect")
        def configure(connection, _record) -> None:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA busy_timeout = 30000")

    return engine


def factor_on(engine) -> SecondFactor:
    audit = Auditor(ListSink(), clock=CLOCK)
    limits = GuessLimits(free=1000)
    return SecondFactor(
        SqlRecords(engine), BindingSealer(), pepper=PEPPER, audit=audit, clock=CLOCK, issuer="Calls", limits=limits
    )


async def bring_code(url: str, code: str) -> str:
    engine = engine_on(url)
    factor = factor_on(engine)
    await factor.status("u-1")
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    try:
        await factor.verify(Subject("u-1", "hotel-7"), code)
    except LoginRefused:
        return "refused"
    finally:
        await engine.dispose()
    return "accepted"


async def check_tokens(url: str, seconds: str) -> str:
    """Check the tokens that come in line by line, until the time is over; for each the last instant at which it was accepted."""
    engine = engine_on(url)
    revocations = Revocations(SqlRevocations(engine), clock=CLOCK)
    ring = KeyRing(
        SealedKeys(SqlRecords(engine), BindingSealer()), clock=CLOCK, config=KeyRingConfig(publish_ahead=0.6)
    )
    await ring.open()
    verifier = TokenVerifier(PROFILE, ring, clock=CLOCK, revocations=revocations)
    say("ready")
    tokens: list[str] = json.loads(await asyncio.to_thread(sys.stdin.readline))
    last = dict.fromkeys(tokens, 0.0)
    end = time.time() + float(seconds)
    while time.time() < end:
        for token in tokens:
            # From when it was asked: how long the answer takes on a busy machine is another matter.
            asked = time.time()
            try:
                await verifier.verify(token)
            except TokenRefused:
                continue
            last[token] = asked
        await asyncio.sleep(0.005)
    await engine.dispose()
    return json.dumps(last)


if __name__ == "__main__":
    task = {"code": bring_code, "tokens": check_tokens}[sys.argv[1]]
    say(asyncio.run(task(*sys.argv[2:])))
