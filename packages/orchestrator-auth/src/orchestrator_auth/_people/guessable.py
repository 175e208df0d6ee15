"""What passwords are made of that are tried first: a common word, its letters exchanged for digits, said twice, or with a number behind it.

A rule in place of a list: a list of the 3,000 most common passwords of twelve characters and more holds little else than these words in such clothes.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

_TEXT: Final = """
abc access account admin administrator adobe alexander america andrea andrew angel anthony apple arsenal asdf asdfgh ashley august austin autumn
bailey banana barcelona baseball basketball batman beautiful bigdaddy blink bonjour brandon buster butterfly
changeme charlie chelsea chicken chocolate christian company computer cookie corvette cowboy
daniel default december diamond dragon dubsmash
elephant elizabeth england everton
facebook family fender ferrari flower football forever freedom friends fuck fuckyou
gabriel george ginger google guest guitar
hannah happy harley hello helloworld hockey hunter
iloveu iloveyou instagram internet
jasmine jennifer jessica jesus jonathan jordan joshua justin
killer king
letmein linkedin liverpool london looking love lovely lovelove loveme
manchester marina martin master matrix matthew maverick melissa mercedes michael michelle microsoft million minecraft mnbvcxz monday monkey monster mustang myspace
naruto nathan nicholas nicole ninja nothing november
october office orange
pass passw passwd password passwort patrick peanut pepper phoenix pokemon princess purple
qazwsx qazwsxedc qwer qwert qwerty qwertyuiop qwertz
rainbow ranger realmadrid rebecca robert root
samantha samsung samuel secret september server shadow silver slipknot snoopy soccer spiderman starwars startrek stefan steven summer sunday sunshine superman superstar support system
taylor temp tennis test testing thomas thunder tigger tinkerbell trustno
user username
valentina vanessa victoria
welcome whatever william winner winter wolf
yamaha yankees
zaq zaqwsx zxcvbn zxcvbnm
"""
_WORDS: Final = frozenset(_TEXT.split())
_ALIKE: Final = (str.maketrans("013457@$!+89", "oleastasitbg"), str.maketrans("013457@$!+89", "oieastaslteg"))
_NO_LETTERS: Final = re.compile(r"[\W_\d]+")
_LITTLE: Final = frozenset({"", "my", "the", "a", "is", "i", "me", "you", "to", "new", "and", "your", "this", "am"})


def is_guessable(lowered: str, more: Collection[str]) -> bool:
    """Whether a password, in small letters, is little more than one common word.

    Args:
        lowered: The password.
        more: Further words, in small letters.
    """
    plain = {lowered, *(lowered.translate(alike) for alike in _ALIKE)}
    return any(
        text.count(word) and _is_little(lowered, text, word) for text in plain for word in _WORDS.union(more) if word
    )


def _is_little(lowered: str, text: str, word: str) -> bool:
    """Whether only digits, signs and little words are left when the word is taken out; `text` is the password with letters for digits."""
    left = list(lowered)
    start = text.find(word)
    while start >= 0:
        left[start : start + len(word)] = " " * len(word)
        start = text.find(word, start + len(word))
    return set(_NO_LETTERS.split("".join(left))) <= _LITTLE
