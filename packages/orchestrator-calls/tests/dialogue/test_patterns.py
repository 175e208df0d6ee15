"""The pattern notation: what matches, what does not, and which pattern wins."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator_calls.dialogue._lexicon import build_lexicons
from orchestrator_calls.dialogue._matcher import Matcher
from orchestrator_calls.dialogue._pattern import GAP_WORDS, PatternError, compile_pattern, phrases
from orchestrator_calls.dialogue._text import fold, tidy

LEXICONS = build_lexicons(["en", "de", "es", "fr"])


def scan(pattern, said, language="en"):
    normaliser = LEXICONS[language].normaliser
    matcher = Matcher([(compile_pattern(pattern, normaliser), None)])
    return matcher.matches(normaliser.tokens(tidy(said)))


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("opening hours", "What are your OPENING, hours?"),
        ("reserv*", "some reservations"),
        ("(book|make a reservation for) a table", "make a reservation for a table"),
        ("a [nice|very good] table", "a table"),
        ("a [nice|very good] table", "a very good table"),
        ("when ... open", "when open"),
        ("when ... open", "when on earth are you open"),
        ("i would like", "I'd like"),
        ("i'd like", "I would like"),
        ("do not", "don\u2019t"),
        ("cannot", "can not"),
        ("[(a|b) [c]] d", "b c d"),
        ("the wi-fi", "the wi fi"),
        ("a table", "a, uh, table please"),
    ],
)
def test_what_matches(pattern, said):
    assert scan(pattern, said)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("opening hours", "hours of opening"),
        ("reserv*", "unreserved"),
        ("a [nice] table", "a big table"),
        ("when ... open", "when one two three four five open"),
        ("(a|b) c", "c"),
        ("open", "opening"),
    ],
)
def test_what_does_not_match(pattern, said):
    assert not scan(pattern, said)


@pytest.mark.parametrize(
    ("language", "pattern", "said"),
    [
        ("de", "schönes zimmer", "schoenes Zimmer"),
        ("de", "schoenes zimmer", "Schönes Zimmer"),
        ("de", "straße", "STRASSE"),
        ("de", "gibt es", "Gibt's"),
        ("de", "freitag abend", "Freitagabend"),
        ("es", "habitación", "HABITACION"),
        ("es", "una mesa", "una, por favor, mesa"),
        ("fr", "l'hôtel", "l\u2019hotel"),
        ("fr", "c'est ça", "C'est ca"),
        ("fr", "petit déjeuner", "petit-déjeuner"),
    ],
)
def test_languages_meet_in_one_form(language, pattern, said):
    assert scan(pattern, said, language)


def test_a_gap_is_limited():
    words = " ".join("x" for _ in range(GAP_WORDS))
    assert scan("a ... b", f"a {words} b")
    assert not scan("a ... b", f"a {words} x b")


def test_the_score_is_the_number_of_words_named():
    (match,) = scan("book ... [nice] table", "please book me a nice table now")
    assert (match.start, match.end, match.score) == (1, 6, 3)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "[a]",
        "(a|[b])",
        "uh",
        "a table uh",
        "a ...",
        "... a",
        "(a",
        "a)",
        "[a",
        "(a]",
        "a|b",
        "{",
        "{}",
        "{a b}",
        "a?",
        "*",
        "a**",
        "()",
        "(((((((a)))))))",
    ],
)
def test_what_is_no_pattern(pattern):
    with pytest.raises(PatternError):
        compile_pattern(pattern, LEXICONS["en"].normaliser)


words = st.sampled_from(["alpha", "beta", "gamma", "delta"])
trees = st.recursive(
    words,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(" ".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: f"({'|'.join(parts)})"),
        st.lists(inner, min_size=1, max_size=2).map(lambda parts: f"[{'|'.join(parts)}] alpha"),
    ),
    max_leaves=6,
)


@given(pattern=trees, data=st.data())
def test_a_pattern_matches_its_own_phrases_and_says_where(pattern, data):
    normaliser = LEXICONS["en"].normaliser
    compiled = compile_pattern(pattern, normaliser)
    matcher = Matcher([(compiled, None)])
    spelled = list(phrases(compiled, lambda _: "", 40))
    said = data.draw(st.sampled_from(spelled))
    around = data.draw(st.lists(st.sampled_from(["omega", "psi"]), max_size=3))
    tokens = normaliser.tokens(" ".join([*around, said, *around]))
    whole = (len(around), len(around) + len(said.split()), len(said.split()))
    assert whole in {(match.start, match.end, match.score) for match in matcher.matches(tokens)}


@given(pattern=trees, said=st.lists(words, max_size=7))
def test_matching_agrees_with_spelling_everything_out(pattern, said):
    normaliser = LEXICONS["en"].normaliser
    compiled = compile_pattern(pattern, normaliser)
    spelled = {tuple(phrase.split()) for phrase in phrases(compiled, lambda _: "", 10_000)}
    expected = any(tuple(said[start:end]) in spelled for start, end in itertools.combinations(range(len(said) + 1), 2))
    assert bool(Matcher([(compiled, None)]).matches(normaliser.tokens(" ".join(said)))) is expected


@given(parts=st.lists(trees, min_size=2, max_size=3), said=st.lists(words, max_size=7))
def test_parts_match_together_where_each_matches_alone(parts, said):
    normaliser = LEXICONS["en"].normaliser
    tokens = normaliser.tokens(" ".join(said))
    alone = [Matcher([(compile_pattern(part, normaliser), None)]).matches(tokens) for part in parts]
    joint = Matcher([(compile_pattern(" + ".join(parts), normaliser), "joint")]).matches(tokens)
    assert bool(joint) is all(alone)
    for match in joint:
        assert (match.start, match.end) == (
            min(max(found, key=lambda each: (each.score, -each.end)).start for found in alone),
            max(max(found, key=lambda each: (each.score, -each.end)).end for found in alone),
        )
        assert 0 < match.score <= match.end - match.start


@given(text=st.text(max_size=300), language=st.sampled_from(["en", "de", "es", "fr"]))
def test_tokens_are_places_in_the_text(text, language):
    tidied = tidy(text)
    tokens = LEXICONS[language].normaliser.tokens(tidied)
    assert all(token.word and 0 <= token.start < token.end <= len(tidied) for token in tokens)
    assert [token.start for token in tokens] == sorted(token.start for token in tokens)


@given(word=st.text(min_size=1, max_size=20))
def test_folding_twice_is_folding_once(word):
    assert fold(fold(word)) == fold(word)
