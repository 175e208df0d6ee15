"""Words that say what the number behind them is, in eight languages.

They are looked for in the few characters before a candidate, never all over the text.
"""

from __future__ import annotations

import re

WINDOW = 48
"""Characters before a candidate that are read."""


def _any(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words))


CARD = _any(
    "card",
    "karte",
    "tarjeta",
    "carte",
    "carta",
    "kaart",
    "kart",
    "cartão",
    "cartao",
    r"\bpan\b",
    "visa",
    "maestro",
    "amex",
)
"""Cards of rare ranges and lengths are told by such a word and Luhn."""

PHONE = _any(
    *(
        "phone",
        "mobile",
        "cell",
        "call ?back",
        "call (?:me|us|him|her)",
        "ring me",
        r"\btel",
        "fax",
        "whatsapp",
        r"\bsms\b",
    ),
    *("caller", "text me", "reach (?:me|us|him|her)", "dial", "contact"),
    *("rufnummer", "anruf", "handy", "mobil", "erreich", "rückruf", "ruf(?:en|t)? (?:sie|mich|uns)", "nummer lautet"),
    *("llám", "llama", "móvil", "movil", "teléf", "telef", "contact"),
    *("appel", "portable", "joindre", "rappel", "joignable"),
    *("chiam", "cellulare", "telefon", "numero di tel", "richiam"),
    *(
        "bel (?:me|mij|ons)",
        "bellen",
        "bereikbaar",
        "zadzwo",
        "komórk",
        "komork",
        "dzwoni",
        "ligu?e",
        "telem[óo]vel",
        "ligar",
    ),
    *(r"\bnumber is", r"número es", r"numéro est", r"nummer ist", r"numero è", r"nummer is", r"numer to", r"número é"),
)

NATIONAL_ID = _any(
    *(
        "tax",
        "social security",
        r"\bssn\b",
        r"\bitin\b",
        r"\bnhs\b",
        "national insurance",
        r"\bnino\b",
        r"\bni n",
        "national id",
        "identity",
    ),
    *("steuer", r"\bidnr", "ausweis", "personal"),
    *(r"\bdni\b", r"\bnie\b", r"\bnif\b", "documento", "identidad"),
    *("sécu", "secu", r"\bnir\b", "insee", "codice fiscale", r"\bcf\b"),
    *(r"\bbsn\b", "burgerservice", "sofi", "pesel", "contribuinte", "cidadão", "cidadao", "fiscal"),
)

PASSPORT = _any(
    "passport",
    "reisepass",
    "pasaporte",
    "passeport",
    "passaporto",
    "paspoort",
    "paszport",
    "passaporte",
    r"\bpass\b",
    "passnummer",
)

LICENCE = _any(
    *("driving licen[cs]e", "driver.{0,2} licen[cs]e", "licen[cs]e (?:number|no)", "führerschein", "fuehrerschein"),
    *(
        "permis de conduire",
        "permiso de conduc",
        "carnet de conduc",
        "patente",
        "rijbewijs",
        "prawo jazdy",
        "prawa jazdy",
    ),
    *("carta de condu",),
)

BIRTH = _any(
    *(
        r"\bborn\b",
        "birth",
        r"\bdob\b",
        "d\\.o\\.b",
        r"\bgeb\b",
        r"\bgeb\.",
        "geboren",
        "geburt",
        "nacid[oa]",
        "nacimiento",
        "nací",
    ),
    *(
        r"\bn[ée]e? le\b",
        "naissance",
        r"\bnat[oa] il\b",
        "nascita",
        "geboorte",
        "urodz",
        "nascid[oa]",
        "nascimento",
        "nasci",
    ),
)

_IDENTIFIERS = frozenset(
    [
        "id",
        "ids",
        "uid",
        "gid",
        "pid",
        "tid",
        "uuid",
        "order",
        "orders",
        "invoice",
        "ticket",
        "ref",
        "reference",
        "trace",
        "span",
        "seq",
        "sequence",
        "offset",
        "epoch",
        "ts",
        "time",
        "timestamp",
        "size",
        "bytes",
        "length",
        "port",
        "build",
        "version",
        "commit",
        "sku",
        "tracking",
        "parcel",
        "serial",
        "batch",
        "job",
        "request",
        "session",
        "transaction",
        "nonce",
        "crc",
        "checksum",
        "partition",
        "shard",
        "count",
        "total",
        "bestellung",
        "bestellnummer",
        "auftrag",
        "auftragsnummer",
        "rechnung",
        "rechnungsnummer",
        "vorgang",
        "vorgangsnummer",
        "pedido",
        "factura",
        "referencia",
        "commande",
        "facture",
        "référence",
        "ordine",
        "fattura",
        "bestelling",
        "factuur",
        "zamówienie",
        "zamówienia",
        "faktura",
        "faktury",
        "encomenda",
        "fatura",
    ]
)
_NUMBER_WORDS = frozenset(["no", "nr", "num", "number", "nummer", "numero", "número", "numéro", "n°", "nº", "n.º"])
_AROUND = " :=#\"'-_(.[>/"
_PARTS = re.compile(r"[^\W\d_]+[°º]?")


def identifies(told: str) -> bool:
    """Whether the word directly before a number says that it identifies a thing, not a person (`order no. 4711`, `trace_id=…`)."""
    last = told.rstrip(_AROUND)[-32:]
    parts = _PARTS.findall(last)
    if not parts or last[-1:].isdigit():
        return False
    if parts[-1] in _NUMBER_WORDS:
        parts.pop()
    return bool(parts) and parts[-1] in _IDENTIFIERS


class Line:
    """A line of text, and which kinds of words are in it at all: asked once, because most lines have none of them."""

    __slots__ = (
        "_has_id_word",
        "_has_phone_word",
        "has_at",
        "has_birth_word",
        "has_document_word",
        "has_path_number",
        "lower",
        "text",
    )

    def __init__(self, text: str) -> None:
        lower = text.lower()
        self.text = text
        self.lower = lower
        self.has_document_word = _has(lower, _DOCUMENT_STEMS)
        # The places in `lower` are those in `text` except where a capital becomes two small letters.
        self.has_birth_word = _has(lower, _BIRTH_STEMS) and len(lower) == len(text)
        self.has_at = "@" in text
        # A plus at the beginning of a part of a path, or an encoded one.
        self.has_path_number = "/+" in text or "%2" in text
        self._has_phone_word: bool | None = None
        self._has_id_word: bool | None = None

    @property
    def has_phone_word(self) -> bool:
        """Whether a word of `PHONE` may be in the line."""
        if self._has_phone_word is None:
            self._has_phone_word = _has(self.lower, _PHONE_STEMS)
        return self._has_phone_word

    @property
    def has_id_word(self) -> bool:
        """Whether a word of `NATIONAL_ID` may be in the line."""
        if self._has_id_word is None:
            self._has_id_word = _has(self.lower, _ID_STEMS)
        return self._has_id_word


def _has(lower: str, stems: tuple[str, ...]) -> bool:
    for stem in stems:  # noqa: SIM110 - a generator costs three times as much
        if stem in lower:
            return True
    return False


# What every match of a pattern holds, as few and as short as may be: asking for them costs a fifth of the pattern. A test draws matches from the
# patterns, so that a word cannot be added to one of them alone.
_PHONE_STEMS = (
    *(
        "phone",
        "mob",
        "móv",
        "mov",
        "cell",
        "call",
        "ring me",
        "tel",
        "fax",
        "whatsapp",
        "sms",
        "text me",
        "reach",
        "dial",
        "conta",
        "ruf",
    ),
    *(
        "handy",
        "erreich",
        "nummer",
        "llam",
        "llám",
        "appel",
        "portable",
        "joi",
        "chiam",
        "bel ",
        "bellen",
        "bereik",
        "dzwo",
        "kom",
        "lig",
    ),
    *("number is", "número", "numéro", "numero", "numer"),
)
_ID_STEMS = (
    *(
        "tax",
        "social",
        "ssn",
        "itin",
        "nhs",
        "insurance",
        "nino",
        "ni n",
        "national",
        "ident",
        "steuer",
        "idnr",
        "ausweis",
        "personal",
        "dni",
    ),
    *(
        "nie",
        "nif",
        "document",
        "sécu",
        "secu",
        "nir",
        "insee",
        "codice",
        "cf",
        "bsn",
        "burgerservice",
        "sofi",
        "pesel",
        "contribuinte",
    ),
    *("cidad", "fiscal"),
)
_DOCUMENT_STEMS = ("pas", "licen", "hrerschein", "de condu", "patente", "rijbewijs", "praw")
_BIRTH_STEMS = (
    *("born", "birth", "dob", "d.o.b", "geb", "nac", "né", "ne le", "nee le", "naiss", "nato il", "nata il"),
    *("nasc", "urodz"),
)


def before(text: str, start: int) -> str:
    """What stands before a candidate, in lower case."""
    return text[max(0, start - WINDOW) : start].lower()


def after(text: str, end: int) -> str:
    """What stands right behind a candidate, in lower case."""
    return text[end : end + 12].lower()
