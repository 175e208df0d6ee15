"""Two processes over one key store, in any order of everything they can do, against a model of what must hold."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from orchestrator_kernel.ports import Erased, SealScope
from orchestrator_secrets.envelope import EnvelopeConfig, EnvelopeSealer, MasterKeyFile, MemoryKeyStore

CACHE_SECONDS = 60.0
PEOPLE = ["alice", "bob", "carol"]


class ManualClock:
    seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Sealing(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.loop = asyncio.new_event_loop()
        self.clock, self.store = ManualClock(), MemoryKeyStore()
        self.master_keys = [MasterKeyFile(self.folder / "master.keys") for _ in range(2)]
        self.processes = [self.process(number) for number in range(2)]
        self.sealed: list[tuple[str, bytes, bytes]] = []
        self.erased: dict[str, tuple[int, float]] = {}

    def process(self, number: int) -> EnvelopeSealer:
        config = EnvelopeConfig(cache_seconds=CACHE_SECONDS, cached_keys=2, key_uses=6, reserved_uses=2)
        return EnvelopeSealer(self.master_keys[number], self.store, clock=self.clock, config=config)

    def teardown(self) -> None:
        self.loop.close()
        shutil.rmtree(self.folder)

    @rule(number=st.integers(0, 1), who=st.sampled_from(PEOPLE), data=st.binary(max_size=4))
    def seal(self, number: int, who: str, data: bytes) -> None:
        step = self.processes[number].seal(data, SealScope("t", who, "p"))
        if who in self.erased:
            with pytest.raises(Erased):
                self.loop.run_until_complete(step)
        else:
            self.sealed.append((who, data, self.loop.run_until_complete(step)))

    @rule(number=st.integers(0, 1))
    def open_all(self, number: int) -> None:
        for who, data, sealed in self.sealed:
            by, at = self.erased.get(who, (number, 0.0))
            may_linger = by != number and self.clock.seconds < at + CACHE_SECONDS
            try:
                opened = self.loop.run_until_complete(self.processes[number].open(sealed, SealScope("t", who, "p")))
            except Erased:
                assert who in self.erased
            else:
                assert opened == data
                assert who not in self.erased or may_linger

    @rule(number=st.integers(0, 1), who=st.sampled_from(PEOPLE))
    def destroy(self, number: int, who: str) -> None:
        had_a_key = who not in self.erased and any(owner == who for owner, _, _ in self.sealed)
        done = self.loop.run_until_complete(self.processes[number].destroy("t", who))
        assert done == had_a_key
        self.erased.setdefault(who, (number, self.clock.seconds))

    @rule(number=st.integers(0, 1))
    def restart(self, number: int) -> None:
        self.processes[number] = self.process(number)

    @rule(seconds=st.sampled_from([1.0, 30.0, CACHE_SECONDS]))
    def wait(self, seconds: float) -> None:
        self.clock.seconds += seconds

    @rule(number=st.integers(0, 1))
    def add_master_key(self, number: int) -> None:
        self.master_keys[number].add()

    @rule(number=st.integers(0, 1), remove=st.booleans())
    def rewrap(self, number: int, *, remove: bool) -> None:
        self.loop.run_until_complete(self.processes[number].rewrap())
        *old, newest = self.loop.run_until_complete(self.master_keys[number].ids())
        in_use = self.loop.run_until_complete(self.store.master_keys())
        assert in_use <= {newest}
        if remove:
            for master_key_id in old:
                self.master_keys[number].remove(master_key_id, in_use=in_use)

    @invariant()
    def nothing_is_left_of_the_erased(self) -> None:
        assert not {key.subject for key in self.store._keys.values()} & self.erased.keys()

    @invariant()
    def no_key_is_used_too_often(self) -> None:
        assert all(key.reserved <= 6 for key in self.store._keys.values())
        for key_id in {sealed[1:17] for _, _, sealed in self.sealed}:
            assert sum(sealed[1:17] == key_id for _, _, sealed in self.sealed) <= 6


TestSealing = Sealing.TestCase
TestSealing.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
