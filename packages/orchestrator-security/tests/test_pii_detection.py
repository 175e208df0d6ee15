"""What the detector finds and what it leaves alone, over texts that a generator of its own made."""

from __future__ import annotations

import time
from pydoc_data import topics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pii_corpus import LOCALES, Locale, annotated
from pii_hostile import HOSTILE
from pii_logs import log
from pii_prose import LANGUAGES, prose

from orchestrator_security.pii_evaluation import Evaluation, evaluate, read_samples
from orchestrator_security.pii_redactor import Kind, PiiRedactor, find

LEAST_RECALL = 0.99


def evaluation_of(locale: Locale, count: int) -> Evaluation:
    return evaluate(read_samples([each.record() for each in annotated(locale, count)]))


@pytest.mark.parametrize("locale", LOCALES, ids=[locale.name for locale in LOCALES])
@pytest.mark.parametrize("count", [300, pytest.param(5000, marks=pytest.mark.soak)])
def test_recall_per_locale(locale: Locale, count: int) -> None:
    result = evaluation_of(locale, count)
    assert result.total.marked == count
    assert result.total.recall >= LEAST_RECALL, result.missed[:20]
    assert result.total.precision >= LEAST_RECALL, result.wrong[:20]
    assert min(score.recall for score in result.kinds.values()) >= 0.95, result.table()


@pytest.mark.parametrize("characters", [200_000, pytest.param(5_000_000, marks=pytest.mark.soak)])
def test_server_logs_keep_their_timestamps_ids_and_order_numbers(characters: int) -> None:
    result = evaluate(read_samples([log(characters, seed=7).record()]))
    assert result.total.recall >= LEAST_RECALL, result.missed[:20]
    assert len(result.wrong) / result.characters * 10_000 <= 0.5, result.wrong[:20]


def test_prose_without_anything_personal_stays() -> None:
    # Half a megabyte of English that nobody wrote for this test: the reference manual that comes with Python.
    prose = "\n".join(topics.topics.values())
    assert len(prose) > 300_000
    found = find(prose)
    assert len(found) / len(prose) * 10_000 <= 0.1, [prose[span.start - 20 : span.end + 5] for span in found]


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("characters", [100_000, pytest.param(2_000_000, marks=pytest.mark.soak)])
def test_prose_of_other_languages_stays_too(language: str, characters: int) -> None:
    text = prose(language, characters)
    found = find(text)
    assert len(found) / len(text) * 10_000 <= 0.1, [text[max(0, span.start - 20) : span.end + 5] for span in found][:20]


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("my card is 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 ok", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", Kind.CARD),
        ("card 4111-1111-1111-1111, or so", "4111-1111-1111-1111", Kind.CARD),
        ("DE89 3704 0044 0532 0130 00 is ours", "DE89 3704 0044 0532 0130 00", Kind.IBAN),
        ("tel:+49 (0)30 901820.", "+49 (0)30 901820", Kind.PHONE),
        ("sip:+4930901820@pbx.example", "+4930901820@pbx.example", Kind.EMAIL),
        ("(see zoe@example.org)", "zoe@example.org", Kind.EMAIL),
        ("from [2001:db8:0:0:8:800:200c:417a]", "2001:db8:0:0:8:800:200c:417a", Kind.IP),
        ("peer ::ffff:192.0.2.128 gone", "::ffff:192.0.2.128", Kind.IP),
        ("postgres://app:s3cr3t@db/x", "app:s3cr3t", Kind.CREDENTIALS),
        ("password: hunter", "hunter", Kind.SECRET),
        ('{"api_key":"abc"}', "abc", Kind.SECRET),
        ("Authorization: Bearer abc.def", "abc.def", Kind.SECRET),
        ("she was born on the 12th of May 1984", "12th of May 1984", Kind.BIRTH_DATE),
        ("ni AB 12 34 56 C", "AB 12 34 56 C", Kind.NATIONAL_ID),
    ],
)
def test_single_forms(text: str, value: str, kind: Kind) -> None:
    found = find(text)
    assert any(span.kind is kind for span in found), found
    covered = "".join(text[span.start : span.end] for span in found)
    assert value in covered


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T12:00:01.123456789Z pid=4711 took 0.0123456789 s",
        "epoch 1795305600 and 1795305600123, order 123456789012, invoice 2026-004711",
        "4bf92f3577b34da6a3ce929d0e0e4736 123e4567-e89b-12d3-a456-426614174000",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "Chrome/120.0.0.0 Safari/537.36, version 1.2.3.4, v10.20.30.40",
        "open 09.30-18.30 and 10.00-12.00 until 24.12.2026; 3.5 of 10 rooms at 1,234,567.89 EUR",
        "listening on ::1 and [::]:8080, mac aa:bb:cc:dd:ee:ff at 12:34:56",
        "std::vector<int>::iterator and a @decorator and user@host",
        "4111 1111 1111 1112, GB89 3704 1044 5532 0130 01, 12345678A",
        "rows 1 2 3 4 5 6 7 8 9 10 11 12 and 0.5 0.25 0.125",
        "token: 12 tokens used; basic customization; the password policy",
        "ORDER12345, ROOM412, BOEING747, COVID19, WINDOWS11, RFC7235",
    ],
)
def test_what_is_nobodys_stays(text: str) -> None:
    assert find(text) == [], [text[span.start : span.end] for span in find(text)]


@given(st.text(alphabet="0123456789 -./()+@:;,=\nabcDEF\u00a0é", max_size=200))
@settings(max_examples=500)
def test_spans_are_in_order_apart_and_inside(text: str) -> None:
    at = 0
    for span in find(text):
        assert at <= span.start < span.end <= len(text)
        at = span.end


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    find(text)


def seconds(text: str) -> float:
    redactor, best = PiiRedactor(), float("inf")
    for _ in range(3):
        start = time.process_time()
        redactor.redact_text(text)
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.parametrize("seed", HOSTILE)
def test_hostile_text_costs_what_its_length_costs(seed: str) -> None:
    """The exact ratio is measured in `benchmarks/bench_pii.py`; here only a curve that bends would fail."""
    line = (seed * 20_000)[:20_000]
    half, whole = line, f"{line}\n{line}"
    longer = (seed * 40_000)[:40_000]
    assert seconds(longer) <= 3.5 * seconds(half) + 0.02
    assert seconds(whole) <= 3.5 * seconds(half) + 0.02
