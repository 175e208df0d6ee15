"""The short questions that are asked before the patterns of words are."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator_security._pii import words
from orchestrator_security._pii.words import Line

ASKED = {
    "phone": (words.PHONE, lambda line: line.has_phone_word),
    "id": (words.NATIONAL_ID, lambda line: line.has_id_word),
    "passport": (words.PASSPORT, lambda line: line.has_document_word),
    "licence": (words.LICENCE, lambda line: line.has_document_word),
    "birth": (words.BIRTH, lambda line: line.has_birth_word),
}


@pytest.mark.parametrize("asked", sorted(ASKED))
@given(data=st.data())
@settings(max_examples=300)
def test_whatever_a_pattern_finds_the_short_question_has_asked_for(asked: str, data: st.DataObject) -> None:
    pattern, question = ASKED[asked]
    alternatives = re.split(r"\|(?![^(]*\))", pattern.pattern)
    found = data.draw(st.from_regex(data.draw(st.sampled_from(alternatives)), fullmatch=True)).strip()
    text = f"so {found} 7".lower()
    if pattern.search(text) is not None:
        assert question(Line(text)), text


def test_a_line_without_any_word_is_asked_no_further() -> None:
    line = Line("the quick brown fox 4711")
    assert not any(question(line) for _, question in ASKED.values())
