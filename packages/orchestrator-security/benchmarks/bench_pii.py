"""What redaction costs: per line, against hostile text, for known values, and against Presidio where that is installed.

Presidio comes with the dependency group `oracle`; without it the comparison with it is left out, and says so.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from pydoc_data import topics

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from pii_corpus import LOCALES, annotated
from pii_hostile import HOSTILE
from pii_logs import log

from orchestrator_performance.benchmarking import Bench, Contender, Gate, Report, compare, run_main
from orchestrator_security.pii_redactor import PiiRedactor

SIZE = 200_000
LOG = log(SIZE).text[:SIZE]
DENSE = "\n".join(each.text.strip() for locale in LOCALES for each in annotated(locale, 700))[:SIZE]
PROSE = "\n".join(topics.topics.values())[:SIZE]
SUBJECT = PiiRedactor()


def contender(name: str, text: str, redactor: PiiRedactor = SUBJECT, call: str | None = None) -> Contender:
    return Contender(name, lambda: redactor.redact_text(text, call=call))


def hostile() -> Report:
    """As long as the benign text, which holds something personal in every line, and in lines of 2,000 characters."""

    def text(seed: str) -> str:
        line = (seed * 2000)[:1999] + "\n"
        return (line * (SIZE // 2000))[:SIZE]

    contenders = [contender(repr(seed), text(seed)) for seed in HOSTILE]
    return compare(
        "hostile text against annotated texts of the same length (200 kB)",
        baseline=contender("texts with something personal in each", DENSE),
        contenders=[*contenders, contender("server log", LOG), contender("prose", PROSE)],
        gates=dict.fromkeys([each.name for each in contenders], Gate(at_most=2.0)),
    )


def known_values() -> Report:
    """The same transcript with nothing known, and with the people of a call known."""
    redactor = PiiRedactor()
    redactor.know(
        "c", ["Zoë Müller", "+44 7944 079444", "room 412", "AB7X2K", "zoe.m@example.org", "Hauptstr. 5, 10115 Berlin"]
    )
    line = (
        "good evening this is zoe mueller in four one two my number is oh seven nine double four could you book a table"
    )
    return compare(
        "a sentence of a call",
        baseline=contender("nothing known", line, redactor),
        contenders=[contender("six values known", line, redactor, "c")],
    )


def presidio() -> Report:
    """Its pattern recognizers for the kinds and countries that ours covers, on a blank tokenizer; text by text."""
    from presidio_bench import analyzers

    like_for_like, default = analyzers()
    texts = [each.text for locale in LOCALES for each in annotated(locale, 12)]
    lines = log(12_000).text.splitlines()
    paragraphs = [topics.topics[name][:4000] for name in sorted(topics.topics)[:3]]
    mixed = [*texts, *lines, *paragraphs]

    def ours() -> None:
        for text in mixed:
            SUBJECT.redact_text(text)

    def theirs(analyzer) -> None:
        for text in mixed:
            analyzer.analyze(text, "en")

    return compare(
        "annotated texts, log lines and prose, a third each",
        baseline=Contender("PiiRedactor", ours),
        contenders=[
            Contender("Presidio, recognizers for the same kinds", lambda: theirs(like_for_like)),
            Contender("Presidio, its English default", lambda: theirs(default)),
        ],
        gates={"Presidio, recognizers for the same kinds": Gate(at_least=50.0)},
    )


def benches() -> Iterable[Bench]:
    if find_spec("presidio_analyzer") is None:
        sys.stderr.write("presidio-analyzer is not installed (uv sync --group oracle): not compared with it\n")
        return [hostile, known_values]
    return [hostile, known_values, presidio]


if __name__ == "__main__":
    sys.exit(run_main(benches))
