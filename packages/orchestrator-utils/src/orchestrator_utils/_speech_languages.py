"""Which voice of espeak-ng speaks a language. Pure."""

from __future__ import annotations

import re

from orchestrator_utils._speech_checks import SpeechRefused

__all__ = ["ESPEAK_VOICES", "espeak_voice"]

ESPEAK_VOICES = {
    "ar": "ar", "bg": "bg", "ca": "ca", "cmn": "cmn", "cs": "cs", "da": "da", "de": "de", "el": "el",
    "en": "en-us", "en-au": "en", "en-gb": "en", "en-ie": "en", "en-in": "en", "en-nz": "en", "en-za": "en",
    "es": "es", "es-419": "es-419", "es-ar": "es-419", "es-cl": "es-419", "es-co": "es-419", "es-mx": "es-419",
    "es-pe": "es-419", "es-us": "es-419", "et": "et", "fi": "fi", "fr": "fr", "fr-be": "fr-be", "fr-ch": "fr-ch",
    "he": "he", "hi": "hi", "hr": "hr", "hu": "hu", "id": "id", "it": "it", "ja": "ja", "ko": "ko", "lt": "lt",
    "lv": "lv", "nb": "nb", "nl": "nl", "no": "nb", "pl": "pl", "pt": "pt", "pt-br": "pt-br", "ro": "ro", "ru": "ru",
    "sk": "sk", "sl": "sl", "sv": "sv", "tr": "tr", "uk": "uk", "vi": "vi", "yue": "yue", "zh": "cmn", "zh-hk": "yue",
}  # fmt: skip
"""From lower-case BCP 47 (RFC 5646) to a name that espeak-ng 1.52 takes; whether a native speaker is pleased was not judged."""

_TAG = re.compile(r"[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8}){0,6}")


def espeak_voice(language: str) -> str:
    """The voice for a BCP 47 tag: the longest beginning of it that is known, so `de-AT` is spoken by `de`.

    Raises:
        SpeechRefused: No voice speaks it; the message names the language.
    """
    if not _TAG.fullmatch(language):
        raise SpeechRefused("embedded voice: the language is not a BCP 47 tag", details={"service": "embedded voice"})
    tag = language.lower().replace("_", "-")
    while tag:
        if tag in ESPEAK_VOICES:
            return ESPEAK_VOICES[tag]
        tag = tag.rpartition("-")[0]
    raise SpeechRefused(
        f"embedded voice: no voice speaks {language}", details={"service": "embedded voice", "language": language}
    )
