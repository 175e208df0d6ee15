"""Requests signed for real and then changed, and the comparison of two judges."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from orchestrator_kernel.ports import WebhookRefused, WebhookRequest, WebhookVerifier

SECRET = "0123456789abcdef0123456789abcdef"
FOREIGN = "the secret that an attacker made up"
URL = "https://calls.example/hook"
Predicate = Callable[[WebhookRequest], bool]


@dataclass
class Sent:
    """A request on its way: headers by name, so that a mutation finds them."""

    headers: dict[str, str]
    body: bytes
    url: str = URL
    repeated: tuple[str, str] | None = None

    def request(self) -> WebhookRequest:
        headers = [*self.headers.items(), *([self.repeated] if self.repeated else [])]
        return WebhookRequest(method="POST", url=self.url, headers=headers, body=self.body)


def json_body(rng: random.Random) -> bytes:
    """A small JSON object with text of several scripts."""
    words = ["room", "é", "Zoë", "日本", "a b", "=", "&", "%41", "", '"', "."]
    value = {
        f"k{number}": rng.choice([rng.choice(words), rng.randrange(10**6), None, [rng.choice(words)]])
        for number in range(3)
    }
    return json.dumps({"id": f"evt_{rng.randrange(10**9)}", **value}, ensure_ascii=rng.random() < 0.5).encode()


def stamp(rng: random.Random) -> int:
    """Mostly near now, else well out of every window; never within 20 s of an edge, where the two judges' clocks could differ."""
    now = int(time.time())
    if rng.random() < 0.75:
        return now + rng.randrange(-270, 270)
    return now + rng.choice([-1, 1]) * rng.choice([330, 400, 3600, 86_400, 10**7])


def edit(rng: random.Random, text: str) -> str:
    """One random edit of a header's value; characters are what latin-1 decoding can give."""
    if not text:
        return rng.choice(["x", "=", ","])
    at, other = rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)
    low, high = min(at, other), max(at, other)
    character = chr(rng.choice([rng.randrange(256), rng.randrange(33, 127), 0, 10, 32, 44, 61, 46]))
    return rng.choice(
        [
            text[:at] + character + text[at:],
            text[:at] + character + text[at + 1 :],
            text[:low] + text[high:],
            text[:low] + text[low:high].swapcase() + text[high:],
            f" {text}",
            f"{text} ",
            f"{text},{text}",
            f"{text} {text}",
            text + "=" * rng.randrange(1, 4),
            text.rstrip("="),
            rng.choice(["", "nan", "inf", "1e999", "-1", "null", "0", "9" * 30, "٣" * 3, ",", "=", "v1", "v1,", "t="]),
        ]
    )


def mutate(rng: random.Random, sent: Sent) -> Sent:
    """One change of a header, of the list of headers, or of the body, which stays UTF-8."""
    if not sent.headers:
        return sent
    headers, name = dict(sent.headers), rng.choice(list(sent.headers))
    match rng.randrange(8):
        case 0 | 1 | 2 | 3:
            headers[name] = edit(rng, headers[name])
            return replace(sent, headers=headers)
        case 4:
            del headers[name]
            return replace(sent, headers=headers)
        case 5:
            return replace(sent, repeated=(name.swapcase(), rng.choice([headers[name], edit(rng, headers[name])])))
        case 6:
            headers = {rng.choice([name.upper(), name.lower(), name.title()]): value for name, value in headers.items()}
            return replace(sent, headers=dict(rng.sample(list(headers.items()), len(headers))))
        case _:
            return replace(sent, body=rng.choice([sent.body + b" ", sent.body[:-1], b"", json_body(rng)]))


def value(request: WebhookRequest, name: str) -> str:
    """The last value of a header, as a dict of headers has it; empty when it is absent."""
    found = [each for key, each in request.headers if key.lower() == name.lower()]
    return found[-1] if found else ""


def repeated(*names: str) -> Predicate:
    """One of the headers stands twice."""
    wanted = {name.lower() for name in names}
    return lambda request: (
        max(Counter(key.lower() for key, _ in request.headers if key.lower() in wanted).values(), default=0) > 1
    )


def not_ascii(*names: str) -> Predicate:
    """One of the headers is not ASCII."""
    return lambda request: not all(value(request, name).isascii() for name in names)


@dataclass
class Tally:
    """How the two judges agreed."""

    both_accept: int = 0
    both_refuse: int = 0
    stricter: Counter[str] | None = None
    raised: Counter[str] | None = None


def compare(
    count: int,
    *,
    make: Callable[[random.Random], Sent],
    ours: WebhookVerifier,
    official: Callable[[WebhookRequest], bool],
    stricter: Mapping[str, Predicate],
    declared: tuple[type[Exception], ...],
) -> Tally:
    """Judge `count` requests twice; the official SDK may accept more only where `stricter` says so, and never less.

    What an SDK raises besides its `declared` errors counts as a refusal, and is tallied: our verifier must answer with its one error.
    """
    rng, tally = random.Random(5), Tally(stricter=Counter(), raised=Counter())
    for number in range(count):
        sent = make(rng)
        for _ in range(rng.choice([0, 0, 1, 1, 1, 2])):
            sent = mutate(rng, sent)
        request = sent.request()
        try:
            theirs = official(request)
        except declared:
            theirs = False
        except Exception as error:  # noqa: BLE001 - what an SDK raises is what is measured
            theirs = False
            tally.raised[type(error).__name__] += 1
        try:
            ours.verify(request)
            mine = True
        except WebhookRefused:
            mine = False
        if mine == theirs:
            tally.both_accept += mine
            tally.both_refuse += not mine
            continue
        assert theirs, f"case {number}: we accept what the official SDK refuses: {request}"
        # In order: a predicate may rely on those before it.
        reason = next((name for name, holds in stricter.items() if holds(request)), None)
        assert reason, f"case {number}: we refuse what the official SDK accepts: {request}"
        tally.stricter[reason] += 1
    # A comparison in which one side of the verdict hardly occurs shows nothing.
    assert min(tally.both_accept, tally.both_refuse) > count / 10, tally
    return tally
