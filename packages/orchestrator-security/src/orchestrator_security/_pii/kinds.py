"""What is found, and where."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """A kind of personal data or of secret."""

    CARD = "CARD"
    IBAN = "IBAN"
    PHONE = "PHONE"
    EMAIL = "EMAIL"
    IP = "IP"
    NATIONAL_ID = "NATIONAL_ID"
    PASSPORT = "PASSPORT"
    DRIVING_LICENCE = "DRIVING_LICENCE"
    BIRTH_DATE = "BIRTH_DATE"
    SECRET = "SECRET"  # noqa: S105 - a name of a kind
    CREDENTIALS = "CREDENTIALS"
    NAME = "NAME"
    KNOWN = "KNOWN"


class Span(NamedTuple):
    """A stretch of the text: characters `start` up to `end`."""

    start: int
    end: int
    kind: Kind
