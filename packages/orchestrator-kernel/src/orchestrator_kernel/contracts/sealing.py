"""What every `Sealer` and `SecretReader` promises."""

from __future__ import annotations

import asyncio

from orchestrator_kernel.ports import Erased, SealBroken, Sealer, SealScope, SecretNotFound, SecretReader

SCOPE = SealScope("t1", "alice", "notes")


async def _refused(sealer: Sealer, sealed: bytes, scope: SealScope) -> None:
    try:
        await sealer.open(sealed, scope)
    except (SealBroken, Erased):
        return
    raise AssertionError(f"opened in {scope}")


class SealerContract:
    """Subclass, and return a fresh sealer from `make`."""

    def make(self) -> Sealer:
        raise AssertionError("return the sealer under test")

    async def test_opens_what_it_sealed(self) -> None:
        sealer = self.make()
        for data in (b"", b"x", "Zoë".encode(), bytes(range(256)) * 100):
            assert await sealer.open(await sealer.seal(data, SCOPE), SCOPE) == data

    async def test_sealed_bytes_show_nothing_and_never_repeat(self) -> None:
        sealer = self.make()
        first, second = [await sealer.seal(b"the caller said this", SCOPE) for _ in range(2)]
        assert first != second
        assert b"caller" not in first

    async def test_every_other_scope_is_refused(self) -> None:
        sealer = self.make()
        await sealer.seal(b"make the keys", SealScope("t2", "alice", "notes"))
        await sealer.seal(b"make the keys", SealScope("t1", "bob", "notes"))
        sealed = await sealer.seal(b"data", SCOPE)
        for other in (
            SealScope("t2", "alice", "notes"),
            SealScope("t1", "bob", "notes"),
            SealScope("t1", "alice", "other"),
        ):
            await _refused(sealer, sealed, other)

    async def test_scopes_are_not_joined_ambiguously(self) -> None:
        sealer = self.make()
        sealed = await sealer.seal(b"data", SealScope("ab", "c", "d"))
        await _refused(sealer, sealed, SealScope("a", "bc", "d"))

    async def test_every_changed_or_cut_byte_is_refused(self) -> None:
        sealer = self.make()
        sealed = await sealer.seal(b"data", SCOPE)
        for position in range(len(sealed)):
            changed = bytearray(sealed)
            changed[position] ^= 1
            await _refused(sealer, bytes(changed), SCOPE)
            await _refused(sealer, sealed[:position], SCOPE)

    async def test_destroying_a_key_erases_one_subject_and_no_other(self) -> None:
        sealer = self.make()
        bob = SealScope("t1", "bob", "notes")
        sealed, other = await sealer.seal(b"data", SCOPE), await sealer.seal(b"data", bob)
        assert await sealer.destroy("t1", "alice") is True
        assert await sealer.destroy("t1", "alice") is False
        try:
            await sealer.open(sealed, SCOPE)
        except Erased:
            pass
        else:
            raise AssertionError("opened after its key was destroyed")
        assert await sealer.open(other, bob) == b"data"

    async def test_nothing_new_is_sealed_for_an_erased_subject(self) -> None:
        sealer = self.make()
        await sealer.seal(b"data", SCOPE)
        await sealer.destroy("t1", "alice")
        try:
            await sealer.seal(b"more", SCOPE)
        except Erased:
            return
        raise AssertionError("sealed for a subject that was erased")

    async def test_first_use_from_many_tasks_makes_one_key(self) -> None:
        sealer = self.make()
        sealed = await asyncio.gather(*[sealer.seal(b"data", SCOPE) for _ in range(20)])
        assert [await sealer.open(each, SCOPE) for each in sealed] == [b"data"] * 20


class SecretReaderContract:
    """Subclass, and return a reader that holds `name` = `value` from `make`."""

    name = "a-name"
    value = "a value with ünïcode"

    def make(self) -> SecretReader:
        raise AssertionError("return the reader under test")

    async def test_reads_a_secret(self) -> None:
        assert (await self.make().read(self.name)).get_secret_value() == self.value

    async def test_a_secret_does_not_show(self) -> None:
        secret = await self.make().read(self.name)
        assert self.value not in repr(secret) + str(secret)

    async def test_an_unknown_name_is_told_by_name(self) -> None:
        try:
            await self.make().read("no-such-secret")
        except SecretNotFound as error:
            assert "no-such-secret" in str(error)
        else:
            raise AssertionError("read a secret that is not there")
