"""Annotated texts per locale: what people say, write and log, with made-up numbers that are right by their own arithmetic.

Nothing here is taken from the detector: numbers are built from published rules in another way than they are checked there.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from dataclasses import dataclass

Rng = random.Random
Maker = Callable[[Rng], str]


@dataclass(frozen=True)
class Annotated:
    text: str
    spans: tuple[tuple[int, int, str], ...]

    def record(self) -> dict[str, object]:
        """In presidio-research's format."""
        return {
            "full_text": self.text,
            "spans": [
                {
                    "entity_type": kind,
                    "entity_value": self.text[start:end],
                    "start_position": start,
                    "end_position": end,
                }
                for start, end, kind in self.spans
            ],
        }


# --- building blocks


def pattern(rng: Rng, form: str) -> str:
    """`#` any digit, `%` 1 to 9, `?` a capital; the rest as it stands."""
    draw = {"#": string.digits, "%": "123456789", "?": string.ascii_uppercase}
    return "".join(rng.choice(draw[each]) if each in draw else each for each in form)


def one_of(*forms: str) -> Maker:
    return lambda rng: pattern(rng, rng.choice(forms))


def grouped(digits: str, sizes: list[int], mark: str) -> str:
    parts, at = [], 0
    for size in sizes:
        parts.append(digits[at : at + size])
        at += size
    return mark.join(part for part in (*parts, digits[at:]) if part)


# --- cards: complete a prefix so that the weighted sum is a multiple of ten


CARD_RANGES = [
    *[
        ("4", 16),
        ("4", 16),
        ("51", 16),
        ("55", 16),
        ("2221", 16),
        ("2720", 16),
        ("34", 15),
        ("37", 15),
        ("6011", 16),
        ("65", 16),
    ],
    *[("36", 14), ("38", 14), ("3530", 16), ("62", 16), ("4", 13), ("4", 19), ("6304", 16), ("5018", 16)],
]


def card(rng: Rng) -> str:
    prefix, length = rng.choice(CARD_RANGES)
    number = prefix + pattern(rng, "#" * (length - 1 - len(prefix)))
    for last in string.digits:
        whole = [int(each) for each in number + last]
        if sum(sum(divmod(each * (2 if (length - at) % 2 == 0 else 1), 10)) for at, each in enumerate(whole)) % 10 == 0:
            number += last
            break
    mark = rng.choice(["", "", " ", " ", "-", "\u00a0"])
    if not mark:
        return number
    return grouped(number, {15: [4, 6, 5], 14: [4, 6, 4]}.get(length, [4, 4, 4, 4]), mark)


# --- IBAN: the two check digits that make the rearranged number 1 modulo 97

BBAN = {
    "DE": "##################", "GB": "????##############", "ES": "####################", "FR": "##########***********##",
    "IT": "?##########************", "NL": "????##########", "PL": "########################", "PT": "#####################",
    "US": "##################", "AT": "################", "CH": "#####************", "BE": "############",
}  # fmt: skip


def iban(country: str) -> Maker:
    def make(rng: Rng) -> str:
        land = country if country != "US" and rng.random() < 0.8 else rng.choice(["DE", "GB", "FR", "AT", "CH", "BE"])
        body = "".join(
            rng.choice(string.digits + string.ascii_uppercase) if each == "*" else each
            for each in pattern(rng, BBAN[land])
        )
        value = 0
        for character in body + land + "00":
            number = ord(character) - 55 if character.isalpha() else ord(character) - 48
            value = (value * (100 if number > 9 else 10) + number) % 97
        whole = f"{land}{98 - value:02}{body}"
        whole = whole.lower() if rng.random() < 0.1 else whole
        return whole if rng.random() < 0.4 else grouped(whole, [4] * 9, rng.choice([" ", " ", "\u00a0"]))

    return make


# --- national ids


def weighted(digits: str, weights: list[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))


def until(rng: Rng, form: str, right: Callable[[str], str | None]) -> str:
    """Draw until a check digit exists."""
    while True:
        drawn = pattern(rng, form)
        whole = right(drawn)
        if whole is not None:
            return whole


def steuer_id(rng: Rng) -> str:
    figures = rng.sample(string.digits, 9)
    figures.insert(rng.randrange(10), rng.choice(figures))
    if figures[0] == "0":
        return steuer_id(rng)
    rest = 10
    for figure in figures:
        rest = (int(figure) + rest) % 10
        rest = (20 if rest == 0 else 2 * rest) % 11
    whole = "".join(figures) + str((11 - rest) % 10)
    return whole if rng.random() < 0.6 else grouped(whole, [2, 3, 3, 3], " ")


def ausweis(rng: Rng) -> str:
    letters = "CFGHJKLMNPRTVWXYZ"
    body = rng.choice(letters) + "".join(rng.choice(letters + string.digits) for _ in range(8))
    values = [string.digits.find(each) if each.isdigit() else ord(each) - 55 for each in body]
    return body + str((7 * sum(values[0::3]) + 3 * sum(values[1::3]) + sum(values[2::3])) % 10)


LETTERS_OF_23 = dict(enumerate("TRWAGMYFPDXBNJZSQVHLCKE"))


def dni(rng: Rng) -> str:
    if rng.random() < 0.3:
        first = rng.randrange(3)
        number = rng.randrange(10**7)
        return "XYZ"[first] + f"{number:07}" + rng.choice(["", "-"]) + LETTERS_OF_23[(first * 10**7 + number) % 23]
    number = rng.randrange(10**7, 10**8)
    plain = f"{number:08}" if rng.random() < 0.8 else f"{number:,}".replace(",", ".")
    return plain + rng.choice(["", "", "-", " "]) + LETTERS_OF_23[number % 23]


def nir(rng: Rng) -> str:
    body = f"{rng.choice('12')}{rng.randrange(100):02}{rng.randrange(1, 13):02}{rng.randrange(1, 96):02}{pattern(rng, '######')}"
    whole = body + f"{97 - int(body) % 97:02}"
    return whole if rng.random() < 0.4 else grouped(whole, [1, 2, 2, 2, 3, 3, 2], " ")


def codice_fiscale(rng: Rng) -> str:
    odd = dict(
        zip(
            string.digits + string.ascii_uppercase,
            [*[1, 0, 5, 7, 9, 13, 15, 17, 19, 21] * 2, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23],
            strict=True,
        )
    )
    day = rng.randrange(1, 32) + rng.choice([0, 40])
    body = pattern(rng, "??????##") + rng.choice("ABCDEHLMPRST") + f"{day:02}" + pattern(rng, "?###")
    even = [int(each) if each.isdigit() else ord(each) - 65 for each in body[1::2]]
    return body + chr(65 + (sum(odd[each] for each in body[0::2]) + sum(even)) % 26)


def bsn(rng: Rng) -> str:
    def right(drawn: str) -> str | None:
        rest = weighted(drawn, [9, 8, 7, 6, 5, 4, 3, 2]) % 11
        return drawn + str(rest) if rest < 10 else None

    whole = until(rng, "%#######", right)
    return whole if rng.random() < 0.7 else f"{whole[:4]}.{whole[4:6]}.{whole[6:]}"


def pesel(rng: Rng) -> str:
    month = rng.randrange(1, 13)
    year = rng.randrange(1930, 2010)
    body = f"{year % 100:02}{month + (20 if year >= 2000 else 0):02}{rng.randrange(1, 29):02}{pattern(rng, '####')}"
    return body + str(-weighted(body, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10)


def nif(rng: Rng) -> str:
    body = rng.choice("123") + pattern(rng, "#######")
    rest = weighted(body, [9, 8, 7, 6, 5, 4, 3, 2]) % 11
    whole = body + str(0 if rest < 2 else 11 - rest)
    return whole if rng.random() < 0.6 else grouped(whole, [3, 3, 3], " ")


def nhs(rng: Rng) -> str:
    def right(drawn: str) -> str | None:
        check = (11 - weighted(drawn, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 11
        return drawn + str(check) if check < 10 else None

    whole = until(rng, "4########", right)
    return whole if rng.random() < 0.3 else grouped(whole, [3, 3, 4], rng.choice([" ", "-"]))


def nino(rng: Rng) -> str:
    first = rng.choice("ABCEHJLMNPRSTWXYZ")
    pair = first + rng.choice(
        [each for each in "ABCEHJLMPRSTWXYZ" if first + each not in {"NT", "TN", "ZZ", "BG", "GB", "KN", "NK"}]
    )
    whole = pair + pattern(rng, "######") + rng.choice("ABCD")
    return whole if rng.random() < 0.5 else grouped(whole, [2, 2, 2, 2, 1], " ")


def ssn(rng: Rng) -> str:
    area = rng.choice([each for each in range(1, 900) if each != 666])
    return f"{area:03}-{rng.randrange(1, 100):02}-{rng.randrange(1, 10_000):04}"


# --- things without a country


def email(rng: Rng) -> str:
    first, last = (
        rng.choice(["zoe", "jan", "maria.k", "o'neil", "J_Ortiz", "li", "søren"]),
        rng.choice(["meyer", "garcia", "Wu77", "rossi", ""]),
    )
    local = first + (rng.choice([".", "_", "-", "+"]) + last if last else "")
    host = rng.choice(
        ["example.org", "mail.example.co.uk", "hotel-sonne.example.de", "EXAMPLE.COM", "bücher.example", "x.io"]
    )
    return f"{local}@{host}"


def address(rng: Rng) -> str:
    if rng.random() < 0.7:
        return ".".join(str(rng.randrange(1, 255)) for _ in range(4))
    groups = [f"{rng.randrange(1, 65536):x}" for _ in range(8)]
    if rng.random() < 0.5:
        groups[3:6] = [""]
    return "2001:" + ":".join(groups[1:])


def secret(rng: Rng) -> str:
    word = string.ascii_letters + string.digits

    def letters(count: int, alphabet: str = word) -> str:
        return "".join(rng.choice(alphabet) for _ in range(count))

    return rng.choice(
        [
            "AKIA" + letters(16, string.ascii_uppercase + "234567"),
            rng.choice(["ghp_", "gho_", "ghs_"]) + letters(36),
            "glpat-" + letters(20),
            "xoxb-" + pattern(rng, "###########-###########-") + letters(24),
            rng.choice(["sk_live_", "rk_live_", "sk_test_"]) + letters(24),
            "AIza" + letters(35, word + "-_"),
            "eyJhbGciOiJIUzI1NiJ9.eyJ" + letters(60) + "." + letters(43, word + "-_"),
            letters(48),
        ]
    )


def url(rng: Rng) -> str:
    return f"{rng.choice(['zoe', 'admin', 'svc-7'])}:{rng.choice(['s3cret', 'p4ss-word!', 'Tr0ub4dor&3', 'hunter2'])}"


# --- dates


def date(months: list[str], *forms: str) -> Maker:
    """Forms with Y year, M and D two figures, m and d one or two, N the name of the month, each in angle brackets."""

    def make(rng: Rng) -> str:
        year, month, day = rng.randrange(1935, 2012), rng.randrange(12), rng.randrange(1, 29)
        text = rng.choice(forms)
        for name, value in (
            ("Y", f"{year}"),
            ("y", f"{year % 100:02}"),
            ("M", f"{month + 1:02}"),
            ("m", f"{month + 1}"),
        ):
            text = text.replace(f"<{name}>", value)
        for name, value in (("D", f"{day:02}"), ("d", f"{day}"), ("N", months[month])):
            text = text.replace(f"<{name}>", value)
        return text

    return make


# --- locales

SPOKEN = "abcdefghij"


@dataclass(frozen=True)
class Locale:
    name: str
    makers: dict[str, Maker]
    sentences: dict[str, list[str]]


def plain(kinds: dict[str, list[str]]) -> dict[str, list[str]]:
    """Sentences that hold in every language are added: what logs and forms look like."""
    shared = {
        "CARD": ['{{"pan": "{}"}}', "card={}", "PAN {};"],
        "IBAN": ["IBAN: {}", "iban={}", "({})"],
        "PHONE": ["tel:{}", "Tel. {}", "phone={}", "<{}> Tel", 'caller="{}"'],
        "EMAIL": ["mailto:{}", "<{}>", "email={}", "{}, x", 'user="{}"'],
        "IP": ["from {} port 22", "client={}", "[{}]", "ip: {}"],
        "SECRET": ["token={}", "Authorization: Bearer {}", 'key: "{}"', "curl -H {}"],
        "CREDENTIALS": ["postgres://{}@db.example/x", "https://{}@host:8443/a?b=1"],
    }
    return {kind: kinds.get(kind, []) + shared.get(kind, []) for kind in {*kinds, *shared}}


COMMON: dict[str, Maker] = {"CARD": card, "EMAIL": email, "IP": address, "SECRET": secret, "CREDENTIALS": url}
EN = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
DE = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
]
ES = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
]
FR = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
]
IT = [
    "gennaio",
    "febbraio",
    "marzo",
    "aprile",
    "maggio",
    "giugno",
    "luglio",
    "agosto",
    "settembre",
    "ottobre",
    "novembre",
    "dicembre",
]
NL = [
    "januari",
    "februari",
    "maart",
    "april",
    "mei",
    "juni",
    "juli",
    "augustus",
    "september",
    "oktober",
    "november",
    "december",
]
PL = [
    "stycznia",
    "lutego",
    "marca",
    "kwietnia",
    "maja",
    "czerwca",
    "lipca",
    "sierpnia",
    "września",
    "października",
    "listopada",
    "grudnia",
]
PT = [
    "janeiro",
    "fevereiro",
    "março",
    "abril",
    "maio",
    "junho",
    "julho",
    "agosto",
    "setembro",
    "outubro",
    "novembro",
    "dezembro",
]

ENGLISH = {
    "CARD": ["Please charge it to {}, thanks.", "My card is {} and it expires in June.", "The number on the card: {}."],
    "IBAN": ["Transfer it to {} please.", "Our account, {}, is with the savings bank."],
    "PHONE": ["You can call me on {}.", "Reach me at {} after six.", "My number is {}, thank you.", "Ring me back: {}"],
    "EMAIL": ["Write to {} please.", "Is {} still right?", "It was sent to {}."],
    "IP": ["The request came from {}.", "Blocked {} for an hour"],
    "NATIONAL_ID": ["My social security number is {}.", "National id {}", "Tax number: {}.", "NHS or NI number: {}"],
    "PASSPORT": ["My passport is {}.", "Passport number: {}, valid until 2031.", "passport no. {}"],
    "DRIVING_LICENCE": ["His driving licence is {}.", "Driver's license {}", "driving licence number {}"],
    "BIRTH_DATE": ["She was born on {}.", "Date of birth: {}", "DOB {}", "born {} in Leeds"],
    "SECRET": ["The key is {}.", "I rotated {} yesterday"],
    "CREDENTIALS": ["Use https://{}@files.example/x for now."],
}

LOCALES = [
    Locale(
        "en-US",
        {
            **COMMON,
            "IBAN": iban("US"),
            "PHONE": one_of(
                "(2##) 2##-####",
                "3##-5##-####",
                "4##.6##.####",
                "+1 5## 7## ####",
                "+1-6##-8##-####",
                "+17##9######",
                "1-8##-2##-####",
                "7## 3## ####",
                "9##3######",
            ),
            "NATIONAL_ID": ssn,
            "PASSPORT": one_of("#########", "?########"),
            "DRIVING_LICENCE": one_of("?#######", "########", "?############"),
            "BIRTH_DATE": date(EN, "<N> <d>, <Y>", "<M>/<D>/<Y>", "<m>/<d>/<Y>", "<Y>-<M>-<D>", "<M>-<D>-<y>"),
        },
        plain(ENGLISH),
    ),
    Locale(
        "en-GB",
        {
            **COMMON,
            "IBAN": iban("GB"),
            "PHONE": one_of(
                "07### ######",
                "07#########",
                "020 7### ####",
                "0161 496 0###",
                "01632 960###",
                "(020) 7946 0###",
                "+44 7### ######",
                "+44 20 7946 0###",
                "+447#########",
                "0044 7### ######",
                "+44 (0)20 7946 0###",
            ),
            "NATIONAL_ID": lambda rng: rng.choice([nhs, nino])(rng),
            "PASSPORT": one_of("#########", "5########"),
            "DRIVING_LICENCE": lambda rng: (
                pattern(rng, "?????")
                + f"{rng.randrange(10)}{rng.choice('0156')}{rng.randrange(1, 10)}{rng.randrange(1, 29):02}{rng.randrange(10)}"
                + pattern(rng, "?9#??")
            ),
            "BIRTH_DATE": date(
                EN, "<d> <N> <Y>", "<D>/<M>/<Y>", "<d>.<m>.<Y>", "<Y>-<M>-<D>", "<d>th of <N> <Y>", "<d> <N>, <Y>"
            ),
        },
        plain(ENGLISH),
    ),
    Locale(
        "de",
        {
            **COMMON,
            "IBAN": iban("DE"),
            "PHONE": one_of(
                "030 901820##",
                "030/9018####",
                "0151 2345####",
                "0171-23#####",
                "(089) 123 45##",
                "+49 30 9018####",
                "+49 (0)89 123###",
                "+4915123456###",
                "0049 171 23#####",
                "040 12 34 56 ##",
                "06221 54-####",
                "015123456###",
            ),
            "NATIONAL_ID": lambda rng: rng.choice([steuer_id, ausweis])(rng),
            "PASSPORT": ausweis,
            "DRIVING_LICENCE": one_of("?##########", "?##?######1"),
            "BIRTH_DATE": date(DE, "<D>.<M>.<Y>", "<d>.<m>.<Y>", "<d>. <N> <Y>", "<Y>-<M>-<D>", "<D>.<M>.<y>"),
        },
        plain(
            {
                "CARD": ["Bitte belasten Sie {}.", "Meine Kreditkarte: {}, gültig bis Juni."],
                "IBAN": ["Bitte überweisen Sie auf {}.", "Unser Konto {} ist bei der Sparkasse."],
                "PHONE": [
                    "Rufen Sie mich unter {} an.",
                    "Sie erreichen mich unter {}.",
                    "Meine Nummer ist {}, danke.",
                    "Handy: {}",
                ],
                "EMAIL": ["Schreiben Sie an {} bitte.", "Stimmt {} noch?"],
                "IP": ["Die Anfrage kam von {}."],
                "NATIONAL_ID": ["Meine Steuer-ID ist {}.", "Steuernummer {}", "Personalausweis {}", "Ausweis-Nr. {}."],
                "PASSPORT": ["Mein Reisepass hat die Nummer {}.", "Reisepass {}", "Passnummer: {}"],
                "DRIVING_LICENCE": ["Sein Führerschein ist {}.", "Führerscheinnummer {}"],
                "BIRTH_DATE": ["Geboren am {} in Köln.", "Geburtsdatum: {}", "geb. {}"],
                "SECRET": ["Der Schlüssel ist {}."],
                "CREDENTIALS": ["Nehmen Sie https://{}@dateien.example/x."],
            }
        ),
    ),
    Locale(
        "es",
        {
            **COMMON,
            "IBAN": iban("ES"),
            "PHONE": one_of(
                "6## ### ###",
                "6## ## ## ##",
                "7########",
                "91 ### ## ##",
                "93# ### ###",
                "+34 6## ### ###",
                "+34 91 ### ## ##",
                "+346########",
                "0034 6## ### ###",
                "9## ## ## ##",
            ),
            "NATIONAL_ID": dni,
            "PASSPORT": one_of("???######", "?? ######".replace(" ", "A")),
            "DRIVING_LICENCE": one_of("########", "?########"),
            "BIRTH_DATE": date(ES, "<D>/<M>/<Y>", "<d> de <N> de <Y>", "<D>-<M>-<Y>", "<d>/<m>/<Y>"),
        },
        plain(
            {
                "CARD": ["Cárguelo en la tarjeta {}.", "Mi tarjeta es {} y caduca en junio."],
                "IBAN": ["Haga la transferencia a {}.", "Nuestra cuenta {} está en el banco."],
                "PHONE": ["Llámeme al {}.", "Mi número es {}, gracias.", "Móvil: {}", "Mi teléfono es el {}"],
                "EMAIL": ["Escriba a {} por favor.", "¿Es {} correcto?"],
                "IP": ["La petición vino de {}."],
                "NATIONAL_ID": ["Mi DNI es {}.", "NIE o DNI {}", "con documento {}, vecino de Madrid"],
                "PASSPORT": ["Mi pasaporte es {}.", "Pasaporte nº {}"],
                "DRIVING_LICENCE": ["Su permiso de conducir es {}.", "Carnet de conducir {}"],
                "BIRTH_DATE": ["Nacida el {} en Madrid.", "Fecha de nacimiento: {}", "nacido el {}"],
                "SECRET": ["La clave es {}."],
                "CREDENTIALS": ["Use https://{}@archivos.example/x."],
            }
        ),
    ),
    Locale(
        "fr",
        {
            **COMMON,
            "IBAN": iban("FR"),
            "PHONE": one_of(
                "06 ## ## ## ##",
                "01.##.##.##.##",
                "07########",
                "0# ## ## ## ##".replace("0#", "04"),
                "+33 6 ## ## ## ##",
                "+336########",
                "0033 1 ## ## ## ##",
                "+33 (0)1 ## ## ## ##",
                "02-##-##-##-##",
            ),
            "NATIONAL_ID": nir,
            "PASSPORT": one_of("##??#####"),
            "DRIVING_LICENCE": one_of("############", "##??######"),
            "BIRTH_DATE": date(FR, "<D>/<M>/<Y>", "<d> <N> <Y>", "<D>.<M>.<Y>", "<D>-<M>-<Y>"),
        },
        plain(
            {
                "CARD": ["Débitez la carte {}.", "Ma carte est le {}, valable jusqu'en juin."],
                "IBAN": ["Virez la somme sur {}.", "Notre compte {} est à la banque."],
                "PHONE": ["Appelez-moi au {}.", "Mon numéro est le {}, merci.", "Portable : {}", "joignable au {}"],
                "EMAIL": ["Écrivez à {} s'il vous plaît.", "L'adresse {} est-elle bonne ?"],
                "IP": ["La requête vient de {}."],
                "NATIONAL_ID": ["Mon numéro de sécu est {}.", "NIR : {}", "N° de sécurité sociale {}."],
                "PASSPORT": ["Mon passeport est le {}.", "Passeport n° {}"],
                "DRIVING_LICENCE": ["Son permis de conduire : {}.", "permis de conduire n° {}"],
                "BIRTH_DATE": ["Née le {} à Lyon.", "Date de naissance : {}", "né le {}"],
                "SECRET": ["La clé est {}."],
                "CREDENTIALS": ["Utilisez https://{}@fichiers.example/x."],
            }
        ),
    ),
    Locale(
        "it",
        {
            **COMMON,
            "IBAN": iban("IT"),
            "PHONE": one_of(
                "3## #######",
                "3## ### ####",
                "06 #### ####",
                "02 #######",
                "+39 3## #######",
                "+39 06 #### ####",
                "+393#########",
                "3#########",
                "0039 3## #######",
                "011-#######",
            ),
            "NATIONAL_ID": codice_fiscale,
            "PASSPORT": one_of("??#######"),
            "DRIVING_LICENCE": one_of("??#######?", "U1########".replace("########", "#######?")),
            "BIRTH_DATE": date(IT, "<D>/<M>/<Y>", "<d> <N> <Y>", "<D>-<M>-<Y>", "<D>.<M>.<Y>"),
        },
        plain(
            {
                "CARD": ["Addebiti sulla carta {}.", "La mia carta è {} e scade a giugno."],
                "IBAN": ["Faccia il bonifico su {}.", "Il nostro conto {} è in banca."],
                "PHONE": ["Mi chiami al {}.", "Il mio numero è {}, grazie.", "Cellulare: {}", "Il mio telefono è {}"],
                "EMAIL": ["Scriva a {} per favore."],
                "IP": ["La richiesta arriva da {}."],
                "NATIONAL_ID": ["Il mio codice fiscale è {}.", "C.F. {}", "nata a Roma, {}"],
                "PASSPORT": ["Il mio passaporto è {}.", "Passaporto n. {}"],
                "DRIVING_LICENCE": ["La sua patente è {}.", "Patente di guida {}"],
                "BIRTH_DATE": ["Nata il {} a Roma.", "Data di nascita: {}", "nato il {}"],
                "SECRET": ["La chiave è {}."],
                "CREDENTIALS": ["Usi https://{}@file.example/x."],
            }
        ),
    ),
    Locale(
        "nl",
        {
            **COMMON,
            "IBAN": iban("NL"),
            "PHONE": one_of(
                "06-########",
                "06 ########",
                "020 ### ####",
                "06 ## ## ## ##",
                "+31 6 ########",
                "+316########",
                "0031 20 ### ####",
                "(020) ### ## ##",
                "0612345###",
            ),
            "NATIONAL_ID": bsn,
            "PASSPORT": one_of("N?####?##".replace("?", "P"), "NW#?##B##".replace("?", "R")),
            "DRIVING_LICENCE": one_of("##########"),
            "BIRTH_DATE": date(NL, "<D>-<M>-<Y>", "<d> <N> <Y>", "<D>/<M>/<Y>"),
        },
        plain(
            {
                "CARD": ["Boek het af van {} alstublieft.", "Mijn kaart is {}."],
                "IBAN": ["Maak het over naar {}.", "Onze rekening {} loopt bij de bank."],
                "PHONE": ["Bel me op {}.", "Mijn nummer is {}, bedankt.", "Mobiel: {}", "Ik ben bereikbaar op {}"],
                "EMAIL": ["Schrijf naar {} alstublieft."],
                "IP": ["Het verzoek kwam van {}."],
                "NATIONAL_ID": ["Mijn BSN is {}.", "Burgerservicenummer: {}", "BSN {}"],
                "PASSPORT": ["Mijn paspoort is {}.", "Paspoortnummer {}"],
                "DRIVING_LICENCE": ["Zijn rijbewijs is {}.", "Rijbewijsnummer {}"],
                "BIRTH_DATE": ["Geboren op {} te Delft.", "Geboortedatum: {}"],
                "SECRET": ["De sleutel is {}."],
                "CREDENTIALS": ["Gebruik https://{}@bestanden.example/x."],
            }
        ),
    ),
    Locale(
        "pl",
        {
            **COMMON,
            "IBAN": iban("PL"),
            "PHONE": one_of(
                "6## ### ###",
                "5##-###-###",
                "22 ### ## ##",
                "+48 6## ### ###",
                "+48 22 ### ## ##",
                "+485########",
                "0048 6## ### ###",
                "7########",
            ),
            "NATIONAL_ID": pesel,
            "PASSPORT": one_of("??#######"),
            "DRIVING_LICENCE": one_of("#####/##/####".replace("/", "")),
            "BIRTH_DATE": date(PL, "<D>.<M>.<Y>", "<d> <N> <Y>", "<Y>-<M>-<D>", "<D>-<M>-<Y>"),
        },
        plain(
            {
                "CARD": ["Proszę obciążyć kartę {}.", "Moja karta to {}."],
                "IBAN": ["Proszę przelać na {}.", "Nasze konto {} jest w banku."],
                "PHONE": ["Zadzwoń do mnie: {}.", "Mój numer to {}, dziękuję.", "Telefon: {}", "komórka {}"],
                "EMAIL": ["Proszę pisać na {}."],
                "IP": ["Żądanie przyszło z {}."],
                "NATIONAL_ID": ["Mój PESEL to {}.", "PESEL: {}", "pesel {} w dokumencie"],
                "PASSPORT": ["Mój paszport to {}.", "Paszport nr {}"],
                "DRIVING_LICENCE": ["Jego prawo jazdy to {}.", "Prawo jazdy nr {}"],
                "BIRTH_DATE": ["Urodzona {} w Łodzi.", "Data urodzenia: {}", "urodzony {}"],
                "SECRET": ["Klucz to {}."],
                "CREDENTIALS": ["Użyj https://{}@pliki.example/x."],
            }
        ),
    ),
    Locale(
        "pt",
        {
            **COMMON,
            "IBAN": iban("PT"),
            "PHONE": one_of(
                "91# ### ###",
                "93#######".replace("#######", "#######"),
                "21 ### ## ##",
                "22# ### ###",
                "+351 91# ### ###",
                "+351 21 ### ## ##",
                "+35196#######",
                "00351 91# ### ###",
            ),
            "NATIONAL_ID": nif,
            "PASSPORT": one_of("?######", "??######"),
            "DRIVING_LICENCE": one_of("L-#######".replace("-", ""), "AV########"),
            "BIRTH_DATE": date(PT, "<D>/<M>/<Y>", "<d> de <N> de <Y>", "<D>-<M>-<Y>"),
        },
        plain(
            {
                "CARD": ["Debite no cartão {}.", "O meu cartão é {} e expira em junho."],
                "IBAN": ["Transfira para {} por favor.", "A nossa conta {} está no banco."],
                "PHONE": [
                    "Ligue-me para o {}.",
                    "O meu número é {}, obrigado.",
                    "Telemóvel: {}",
                    "O meu telefone é {}",
                ],
                "EMAIL": ["Escreva para {} por favor."],
                "IP": ["O pedido veio de {}."],
                "NATIONAL_ID": ["O meu NIF é {}.", "Contribuinte n.º {}", "número fiscal {}"],
                "PASSPORT": ["O meu passaporte é {}.", "Passaporte n.º {}"],
                "DRIVING_LICENCE": ["A carta de condução é {}.", "Carta de condução n.º {}"],
                "BIRTH_DATE": ["Nascida a {} em Lisboa.", "Data de nascimento: {}", "nascido em {}"],
                "SECRET": ["A chave é {}."],
                "CREDENTIALS": ["Use https://{}@ficheiros.example/x."],
            }
        ),
    ),
]


def annotated(locale: Locale, count: int, seed: int = 1) -> list[Annotated]:
    """`count` texts of one locale; every kind in turn."""
    rng = random.Random(f"{locale.name} {seed}")
    kinds = sorted(locale.makers)
    return [_one(rng, locale, kinds[number % len(kinds)]) for number in range(count)]


def _one(rng: Rng, locale: Locale, kind: str) -> Annotated:
    value = locale.makers[kind](rng)
    sentence = rng.choice(locale.sentences[kind])
    before, after = sentence.replace("{{", "{").replace("}}", "}").split("{}", 1)
    lead = rng.choice(["", "", "2026-11-22T12:00:01Z INFO ", "- ", "> ", "\t", "Ok. "])
    start = len(lead) + len(before)
    text = f"{lead}{before}{value}{after}{rng.choice(['', '', ' ', chr(10), ' 200 OK', ' …'])}"
    return Annotated(text, ((start, start + len(value), kind),))
