"""The real AnalyzerEngine behind the adapter, with names from a list in place of a model's weights."""

from __future__ import annotations

import spacy
from presidio_analyzer import AnalyzerEngine, PatternRecognizer, RecognizerRegistry
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

from orchestrator_security.pii_redactor import PiiRedactor
from orchestrator_security.presidio_finder import PresidioFinder


class BlankEngine(NlpEngine):
    def __init__(self) -> None:
        self.nlp = {"en": spacy.blank("en")}

    def load(self) -> None:
        return

    def is_loaded(self) -> bool:
        return True

    def process_text(self, text, language):
        document = self.nlp[language](text)
        return NlpArtifacts(
            [], document, [token.idx for token in document], [token.text for token in document], self, language
        )

    def process_batch(self, texts, language, **_):
        return ((text, self.process_text(text, language)) for text in texts)

    def is_stopword(self, word, language):
        return False

    def is_punct(self, word, language):
        return False

    def get_supported_entities(self):
        return []

    def get_supported_languages(self):
        return ["en"]


def test_presidio_names_are_redacted() -> None:
    names = PatternRecognizer(supported_entity="PERSON", deny_list=["Quentin", "Zyx"])
    registry = RecognizerRegistry(recognizers=[names])
    engine = AnalyzerEngine(registry=registry, nlp_engine=BlankEngine(), supported_languages=["en"])
    redactor = PiiRedactor(finders=[PresidioFinder(engine, language="en", entities=["PERSON"])])
    assert (
        redactor.redact_text("Quentin Zyx wrote to q@x.example\nand left") == "[NAME] [NAME] wrote to [EMAIL]\nand left"
    )
