"""Free names and places, found by Presidio with a language model that you bring.

What the user types:

    engine = AnalyzerEngine(…)  # of presidio-analyzer, with the model for your languages
    redactor = PiiRedactor(finders=[PresidioFinder(engine, language="en")])

This module needs nothing: it speaks to the analyzer it is given. Names without a model are redacted where they are known (`know`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from orchestrator_security._pii.kinds import Kind, Span

__all__ = ["Analyzer", "PresidioFinder"]


class Result(Protocol):
    """Presidio's `RecognizerResult`."""

    entity_type: str
    start: int
    end: int
    score: float


class Analyzer(Protocol):
    """Presidio's `AnalyzerEngine`, as far as it is used."""

    def analyze(
        self, text: str, language: str, entities: list[str] | None = None, *, score_threshold: float | None = None
    ) -> Sequence[Result]:
        """What it finds in `text`."""
        ...


class PresidioFinder:
    """A finder for `PiiRedactor(finders=…)`."""

    def __init__(
        self,
        analyzer: Analyzer,
        *,
        language: str,
        entities: Collection[str] = ("PERSON", "LOCATION", "NRP"),
        threshold: float = 0.5,
    ) -> None:
        """Set up.

        Args:
            analyzer: Presidio's engine.
            language: Of the texts, as the engine names it.
            entities: What to look for; leave to the redactor what has a form of its own, where it is faster by far.
            threshold: Scores from 0 to 1 below which a finding is dropped.
        """
        self._analyzer = analyzer
        self._language = language
        self._entities = list(entities)
        self._threshold = threshold

    def __call__(self, line: str) -> Iterator[Span]:
        """What is personal in a line."""
        found = self._analyzer.analyze(line, self._language, self._entities, score_threshold=self._threshold)
        for result in found:
            if result.start < result.end:
                yield Span(result.start, result.end, Kind.NAME)
