"""The few words that the runtime itself says: when nobody else can, and the caller must not be left in silence.

What the user types: `CallRuntime(phrase=phrase, …)` with a function of their own; `default_phrase` is what is said without one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

__all__ = ["Phrase", "PhraseFor", "default_phrase"]


class Phrase(StrEnum):
    """Why the runtime speaks."""

    WAITING = "waiting"
    """An answer or an action takes long."""
    FAILED = "failed"
    """The answer cannot be had."""
    LOST = "lost"
    """The speech broke off, and nobody knows what was heard of the sentence."""


PhraseFor = Callable[[str, str, Phrase, int], str]
"""The words for a tenant, a language (BCP 47), a reason, and the how-manieth time in a row, from 1; empty to say nothing."""

_TEXTS: Final[Mapping[str, Mapping[Phrase, tuple[str, ...]]]] = {
    "en": {
        Phrase.WAITING: ("One moment, please.", "I am still working on it.", "Thank you for waiting."),
        Phrase.FAILED: ("I am sorry, something went wrong. Could you say that again?",),
        Phrase.LOST: ("Sorry, the line was interrupted. Please ask if you missed something.",),
    },
    "de": {
        Phrase.WAITING: ("Einen Moment, bitte.", "Ich bin noch dabei.", "Danke für Ihre Geduld."),
        Phrase.FAILED: ("Entschuldigung, da ist etwas schiefgegangen. Können Sie das noch einmal sagen?",),
        Phrase.LOST: ("Entschuldigung, die Verbindung war unterbrochen. Fragen Sie gern nach.",),
    },
    "es": {
        Phrase.WAITING: ("Un momento, por favor.", "Sigo en ello.", "Gracias por su paciencia."),
        Phrase.FAILED: ("Perdone, algo ha fallado. ¿Puede repetirlo?",),
        Phrase.LOST: ("Perdone, se ha cortado un momento. Pregunte si no lo ha oído todo.",),
    },
    "fr": {
        Phrase.WAITING: ("Un instant, s'il vous plaît.", "Je m'en occupe.", "Merci de patienter."),
        Phrase.FAILED: ("Excusez-moi, quelque chose n'a pas marché. Pouvez-vous répéter ?",),
        Phrase.LOST: ("Excusez-moi, la ligne a été coupée. N'hésitez pas à demander.",),
    },
}


def default_phrase(tenant: str, language: str, phrase: Phrase, count: int) -> str:
    """English, German, Spanish and French; English where the language is another one."""
    del tenant  # all tenants say the same
    texts = _TEXTS.get(language.partition("-")[0].lower(), _TEXTS["en"])[phrase]
    return texts[min(max(count, 1), len(texts)) - 1]
