"""Callers with identities that exist nowhere else, and the search for what is left of them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Identity", "found", "identities", "rooms_told"]

SYLLABLES = "bra dro fle gwi jor kle mur nax pli quo rex sti tro vel wex yor zim"
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True)
class Identity:
    """One caller. Every value but the room's number stands alone in the world."""

    first: str
    last: str
    street: str
    phone: str
    card: str
    code: str
    room: str

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"

    @property
    def email(self) -> str:
        return f"{self.first.lower()}.{self.last.lower()}@{self.last.lower()}-mail.example"

    @property
    def address(self) -> str:
        return f"{self.street}, 10115 Berlin"

    @property
    def everything(self) -> str:
        """All of it in one sentence, in forms that people use."""
        return (
            f"{self.name.upper()}, {self.last}s booking {self.code}, room {self.room}, {spoken(self.room)}, {self.street.lower()}, "
            f"{self.email}, {spoken(self.phone[1:])}, {self.card}"
        )

    def traces(self) -> set[str]:
        """What must be found nowhere, as the search sees it."""
        street = self.street.partition(" ")[0].lower()
        return {
            *(self.first.lower(), self.last.lower(), street),
            *(self.phone.removeprefix("+"), self.card, self.code.lower()),
        }


def identities(count: int) -> list[Identity]:
    dice = random.Random(20)
    names: set[str] = set()
    while len(names) < 3 * count:
        names.add("".join(dice.choices(SYLLABLES.split(), k=4)).capitalize())
    spare = iter(sorted(names, key=lambda name: (hash_of(name), name)))
    return [
        Identity(
            first=next(spare),
            last=next(spare),
            street=f"{next(spare)}strasse {1 + number % 97}",
            phone=f"+4930{5_000_000 + number}",
            card=card(4_000_000_000_000_000 + number * 7919 * 10),
            code=f"QW{number:05d}XZ",
            room=str(1000 + number * 37 % 9000),
        )
        for number in range(count)
    ]


def hash_of(name: str) -> int:
    """Spreads the names, so that first and last names of one caller do not begin alike."""
    return sum(ord(character) * 31**place for place, character in enumerate(name)) % 10_007


def card(number: int) -> str:
    """The number with a last digit that Luhn's check accepts."""
    digits = [int(digit) for digit in str(number)[:15]]
    total = sum(digit if index % 2 else sum(divmod(2 * digit, 10)) for index, digit in enumerate(digits))
    return f"{str(number)[:15]}{-total % 10}"


def spoken(digits: str) -> str:
    return " ".join(DIGITS[int(digit)] for digit in digits)


def found(text: str) -> Iterator[str]:
    """Every word, code and run of digits of a text; digits read with and without spaces and signs between them, and as they are spoken."""
    yield from (word.lower() for word in re.findall(r"[A-Za-z]{6,}", text))
    yield from (code.lower() for code in re.findall(r"(?i)QW\d{5}XZ", text))
    yield from re.findall(r"\d{9,}", text)
    yield from (re.sub(r"\D", "", run) for run in re.findall(r"\d(?:[ .-]?\d){8,}", text))
    digit = "|".join(DIGITS)
    for run in re.findall(rf"(?i)(?:(?:{digit})\W+){{8,}}(?:{digit})", text):
        yield "".join(str(DIGITS.index(word.lower())) for word in re.findall(r"[A-Za-z]+", run))


def rooms_told(lines: str, people: list[Identity]) -> list[str]:
    """Lines about a call in which the number of its room stands, or is spoken: four digits alone mean nothing elsewhere."""
    told: list[str] = []
    for line in lines.splitlines():
        call = re.search(r"canary-(\d+)", line)
        if call is None:
            continue
        room = people[int(call[1])].room
        alone = rf"(?<![\d.:+-]){room}(?![\d.:-])"
        if re.search(alone, line.replace(call[0], "")) or spoken(room) in line:
            told.append(line[:300])
    return told
