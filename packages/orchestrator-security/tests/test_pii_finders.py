"""Finders beside our own: what they find is redacted, and when they fail nothing passes."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator_security.pii_redactor import Kind, PiiRedactor, Span
from orchestrator_security.presidio_finder import PresidioFinder


@dataclass
class Found:
    entity_type: str
    start: int
    end: int
    score: float = 1.0


class NamesInCapitals:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str, list[str] | None, float | None]] = []

    def analyze(self, text, language, entities=None, *, score_threshold=None):
        self.asked.append((text, language, entities, score_threshold))
        start = text.find("QUENTIN")
        return [Found("PERSON", start, start + 7)] if start >= 0 else []


def test_what_a_finder_finds_is_redacted_with_the_rest() -> None:
    analyzer = NamesInCapitals()
    redactor = PiiRedactor(finders=[PresidioFinder(analyzer, language="en", entities=["PERSON"], threshold=0.7)])
    assert redactor.redact_text("QUENTIN <q@x.example>\nnobody") == "[NAME] <[EMAIL]>\nnobody"
    assert analyzer.asked[0] == ("QUENTIN <q@x.example>", "en", ["PERSON"], 0.7)
    assert "".join(redactor.stream().through(["QUEN", "TIN\n"])) == "[NAME]\n"
    assert redactor.within(tenant="other").redact({"a": "QUENTIN"}) == {"a": "[NAME]"}


def test_a_finder_that_fails_redacts_the_whole_value() -> None:
    def broken(line: str) -> list[Span]:
        raise RuntimeError(line)

    assert PiiRedactor(finders=[broken]).redact_text("harmless") == "[REDACTED]"


def test_any_function_is_a_finder() -> None:
    redactor = PiiRedactor(finders=[lambda line: [Span(0, 3, Kind.NAME)] if line.startswith("Zoe") else []])
    assert redactor.redact_text("Zoe and Zoe") == "[NAME] and Zoe"
