"""Presidio's analyzer without a language model: its pattern recognizers on a tokenizer that knows nothing."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable, Iterator

import spacy
from presidio_analyzer import AnalyzerEngine, PatternRecognizer, RecognizerRegistry, predefined_recognizers
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

SAME_KINDS = (
    *(
        "CreditCardRecognizer",
        "IbanRecognizer",
        "PhoneRecognizer",
        "EmailRecognizer",
        "IpRecognizer",
        "UrlRecognizer",
        "DateRecognizer",
    ),
    *("DeIdCardRecognizer", "DePassportRecognizer", "DeTaxIdRecognizer", "DeFuehrerscheinRecognizer"),
    *("EsNieRecognizer", "EsNifRecognizer", "EsPassportRecognizer"),
    *(
        "ItDriverLicenseRecognizer",
        "ItFiscalCodeRecognizer",
        "ItIdentityCardRecognizer",
        "ItPassportRecognizer",
        "PlPeselRecognizer",
    ),
    *("NhsRecognizer", "UkNinoRecognizer", "UkPassportRecognizer", "UkDrivingLicenceRecognizer"),
    *("UsSsnRecognizer", "UsItinRecognizer", "UsPassportRecognizer", "UsLicenseRecognizer"),
)


class BlankEngine(NlpEngine):
    """Words and their places, nothing else."""

    def __init__(self) -> None:
        self.nlp = {"en": spacy.blank("en")}

    def load(self) -> None:
        return

    def is_loaded(self) -> bool:
        return True

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        document = self.nlp[language](text)
        words = [token.text for token in document]
        return NlpArtifacts([], document, [token.idx for token in document], words, self, language)

    def process_batch(self, texts: Iterable[str], language: str, **_: object) -> Iterator[tuple[str, NlpArtifacts]]:
        return ((text, self.process_text(text, language)) for text in texts)

    def is_stopword(self, word: str, language: str) -> bool:  # noqa: ARG002 - presidio's signature
        return False

    def is_punct(self, word: str, language: str) -> bool:  # noqa: ARG002 - presidio's signature
        return False

    def get_supported_entities(self) -> list[str]:
        return []

    def get_supported_languages(self) -> list[str]:
        return ["en"]


def analyzers() -> tuple[AnalyzerEngine, AnalyzerEngine]:
    """With the recognizers for the kinds and countries that ours covers, and with those that presidio loads for English."""
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    classes = {
        name: each for name, each in inspect.getmembers(predefined_recognizers, inspect.isclass) if name in SAME_KINDS
    }
    missing = set(SAME_KINDS) - classes.keys()
    if missing:
        raise LookupError(f"presidio has no {', '.join(sorted(missing))}")
    same = RecognizerRegistry(recognizers=[each(supported_language="en") for each in classes.values()])
    default = RecognizerRegistry()
    default.load_predefined_recognizers(languages=["en"])
    default.recognizers = [
        each for each in default.recognizers if isinstance(each, PatternRecognizer) or each.name == "PhoneRecognizer"
    ]
    first, second = (
        AnalyzerEngine(registry=registry, nlp_engine=BlankEngine(), supported_languages=["en"])
        for registry in (same, default)
    )
    return first, second
