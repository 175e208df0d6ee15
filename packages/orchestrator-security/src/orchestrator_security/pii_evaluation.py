"""How good the detector is, by kind: recall, precision, and what was missed.

    python -m orchestrator_security.pii_evaluation FILE.json [--show 10] [--at-least 0.99]

The file is a list of samples in the span format of presidio-research: `{"full_text": …, "spans": [{"entity_type": …, "start_position": …,
"end_position": …}]}`. A marked span counts as found if every letter and figure of it would be redacted, whatever kind it is found as;
a span of ours is right if it touches a marked one. What no form tells (names, places) is counted apart.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from orchestrator_kernel.exceptions import ValidationError
from orchestrator_security._pii.kinds import Kind, Span
from orchestrator_security.pii_redactor import find

__all__ = ["Evaluation", "Marked", "Sample", "Score", "evaluate", "main", "read_samples"]

_BY_NAME: Final[Mapping[str, Kind]] = {
    "CREDIT_CARD": Kind.CARD,
    "IBAN_CODE": Kind.IBAN,
    "PHONE_NUMBER": Kind.PHONE,
    "EMAIL_ADDRESS": Kind.EMAIL,
    "IP_ADDRESS": Kind.IP,
    "US_PASSPORT": Kind.PASSPORT,
    "US_DRIVER_LICENSE": Kind.DRIVING_LICENCE,
    "DRIVER_LICENSE": Kind.DRIVING_LICENCE,
    "DATE_OF_BIRTH": Kind.BIRTH_DATE,
    "API_KEY": Kind.SECRET,
    "PASSWORD": Kind.SECRET,
    "TOKEN": Kind.SECRET,
    **dict.fromkeys(
        ("US_SSN", "US_ITIN", "UK_NHS", "UK_NINO", "ES_NIF", "ES_NIE", "IT_FISCAL_CODE", "PL_PESEL"), Kind.NATIONAL_ID
    ),
    **{kind.value: kind for kind in Kind if kind not in {Kind.KNOWN, Kind.NAME}},
}
"""Entity types that have a form, by presidio's names and ours."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A span that somebody marked as personal."""

    start: int
    end: int
    entity: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A text and what is personal in it."""

    text: str
    marked: Sequence[Marked]


@dataclass(slots=True)
class Score:
    """Counts of one kind.

    `marked` and `found` count spans in the data; `reported` and `right` count spans of ours.
    """

    marked: int = 0
    found: int = 0
    reported: int = 0
    right: int = 0

    @property
    def recall(self) -> float:
        """Found of marked; 1 where nothing was marked."""
        return self.found / self.marked if self.marked else 1.0

    @property
    def precision(self) -> float:
        """Right of reported; 1 where nothing was reported."""
        return self.right / self.reported if self.reported else 1.0


def _scores() -> dict[str, Score]:
    return {}


@dataclass(slots=True)
class Evaluation:
    """The scores of a data set.

    Attributes:
        kinds: By kind, for what has a form.
        formless: By the data's entity type, for what has none.
        missed: `(entity, text)` of marked spans with a form that were not found.
        wrong: `(kind, text)` of spans of ours that nobody marked.
        characters: Size of all texts.
    """

    kinds: dict[str, Score] = field(default_factory=_scores)
    formless: dict[str, Score] = field(default_factory=_scores)
    missed: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    wrong: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    characters: int = 0

    @property
    def total(self) -> Score:
        """All kinds with a form together."""
        scores = self.kinds.values()
        return Score(
            *(sum(getattr(score, name) for score in scores) for name in ("marked", "found", "reported", "right"))
        )

    def table(self) -> str:
        """The scores, a line per kind."""
        rows = [(name, self.kinds[name]) for name in sorted(self.kinds)] + [("all with a form", self.total)]
        lines = [f"{'kind':18} {'marked':>7} {'recall':>7} {'reported':>9} {'precision':>9}"]
        lines += [
            f"{name:18} {score.marked:7} {score.recall:7.4f} {score.reported:9} {score.precision:9.4f}"
            for name, score in rows
        ]
        lines += [
            f"{name:18} {score.marked:7} {score.recall:7.4f}   without a form"
            for name, score in sorted(self.formless.items())
        ]
        return "\n".join(lines)


def evaluate(samples: Iterable[Sample]) -> Evaluation:
    """Run the detector over the samples."""
    result = Evaluation()
    for sample in samples:
        found = find(sample.text)
        result.characters += len(sample.text)
        for marked in sample.marked:
            kind = _BY_NAME.get(marked.entity.upper())
            score = (
                result.formless.setdefault(marked.entity, Score())
                if kind is None
                else result.kinds.setdefault(kind.value, Score())
            )
            score.marked += 1
            if _covered(sample.text, marked, found):
                score.found += 1
            elif kind is not None:
                result.missed.append((marked.entity, sample.text[max(0, marked.start - 30) : marked.end + 10]))
        for span in found:
            score = result.kinds.setdefault(span.kind.value, Score())
            score.reported += 1
            if any(span.start < marked.end and marked.start < span.end for marked in sample.marked):
                score.right += 1
            else:
                result.wrong.append((span.kind.value, sample.text[max(0, span.start - 30) : span.end + 10]))
    return result


def _covered(text: str, marked: Marked, found: Sequence[Span]) -> bool:
    inside = [at for at in range(marked.start, marked.end) if text[at].isalnum()]
    return all(any(span.start <= at < span.end for span in found) for at in inside)


def read_samples(data: object) -> list[Sample]:
    """Samples from a parsed JSON file.

    Raises:
        ValidationError: It does not have presidio-research's form, or a span lies outside its text; the message says which sample.
    """
    if not isinstance(data, list):
        raise ValidationError("the file must be a list of samples")
    return [_sample(number, each) for number, each in enumerate(cast("list[object]", data))]


def _sample(number: int, data: object) -> Sample:
    record = cast("dict[str, object]", data) if isinstance(data, dict) else {}
    text, spans = record.get("full_text"), record.get("spans")
    if not isinstance(text, str) or not isinstance(spans, list):
        raise ValidationError(f"sample {number} needs full_text and spans")
    marked: list[Marked] = []
    for span in cast("list[object]", spans):
        values = cast("dict[str, object]", span) if isinstance(span, dict) else {}
        start, end, entity = (values.get(name) for name in ("start_position", "end_position", "entity_type"))
        if not (
            isinstance(start, int)
            and isinstance(end, int)
            and isinstance(entity, str)
            and 0 <= start < end <= len(text)
        ):
            raise ValidationError(
                f"sample {number} has a span without entity_type, start_position and end_position within its text"
            )
        marked.append(Marked(start, end, entity))
    return Sample(text, marked)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 1 if the recall is below `--at-least`, 2 if the file cannot be read."""
    parser = argparse.ArgumentParser(
        prog="python -m orchestrator_security.pii_evaluation", description="Recall and precision of the PII detector."
    )
    parser.add_argument("file", type=Path, help="samples in presidio-research's span format")
    parser.add_argument("--show", type=int, default=0, metavar="N", help="print N missed and N wrong spans")
    parser.add_argument(
        "--at-least", type=float, default=0.0, metavar="RECALL", help="fail below this recall of all kinds with a form"
    )
    options = parser.parse_args(arguments)
    try:
        result = evaluate(read_samples(json.loads(options.file.read_text(encoding="utf-8"))))
    except (OSError, ValueError, ValidationError) as error:
        sys.stderr.write(f"{options.file}: {error}\n")
        return 2
    sys.stdout.write(result.table() + "\n")
    for title, spans in (("missed", result.missed), ("not marked in the data", result.wrong)):
        for name, text in spans[: options.show]:
            sys.stdout.write(f"{title}: {name}: {text!r}\n")
    return 1 if result.total.recall < options.at_least else 0


if __name__ == "__main__":
    sys.exit(main())
