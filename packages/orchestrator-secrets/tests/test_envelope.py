"""The sealer from outside: the port's contract, erasure, rotation of keys and master keys."""

from __future__ import annotations

import asyncio
import base64
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.contracts import SealerContract
from orchestrator_kernel.exceptions import ConfigurationError, ValidationError
from orchestrator_kernel.ports import Erased, SealBroken, Sealer, SealScope
from orchestrator_secrets._format import OVERHEAD, join
from orchestrator_secrets.contracts import KeyStoreContract, data_key
from orchestrator_secrets.envelope import (
    DataKey,
    EnvelopeConfig,
    EnvelopeSealer,
    KeyStore,
    MasterKeyFile,
    MasterKeyMissing,
    MemoryKeyStore,
    Wrapped,
)

ALICE = SealScope("t1", "alice", "notes")
BOB = SealScope("t1", "bob", "notes")


class ManualClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class House:
    """One key store and one master key file, and as many processes over them as a test wants."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.store = CountingStore()
        self.path = folder / "master.keys"

    def process(self, **config: float) -> EnvelopeSealer:
        limits = EnvelopeConfig(**config)
        return EnvelopeSealer(MasterKeyFile(self.path), self.store, clock=self.clock, config=limits)


class CountingStore(MemoryKeyStore):
    """Counts its readings, and can hold them up."""

    def __init__(self) -> None:
        super().__init__()
        self.readings = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def get(self, key_ids: Collection[bytes]) -> Mapping[bytes, DataKey]:
        self.readings += 1
        answer = await super().get(key_ids)
        await asyncio.sleep(0)
        await self.gate.wait()
        return answer


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


class TestSealer(SealerContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "master.keys"

    def make(self) -> Sealer:
        return EnvelopeSealer(MasterKeyFile(self.path), MemoryKeyStore(), clock=ManualClock())


class TestSealerWithoutCache(TestSealer):
    def make(self) -> Sealer:
        config = EnvelopeConfig(cache_seconds=0, cached_keys=1, key_uses=3, reserved_uses=1)
        return EnvelopeSealer(MasterKeyFile(self.path), MemoryKeyStore(), clock=ManualClock(), config=config)


class TestMemoryKeyStore(KeyStoreContract):
    async def make(self) -> KeyStore:
        return MemoryKeyStore()


# --- the format


async def test_opens_what_version_1_sealed_on_another_day(house: House) -> None:
    """Data at rest outlives the code: these bytes must open for ever."""
    master = base64.b64encode(bytes(range(32))).decode()
    house.path.write_text(f'{{"id": "mk-1", "created_at": "2026-01-01T00:00:00+00:00", "key": "{master}"}}\n')
    house.path.chmod(0o600)
    wrapped = bytes.fromhex(
        "000102030405060708090a0b2367b07cad8ca870e12cf9e4c1980a1ef7a3f14388022507441a9bfa9de88231bd7f2f5e4ea47a6f56c463d380575b4e"
    )
    sealed = bytes.fromhex(
        "016b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b0c0d0e0f1011121314151617e037f055ebb6894375fbf50d99276a01330030eeb788c911d898d79a223c1e81c56b5ec3"
    )
    key = data_key("alice")
    await house.store.add(replace(key, id=b"k" * 16, wrapped=Wrapped("mk-1", wrapped)))
    assert await house.process().open(sealed, ALICE) == b"the caller said this"


async def test_the_bytes_are_what_the_documentation_says(house: House) -> None:
    sealer = house.process()
    sealed = await sealer.seal(b"data", ALICE)
    assert len(sealed) == 4 + OVERHEAD == 4 + 45
    version, key_id, nonce, ciphertext = sealed[:1], sealed[1:17], sealed[17:29], sealed[29:]
    assert version == b"\x01"
    record = (await house.store.get([key_id]))[key_id]

    def prefixed(*fields: bytes) -> bytes:
        return b"".join(len(field).to_bytes(4, "big") + field for field in fields)

    context = prefixed(b"orchestrator-secrets/data-key/1", key_id, b"t1", b"alice")
    plain = await MasterKeyFile(house.path).unwrap(record.wrapped, context)
    associated = prefixed(b"orchestrator-secrets/sealed/1", key_id, b"t1", b"alice", b"notes")
    assert AESGCM(plain).decrypt(nonce, ciphertext, associated) == b"data"


@given(st.lists(st.binary(max_size=6)), st.lists(st.binary(max_size=6)))
def test_different_fields_are_encoded_differently(one: list[bytes], other: list[bytes]) -> None:
    assert (join(*one) == join(*other)) == (one == other)


@given(sealed=st.binary(max_size=80))
async def test_any_bytes_are_refused(sealed: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sealer = House(Path(folder)).process()
        with pytest.raises(SealBroken):
            await sealer.open(sealed, ALICE)


# --- erasing


async def test_a_destroyed_key_is_out_of_use_everywhere(house: House) -> None:
    here, there = house.process(), house.process()
    sealed = await here.seal(b"data", ALICE)
    assert await there.open(sealed, ALICE) == b"data"
    await there.seal(b"data", ALICE)
    assert await here.destroy("t1", "alice") is True
    with pytest.raises(Erased):
        await here.open(sealed, ALICE)
    # Another process seals nothing more at once, and opens nothing more after its cache's time.
    with pytest.raises(Erased):
        await there.seal(b"more", ALICE)
    with pytest.raises(Erased):
        await there.open(sealed, ALICE)


async def test_another_process_opens_a_destroyed_key_for_the_stated_time_at_most(house: House) -> None:
    here, there = house.process(), house.process(cache_seconds=60)
    sealed = await here.seal(b"data", ALICE)
    await there.open(sealed, ALICE)
    await here.destroy("t1", "alice")
    house.clock.seconds += 59.9
    assert await there.open(sealed, ALICE) == b"data"
    house.clock.seconds += 0.1
    with pytest.raises(Erased):
        await there.open(sealed, ALICE)


async def test_a_process_that_trusts_its_key_seals_for_the_stated_time_at_most(house: House) -> None:
    here, there = house.process(), house.process(seal_trust_seconds=5)
    await there.seal(b"data", ALICE)
    house.store.readings = 0
    house.clock.seconds += 1
    await there.seal(b"data", ALICE)
    assert house.store.readings == 0
    await here.destroy("t1", "alice")
    house.clock.seconds += 3.9
    late = await there.seal(b"data", ALICE)
    with pytest.raises(Erased):
        await here.open(late, ALICE)
    house.clock.seconds += 0.1
    with pytest.raises(Erased):
        await there.seal(b"data", ALICE)


async def test_the_time_counts_from_the_question_not_from_the_answer(house: House) -> None:
    here, there = house.process(), house.process(cache_seconds=60)
    sealed = await here.seal(b"data", ALICE)
    house.store.gate.clear()
    opening = asyncio.create_task(there.open(sealed, ALICE))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await here.destroy("t1", "alice")
    house.clock.seconds += 60
    house.store.gate.set()
    assert await opening == b"data"
    with pytest.raises(Erased):
        await there.open(sealed, ALICE)


async def test_nothing_is_kept_of_a_reading_that_a_destroy_overtook(house: House) -> None:
    sealed = await house.process().seal(b"data", ALICE)
    sealer = house.process()
    house.store.gate.clear()
    opening = asyncio.create_task(sealer.open(sealed, ALICE))
    await asyncio.sleep(0)
    await sealer.destroy("t1", "alice")
    house.store.gate.set()
    # The reading was under way before the destroy; it may still answer. Later ones may not.
    with suppress(Erased):
        await opening
    with pytest.raises(Erased):
        await sealer.open(sealed, ALICE)


async def test_a_subject_without_a_key_can_be_erased(house: House) -> None:
    sealer = house.process()
    assert await sealer.destroy("t1", "nobody") is False
    with pytest.raises(Erased) as caught:
        await sealer.seal(b"data", SealScope("t1", "nobody", "notes"))
    assert "nobody" not in str(caught.value)


async def test_a_cancelled_destroy_leaves_nothing_in_the_cache(house: House) -> None:
    class SlowStore(CountingStore):
        async def destroy(self, tenant: str, subject: str, at: datetime) -> bool:
            done = await super().destroy(tenant, subject, at)
            await asyncio.Event().wait()
            return done

    house.store = SlowStore()
    sealer = house.process()
    sealed = await sealer.seal(b"data", ALICE)
    destroying = asyncio.create_task(sealer.destroy("t1", "alice"))
    await asyncio.sleep(0)
    destroying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await destroying
    with pytest.raises(Erased):
        await sealer.open(sealed, ALICE)


# --- how often a key is used


async def test_a_key_is_used_no_more_than_its_limit_by_all_processes_together(house: House) -> None:
    processes = [house.process(key_uses=20, reserved_uses=4) for _ in range(3)]
    sealed: list[bytes] = []
    for round_ in range(30):
        sealer = processes[round_ % 3]
        sealed += await asyncio.gather(*[sealer.seal(b"data", ALICE) for _ in range(3)])
        if round_ % 7 == 0:
            processes[0] = house.process(key_uses=20, reserved_uses=4)  # a crash wastes what was set aside
    uses = Counter(each[1:17] for each in sealed)
    assert max(uses.values()) <= 20
    assert len(uses) < 15
    assert [await house.process().open(each, ALICE) for each in sealed] == [b"data"] * 90


async def test_restarts_do_not_make_new_keys(house: House) -> None:
    ids = {(await house.process().seal(b"data", ALICE))[1:17] for _ in range(10)}
    assert len(ids) == 1


async def test_the_cache_is_bounded_and_forgets_the_oldest(house: House) -> None:
    sealer = house.process(cached_keys=3)
    people = [SealScope("t1", f"s{number}", "notes") for number in range(10)]
    sealed = {scope: await sealer.seal(b"data", scope) for scope in people}
    assert len(sealer._cache) == 3
    for scope, each in sealed.items():
        assert await sealer.open(each, scope) == b"data"
    assert len(sealer._cache) == 3
    assert len(sealer._cache._ids) == 3


async def test_opening_asks_the_store_once_per_key_and_time(house: House) -> None:
    sealer = house.process(cache_seconds=60)
    sealed = await house.process().seal(b"data", ALICE)
    for _ in range(5):
        await sealer.open(sealed, ALICE)
    assert house.store.readings == 1
    house.clock.seconds += 60
    await sealer.open(sealed, ALICE)
    await sealer.open(sealed, ALICE)
    assert house.store.readings == 2


async def test_seals_at_the_same_time_share_their_questions(house: House) -> None:
    sealer = house.process()
    people = [SealScope("t1", f"s{number % 10}", "notes") for number in range(100)]
    await asyncio.gather(*[sealer.seal(b"data", scope) for scope in people])
    house.store.readings = 0
    await asyncio.gather(*[sealer.seal(b"data", scope) for scope in people])
    assert house.store.readings <= 2


async def test_a_cancelled_seal_leaves_the_others_their_answer(house: House) -> None:
    sealer = house.process()
    await sealer.seal(b"data", ALICE)
    house.store.gate.clear()
    first, *others = [asyncio.create_task(sealer.seal(b"data", ALICE)) for _ in range(5)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    house.store.gate.set()
    sealed = await asyncio.gather(*others)
    assert [await sealer.open(each, ALICE) for each in sealed] == [b"data"] * 4


# --- master keys


async def test_rewrapping_moves_all_keys_and_touches_no_data(house: House) -> None:
    sealer = house.process()
    people = [SealScope("t1", f"s{number}", "notes") for number in range(600)]
    sealed = {scope: await sealer.seal(b"data", scope) for scope in people}
    master_keys = MasterKeyFile(house.path)
    (old,) = await master_keys.ids()
    new = master_keys.add()
    with pytest.raises(ConfigurationError, match="rewrap"):
        master_keys.remove(old, in_use=await house.store.master_keys())
    assert await sealer.rewrap() == 600
    assert await sealer.rewrap() == 0
    assert await house.store.master_keys() == {new}
    master_keys.remove(old, in_use=await house.store.master_keys())
    fresh = house.process()
    assert await master_keys.ids() == (new,)
    assert all([await fresh.open(each, scope) == b"data" for scope, each in sealed.items()])


async def test_a_running_process_uses_the_newest_master_key_before_it_seals(house: House) -> None:
    running = house.process(cached_keys=1)
    sealed = await running.seal(b"data", ALICE)
    new = MasterKeyFile(house.path).add()  # in another process
    await running.seal(b"data", BOB)
    assert await house.store.master_keys() >= {new}
    await running.seal(b"data", ALICE)  # no longer cached: its old wrapping is replaced
    assert await house.store.master_keys() == {new}
    assert await running.open(sealed, ALICE) == b"data"


async def test_a_missing_master_key_is_told_at_start(house: House, tmp_path: Path) -> None:
    sealer = house.process()
    sealed = await sealer.seal(b"data", ALICE)
    (lost,) = await MasterKeyFile(house.path).ids()
    await sealer.check()
    house.path.rename(tmp_path / "elsewhere")
    stranger = house.process()
    for step in (stranger.check(), stranger.open(sealed, ALICE), stranger.seal(b"data", ALICE), stranger.rewrap()):
        with pytest.raises(MasterKeyMissing, match=lost):
            await step


async def test_a_changed_or_moved_wrapping_is_refused(house: House) -> None:
    sealer = house.process()
    sealed = await sealer.seal(b"data", ALICE)
    await sealer.seal(b"data", BOB)
    alice, bob = await house.store.newest("t1", "alice"), await house.store.newest("t1", "bob")
    assert alice is not None
    assert bob is not None
    flipped = bytes([alice.wrapped.data[0] ^ 1]) + alice.wrapped.data[1:]
    for data in (bob.wrapped.data, flipped, alice.wrapped.data[:-1], b""):
        await house.store.rewrap([(alice, Wrapped(alice.wrapped.master_key_id, data))])
        with pytest.raises(SealBroken):
            await house.process().open(sealed, ALICE)
        alice = replace(alice, wrapped=Wrapped(alice.wrapped.master_key_id, data))
    MasterKeyFile(house.path).add()
    with pytest.raises(SealBroken, match=f"1 wrapped.*{alice.id.hex()}"):
        await sealer.rewrap()
    moved = await house.store.newest("t1", "bob")
    assert moved is not None
    assert moved.wrapped.master_key_id != bob.wrapped.master_key_id


# --- arguments


@pytest.mark.parametrize("name", ["", "x" * 256, "a\nb", "a\x00b", "\ud800", "\u202e"])
async def test_names_that_no_store_can_hold_are_refused(house: House, name: str) -> None:
    sealer = house.process()
    for scope in (SealScope(name, "s", "p"), SealScope("t", name, "p"), SealScope("t", "s", name)):
        for step in (sealer.seal(b"", scope), sealer.open(b"x" * 100, scope)):
            with pytest.raises(ValidationError):
                await step
    for step in (sealer.destroy(name, "s"), sealer.destroy("t", name)):
        with pytest.raises(ValidationError):
            await step


async def test_too_much_data_is_refused_before_it_is_encrypted(house: House) -> None:
    sealer = house.process(max_bytes=10)
    await sealer.seal(b"x" * 10, ALICE)
    with pytest.raises(ValidationError, match="11 bytes"):
        await sealer.seal(b"x" * 11, ALICE)


@pytest.mark.parametrize(
    "config",
    [
        {"cache_seconds": -1},
        {"cache_seconds": float("nan")},
        {"seal_trust_seconds": float("inf")},
        {"cached_keys": 0},
        {"max_bytes": 0},
        {"reserved_uses": 0},
        {"key_uses": 10, "reserved_uses": 11},
        {"key_uses": 2**32 + 1},
    ],
)
def test_unusable_limits_are_refused(config: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError):
        EnvelopeConfig(**config)


async def test_keys_show_nowhere(house: House) -> None:
    sealer = house.process()
    await sealer.seal(b"data", ALICE)
    record = await house.store.newest("t1", "alice")
    assert record is not None
    master = MasterKeyFile(house.path)
    shown = repr(record) + repr(master) + repr(master._ring) + repr(sealer)
    stored = house.path.read_text()
    for secret in (repr(record.wrapped.data), stored.partition('"key": "')[2][:20]):
        assert secret not in shown
