"""One of several processes on the store in argv: waits for the start signal, then brings the same code, checks tokens, issues and checks them while keys change, or uses up a limit."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import TextIO

from redis.asyncio import Redis
from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

sys.path.insert(0, str(Path(__file__).parents[1]))

from auth_support import PROFILE, BindingSealer, ListSink, good_claims, make_token

from orchestrator_auth.audit import Auditor
from orchestrator_auth.exceptions import KeyLimitReached, LoginRefused, TokenRefused
from orchestrator_auth.jwt_service import (
    KeyRing,
    KeyRingConfig,
    Revocations,
    SealedKeys,
    TokenIssuer,
    TokenRequest,
    TokenVerifier,
)
from orchestrator_auth.keyed_hash import Pepper
from orchestrator_auth.mfa import SecondFactor, Subject
from orchestrator_auth.models import KeyLimits
from orchestrator_auth.passwords import GuessLimits
from orchestrator_auth.records import RecordStore
from orchestrator_auth.redis_store import RedisKeyLimiter, RedisRecords
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


# A key is published for longer than any process takes to read the ring again, and outlives the last token it signed.
ROTATING = KeyRingConfig(publish_ahead=0.7, token_lifetime=2.0, refresh_seconds=0.5)
LIFETIME = 1.4


@asynccontextmanager
async def records_on(url: str) -> AsyncIterator[RecordStore]:
    """The store of any kind, closed at the end."""
    if url.startswith("redis"):
        client = Redis.from_url(url)
        try:
            yield RedisRecords(client)
        finally:
            await client.aclose()
    else:
        engine = engine_on(url)
        try:
            yield SqlRecords(engine)
        finally:
            await engine.dispose()


def told_to_all(folder: Path) -> TextIO:
    """Where this process writes its tokens, line by line."""
    return (folder / f"{os.getpid()}.tokens").open("a", encoding="ascii", buffering=1)


def expiry_of(token: str) -> float:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]


def lines_after(file: Path, seen: dict[Path, int]) -> Iterator[list]:
    """What others wrote since; a line that is not whole yet is for the next time."""
    data = file.read_bytes()[seen.get(file, 0) :] if file.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    seen[file] = seen.get(file, 0) + len(whole)
    for line in whole.splitlines():
        yield json.loads(line)


async def rotate_under_load(url: str, seconds: str, folder: str) -> str:
    """Issue tokens and check those of all, each until its end; how many were believed and refused, rightly and wrongly.

    Besides the tokens that are good until they expire, one that would last for a quarter of an hour if its key did.
    """
    async with records_on(url) as records:
        ring = KeyRing(SealedKeys(records, BindingSealer()), clock=CLOCK, config=ROTATING)
        await ring.open()
        # Nothing is remembered: every check finds its key anew.
        verifier = TokenVerifier(PROFILE, ring, clock=CLOCK, cache_size=0)
        issuer = TokenIssuer(PROFILE, ring, clock=CLOCK, lifetime=LIFETIME)
        say("ready")
        await asyncio.to_thread(sys.stdin.readline)
        found = Counter[str]()
        with told_to_all(Path(folder)) as out:
            await _issue_and_check(ring, issuer, verifier, (Path(folder), out, found, time.time() + float(seconds)))
    return json.dumps(found)


async def _issue_and_check(ring: KeyRing, issuer: TokenIssuer, verifier: TokenVerifier, run: tuple) -> None:
    folder, out, found, end = run
    chance = Random(os.getpid())
    alive: list[list] = []
    seen: dict[Path, int] = {}
    while time.time() < end:
        token = await issuer.issue(TokenRequest(subject="u-1", tenant="hotel-7"))
        key = await ring.signing_key()
        out.write(json.dumps(["good", token, expiry_of(token)]) + "\n")
        if key.verifies_until.year < 9999:  # its successor is there, so its end is known
            lasting = make_token(key, good_claims(time.time()))
            out.write(json.dumps(["outliving", lasting, key.verifies_until.timestamp()]) + "\n")
        found["issued"] += 1
        alive += [line for file in folder.glob("*.tokens") for line in lines_after(file, seen)]
        # Still asked for a while after the end, with its leeway.
        over = time.time() - 3
        alive = [each for each in alive if each[2] > over]
        for kind, token, ends in chance.sample(alive, min(len(alive), 40)):
            asked = time.time()
            try:
                await verifier.verify(token)
            except TokenRefused:
                found["refused too early" if time.time() < ends - 0.01 else f"{kind} refused at its end"] += 1
            else:
                found["believed too late" if asked > ends + PROFILE.leeway * (kind == "good") else "believed"] += 1
            await asyncio.sleep(0)
        await asyncio.sleep(0.02)


async def use_up(url: str, times: str) -> str:
    """Ask so many times as one key; how often it was let in, and the waits it was told."""
    client = Redis.from_url(url)
    limiter, count, waits = RedisKeyLimiter(client, clock=CLOCK), 0, list[float]()
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    for _ in range(int(times)):
        try:
            await limiter.count("k", KeyLimits(per_minute=None, per_hour=50, per_day=None))
        except KeyLimitReached as error:
            waits.append(error.retry_after or 0.0)
        else:
            count += 1
    await client.aclose()
    return json.dumps([count, waits])


TASKS = {"code": bring_code, "tokens": check_tokens, "rotation": rotate_under_load, "limit": use_up}

if __name__ == "__main__":
    task = TASKS[sys.argv[1]]
    say(asyncio.run(task(*sys.argv[2:])))
