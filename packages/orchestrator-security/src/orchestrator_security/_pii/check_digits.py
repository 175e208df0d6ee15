"""The arithmetic behind numbers that can be told from any other number.

Sources: ISO/IEC 7812 (Luhn), ISO 13616 (IBAN), and for national ids the publications of the issuing authorities; each is compared
with an independent implementation in `oracle/`.
"""

from __future__ import annotations

import re
from collections import Counter

_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_IBAN_LENGTHS = {
    "AD": 24,
    "AE": 23,
    "AL": 28,
    "AT": 20,
    "AZ": 28,
    "BA": 20,
    "BE": 16,
    "BG": 22,
    "BH": 22,
    "BI": 27,
    "BR": 29,
    "BY": 28,
    "CH": 21,
    "CR": 22,
    "CY": 28,
    "CZ": 24,
    "DE": 22,
    "DJ": 27,
    "DK": 18,
    "DO": 28,
    "EE": 20,
    "EG": 29,
    "ES": 24,
    "FI": 18,
    "FK": 18,
    "FO": 18,
    "FR": 27,
    "GB": 22,
    "GE": 22,
    "GI": 23,
    "GL": 18,
    "GR": 27,
    "GT": 28,
    "HN": 28,
    "HR": 21,
    "HU": 28,
    "IE": 22,
    "IL": 23,
    "IQ": 23,
    "IS": 26,
    "IT": 27,
    "JO": 30,
    "KW": 30,
    "KZ": 20,
    "LB": 28,
    "LC": 32,
    "LI": 21,
    "LT": 20,
    "LU": 20,
    "LV": 21,
    "LY": 25,
    "MC": 27,
    "MD": 24,
    "ME": 22,
    "MK": 19,
    "MN": 20,
    "MR": 27,
    "MT": 31,
    "MU": 30,
    "NI": 28,
    "NL": 18,
    "NO": 15,
    "OM": 23,
    "PK": 24,
    "PL": 28,
    "PS": 29,
    "PT": 25,
    "QA": 29,
    "RO": 24,
    "RS": 22,
    "RU": 33,
    "SA": 24,
    "SC": 31,
    "SD": 18,
    "SE": 24,
    "SI": 19,
    "SK": 24,
    "SM": 27,
    "SO": 23,
    "ST": 25,
    "SV": 28,
    "TL": 23,
    "TN": 24,
    "TR": 26,
    "UA": 29,
    "VA": 22,
    "VG": 24,
    "XK": 20,
    "YE": 30,
}


def luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = ord(digit) - 48
        total += _DOUBLED[value] if position & 1 else value
    return total % 10 == 0


_CARD_LENGTHS = (
    (re.compile("4"), {13, 16, 19}),
    (re.compile("5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)"), {16}),
    (re.compile("3[47]"), {15}),
    (re.compile("3(?:0[0-5]|095|[689])"), {14, 16, 19}),
    (re.compile("2131|1800"), {15}),
    (re.compile("35(?:2[89]|[3-8])"), {16, 19}),
    (re.compile("6(?:011|4[4-9]|5)"), {16, 19}),
    (re.compile("62"), {16, 19}),
    (re.compile("220[0-4]"), {16, 19}),
    (re.compile("50|5[6-8]|6[0379]"), {16}),
)
"""Ranges of the schemes and the lengths in use: rarer ones (Maestro with 12) would take one order number in ten for a card."""


def is_card(digits: str) -> bool:
    """A payment card's number: a range of a scheme, its length, and Luhn."""
    if not any(len(digits) in lengths and prefix.match(digits) for prefix, lengths in _CARD_LENGTHS):
        return False
    # A row of one digit passes Luhn and is never issued.
    return luhn(digits) and len(set(digits)) > 1


def iban_length(country: str) -> int | None:
    """How many characters an IBAN of the country has; None for a country without IBANs."""
    return _IBAN_LENGTHS.get(country)


def is_iban(compact: str) -> bool:
    """An IBAN in capitals without spaces: its country's length, and 1 modulo 97."""
    if _IBAN_LENGTHS.get(compact[:2]) != len(compact):
        return False
    turned = compact[4:] + compact[:4]
    return int("".join([str(int(character, 36)) for character in turned])) % 97 == 1


def is_de_tax_id(digits: str) -> bool:
    """A German tax id (Steuer-IdNr.): among its first ten digits one stands two or three times; ISO 7064 mod 11,10."""
    if len(digits) != 11 or digits[0] == "0":
        return False
    repeats = sorted(Counter(digits[:10]).values(), reverse=True)
    if repeats[0] not in {2, 3} or repeats[1] != 1:
        return False
    product = 10
    for digit in digits[:10]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[10])


_DE_DOCUMENT_WEIGHTS = (7, 3, 1)


def is_de_document(text: str) -> bool:
    """The number on a German identity card or passport: nine characters and a check digit with weights 7, 3, 1."""
    if len(text) != 10 or not text[9].isdigit():
        return False
    total = sum(int(character, 36) * _DE_DOCUMENT_WEIGHTS[at % 3] for at, character in enumerate(text[:9]))
    return total % 10 == int(text[9])


_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def is_es_id(text: str) -> bool:
    """A Spanish DNI (8 digits) or NIE (X, Y or Z and 7 digits) with its letter modulo 23."""
    if len(text) != 9 or not text[1:8].isdigit():
        return False
    number = text[:8].translate(str.maketrans("XYZ", "012"))
    return number.isdigit() and _DNI_LETTERS[int(number) % 23] == text[8]


_NIR = re.compile(r"[12378][0-9]{2}(?:0[1-9]|1[0-2]|[2-9][0-9])(?:[0-9]{2}|2[AB])[0-9]{8}")


def is_fr_nir(text: str) -> bool:
    """A French social security number (NIR): 13 characters and its key modulo 97."""
    if not _NIR.fullmatch(text):
        return False
    number = text[:13].replace("2A", "19").replace("2B", "18")
    return 97 - int(number) % 97 == int(text[13:])


_CF = re.compile(r"[A-Z]{6}[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]", re.ASCII)
_CF_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def is_it_cf(text: str) -> bool:
    """An Italian codice fiscale with its check letter."""
    if not _CF.fullmatch(text):
        return False
    values = [int(character) if character.isdigit() else ord(character) - 65 for character in text[:15]]
    total = sum(_CF_ODD[value] if at % 2 == 0 else value for at, value in enumerate(values))
    return chr(65 + total % 26) == text[15]


def is_nl_bsn(digits: str) -> bool:
    """A Dutch BSN: nine digits that pass the eleven-test."""
    if len(digits) != 9 or digits == "000000000":
        return False
    total = sum(int(digit) * (9 - at) for at, digit in enumerate(digits[:8])) - int(digits[8])
    return total % 11 == 0


def is_pl_pesel(digits: str) -> bool:
    """A Polish PESEL: a date of birth, a number, a check digit."""
    if len(digits) != 11:
        return False
    month, day = int(digits[2:4]) % 20, int(digits[4:6])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return False
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 10 == 0


def is_pt_nif(digits: str) -> bool:
    """A Portuguese NIF: nine digits, the last modulo 11."""
    if len(digits) != 9 or digits[0] in "04" or (digits[0] == "7" and digits[1] not in "0124579"):
        return False
    total = sum(int(digit) * (9 - at) for at, digit in enumerate(digits[:8]))
    check = 11 - total % 11
    return (0 if check >= 10 else check) == int(digits[8])


def is_pt_card(text: str) -> bool:
    """A Portuguese citizen card's number: 8 digits, a digit, two characters, a digit; Luhn over base 36."""
    if len(text) != 12 or not (text[:9].isdigit() and text[11].isdigit()):
        return False
    total = 0
    for position, character in enumerate(reversed(text)):
        value = int(character, 36)
        if position & 1:
            value = value * 2 - 9 if value * 2 > 9 else value * 2
        total += value
    return total % 10 == 0


def is_uk_nhs(digits: str) -> bool:
    """A British NHS number: ten digits, the last modulo 11."""
    if len(digits) != 10:
        return False
    check = 11 - sum(int(digit) * (10 - at) for at, digit in enumerate(digits[:9])) % 11
    return check % 11 == int(digits[9]) and check != 10


_NINO = re.compile(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][0-9]{6}[A-D]")


def is_uk_nino(text: str) -> bool:
    """A British National Insurance number, which has a form but no check digit."""
    return _NINO.fullmatch(text) is not None


_SSN = re.compile(
    r"(?!000|666)[0-8][0-9]{2}(?!00)[0-9]{2}(?!0000)[0-9]{4}|9[0-9]{2}(?:5[0-9]|6[0-5]|7[0-9]|8[0-8]|9[0-24-9])[0-9]{4}"
)


def is_us_ssn(digits: str) -> bool:
    """An American SSN or ITIN as the authority issues them; neither has a check digit."""
    return _SSN.fullmatch(digits) is not None
