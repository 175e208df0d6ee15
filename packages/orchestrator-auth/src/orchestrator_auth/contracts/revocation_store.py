"""What every `RevocationStore` promises."""

from __future__ import annotations

import asyncio

from orchestrator_auth._jwt.revocation import Revocation, RevocationKind, RevocationStore

NOW = 1_893_456_000.125


def a_revocation(value: str, *, kind: RevocationKind = RevocationKind.USER, expires_in: float = 900) -> Revocation:
    """A revocation of now."""
    return Revocation(kind=kind, value=value, cutoff=NOW + 0.001, expires_at=NOW + expires_in)


class RevocationStoreContract:
    """Subclass, and return a fresh store from `make`."""

    async def make(self) -> RevocationStore:
        raise AssertionError("return the store under test")

    async def test_an_empty_store_has_nothing_to_say(self) -> None:
        store = await self.make()
        changes = await store.changes(0, NOW)
        assert (changes.version, list(changes.revocations)) == (0, [])

    async def test_every_kind_comes_back_as_it_was(self) -> None:
        store = await self.make()
        sent = [a_revocation("all", kind=kind) for kind in RevocationKind]
        await store.add(sent, NOW)
        changes = await store.changes(0, NOW)
        assert sorted(changes.revocations, key=lambda each: each.kind) == sorted(sent, key=lambda each: each.kind)

    async def test_only_news_are_told(self) -> None:
        store = await self.make()
        await store.add([a_revocation("u-1")], NOW)
        seen = (await store.changes(0, NOW)).version
        assert list((await store.changes(seen, NOW)).revocations) == []
        await store.add([a_revocation("u-2")], NOW)
        changes = await store.changes(seen, NOW)
        assert [each.value for each in changes.revocations] == ["u-2"]
        assert changes.version > seen

    async def test_a_second_revocation_of_the_same_replaces_the_first_and_is_news(self) -> None:
        store = await self.make()
        await store.add([a_revocation("u-1")], NOW)
        seen = (await store.changes(0, NOW)).version
        later = Revocation(kind=RevocationKind.USER, value="u-1", cutoff=NOW + 60, expires_at=NOW + 1000)
        await store.add([later], NOW)
        assert list((await store.changes(seen, NOW)).revocations) == [later]
        assert list((await store.changes(0, NOW)).revocations) == [later]

    async def test_what_is_over_is_not_told_and_is_dropped(self) -> None:
        store = await self.make()
        await store.add([a_revocation("u-1", expires_in=10), a_revocation("u-2")], NOW)
        assert [each.value for each in (await store.changes(0, NOW + 11)).revocations] == ["u-2"]
        await store.add([a_revocation("u-3")], NOW + 100)
        assert sorted(each.value for each in (await store.changes(0, NOW)).revocations) == ["u-2", "u-3"]

    async def test_a_reader_who_follows_misses_none_of_many_at_once(self) -> None:
        store = await self.make()
        seen: set[str] = set()
        version, finished = 0, False

        async def follow() -> None:
            nonlocal version
            while not finished or version < 40:
                changes = await store.changes(version, NOW)
                seen.update(each.value for each in changes.revocations)
                version = changes.version
                await asyncio.sleep(0)

        async def revoke(writer: int) -> None:
            for number in range(10):
                await store.add([a_revocation(f"u-{writer}-{number}")], NOW)

        async with asyncio.timeout(60):
            following = asyncio.create_task(follow())
            await asyncio.gather(*[revoke(writer) for writer in range(4)])
            finished = True
            await following
        assert len(seen) == 40
