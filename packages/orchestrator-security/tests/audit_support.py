"""Chains of audit records in memory, and everything that somebody with the database could do to them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from orchestrator_kernel.models import AuditEvent, Outcome, Severity
from orchestrator_security._audit.chain import (
    GENESIS,
    AuditKey,
    AuditKeyring,
    AuditSigner,
    Entry,
    SignedHead,
    digest_of,
    hash_of,
)
from orchestrator_security._audit.documents import write_document
from orchestrator_security._audit.kinds import AuditKind, retention_days
from orchestrator_security._audit.linking import link
from orchestrator_security._audit.verification import ChainVerifier, Verification, micros_of, today

START = datetime(2030, 1, 1, tzinfo=UTC)
OLD, NEW, STRANGER = AuditSigner(b"o" * 32), AuditSigner(b"n" * 32), AuditSigner(b"s" * 32)


def event(number: int, chance: random.Random, at: datetime = START) -> AuditEvent:
    return AuditEvent(
        id=f"event-{number}",
        type=chance.choice(list(AuditKind)).value,
        occurred_at=at + timedelta(microseconds=chance.randrange(10**10)),
        actor=chance.choice(["zoe", "anonymous", "system"]),
        action=chance.choice(["read", "write", 'say "é"']),
        outcome=chance.choice(list(Outcome)),
        resource=f"call:{chance.randrange(100)}",
        severity=chance.choice(list(Severity)),
        tenant=chance.choice([None, "hotel-7", "hotel-8"]),
        details={"number": number, "list": ["a", 1, None]} if chance.random() < 0.5 else {},
    )


@dataclass
class Chain:
    """What lies in the database, and what a verifier knows besides."""

    entries: list[Entry] = field(default_factory=list)
    checkpoints: list[SignedHead] = field(default_factory=list)
    head: SignedHead | None = None
    older_heads: list[tuple[int, int, SignedHead]] = field(default_factory=list)
    now: datetime = START
    signer: AuditSigner = OLD
    rotated_at: datetime | None = None
    witness: SignedHead | None = None

    def copy(self) -> Chain:
        return replace(self, entries=list(self.entries), checkpoints=list(self.checkpoints))

    def append(self, events: list[AuditEvent], *, keep: bool) -> None:
        """As the SQL sink does it."""
        head = self.head or self.signer.sign(seq=0, head=GENESIS, at=self.now, previous="")
        if self.head is not None:
            self.older_heads.append((len(self.entries), len(self.checkpoints), self.head))
        self.entries += link(events, head, retention_days)
        last = self.entries[-1].hash if self.entries else GENESIS
        self.sign(last, head.previous, keep=keep)

    def sign(self, last: bytes, previous: str, *, keep: bool) -> None:
        if keep:
            self.checkpoints.append(self.signer.sign(seq=len(self.entries), head=last, at=self.now, previous=previous))
            previous = self.checkpoints[-1].digest()
        self.head = self.signer.sign(seq=len(self.entries), head=last, at=self.now, previous=previous)

    def rotate(self) -> None:
        assert self.head is not None
        self.signer, self.now = NEW, self.now + timedelta(hours=1)
        self.sign(bytes.fromhex(self.head.hash), self.head.previous, keep=True)
        self.rotated_at = self.now

    def purge(self) -> None:
        self.entries = [
            replace(each, event_id=None, event_type=None, tenant=None, occurred_at=None, document=None)
            if each.expires < today(self.now)
            else each
            for each in self.entries
        ]

    @property
    def keys(self) -> AuditKeyring:
        if self.rotated_at is None:
            return AuditKeyring([AuditKey(OLD.public)])
        return AuditKeyring([AuditKey(OLD.public, retired_at=self.rotated_at), AuditKey(NEW.public)])

    def verify(self, *, page: int = 7) -> Verification:
        witnesses = [] if self.witness is None else [self.witness]
        verifier = ChainVerifier(
            self.keys, now=self.now, checkpoints=self.checkpoints, head=self.head, witnesses=witnesses
        )
        for start in range(0, len(self.entries), page):
            verifier.feed(self.entries[start : start + page])
        return verifier.result()

    def relink(self, start: int) -> None:
        """Number and hash everything from `start` anew; what anybody can do."""
        previous = self.entries[start - 1].hash if start else GENESIS
        for index in range(start, len(self.entries)):
            each = self.entries[index]
            digest = each.digest if each.document is None else digest_of(each.document)
            previous = hash_of(previous, index + 1, each.expires, digest)
            self.entries[index] = replace(each, seq=index + 1, digest=digest, hash=previous)

    def resign(self, signer: AuditSigner) -> None:
        """Sign every checkpoint and the head again, for what the chain holds now."""
        previous, signed = "", list[SignedHead]()
        for each in self.checkpoints:
            seq = min(each.seq, len(self.entries))
            last = self.entries[seq - 1].hash if seq else GENESIS
            signed.append(signer.sign(seq=seq, head=last, at=datetime.fromisoformat(each.at), previous=previous))
            previous = signed[-1].digest()
        last = self.entries[-1].hash if self.entries else GENESIS
        self.checkpoints = signed
        self.head = signer.sign(seq=len(self.entries), head=last, at=self.now, previous=previous)


def grown(chance: random.Random) -> Chain:
    """A chain with batches, checkpoints, a rotation of the key, and some documents whose retention is over."""
    chain = Chain()
    number = 0
    for turn in range(chance.randrange(3, 8)):
        size = chance.randrange(1, 6)
        chain.append([event(number + n, chance, chain.now) for n in range(size)], keep=chance.random() < 0.4)
        number += size
        chain.now += timedelta(days=chance.randrange(40))
        if turn == 1:
            chain.rotate()
    if chance.random() < 0.5:
        chain.now += timedelta(days=chance.choice([100, 400]))
        chain.purge()
        chain.append([event(number, chance, chain.now)], keep=False)
    return chain


def _pick(chain: Chain, chance: random.Random) -> int:
    return chance.randrange(len(chain.entries))


def _other_document(chain: Chain, chance: random.Random, index: int) -> Entry:
    other = event(10_000 + chance.randrange(1000), chance)
    return replace(
        chain.entries[index],
        event_id=other.id,
        event_type=other.type,
        tenant=other.tenant,
        occurred_at=micros_of(other.occurred_at),
        document=write_document(other),
    )


def edit_a_column(chain: Chain, chance: random.Random) -> None:
    index = _pick(chain, chance)
    entry = chain.entries[index]
    changes: list[dict[str, object]] = [
        {"event_id": "another"},
        {"event_type": "auth.other"},
        {"tenant": "hotel-99"},
        {"occurred_at": 12345},
        {"expires": entry.expires + chance.choice([-400, -1, 1, 400])},
        {"digest": bytes([entry.digest[0] ^ 1]) + entry.digest[1:]},
        {"hash": entry.hash[:-1] + bytes([entry.hash[-1] ^ 128])},
        {"document": '{"id":"x"}'},
        {"document": "not json"},
        {"document": "\ud800"},
        {"document": 7},
        {"seq": -1},
        {"seq": 2**70},
        {"seq": "one"},
        {"expires": None},
        {"hash": "text"},
        {"digest": b""},
    ]
    if entry.document is not None:
        place = chance.randrange(len(entry.document))
        letter = chance.choice([each for each in 'ab1"{ ' if each != entry.document[place]])
        changes.append({"document": entry.document[:place] + letter + entry.document[place + 1 :]})
    chain.entries[index] = replace(entry, **chance.choice(changes))  # type: ignore[arg-type]


def edit_and_rehash(chain: Chain, chance: random.Random) -> None:
    index = _pick(chain, chance)
    chain.entries[index] = _other_document(chain, chance, index)
    chain.relink(index)
    if chance.random() < 0.5 and chain.head is not None:
        chain.head = replace(chain.head, hash=chain.entries[-1].hash.hex())


def remove(chain: Chain, chance: random.Random) -> None:
    index = _pick(chain, chance)
    del chain.entries[index]
    if chance.random() < 0.5:
        chain.relink(index)


def swap(chain: Chain, chance: random.Random) -> None:
    if len(chain.entries) < 2:
        return remove(chain, chance)
    one, other = sorted(chance.sample(range(len(chain.entries)), 2))
    first, second = chain.entries[one], chain.entries[other]
    if chance.random() < 0.5:
        first, second = replace(first, seq=second.seq), replace(second, seq=first.seq)
    chain.entries[one], chain.entries[other] = second, first
    if chance.random() < 0.5:
        chain.relink(one)
    return None


def insert(chain: Chain, chance: random.Random) -> None:
    index = chance.randrange(len(chain.entries) + 1)
    template = chain.entries[min(index, len(chain.entries) - 1)]
    chain.entries.insert(index, template)
    chain.entries[index] = _other_document(chain, chance, index)
    if chance.random() < 0.7:
        chain.relink(index)


def truncate(chain: Chain, chance: random.Random) -> None:
    del chain.entries[_pick(chain, chance) :]
    last = chain.entries[-1].hash if chain.entries else GENESIS
    if chance.random() < 0.5 and chain.head is not None:
        chain.head = replace(chain.head, seq=len(chain.entries), hash=last.hex())
    if chance.random() < 0.5:
        chain.checkpoints = [each for each in chain.checkpoints if each.seq <= len(chain.entries)]
    if chance.random() < 0.2:
        chain.head = None


def roll_back(chain: Chain, chance: random.Random) -> None:
    """Everything as it once was, with the signatures of that time; only a head kept elsewhere tells."""
    chain.witness = chain.head
    entries, checkpoints, head = chance.choice(chain.older_heads)
    chain.entries, chain.checkpoints, chain.head = chain.entries[:entries], chain.checkpoints[:checkpoints], head


def hide_early(chain: Chain, chance: random.Random) -> None:
    """Take a document out as if its retention were over."""
    index = next(n for n in range(len(chain.entries) - 1, -1, -1) if chain.entries[n].document is not None)
    chain.entries[index] = replace(
        chain.entries[index], event_id=None, event_type=None, tenant=None, occurred_at=None, document=None
    )


def resign(chain: Chain, chance: random.Random) -> None:
    """Rewrite what one likes and sign it all with a key that was stolen after it was rotated out, or with one's own."""
    chance.choice([edit_and_rehash, remove, insert, truncate])(chain, chance)
    chain.relink(0)
    signer = chance.choice([OLD, STRANGER])
    checkpoints = list(chain.checkpoints)
    chain.resign(signer)
    if chance.random() < 0.3 and chain.head is not None:
        # Under the name of the key that is believed.
        chain.head = replace(chain.head, key_id=NEW.key_id)
    if chance.random() < 0.3:
        chain.checkpoints = checkpoints


def resign_before_rotation(chain: Chain, chance: random.Random) -> None:
    """The stolen old key signs an end of the chain that lies before its rotation, at a time when it was still good."""
    last = next(each for each in chain.checkpoints if each.key_id == NEW.key_id)
    before = [each for each in chain.checkpoints if each.key_id == OLD.key_id]
    chain.entries, chain.checkpoints = chain.entries[: last.seq], before
    edit_and_rehash(chain, chance)
    chain.now, at = START, chain.now
    chain.resign(OLD)
    chain.now = at


def change_a_checkpoint(chain: Chain, chance: random.Random) -> None:
    index = chance.randrange(len(chain.checkpoints))
    each = chain.checkpoints[index]
    changes: list[dict[str, object]] = [
        {"seq": each.seq + 1},
        {"hash": "00" * 32},
        {"at": (datetime.fromisoformat(each.at) - timedelta(days=1)).isoformat()},
        {"previous": "00" * 32},
        {"key_id": STRANGER.key_id},
        {"signature": each.signature[:-2] + ("00" if each.signature[-2:] != "00" else "01")},
        {"signature": "no hex"},
        {"seq": "one"},
        {"at": 7},
    ]
    if chance.random() < 0.3:
        del chain.checkpoints[index]
    else:
        chain.checkpoints[index] = replace(each, **chance.choice(changes))  # type: ignore[arg-type]


def change_the_head(chain: Chain, chance: random.Random) -> None:
    assert chain.head is not None
    changes: list[dict[str, object]] = [
        {"seq": chain.head.seq + 1},
        {"hash": "00" * 32},
        {"at": (datetime.fromisoformat(chain.head.at) - timedelta(days=1)).isoformat()},
        {"previous": "00" * 32},
        {"key_id": OLD.key_id},
        {"key_id": STRANGER.key_id},
        {"signature": chain.head.signature[2:] + "00"},
        {"signature": ""},
        {"seq": None},
        {"hash": b"bytes"},
    ]
    chain.head = replace(chain.head, **chance.choice(changes))  # type: ignore[arg-type]


TAMPERINGS: list[Callable[[Chain, random.Random], None]] = [
    edit_a_column, edit_and_rehash, remove, swap, insert, truncate, roll_back, hide_early, resign, resign_before_rotation,
    change_a_checkpoint, change_the_head,
]  # fmt: skip
