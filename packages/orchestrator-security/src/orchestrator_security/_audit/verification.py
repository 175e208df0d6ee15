"""Checking a chain of audit records, without any I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from orchestrator_security._audit.chain import GENESIS, AuditKeyring, Entry, SignedHead, digest_of, hash_of
from orchestrator_security._audit.documents import read_document

__all__ = ["ChainVerifier", "Finding", "Verification", "micros_of", "today"]

_MAX_FINDINGS: Final = 100
_MAX_NUMBER: Final = 2**63
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def micros_of(moment: datetime) -> int:
    """Microseconds since 1970, UTC."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def today(now: datetime) -> int:
    """Days since 1970, UTC."""
    return (now - _EPOCH).days


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that cannot have come about by appending.

    Attributes:
        kind: edited, removed, inserted, early_expiry, truncated, rolled_back, bad_signature, unknown_key, retired_key or checkpoint.
        seq: The record at which it shows; 0 for the chain as a whole.
        text: What was found, in words.
    """

    kind: str
    seq: int
    text: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The result. `findings` are the first hundred; none means that the chain is whole."""

    entries: int
    expired: int
    checkpoints: int
    head: SignedHead | None
    findings: Sequence[Finding] = field(default_factory=tuple)

    @property
    def intact(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


class ChainVerifier:
    """Takes the records in order, in as many pieces as they come, and tells in the end.

    Args:
        keys: The public keys that are believed. They must not come from the database that is checked.
        now: To judge retention by.
        witnesses: Signed heads kept elsewhere; the chain must contain each.
    """

    def __init__(
        self,
        keys: AuditKeyring,
        *,
        now: datetime,
        checkpoints: Sequence[SignedHead],
        head: SignedHead | None,
        witnesses: Iterable[SignedHead] = (),
    ) -> None:
        self._keys = keys
        self._today = today(now)
        self._checkpoints = list(checkpoints)
        self._head = head
        self._witnesses = list(witnesses)
        self._last = 0
        self._hash = GENESIS
        self._count = 0
        self._expired = 0
        self._findings: list[Finding] = []
        # The hash that each signed head claims for its record.
        self._claims: dict[int, list[tuple[str, str]]] = {}
        for each in filter(_is_signed_form, self._checkpoints):
            self._claims.setdefault(each.seq, []).append(("checkpoint", each.hash))
        for each in self._witnesses:
            self._claims.setdefault(each.seq, []).append(("rolled_back", each.hash))
        self._compare_claims(0, GENESIS)

    def feed(self, entries: Iterable[Entry]) -> None:
        """Check the next records."""
        for entry in entries:
            self._count += 1
            if not _has_form(entry):
                self._found("edited", self._last, f"what follows record {self._last} is no record")
                continue
            if entry.seq != self._last + 1:
                kind = "removed" if entry.seq > self._last + 1 else "inserted"
                self._found(kind, entry.seq, f"record {entry.seq} follows record {self._last}")
            self._check_entry(entry)
            self._last, self._hash = entry.seq, entry.hash
            self._compare_claims(entry.seq, entry.hash)

    def result(self) -> Verification:
        """What was found, when all records were fed."""
        self._check_checkpoints()
        self._check_head()
        for each in self._witnesses:
            if not self._keys.proves(each):
                self._found("bad_signature", each.seq, "a witness is not signed by a key of the ring")
            if each.seq > self._last:
                self._found(
                    "rolled_back",
                    each.seq,
                    f"a signed head of record {each.seq} exists, the chain ends at {self._last}",
                )
        return Verification(self._count, self._expired, len(self._checkpoints), self._head, tuple(self._findings))

    def _check_entry(self, entry: Entry) -> None:
        if entry.document is None:
            self._expired += 1
            if entry.expires >= self._today:
                self._found("early_expiry", entry.seq, "the document is gone before its retention was over")
            if (entry.event_id, entry.event_type, entry.tenant, entry.occurred_at) != (None, None, None, None):
                self._found("edited", entry.seq, "a record without a document says what it was about")
        elif digest_of(entry.document) != entry.digest:
            self._found("edited", entry.seq, "the document is not the one that was kept")
        else:
            self._check_copies(entry, entry.document)
        if hash_of(self._hash, entry.seq, entry.expires, entry.digest) != entry.hash:
            self._found("edited", entry.seq, "the record is not bound to the one before it")

    def _check_copies(self, entry: Entry, document: str) -> None:
        try:
            event = read_document(document)
        except ValueError:
            self._found("edited", entry.seq, "the document is no audit event")
            return
        said = event.id, event.type, event.tenant, micros_of(event.occurred_at)
        if said != (entry.event_id, entry.event_type, entry.tenant, entry.occurred_at):
            self._found("edited", entry.seq, "the columns to search by are not what the document says")

    def _compare_claims(self, seq: int, found: bytes) -> None:
        for kind, claimed in self._claims.pop(seq, ()):
            if claimed != found.hex():
                self._found(kind, seq, "the record is not the one that was signed")

    def _check_checkpoints(self) -> None:
        previous = ""
        for each in self._checkpoints:
            if not _is_signed_form(each):
                self._found("checkpoint", 0, "a checkpoint is none")
                return
            if each.previous != previous:
                self._found("checkpoint", each.seq, "a checkpoint does not follow the one before")
            previous = _digest(each)
            self._check_signature(each)
        for before, after in pairwise(self._checkpoints):
            if after.seq < before.seq:
                self._found("checkpoint", after.seq, "checkpoints are out of order")
        for seq in self._claims:
            if seq > self._last:
                self._found("truncated", seq, f"record {seq} was signed, the chain ends at {self._last}")
        self._check_key_order()

    def _check_key_order(self) -> None:
        """Once a key has signed, none of its predecessors signs again."""
        heads = [*self._checkpoints, *([] if self._head is None else [self._head])]
        orders = [order for each in heads if (order := self._keys.order(each.key_id)) is not None]
        if orders != sorted(orders):
            self._found("retired_key", self._last, "a key signed after its successor")

    def _check_head(self) -> None:
        head = self._head
        if head is None or not _is_signed_form(head):
            self._found("truncated", 0, "there is no signed head")
            return
        if head.seq != self._last or head.hash != self._hash.hex():
            kind = "truncated" if head.seq > self._last else "inserted" if head.seq < self._last else "edited"
            self._found(kind, head.seq, f"the signed head is record {head.seq}, the chain ends at {self._last}")
        last = _digest(self._checkpoints[-1]) if self._checkpoints else ""
        if head.previous != last:
            self._found("checkpoint", head.seq, "the signed head does not follow the last checkpoint")
        self._check_signature(head)
        if self._keys.order(head.key_id) is not None and self._keys.is_retired(head.key_id):
            self._found("retired_key", head.seq, "the head is signed by a retired key")

    def _check_signature(self, head: SignedHead) -> None:
        if self._keys.order(head.key_id) is None:
            self._found("unknown_key", head.seq, f"key {head.key_id} is not in the ring")
        elif not self._keys.proves(head):
            self._found("bad_signature", head.seq, "the signature is not that of the key it names")
        elif self._keys.retired(head.key_id, datetime.fromisoformat(head.at)):
            self._found("retired_key", head.seq, f"key {head.key_id} signed after it was retired")

    def _found(self, kind: str, seq: int, text: str) -> None:
        if len(self._findings) < _MAX_FINDINGS:
            self._findings.append(Finding(kind, seq, text))


def _has_form(entry: Entry) -> bool:
    """Whether the columns hold what they are for; SQLite keeps in any column whatever it is given."""
    return (
        all(map(_is_number, (entry.seq, entry.expires)))
        and all(
            each is None or _is_text(each) for each in (entry.event_id, entry.event_type, entry.tenant, entry.document)
        )
        and all(map(_is_hash, (entry.digest, entry.hash)))
    )


def _is_signed_form(head: SignedHead) -> bool:
    return _is_number(head.seq) and all(map(_is_text, (head.hash, head.at, head.previous, head.key_id, head.signature)))


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < _MAX_NUMBER


def _is_hash(value: object) -> bool:
    return isinstance(value, bytes) and len(value) == 32


def _is_text(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _digest(head: SignedHead) -> str:
    try:
        return head.digest()
    except ValueError:
        return "unreadable"
