"""How everything of this package is kept: versioned records that change by compare-and-set.

A record is read with its version and replaced only if nobody was faster. So each rule (a refresh token works once, a code is spent once) is a pure
function from one state to the next, and holds in every store and between processes. `MemoryRecords` is here; `orchestrator_auth.sql_store` (SQLite, PostgreSQL),
`orchestrator_auth.redis_store` (Valkey, Redis) and `orchestrator_auth.vault_store` pass the same contract, `orchestrator_auth.contracts.RecordStoreContract`.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar, cast

from orchestrator_auth.exceptions import AuthStoreFailed
from orchestrator_auth.models import ALL_TENANTS
from orchestrator_kernel.exceptions import ValidationError
from orchestrator_kernel.models import require_aware, require_identifier

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["MemoryRecords", "Record", "RecordStore", "Table", "owner_of"]

T = TypeVar("T")
R = TypeVar("R")

_ATTEMPTS: Final = 50
_PAGE: Final = 500
_MAX_BODY: Final = 256_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One thing that is kept.

    Attributes:
        kind: What it is, for example `session`.
        id: Unique among its kind.
        body: Its content, JSON or hexadecimal; nothing secret in clear.
        version: The version it was read at; 0 before it is added, 1 after, one more with each change.
        owner: Whom it belongs to, to find all of somebody's.
        alias: A second name, unique among its kind; it never changes.
        expires_at: From then on the store may drop it at any time, and readers take it for gone.
    """

    kind: str
    id: str
    body: str = field(repr=False)
    version: int = 0
    owner: str = ""
    alias: str | None = None
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        require_identifier(self.kind, "kind")
        require_identifier(self.id, "id")
        for name in ("owner", "alias"):
            if value := getattr(self, name):
                require_identifier(value, name)
        if self.expires_at is not None:
            require_aware(self.expires_at, "expires_at")
        if len(self.body) > _MAX_BODY:
            raise ValidationError("a record is too large", details={"kind": self.kind})


def owner_of(tenant: str) -> str:
    """The owner of what belongs to a tenant, or to the platform."""
    return "platform" if tenant == ALL_TENANTS else f"t-{tenant}"


class RecordStore(Protocol):
    """Keeps records. Every method raises `AuthStoreFailed` when the store does not answer."""

    async def get(self, kind: str, id: str) -> Record | None:  # noqa: A002 - the record's own name for it
        """The record, if it is there."""
        ...

    async def by_alias(self, kind: str, alias: str) -> Record | None:
        """The record of this kind with this alias."""
        ...

    async def owned(self, kind: str, owner: str, *, after: str = "", limit: int = _PAGE) -> Sequence[Record]:
        """Up to `limit` records of this owner with ids greater than `after`, by id."""
        ...

    async def add(self, record: Record) -> bool:
        """Keep a new record as version 1; false if its id or its alias is taken. Durable before it returns."""
        ...

    async def replace(self, record: Record) -> bool:
        """Keep the record in place of the version it was read at; false if that is not the present one.

        Owner and alias stay what they were.
        """
        ...

    async def remove(self, kind: str, id: str) -> bool:  # noqa: A002
        """Drop the record; false if there was none."""
        ...

    async def purge(self, now: datetime) -> int:
        """Drop what expired by `now`; how many that were, 0 where the store does it by itself."""
        ...


class MemoryRecords:
    """Records of one process; gone with it."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], Record] = {}
        self._aliases: dict[tuple[str, str], str] = {}
        self._owned: dict[tuple[str, str], list[str]] = {}

    async def get(self, kind: str, id: str) -> Record | None:  # noqa: A002
        return self._records.get((kind, id))

    async def by_alias(self, kind: str, alias: str) -> Record | None:
        found = self._aliases.get((kind, alias))
        return None if found is None else self._records[kind, found]

    async def owned(self, kind: str, owner: str, *, after: str = "", limit: int = _PAGE) -> Sequence[Record]:
        ids = [each for each in self._owned.get((kind, owner), ()) if each > after]
        return [self._records[kind, each] for each in ids[:limit]]

    async def add(self, record: Record) -> bool:
        key = record.kind, record.id
        if key in self._records or (record.alias is not None and (record.kind, record.alias) in self._aliases):
            return False
        self._records[key] = replace(record, version=1)
        if record.alias is not None:
            self._aliases[record.kind, record.alias] = record.id
        insort(self._owned.setdefault((record.kind, record.owner), []), record.id)
        return True

    async def replace(self, record: Record) -> bool:
        key = record.kind, record.id
        present = self._records.get(key)
        if present is None or present.version != record.version:
            return False
        changed = replace(record, version=record.version + 1, owner=present.owner, alias=present.alias)
        self._records[key] = changed
        return True

    async def remove(self, kind: str, id: str) -> bool:  # noqa: A002
        record = self._records.pop((kind, id), None)
        if record is None:
            return False
        if record.alias is not None:
            del self._aliases[kind, record.alias]
        owned = self._owned[kind, record.owner]
        owned.remove(id)
        if not owned:
            del self._owned[kind, record.owner]
        return True

    async def purge(self, now: datetime) -> int:
        over = [
            key for key, record in self._records.items() if record.expires_at is not None and record.expires_at <= now
        ]
        for kind, each in over:
            await self.remove(kind, each)
        return len(over)


class Table(Generic[T]):
    """Typed access to the records of one kind.

    Args:
        store: Where they are kept.
        kind: Their kind.
        model: A frozen dataclass of plain values; JSON in the store.
        expiry: When one is over, for those that ever are.
    """

    def __init__(
        self, store: RecordStore, kind: str, model: type[T], *, expiry: Callable[[T], datetime | None] | None = None
    ) -> None:
        self._store = store
        self._kind = kind
        self._model = model
        self._expiry: Callable[[T], datetime | None] = expiry or (lambda _: None)

    async def get(self, id: str) -> T | None:  # noqa: A002
        """The one of this id."""
        record = await self._store.get(self._kind, id)
        return None if record is None else self._read(record)

    async def by_alias(self, alias: str) -> T | None:
        """The one of this alias."""
        record = await self._store.by_alias(self._kind, alias)
        return None if record is None else self._read(record)

    async def owned(self, owner: str, *, after: str = "", limit: int | None = None) -> list[T]:
        """What belongs to `owner`, by id: all, or up to `limit` of those after `after`."""
        found: list[T] = []
        while page := await self._store.owned(
            self._kind, owner, after=after, limit=_PAGE if limit is None else min(_PAGE, limit - len(found))
        ):
            found += map(self._read, page)
            after = page[-1].id
            if limit is not None and len(found) >= limit:
                break
        return found

    async def add(self, id: str, value: T, *, owner: str = "", alias: str | None = None) -> bool:  # noqa: A002
        """Keep a new one; false if its id or alias is taken."""
        body = self._codec.dump_json(value).decode()
        expires = self._expiry(value)
        return await self._store.add(
            Record(kind=self._kind, id=id, body=body, owner=owner, alias=alias, expires_at=expires)
        )

    async def change(self, id: str, decide: Callable[[T | None], tuple[T | None, R]]) -> R:  # noqa: A002
        """Let `decide` see the present one and say what it becomes (None: stays as it is), and what the answer is.

        It may be asked again when somebody else was faster; what it answered last is what was kept.
        """
        for _ in range(_ATTEMPTS):
            record = await self._store.get(self._kind, id)
            value, answer = decide(None if record is None else self._read(record))
            if value is None:
                return answer
            if await self._keep(id, record, value):
                return answer
        raise AuthStoreFailed("Too many change the same record at once; try again.")

    async def remove(self, id: str) -> bool:  # noqa: A002
        """Drop it; false if there was none."""
        return await self._store.remove(self._kind, id)

    def _keep(self, id: str, record: Record | None, value: T) -> Awaitable[bool]:  # noqa: A002
        body = self._codec.dump_json(value).decode()
        expires = self._expiry(value)
        if record is None:
            return self._store.add(Record(kind=self._kind, id=id, body=body, expires_at=expires))
        return self._store.replace(replace(record, body=body, expires_at=expires))

    def _read(self, record: Record) -> T:
        try:
            return cast("T", self._codec.validate_json(record.body))
        except ValueError:
            # The cause would show the record's content.
            raise AuthStoreFailed(f"A stored {self._kind} is not readable: it was changed by something else.") from None

    @property
    def _codec(self) -> TypeAdapter[Any]:
        return _adapter(cast("Hashable", self._model))


@cache
def _adapter(model: Hashable) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter  # noqa: PLC0415 - costs as much as importing pydantic; paid at first use

    return TypeAdapter(cast("type[Any]", model))
