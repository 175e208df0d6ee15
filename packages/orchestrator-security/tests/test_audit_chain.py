"""The chain of audit records: whatever somebody with the database does to it is found, and nothing else is."""

from __future__ import annotations

import json
import random
from collections import Counter
from datetime import timedelta

import pytest
from audit_support import NEW, OLD, START, STRANGER, TAMPERINGS, Chain, event, grown
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_security._audit.documents import read_document, write_document
from orchestrator_security.audit_logging import AuditKey, AuditKeyring, AuditSigner, SignedHead


def tampered(seed: int) -> tuple[str, Chain, Chain]:
    chance = random.Random(seed)
    whole = grown(chance)
    chain = whole.copy()
    tampering = chance.choice(TAMPERINGS)
    tampering(chain, chance)
    return tampering.__name__, whole, chain


def find_all(seeds: range) -> Counter[str]:
    found: Counter[str] = Counter()
    for seed in seeds:
        name, whole, chain = tampered(seed)
        assert whole.verify().intact, (seed, whole.verify().findings)
        assert chain != whole, (seed, name)
        assert not chain.verify().intact, (seed, name)
        found[name] += 1
    return found


def test_every_tampering_is_found_and_none_is_seen_where_none_is() -> None:
    found = find_all(range(500))
    assert len(found) == len(TAMPERINGS)
    assert min(found.values()) >= 20


@pytest.mark.soak
def test_ten_thousand_tamperings() -> None:
    found = find_all(range(1_000_000, 1_010_000))
    assert found.total() == 10_000


@given(st.integers(0, 2**32), st.integers(1, 50))
def test_no_false_alarm_however_it_grew(seed: int, page: int) -> None:
    chain = grown(random.Random(seed))
    result = chain.verify(page=page)
    assert result.intact, result.findings
    assert result.entries == len(chain.entries)


def test_the_finding_says_what_and_where() -> None:
    chance = random.Random(1)
    chain = Chain()
    chain.append([event(number, chance) for number in range(9)], keep=True)
    del chain.entries[4]
    first = chain.verify().findings[0]
    assert (first.kind, first.seq) == ("removed", 6)


def test_an_empty_log_is_whole_once_begun_and_not_before() -> None:
    chain = Chain()
    assert [each.kind for each in chain.verify().findings] == ["truncated"]
    chain.append([], keep=False)
    assert chain.verify().intact


def test_a_million_findings_are_told_as_the_first_hundred() -> None:
    chance = random.Random(1)
    chain = Chain()
    chain.append([event(number, chance) for number in range(300)], keep=False)
    chain.entries = chain.entries[::2]
    assert len(chain.verify().findings) == 100


def test_witnesses_must_be_in_the_chain_and_signed() -> None:
    chance = random.Random(1)
    chain = Chain()
    chain.append([event(0, chance)], keep=False)
    chain.witness = chain.head
    chain.append([event(1, chance)], keep=False)
    assert chain.verify().intact
    chain.witness = STRANGER.sign(seq=1, head=chain.entries[0].hash, at=START, previous="")
    assert [each.kind for each in chain.verify().findings] == ["bad_signature"]


def test_a_head_that_a_retired_key_signed_is_refused_even_if_it_is_true() -> None:
    chance = random.Random(1)
    chain = Chain()
    chain.append([event(0, chance)], keep=False)
    chain.rotated_at = START + timedelta(days=1)
    assert "retired_key" in {each.kind for each in chain.verify().findings}


def test_a_key_does_not_come_back() -> None:
    chance = random.Random(1)
    chain = Chain()
    chain.append([event(0, chance)], keep=True)
    chain.rotate()
    chain.signer = OLD
    chain.append([event(1, chance)], keep=True)
    chain.signer = NEW
    chain.append([event(2, chance)], keep=False)
    assert "retired_key" in {each.kind for each in chain.verify().findings}


@given(st.integers(0, 2**32))
def test_documents_keep_everything(seed: int) -> None:
    one = event(1, random.Random(seed))
    document = write_document(one)
    assert read_document(document) == one
    assert document.isascii()
    assert json.loads(document)["id"] == one.id


@given(
    st.text(max_size=50)
    | st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)).map(
        json.dumps
    )
)
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_document(text)


def test_heads_travel_as_text() -> None:
    head = OLD.sign(seq=3, head=b"h" * 32, at=START, previous="")
    assert SignedHead.read(head.text()) == head
    for wrong in ("", "[]", "{}", '{"seq": "x"}', head.text()[:-1]):
        with pytest.raises(ValueError):
            SignedHead.read(wrong)


@pytest.mark.parametrize(
    "keys", [[], [AuditKey(OLD.public), AuditKey(NEW.public)], [AuditKey(OLD.public, START)], [AuditKey(b"short")]]
)
def test_a_ring_has_exactly_one_key_that_signs(keys: list[AuditKey]) -> None:
    with pytest.raises(ConfigurationError):
        AuditKeyring(keys)


def test_a_seed_has_32_bytes() -> None:
    with pytest.raises(ConfigurationError):
        AuditSigner(b"short")
